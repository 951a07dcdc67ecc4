"""What the numbers mean, in plain words: the exercise's "why is Wasserstein better", and what it says about
GANs.
"""

from collections.abc import Mapping
from textwrap import dedent

from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines
from ex3cli.divergence.critic import CriticResult

CLOSE = 0.1
"""How far a critic's reading may be from |θ|, as a share of it, to be called close."""

_THIN = """
    KL and JS ask one thing only: do the two lines share points? If θ ≠ 0 they share none, so KL = ∞ and JS
    = log 2 ≈ 0.693, whether θ is 1 or 0.001. Only at θ = 0 do both jump to 0. W asks how far the mass has
    to be carried: W = |θ|.

    Why Wasserstein is better: it falls smoothly to 0 as Q approaches P, and its slope (sign θ) says at
    every θ ≠ 0 which way to move Q. JS has slope 0 there and KL none at all: neither can tell a step
    towards P from one away from it.
"""
_GAUSSIAN = """
    Thickened by normal noise the lines overlap everywhere, so KL = θ²/2σ² and JS are finite and smooth. But
    once |θ| is a few σ, JS is log 2 to many digits and its slope dies like exp(−θ²/8σ²), while KL grows
    beyond what samples can show. As σ → 0 the thin lines return: JS becomes a step, KL leaves the page. W =
    |θ| does not move.

    Why Wasserstein is better: its slope is sign θ whatever σ is. Adding noise, as some GANs do to their
    images, rescues JS only over a distance of a few σ.
"""
_BOX = """
    Strips overlap only while |θ| is below their width. There JS grows in proportion to θ; beyond, it is log
    2 and flat. KL is infinite for every θ ≠ 0, because part of P lies where Q has no mass at all. W = |θ|
    throughout.

    Why Wasserstein is better: its slope is sign θ, also where the strips no longer touch and JS has nothing
    to say.
"""
_GANS = """
    What this says about GANs: real images and generated ones lie near thin, low-dimensional sets that
    hardly meet, like the two thin lines. An ideal discriminator then separates them without a mistake, JS
    is log 2, and the JS that the original GAN minimises gives its generator no slope to follow.

    A WGAN's critic estimates W by its dual: the largest E_Q f − E_P f over functions f of slope at most 1.
    Here f(x, y) = ±x is best and reads |θ|. {critic}

    What it does not say: with few samples W is estimated too high as well, in d > 2 dimensions by order
    n^(−1/d), and a trained critic is not the best one. W is easier to learn from, not easier to measure.
"""


def print_failure(family: Family, critics: Mapping[float, CriticResult]) -> list[str]:
    """Paragraphs for a person, about this kind of lines and what the critics came to, by θ; none if they were
    left out.
    """
    own = _GAUSSIAN if isinstance(family, GaussianLines) else _BOX if isinstance(family, BoxLines) else _THIN
    gans = dedent(_GANS).format(critic=_about(critics))
    paragraphs = dedent(own).strip().split("\n\n") + gans.strip().split("\n\n")
    return [" ".join(each.split()) for each in paragraphs]


def _about(critics: Mapping[float, CriticResult]) -> str:
    """What the trained critics read and where they point, said of the θ of which it is true."""
    if not critics:
        return ""
    apart = {theta: each for theta, each in critics.items() if theta}
    close = {theta: each for theta, each in apart.items() if _is_close(theta, each)}
    soft = {theta: each for theta, each in apart.items() if theta not in close and _is_soft(theta, each)}
    off = {theta: each for theta, each in apart.items() if theta not in close and theta not in soft}
    said = ["The small critic in the table was trained just as WGAN-GP's is."]
    if close:
        said.append(_close(close, everywhere=close == apart))
    if soft:
        said.append(
            f"At {_thetas(soft)} it reads {_values(soft)}, too high: its gradient penalty only discourages "
            "slopes above 1, and "
            "at this weight λ adds up to θ²/2λ."
        )
    if off:
        said.append(_off(off))
    if 0 in critics:
        said.append(
            f"At θ = 0, where there is nothing to read, it reads {_value(critics[0])}: an error of its own."
        )
    return " ".join(said)


def _is_close(theta: float, critic: CriticResult) -> bool:
    return abs(critic.value - abs(theta)) <= CLOSE * abs(theta) and critic.gradient * theta > 0


def _is_soft(theta: float, critic: CriticResult) -> bool:
    best = abs(theta) + critic.bias
    return abs(critic.value - best) <= CLOSE * best and critic.gradient * theta > 0


def _close(critics: Mapping[float, CriticResult], *, everywhere: bool) -> str:
    excess = [each.value / abs(theta) - 1 for theta, each in critics.items()]
    where = "" if everywhere else f" at {_thetas(critics)}"
    high = (
        ", a little high because its gradient penalty only discourages slopes above 1"
        if min(excess) > 0
        else ""
    )
    most = max(abs(each) for each in excess)
    slopes = sorted(abs(each.gradient) for each in critics.values())
    sloped = (
        f"{slopes[0]:.2f}"
        if f"{slopes[0]:.2f}" == f"{slopes[-1]:.2f}"
        else f"{slopes[0]:.2f} to {slopes[-1]:.2f}"
    )
    return (
        f"It comes within {most:.1%}{where}{high}. Its slope at Q, {sloped} times sign θ, is the direction "
        "that a generator "
        "would be given."
    )


def _off(critics: Mapping[float, CriticResult]) -> str:
    slopes = ", ".join(f"{each.gradient:+.2f}" for each in critics.values()).replace("-", "−")
    return (
        f"At {_thetas(critics)} it reads {_values(critics)}, with slope {slopes} at Q, which says little of "
        "θ: where |θ| is no "
        "larger than the error of a training of so few steps on so few points, that error decides and not "
        "the distance."
    )


def _thetas(critics: Mapping[float, CriticResult]) -> str:
    return "θ = " + ", ".join(f"{theta:g}" for theta in critics).replace("-", "−")


def _values(critics: Mapping[float, CriticResult]) -> str:
    return ", ".join(map(_value, critics.values()))


def _value(critic: CriticResult) -> str:
    return f"{critic.value:.2g}".replace("-", "−")
