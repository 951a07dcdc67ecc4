"""The whole comparison: closed forms and estimates for each θ, and how the estimates change with the number of points."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ex3cli.artifacts.run import Run
from ex3cli.divergence.closed_forms import Family, family_of
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.critic import CriticResult, train_critic
from ex3cli.divergence.estimates import Estimate, Estimates, estimate_js, estimate_kl, estimate_w
from ex3cli.divergence.explanation import explain
from ex3cli.divergence.growth import Growth, grow
from ex3cli.streams import numpy_stream
from ex3cli.training.progress import Progress

DISTANCES = ("kl", "js", "w")


@dataclass(frozen=True)
class Quantity:
    """One distance at one θ: its exact value, its derivative in θ (NaN where there is none), and the estimates by name."""

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
        return explain(self.family, {theta: critic for theta, critic in critics.items() if math.isfinite(critic.value)})


def run_study(config: DivergenceConfig, run: Run, seed: int, progress: Progress) -> Study:
    """Compare closed forms with estimates, and write tables and figures into the run folder."""
    study = compare(config, seed, progress)
    _write(study, run)
    return study


def compare(config: DivergenceConfig, seed: int, progress: Progress) -> Study:
    """Compare the closed forms with estimates for every θ of `config`.

    All randomness follows from `seed`; each θ has streams of its own, so that adding one moves no other's numbers.
    """
    family = family_of(config.sigma, config.box)
    thetas = dict.fromkeys(config.theta)  # each once, in the order given
    results = [_study_theta(family, theta, config, seed, progress) for theta in thetas]
    return Study(config, seed, family, results, grow(family, config, seed, progress))


def _study_theta(family: Family, theta: float, config: DivergenceConfig, seed: int, progress: Progress) -> Result:
    draws = numpy_stream(seed, "divergence", "points", repr(theta))
    p, q = family.sample(config.samples, 0.0, draws), family.sample(config.samples, theta, draws)
    gradients = {name: float(value) for name, value in family.gradients(theta).items()}
    w = estimate_w(family, p, q, theta)
    critic = None
    if config.critic_steps:
        critic = train_critic(
            p,
            q,
            theta,
            steps=config.critic_steps,
            width=config.critic_width,
            weight=config.penalty,
            seed=seed,
            progress=progress,
        )
        w["critic"] = _critic_estimate(critic, theta)
    return Result(
        theta,
        Quantity(float(family.kl(theta)), gradients["kl"], estimate_kl(family, p, q, theta)),
        Quantity(float(family.js(theta)), gradients["js"], estimate_js(family, p, q, config.bins)),
        Quantity(float(family.w(theta)), gradients["w"], w),
        critic,
    )


def _critic_estimate(critic: CriticResult, theta: float) -> Estimate:
    if not math.isfinite(critic.value):
        return Estimate(None, critic.n, "the critic's training has diverged: give another --penalty")
    note = "as in WGAN-GP; soft: high by θ²/(2λu), u the points' extent"
    return Estimate(critic.value, critic.n, note, None, critic.bias, critic.gradient if theta else None)


def _write(study: Study, run: Run) -> None:
    from ex3cli.figure_style import style

    from ex3cli.divergence.figures import draw_all

    run.write_json("results.json", study.document())
    header = ("theta", "distance", "closed_form", "estimator", "estimate", "n", "low", "high", "bias", "gradient", "note")
    rows = [
        (theta, name, exact, estimator, e.value, e.n, *(e.interval or (None, None)), e.bias, e.gradient, e.note)
        for theta, name, exact, estimator, e in study.rows()
    ]
    run.write_csv("table.csv", header, rows)
    run.write_text("explanation.txt", "\n\n".join(study.explanation) + "\n")
    with style():
        for name, figure in draw_all(study).items():
            run.write_figure(f"figures/{name}", figure, svg=True)


def _quantity_document(quantity: Quantity) -> dict[str, Any]:
    return {"exact": quantity.exact, "gradient": quantity.gradient, "estimates": quantity.estimates}
