"""What the numbers mean, in plain words: the exercise's "why is Wasserstein better", and what it says about GANs."""

from textwrap import dedent

from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines

_THIN = """
    KL and JS ask one thing only: do the two lines share points? If θ ≠ 0 they share none, so KL = ∞ and JS = log 2 ≈ 0.693,
    whether θ is 1 or 0.001. Only at θ = 0 do both jump to 0. W asks how far the mass has to be carried: W = |θ|.

    Why Wasserstein is better: it falls smoothly to 0 as Q approaches P, and its slope (sign θ) says at every θ ≠ 0 which way
    to move Q. JS has slope 0 there and KL none at all: neither can tell a step towards P from one away from it.
"""
_GAUSSIAN = """
    Thickened by normal noise the lines overlap everywhere, so KL = θ²/2σ² and JS are finite and smooth. But once |θ| is a
    few σ, JS is log 2 to many digits and its slope dies like exp(−θ²/8σ²), while KL grows beyond what samples can show.
    As σ → 0 the thin lines return: JS becomes a step, KL leaves the page. W = |θ| does not move.

    Why Wasserstein is better: its slope is sign θ whatever σ is. Adding noise, as some GANs do to their images, rescues JS
    only over a distance of a few σ.
"""
_BOX = """
    Strips overlap only while |θ| is below their width. There JS grows in proportion to θ; beyond, it is log 2 and flat. KL
    is infinite for every θ ≠ 0, because part of P lies where Q has no mass at all. W = |θ| throughout.

    Why Wasserstein is better: its slope is sign θ, also where the strips no longer touch and JS has nothing to say.
"""
_GANS = """
    What this says about GANs: real images and generated ones lie near thin, low-dimensional sets that hardly meet, like the
    two thin lines. An ideal discriminator then separates them without a mistake, JS is log 2, and the JS that the original
    GAN minimises gives its generator no slope to follow.

    A WGAN's critic estimates W by its dual: the largest E_Q f − E_P f over functions f of slope at most 1. Here f(x, y) = ±x
    is best and reads |θ|. The small critic in the table was trained just as WGAN-GP's is. It comes close, a little high
    because its gradient penalty only discourages slopes above 1, and its slope at Q is the direction that a generator would
    be given.

    What it does not say: with few samples W is estimated too high as well, in d > 2 dimensions by order n^(−1/d), and a
    trained critic is not the best one. W is easier to learn from, not easier to measure.
"""


def explain(family: Family) -> list[str]:
    """Paragraphs for a person, about this kind of lines."""
    own = _GAUSSIAN if isinstance(family, GaussianLines) else _BOX if isinstance(family, BoxLines) else _THIN
    paragraphs = dedent(own).strip().split("\n\n") + dedent(_GANS).strip().split("\n\n")
    return [" ".join(each.split()) for each in paragraphs]
