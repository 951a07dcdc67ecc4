"""Interpretation of `ex3 divergence`: the advantage of Wasserstein, and the consequences for GANs."""

from collections.abc import Mapping

from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines
from ex3cli.divergence.critic import CriticResult
from ex3cli.tables import number

_THIN = """
    KL and JS depend only on whether the two lines overlap. If θ ≠ 0 they do not, so KL = ∞ and JS = log 2 ≈
    0.693, whether θ is 1 or 0.001. At θ = 0 both drop to 0. W measures how far the mass has to move: W = |θ|.

    Why Wasserstein is better: W falls continuously to 0 as Q approaches P, and its slope, sign θ, gives the
    direction in which to move Q at every θ ≠ 0. There JS is constant and KL infinite, so neither has a
    gradient that gives a direction.
"""
_GAUSSIAN = """
    Lines thickened by Gaussian noise overlap everywhere, so KL = θ²/2σ² and JS are finite and
    smooth. Once |θ| is a few σ, JS equals log 2 to many digits and its slope decays like exp(−θ²/8σ²), while
    KL grows beyond what samples can show. As σ → 0, JS becomes a step and KL diverges, as for thin lines. W =
    |θ| does not depend on σ.

    Why Wasserstein is better: its slope is sign θ for every σ. Adding noise, as some GANs do to their images,
    helps JS only over a distance of a few σ.
"""
_BOX = """
    Strips overlap only while |θ| is below their width. There JS is proportional to |θ|; beyond, it is
    constant at log 2. KL is infinite for every θ ≠ 0, because Q has no mass in a part of P. W = |θ|
    everywhere.

    Why Wasserstein is better: its slope is sign θ, even where the strips do not overlap and JS is constant.
"""
_GANS = """
    What this means for GANs: real and generated images lie near thin, low-dimensional sets that hardly meet,
    like the two lines. An ideal discriminator separates them without error, JS is log 2, and the generator of
    the original GAN, which minimizes JS, gets no gradient.

    A WGAN's critic estimates W by its dual: the largest E_Q f − E_P f over functions f with slope at most 1.
    Here the optimal critic is f(x, y) = sign(θ)·x, which attains |θ|. {critic}

    A caveat: W too is overestimated from few samples, by O(n^(−1/d)) in d > 2 dimensions, and a trained
    critic only approximates the optimal one. W gives a better training signal; it is not easier to measure.
"""


def explain(family: Family, critics: Mapping[float, CriticResult]) -> list[str]:
    """Paragraphs on the family's distances and on the trained critics, given by θ."""
    own = _GAUSSIAN if isinstance(family, GaussianLines) else _BOX if isinstance(family, BoxLines) else _THIN
    text = own + _GANS.format(critic=_critics(critics))
    return [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]


def _critics(critics: Mapping[float, CriticResult]) -> str:
    converged = {theta: critic for theta, critic in critics.items() if critic.has_converged(theta)}
    others = {theta: critic for theta, critic in critics.items() if theta and theta not in converged}
    text = []
    if converged:
        text.append(
            f"At {_estimates(converged)}. This slope is the direction that a generator would get. The "
            "gradient penalty is a soft constraint, so an optimal critic's estimate is too high by θ²/(2λu), "
            "where u is the extent of the points."
        )
    if others:
        text.append(f"At {_estimates(others)}: it has not converged, so its estimate is too low.")
    if 0 in critics:
        error = number(critics[0].value, 2)
        text.append(f"At θ = 0, where W is 0, it estimates {error}, its training and sampling error.")
    return " ".join(["The table's critic was trained as in WGAN-GP.", *text]) if critics else ""


def _estimates(critics: Mapping[float, CriticResult]) -> str:
    thetas = ", ".join(number(theta, 6) for theta in critics)
    values = ", ".join(number(critic.value, 3) for critic in critics.values())
    slopes = ", ".join(number(critic.gradient, 3) for critic in critics.values())
    return f"θ = {thetas} it estimates {values}, with slope {slopes} at Q"
