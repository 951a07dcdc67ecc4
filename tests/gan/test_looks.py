"""What a look measures, what it keeps of scores, and that a judge taken up again remembers the looks before."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ex3cli.artifacts.run import Run
from ex3cli.datasets.registry import ImageDataset, load
from ex3cli.gan.attempt import Course
from ex3cli.gan.config import GANConfig
from ex3cli.gan.judge import Judge, critic_area, falling_short, figures, training_figures
from ex3cli.gan.scoring import Scores
from ex3cli.gan.session import Session
from ex3cli.gan.thresholds import Thresholds
from ex3cli.gan.watching import Finite, Sign, averaged_samples
from ex3cli.metrics.distances import Measured
from ex3cli.training.progress import Silent

CPU = torch.device("cpu")
CHOSEN = GANConfig.resolve("quick", width=2, batch_size=16, iterations=12)


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load("digits")


@pytest.fixture
def session(digits: ImageDataset) -> Session:
    return Session(replace(CHOSEN, iterations=80), digits.train_images, digits.train_labels, 10, 0, CPU)


def test_the_gap_is_the_mean_size_of_the_recent_ones(session: Session) -> None:
    session.history[:20, 2] = 100.0
    session.history[20:70, 2] = torch.tensor([1.0, -3.0]).repeat(25)
    session.iteration = 70
    assert training_figures(session)["score_gap"] == pytest.approx(2.0)
    session.iteration = 20
    assert training_figures(session)["score_gap"] == pytest.approx(100.0)


def test_a_weight_that_is_no_number_shows_wherever_it_is(session: Session) -> None:
    session.iteration = 1
    assert np.isfinite(training_figures(session)["weights"])
    for network in (session.players.generator, session.players.critic, session.average.generator):
        weight = next(network.parameters()).data.view(-1)
        before = weight[0].item()
        weight[0] = float("nan")
        assert np.isnan(training_figures(session)["weights"])
        weight[0] = before
    assert "generator_gradient" not in training_figures(session)


class Brightness(nn.Module):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return images.flatten(1).mean(dim=1)


class Constant(nn.Module):
    classes = 10

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return torch.full((len(z), 1, 28, 28), self.value)


@pytest.mark.parametrize(("value", "area"), [(-1.1, 1.0), (1.1, 0.0)])
def test_the_area_is_one_where_real_images_score_higher(session: Session, value: float, area: float) -> None:
    session.players.critic, session.players.generator = Brightness(), Constant(value)  # type: ignore[assignment]
    assert critic_area(session) == area


def scores(**changes: Any) -> Scores:
    plain: dict[str, Any] = {
        "n": 100, "fid": 2.0, "kid": Measured(0.1, 0.01), "coverage": 0.7, "density": 0.9, "label_agreement": 0.8,
        "class_agreements": np.array([0.9, 0.6, 0.8]), "class_shares": np.array([0.2, 0.3, 0.5]),
        "variety": np.array([0.9, np.nan, 0.4]),
    }  # fmt: skip
    return Scores(**{**plain, **changes})


def test_of_the_classes_the_worst_is_kept() -> None:
    kept = figures(scores())
    assert (kept["least_variety"], kept["rarest_class"], kept["label_agreement"]) == (0.4, 0.2, 0.8)
    assert (kept["fid"], kept["kid"], kept["coverage"], kept["density"]) == (2.0, 0.1, 0.7, 0.9)
    assert figures(scores(variety=np.full(3, np.nan)))["least_variety"] == 0.0  # no class was drawn often enough
    assert kept["least_class_agreement"] == 0.6
    untold = figures(scores(label_agreement=None, class_agreements=None))
    assert not {"label_agreement", "least_class_agreement"} & untold.keys()


@pytest.mark.parametrize(("iteration", "found"), [(100, None), (200, 137.0), (150, 137.0), (300, None)])
def test_a_loss_that_is_no_number_is_found_at_its_iteration(iteration: int, found: float | None) -> None:
    history = torch.zeros(300, 3)
    history[136, 1] = float("inf")
    sign = Finite().look(SimpleNamespace(iteration=iteration, history=history))  # type: ignore[arg-type]
    assert (sign.values["iteration"] if sign else None) == found


def test_what_is_judged_is_drawn_from_the_averaged_weights_by_seed_and_stream(session: Session) -> None:
    first, labels = averaged_samples(session, 12, "a")
    assert labels is not None
    assert labels.tolist() == [*range(10), 0, 1]
    assert np.array_equal(first, averaged_samples(session, 12, "a")[0])
    assert not np.array_equal(first, averaged_samples(session, 12, "b")[0])
    with torch.no_grad():
        for weight in session.players.generator.parameters():
            weight.zero_()
    assert np.array_equal(first, averaged_samples(session, 12, "a")[0])
    session.seed = 1
    assert not np.array_equal(first, averaged_samples(session, 12, "a")[0])


GOOD = {
    "weights": 1.0,
    "score_gap": 1.0,
    "pixel_spread": 0.9,
    "critic_area": 0.9,
    "least_variety": 0.9,
    "coverage": 0.9,
    "density": 0.9,
}


class Told(Judge):
    """A judge that is told its figures: a Fréchet distance for each look."""

    fids = (1.0, 2.5, 2.5, 2.5)

    def __init__(self, report: Callable[..., None]) -> None:
        self.bench: Any = SimpleNamespace(thresholds=Thresholds(grace=0, interval=3, divergence_looks=3))
        self.report, self.every, self.looks, self.seconds = report, 3, [], 0.0

    def _measure(self, session: Session) -> dict[str, float]:
        return {**GOOD, "iteration": float(session.iteration), "fid": self.fids[session.iteration // 3 - 1]}


@pytest.mark.parametrize(("coverage", "verdict", "reason"), [(0.9, "converged", None), (0.1, "failed", "low coverage")])
def test_at_the_end_an_attempt_has_converged_unless_it_falls_short(
    digits: ImageDataset, new_run: Callable[..., Run], coverage: float, verdict: str, reason: str | None
) -> None:
    class AtTheEnd(Told):
        fids = (1.0, 1.0, 1.0, 1.0)

        def _rule_at_the_end(self, session: Session) -> Sign | None:
            self.looks[-1] = {**self.looks[-1], "label_agreement": 0.95, "coverage": coverage}
            return falling_short(self.looks[-1], self.bench.thresholds)

    bench: Any = SimpleNamespace(judge=lambda session, report: AtTheEnd(report))
    course = Course(CHOSEN, digits, new_run(), 1, CPU, bench, (), Silent())
    while not course.over:
        course.step()
    entry = course.entry()
    assert (entry.verdict, entry.reason, entry.iteration) == (verdict, reason, 12)
    assert entry.values == (course.judge.values if course.judge and not reason else {"coverage": coverage})


def test_a_judge_taken_up_again_counts_the_looks_before(digits: ImageDataset, new_run: Callable[..., Run]) -> None:
    bench: Any = SimpleNamespace(judge=lambda session, report: Told(report))
    courses = [Course(CHOSEN, digits, new_run(seed=4), 1, CPU, bench, (), Silent()) for _ in range(2)]
    for _ in range(9):
        courses[0].step()
    assert not courses[0].over
    courses[1].restore(courses[0].state())
    for _ in range(3):
        courses[1].step()
    entry = courses[1].entry()
    assert (entry.verdict, entry.reason, entry.values) == ("failed", "divergence", {"fid": 2.5, "best_fid": 1.0})
