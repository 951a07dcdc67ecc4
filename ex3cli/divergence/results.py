"""Results of `ex3 divergence` and their JSON document."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ex3cli.divergence.closed_forms import Family
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.critic import CriticResult
from ex3cli.divergence.estimators import Estimate, Estimates
from ex3cli.divergence.explanation import explain
from ex3cli.divergence.sample_size import Growth
from ex3cli.divergence.tables import DISTANCES


@dataclass(frozen=True)
class Quantity:
    """A distance at one θ: exact value, derivative in θ (NaN where there is none), estimates by name."""

    exact: float
    gradient: float
    estimates: Estimates


@dataclass(frozen=True)
class Result:
    """KL and JS in nats, and W, at one θ; `critic` is None without training steps."""

    theta: float
    kl: Quantity
    js: Quantity
    w: Quantity
    critic: CriticResult | None


@dataclass(frozen=True)
class Study:
    """All results of one command."""

    config: DivergenceConfig
    seed: int
    family: Family = field(repr=False)
    results: list[Result]
    growth: Growth

    def document(self) -> dict[str, Any]:
        """The JSON document, a public interface; `runs.jsonio` encodes infinity and NaN."""
        return {
            "settings": {**self.config.to_dict(), "seed": self.seed, "family": self.family.name},
            "results": [
                {"theta": result.theta, **{name: asdict(getattr(result, name)) for name in DISTANCES}}
                for result in self.results
            ],
            "explanation": self.explanation,
        }

    def rows(self) -> Iterator[tuple[float, str, float, str, Estimate]]:
        """θ, distance, exact value, estimator and estimate of each estimate."""
        for result in self.results:
            for name in DISTANCES:
                quantity: Quantity = getattr(result, name)
                for estimator, estimate in quantity.estimates.items():
                    yield result.theta, name, quantity.exact, estimator, estimate

    @property
    def explanation(self) -> list[str]:
        """The interpretation for GANs, in paragraphs."""
        critics = {result.theta: result.critic for result in self.results if result.critic is not None}
        return explain(
            self.family, {theta: critic for theta, critic in critics.items() if math.isfinite(critic.value)}
        )
