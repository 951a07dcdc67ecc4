"""Exact KL, JS and W1 of the shifted lines, thin or thickened, and their derivatives in the shift θ.

P is a line at x = 0, Q the same line at x = θ, both with y ~ U(0,1) independent of x. KL and JS (weights ½ +
½) are in nats, W1 has Euclidean cost. The distributions of y are equal, so the distances are those of the
distributions of x. W1 = |θ| always: moving each point by θ costs |θ|, and the 1-Lipschitz function f(x, y) =
±x attains |θ| (Kantorovich-Rubinstein).

Derivatives that do not exist are NaN: where KL is infinite, and at jumps and kinks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Family(Protocol):
    """A kind of line; every function maps an array of θ to an array of the same shape."""

    @property
    def name(self) -> str:
        """The name in tables and figures."""

    def kl(self, theta: ArrayLike) -> Array:
        """KL(P‖Q) in nats, equal to KL(Q‖P) by symmetry."""

    def js(self, theta: ArrayLike) -> Array:
        """JS(P, Q) in nats, at most log 2."""

    def w(self, theta: ArrayLike) -> Array:
        """W1(P, Q) in the unit of x."""

    def gradients(self, theta: ArrayLike) -> dict[str, Array]:
        """d/dθ of "kl", "js" and "w"."""

    def sample(self, count: int, theta: float, generator: np.random.Generator) -> Array:
        """Draw (count, 2) points of the line at x = θ."""


class _AbsoluteShift:
    """W1 = |θ|, which holds for every family."""

    def w(self, theta: ArrayLike) -> Array:
        """|θ|."""
        return np.asarray(np.abs(np.asarray(theta, dtype=float)))


@dataclass(frozen=True)
class ThinLines(_AbsoluteShift):
    """The case of the exercise: two vertical lines, disjoint unless θ = 0."""

    name: str = "lines"

    def kl(self, theta: ArrayLike) -> Array:
        """0 at θ = 0, ∞ elsewhere: Q has no mass on P's line."""
        return np.where(np.asarray(theta) == 0, 0.0, np.inf)

    def js(self, theta: ArrayLike) -> Array:
        """0 at θ = 0, log 2 elsewhere: x distinguishes P from Q with certainty."""
        return np.where(np.asarray(theta) == 0, 0.0, np.log(2))

    def gradients(self, theta: ArrayLike) -> dict[str, Array]:
        """KL: NaN. JS: 0. W: sign θ. All NaN at θ = 0, where KL and JS jump and W has a kink."""
        theta = np.asarray(theta, dtype=float)
        return {
            "kl": np.full_like(theta, np.nan),
            "js": np.where(theta == 0, np.nan, 0.0),
            "w": _sign(theta),
        }

    def sample(self, count: int, theta: float, generator: np.random.Generator) -> Array:
        """Draw (count, 2) points with x = θ."""
        return np.column_stack([np.full(count, float(theta)), generator.random(count)])


@dataclass(frozen=True)
class GaussianLines(_AbsoluteShift):
    """Lines thickened by normal noise in x of standard deviation σ: KL and JS are finite and smooth."""

    sigma: float

    @property
    def name(self) -> str:
        """The name in tables and figures."""
        return f"lines with normal thickness σ = {self.sigma:g}"

    def kl(self, theta: ArrayLike) -> Array:
        """θ²/2σ²."""
        with np.errstate(over="ignore"):  # infinite above 1e308 nats
            return np.asarray((np.asarray(theta, dtype=float) / self.sigma) ** 2 / 2)

    def js(self, theta: ArrayLike) -> Array:
        """log 2 − E_{z~N(0,1)} softplus(uz − u²/2) with u = θ/σ, by quadrature (error about 1e-14)."""
        lacking = _normal_expectation(self._shift(theta), lambda s: np.logaddexp(0, s) * np.exp(-s / 2))
        return np.asarray(np.maximum(np.log(2) - lacking, 0.0))

    def gradients(self, theta: ArrayLike) -> dict[str, Array]:
        """KL: θ/σ². JS: (u/σ)·E sigmoid(uz − u²/2)², by Stein's lemma; decays like exp(−u²/8). W: sign θ."""
        theta = np.asarray(theta, dtype=float)
        decay = _normal_expectation(self._shift(theta), lambda s: np.exp(-s / 2 - 2 * np.logaddexp(0, -s)))
        with np.errstate(over="ignore"):
            slope = theta / self.sigma / self.sigma
        return {"kl": slope, "js": np.where(decay == 0, 0.0, slope) * decay, "w": _sign(theta)}

    def sample(self, count: int, theta: float, generator: np.random.Generator) -> Array:
        """Draw (count, 2) points with x ~ N(θ, σ²)."""
        return np.column_stack([generator.normal(theta, self.sigma, count), generator.random(count)])

    def _shift(self, theta: ArrayLike) -> Array:
        """|θ|/σ, at most 1000, where JS equals log 2 to the last bit."""
        return np.asarray(np.minimum(np.abs(np.asarray(theta, dtype=float)), 1000 * self.sigma) / self.sigma)


