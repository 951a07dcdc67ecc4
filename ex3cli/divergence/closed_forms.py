"""Exact KL, JS and W1 of the shifted lines, thin or thickened, and their derivatives in the shift θ.

P is a line at x = 0, Q the same at x = θ, both with y ~ U(0,1) independent of x. Information is in nats, JS
has weights ½ + ½,
W1 has Euclidean cost. Along y nothing differs, so all is decided by the distributions of x. W1 = |θ| in every
case: moving
each point by θ costs |θ|, and the 1-Lipschitz function f(x, y) = x already tells the two apart by |θ|
(Kantorovich-Rubinstein).

A derivative is NaN where there is none: where KL is infinite, and at jumps and kinks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Family(Protocol):
    """One kind of line; every function maps an array of θ to an array of its shape."""

    @property
    def name(self) -> str:
        """What it is called in tables."""

    def kl(self, theta: ArrayLike) -> Array:
        """KL(P‖Q) in nats; KL(Q‖P) is the same, by symmetry."""

    def js(self, theta: ArrayLike) -> Array:
        """JS(P, Q) in nats, at most log 2."""

    def w(self, theta: ArrayLike) -> Array:
        """W1(P, Q), in the unit of x."""

    def gradients(self, theta: ArrayLike) -> dict[str, Array]:
        """d/dθ of `kl`, `js` and `w`, by those names."""

    def sample(self, count: int, theta: float, generator: np.random.Generator) -> Array:
        """Draw (count, 2) points of the line at x = θ."""


@dataclass(frozen=True)
class ThinLines:
    """The exercise's own case: two vertical lines, disjoint unless θ = 0."""

    name: str = "lines"

    def kl(self, theta: ArrayLike) -> Array:
        """0 at θ = 0, ∞ elsewhere: Q gives no mass to where P lives."""
        return np.where(np.asarray(theta) == 0, 0.0, np.inf)

    def js(self, theta: ArrayLike) -> Array:
        """0 at θ = 0, log 2 elsewhere: one look at x tells P from Q."""
        return np.where(np.asarray(theta) == 0, 0.0, np.log(2))

    def w(self, theta: ArrayLike) -> Array:
        """|θ|."""
        return np.asarray(np.abs(np.asarray(theta, dtype=float)))

    def gradients(self, theta: ArrayLike) -> dict[str, Array]:
        """KL has none, JS is flat, W slopes by sign θ; at θ = 0 the first two jump and W has a kink."""
        theta = np.asarray(theta, dtype=float)
        return {
            "kl": np.full_like(theta, np.nan),
            "js": np.where(theta == 0, np.nan, 0.0),
            "w": _slope_of_modulus(theta),
        }

    def sample(self, count: int, theta: float, generator: np.random.Generator) -> Array:
        """Draw (count, 2) points with x = θ."""
        return np.column_stack([np.full(count, float(theta)), generator.random(count)])


@dataclass(frozen=True)
class GaussianLines:
    """Lines thickened by normal noise in x of standard deviation σ: everything finite and smooth."""

    sigma: float

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"lines with normal thickness σ = {self.sigma:g}"

    def kl(self, theta: ArrayLike) -> Array:
        """θ²/2σ²."""
        with np.errstate(over="ignore"):  # beyond 1e308 nats it is infinite for every purpose
            return np.asarray((np.asarray(theta, dtype=float) / self.sigma) ** 2 / 2)

    def js(self, theta: ArrayLike) -> Array:
        """log 2 − E_{z~N(0,1)} softplus(uz − u²/2) with u = θ/σ, by quadrature to about 1e-14."""
        shift = self._shift(theta)
        missed = _normal_expectation(shift, lambda s: np.logaddexp(0, s) * np.exp(-s / 2))
        return np.asarray(np.maximum(np.log(2) - missed, 0.0))

    def w(self, theta: ArrayLike) -> Array:
        """|θ|, whatever σ is."""
        return np.asarray(np.abs(np.asarray(theta, dtype=float)))

    def gradients(self, theta: ArrayLike) -> dict[str, Array]:
        """KL: θ/σ². JS: (u/σ)·E sigmoid(uz − u²/2)² (Stein's lemma on `js`), which dies like exp(−u²/8). W:
        sign θ.
        """
        theta = np.asarray(theta, dtype=float)
        seen = _normal_expectation(self._shift(theta), lambda s: np.exp(-s / 2 - 2 * np.logaddexp(0, -s)))
        with np.errstate(over="ignore"):
            pull = theta / self.sigma / self.sigma
        return {"kl": pull, "js": np.where(seen == 0, 0.0, pull) * seen, "w": _slope_of_modulus(theta)}

    def sample(self, count: int, theta: float, generator: np.random.Generator) -> Array:
        """Draw (count, 2) points with x ~ N(θ, σ²)."""
        return np.column_stack([generator.normal(theta, self.sigma, count), generator.random(count)])

    def _shift(self, theta: ArrayLike) -> Array:
        """|θ|/σ, cut at 1000, where JS has long been log 2 to the last bit."""
        return np.asarray(np.minimum(np.abs(np.asarray(theta, dtype=float)), 1000 * self.sigma) / self.sigma)


