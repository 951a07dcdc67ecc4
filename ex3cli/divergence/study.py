"""Run `ex3 divergence`: closed forms, estimates, and the files of the run."""

import math

from ex3cli.divergence.closed_forms import Family, family_of
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.critic import CriticResult, train_critic
from ex3cli.divergence.estimators import Estimate, estimate_js, estimate_kl, estimate_w
from ex3cli.divergence.results import Quantity, Result, Study
from ex3cli.divergence.sample_size import grow
from ex3cli.runs.run import Run
from ex3cli.seeding import numpy_generator
from ex3cli.training.progress import Progress

CSV_COLUMNS = "theta distance closed_form estimator estimate n low high bias gradient note"


def run_study(config: DivergenceConfig, run: Run, seed: int, progress: Progress) -> Study:
    """Compare closed forms with estimates, and write tables and figures into the run folder."""
    study = compare(config, seed, progress)
    _write(study, run)
    return study


def compare(config: DivergenceConfig, seed: int, progress: Progress) -> Study:
    """Compare the closed forms with estimates for every θ of `config`.

    Each θ has random streams of its own, derived from `seed`: another θ does not change its numbers.
    """
    family = family_of(config.sigma, config.interval)
    results = [_study_theta(family, theta, config, seed, progress) for theta in dict.fromkeys(config.theta)]
    return Study(config, seed, family, results, grow(family, config, seed, progress))


def _study_theta(
    family: Family, theta: float, config: DivergenceConfig, seed: int, progress: Progress
) -> Result:
    draws = numpy_generator(seed, "divergence", "points", repr(theta))
    p = family.sample(config.samples, 0.0, draws)
    q = family.sample(config.samples, theta, draws)
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
            weight=config.gp_weight,
            seed=seed,
            progress=progress,
        )
        w["critic"] = critic_estimate(critic, theta, config.critic_steps)
    return Result(
        theta,
        Quantity(float(family.kl(theta)), gradients["kl"], estimate_kl(family, p, q, theta)),
        Quantity(float(family.js(theta)), gradients["js"], estimate_js(family, p, q, config.bins)),
        Quantity(float(family.w(theta)), gradients["w"], w),
        critic,
    )


def critic_estimate(critic: CriticResult, theta: float, steps: int) -> Estimate:
    """The critic's estimate of W, with a note on whether the critic has converged."""
    if not math.isfinite(critic.value):
        return Estimate(None, critic.n, "training has diverged: give another --gp-weight")
    if theta == 0:
        return Estimate(critic.value, critic.n, "P = Q: training and sampling error", None, critic.bias)
    if not critic.has_converged(theta):
        note = f"not converged after {steps:,} steps, so too low: give more --critic-steps"
        return Estimate(critic.value, critic.n, note, gradient=critic.gradient)
    note = "trained as in WGAN-GP; soft penalty: too high by θ²/(2λu), u the points' extent"
    return Estimate(critic.value, critic.n, note, None, critic.bias, critic.gradient)


def _write(study: Study, run: Run) -> None:
    from ex3cli.plotting import style

    from ex3cli.divergence.figures import draw_all

    rows = [
        [
            *row,
            found.value,
            found.n,
            *(found.interval or (None, None)),
            found.bias,
            found.gradient,
            found.note,
        ]
        for *row, found in study.rows()
    ]
    run.write_json("results.json", study.document())
    run.write_csv("table.csv", CSV_COLUMNS.split(), rows)
    run.write_text("explanation.txt", "\n\n".join(study.explanation) + "\n")
    with style():
        for name, figure in draw_all(study).items():
            run.write_figure(f"figures/{name}", figure, svg=True)