@dataclass(frozen=True)
class BoxLines(_AbsoluteShift):
    """Lines thickened to strips of width w: JS depends on θ only while the strips overlap."""

    width: float

    @property
    def name(self) -> str:
        """The name in tables and figures."""
        return f"strips of width {self.width:g}"

    def kl(self, theta: ArrayLike) -> Array:
        """0 at θ = 0, ∞ elsewhere: Q has no mass in a part of P."""
        return np.where(np.asarray(theta) == 0, 0.0, np.inf)

    def js(self, theta: ArrayLike) -> Array:
        """log 2 · min(|θ|/w, 1): log 2 times the share of P outside Q."""
        return np.asarray(np.log(2) * np.minimum(np.abs(np.asarray(theta, dtype=float)) / self.width, 1.0))

    def gradients(self, theta: ArrayLike) -> dict[str, Array]:
        """KL: NaN. JS: sign θ · log 2/w while the strips overlap, then 0; NaN at the kinks 0, ±w.

        W: sign θ.
        """
        theta = np.asarray(theta, dtype=float)
        distance = np.abs(theta)
        slope = np.where(distance < self.width, np.log(2) / self.width, 0.0)
        slope = np.where(distance == self.width, np.nan, slope)
        return {
            "kl": np.full_like(theta, np.nan),
            "js": slope * _sign(theta),
            "w": _sign(theta),
        }

    def sample(self, count: int, theta: float, generator: np.random.Generator) -> Array:
        """Draw (count, 2) points with x ~ U(θ − w/2, θ + w/2)."""
        half = self.width / 2
        x = generator.uniform(theta - half, theta + half, count)
        return np.column_stack([x, generator.random(count)])


def family_of(sigma: float | None, interval: float | None) -> Family:
    """The lines of a `DivergenceConfig`."""
    if sigma is not None:
        return GaussianLines(sigma)
    return ThinLines() if interval is None else BoxLines(interval)


def _sign(theta: Array) -> Array:
    """The derivative of |θ|."""
    return np.where(theta == 0, np.nan, np.sign(theta))


def _normal_expectation(shift: Array, folded: Callable[[Array], Array]) -> Array:
    """E_{z~N(0,1)} h(uz − u²/2) for each u of `shift`, given folded(s) = h(s)·e^(−s/2).

    With t = z − u/2 the expectation is e^(−u²/8) ∫ φ(t)·folded(ut) dt. The small factor is outside the
    integral, so there is no cancellation for large u. `folded` decays within |s| of about 80 on both sides;
    the trapezoid rule converges geometrically for such an integrand.
    """
    reach = 80 / np.maximum(shift, 80 / 9)  # |t| up to 9, or less where `folded` decays earlier
    nodes = np.linspace(-1, 1, 1601) * np.asarray(reach)[..., None]
    step = np.asarray(reach) / 800
    density = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    integral = (density * folded(np.asarray(shift)[..., None] * nodes)).sum(axis=-1) * step
    return np.asarray(np.exp(-(shift**2) / 8) * integral)