@dataclass(frozen=True)
class BoxLines:
    """Lines thickened to strips of width w: JS sees θ only while the strips overlap."""

    width: float

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"strips of width {self.width:g}"

    def kl(self, theta: ArrayLike) -> Array:
        """0 at θ = 0, ∞ elsewhere: part of P lies where Q has no mass."""
        return np.where(np.asarray(theta) == 0, 0.0, np.inf)

    def js(self, theta: ArrayLike) -> Array:
        """log 2 · min(|θ|/w, 1): log 2 times the share of P outside Q."""
        return np.asarray(np.log(2) * np.minimum(np.abs(np.asarray(theta, dtype=float)) / self.width, 1.0))

    def w(self, theta: ArrayLike) -> Array:
        """|θ|, whatever w is."""
        return np.asarray(np.abs(np.asarray(theta, dtype=float)))

    def gradients(self, theta: ArrayLike) -> dict[str, Array]:
        """KL has none. JS: sign θ · log 2/w while the strips overlap, 0 after, none at the kinks 0 and ±w. W:
        sign θ.
        """
        theta = np.asarray(theta, dtype=float)
        distance = np.abs(theta)
        slope = np.where(distance < self.width, np.log(2) / self.width, 0.0)
        slope = np.where(distance == self.width, np.nan, slope)
        return {
            "kl": np.full_like(theta, np.nan),
            "js": slope * _slope_of_modulus(theta),
            "w": _slope_of_modulus(theta),
        }

    def sample(self, count: int, theta: float, generator: np.random.Generator) -> Array:
        """Draw (count, 2) points with x ~ U(θ − w/2, θ + w/2)."""
        half = self.width / 2
        return np.column_stack(
            [generator.uniform(theta - half, theta + half, count), generator.random(count)]
        )


def family_of(sigma: float | None, box: float | None) -> Family:
    """The kind of line that `DivergenceConfig` asks for."""
    if sigma is not None:
        return GaussianLines(sigma)
    return ThinLines() if box is None else BoxLines(box)


def _slope_of_modulus(theta: Array) -> Array:
    return np.where(theta == 0, np.nan, np.sign(theta))


def _normal_expectation(shift: Array, folded: Callable[[Array], Array]) -> Array:
    """E_{z~N(0,1)} h(uz − u²/2) for each u of `shift`, given folded(s) = h(s)·e^(−s/2).

    With t = z − u/2 the expectation is e^(−u²/8) ∫ φ(t)·folded(ut) dt: the vanishing factor stands in front,
    so nothing
    cancels however large u is. `folded` decays on both sides, over |s| of about 80 at most; the trapezoid
    rule converges
    geometrically on such an integrand.
    """
    reach = 80 / np.maximum(shift, 80 / 9)  # |t| up to 9, or less where `folded` is over sooner
    nodes = np.linspace(-1, 1, 1601) * np.asarray(reach)[..., None]
    step = np.asarray(reach) / 800
    density = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    integral = (density * folded(np.asarray(shift)[..., None] * nodes)).sum(axis=-1) * step
    return np.asarray(np.exp(-(shift**2) / 8) * integral)
