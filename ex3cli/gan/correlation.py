"""Does the loss tell how good the images are? The distance that the critic estimates beside that of the images, look by look.

Arjovsky, Chintala and Bottou 2017, section 4.2, say so of the WGAN ("a meaningful loss metric") and not of the GAN.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, StrMethodFormatter
from numpy.typing import NDArray

from ex3cli.adversarial.kinds import NAMES
from ex3cli.artifacts.attempts import attempts_of, verdict_in_words
from ex3cli.artifacts.metrics_log import FILE_NAME, rows_of
from ex3cli.artifacts.run import Run
from ex3cli.errors import ArtifactError
from ex3cli.figure_style import BLUE, GREY, VERMILLION, style
from ex3cli.gan.config import GANConfig
from ex3cli.gan.outputs import LOSSES_FILE
from ex3cli.gan.weights import trained_config

FEWEST = 5  # looks that a correlation is told of
COLUMNS = 3
ESTIMATES = {
    "dcgan": "Jensen-Shannon estimate: log 2 − discriminator's loss / 2  [nats]",
    "wgan": "Wasserstein estimate: E[D(x)] − E[D(G(z))]",
    "wgan-clip": "Wasserstein estimate, up to the critic's scale",
}


@dataclass(frozen=True)
class Course:
    """What the critic of a training estimated, and how far its images were from real ones, at each look of its judge."""

    run: Run
    config: GANConfig
    verdict: str
    iterations: NDArray[np.int64]  # (looks,)
    estimates: NDArray[np.float64]  # (looks,): mean since the look before
    distances: NDArray[np.float64]  # (looks,): Fréchet distance of the averaged weights' images

    @property
    def constant(self) -> int:
        """The looks at the beginning, before the step size began to fall."""
        return int((self.iterations <= self._decay_begins).sum())

    @property
    def _decay_begins(self) -> float:
        return self.config.iterations * (1 - self.config.decaying_share)

    def correlation(self, looks: int | None = None) -> float | None:
        """Spearman's rank correlation of estimate and distance, over all or so many looks at the beginning.

        1 where the estimate falls whenever the images come nearer to real ones. None of fewer than `FEWEST` looks, or where one
        of the two never changes. Looks follow one another, so that no p-value would mean anything.
        """
        from scipy.stats import spearmanr

        estimates, distances = self.estimates[:looks], self.distances[:looks]
        if len(estimates) < FEWEST or np.ptp(estimates) == 0 or np.ptp(distances) == 0:
            return None
        return float(spearmanr(estimates, distances).statistic)

    def document(self) -> dict[str, Any]:
        """Its row of the table, and its curves."""
        config = self.config
        return {
            "run": self.run.name, "preset": config.preset, "kind": config.kind, "critic_steps": config.critic_steps,
            "verdict": self.verdict, "estimate": ESTIMATES[config.kind], "looks": len(self.iterations),
            "correlation": self.correlation(), "looks_at_full_step_size": self.constant,
            "correlation_at_full_step_size": self.correlation(self.constant),
            "course": {
                "iteration": self.iterations.tolist(), "estimate": self.estimates.tolist(), "fid": self.distances.tolist(),
            },
        }  # fmt: skip


def read(run: Run) -> Course:
    """The course of a finished training's last attempt.

    Raises
    ------
    ArtifactError : nobody looked at it, its looks are not stored, or its loss says more than its critic's estimate.
    """
    config, attempt = trained_config(run), attempts_of(run)[-1]
    if config.kind == "dcgan" and config.has_auxiliary:
        raise ArtifactError(f"the loss of {run.name} holds that of an auxiliary classifier too", "name another training")
    stored = rows_of(run.read_bytes(FILE_NAME)) if FILE_NAME in run.manifest.files else []
    looks = [row["judged"] for row in stored if row.get("attempt") == attempt.attempt and "judged" in row]
    looks = [look for look in looks if "iteration" in look and isinstance(look.get("fid"), int | float)]  # no NaN
    if not looks:
        raise ArtifactError(f"no look at the images of {run.name} is stored", "name a training that was judged")
    losses = run.read_tensors(LOSSES_FILE)
    values = losses["score_gap"].numpy().astype(np.float64)
    if config.kind == "dcgan":  # of the best discriminator the loss is log 4 − 2 JS (Goodfellow et al. 2014, theorem 1)
        values = math.log(2) - losses["critic_loss"].numpy().astype(np.float64) / 2
    ends = np.array([int(look["iteration"]) for look in looks])
    estimates = np.array([values[start:end].mean() for start, end in zip([0, *ends[:-1]], ends, strict=True)])
    distances = np.array([look["fid"] for look in looks])
    sound = np.isfinite(estimates)  # a training may end where its losses are numbers no more
    verdict = verdict_in_words(attempt.verdict, attempt.reason)
    return Course(run, config, verdict, ends[sound], estimates[sound], distances[sound])


def correlation_figure(courses: Sequence[Course]) -> Figure:
    """For each training the critic's estimate above its images' distance; dashed where the step size begins to fall."""
    columns = min(COLUMNS, len(courses))
    lines = -(-len(courses) // columns)
    with style():
        figure = Figure(figsize=(4.2 * columns, 4.0 * lines), layout="constrained")
        for cell, course in zip(figure.subfigures(lines, columns, squeeze=False).flat, courses, strict=False):
            _draw(cell, course)
    return figure


def _draw(cell: SubFigure, course: Course) -> None:
    config, found = course.config, course.correlation()
    told = "too few looks" if found is None else f"ρ = {found:.2f}".replace("-", "−")
    cell.suptitle(f"{config.preset} {NAMES[config.kind]}: {told}", fontsize=10)
    upper, lower = cell.subplots(2, 1, sharex=True)
    upper.plot(course.iterations, course.estimates, "o-", color=BLUE, markersize=3)
    upper.set_title(ESTIMATES[config.kind], loc="left", fontsize=8)
    lower.plot(course.iterations, course.distances, "o-", color=VERMILLION, markersize=3)
    lower.set_yscale("log")
    for axis, steps in ((lower.yaxis.set_major_locator, (1.0,)), (lower.yaxis.set_minor_locator, (2.0, 5.0))):
        axis(LogLocator(subs=steps))
    lower.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    lower.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
    lower.set_title("Fréchet distance of the images", loc="left", fontsize=8)
    lower.set_xlabel("generator iteration", fontsize=8)
    for axes in (upper, lower):
        axes.tick_params(labelsize=7, which="both")
        if 0 < course.constant < len(course.iterations):
            axes.axvline(course._decay_begins, color=GREY, linestyle="--", linewidth=1)
