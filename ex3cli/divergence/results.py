"""The results of `ex3 divergence` and their JSON document."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ex3cli.divergence.closed_forms import Family
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.critic import CriticResult
from ex3cli.divergence.estimators import Estimate, Estimates
from ex3cli.divergence.explanation import print_failure
from ex3cli.divergence.sample_size import Growth

DISTANCES = ("kl", "js", "w")


@dataclass(frozen=True)
class Quantity:
    """One distance at one θ: its exact value, its derivative in θ (NaN where there is none), and the
    estimates by name.
    """

    exact: float
    gradient: float
    estimates: Estimates


@dataclass(frozen=True)
class Result:
    """KL and JS (nats) and W at one θ; `critic` is None if it was left out."""

    theta: float
    kl: Quantity
    js: Quantity
    w: Quantity
    critic: CriticResult | None


@dataclass(frozen=True)
class Study:
    """What `ex3 divergence` found."""

    config: DivergenceConfig
    seed: int
    family: Family = field(repr=False)
    results: list[Result]
    growth: Growth

    def document(self) -> dict[str, Any]:
        """The JSON document, a public interface; infinities are for `canonical.jsonable` to spell."""
        return {
            "settings": {**self.config.to_dict(), "seed": self.seed, "family": self.family.name},
            "results": [
                {"theta": each.theta, **{name: _quantity_document(getattr(each, name)) for name in DISTANCES}}
                for each in self.results
            ],
            "explanation": self.explanation,
        }

    def rows(self) -> Iterator[tuple[float, str, float, str, Estimate]]:
        """One row an estimate: θ, distance, closed form, estimator, estimate."""
        for each in self.results:
            for name in DISTANCES:
                quantity: Quantity = getattr(each, name)
                for estimator, estimate in quantity.estimates.items():
                    yield each.theta, name, quantity.exact, estimator, estimate

    @property
    def explanation(self) -> list[str]:
        """What the numbers say about GANs, a paragraph each."""
        critics = {each.theta: each.critic for each in self.results if each.critic is not None}
        return print_failure(
            self.family, {theta: critic for theta, critic in critics.items() if math.isfinite(critic.value)}
        )


def _quantity_document(quantity: Quantity) -> dict[str, Any]:
    return {"exact": quantity.exact, "gradient": quantity.gradient, "estimates": quantity.estimates}
