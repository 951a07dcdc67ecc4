"""Each way to fail is caught by its own name in trainings broken on purpose, a good one passes, and looks are remembered."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ex3cli.artifacts.attempts import Attempt
from ex3cli.artifacts.run import Run
from ex3cli.artifacts.store import Store
from ex3cli.classifier.weights import load_classifier, load_real
from ex3cli.datasets.registry import ImageDataset, load
from ex3cli.gan import iteration
from ex3cli.gan.attempt import Course
from ex3cli.gan.config import GANConfig
from ex3cli.gan.judge import Bench, Judge
from ex3cli.gan.looks import pixel_spread
from ex3cli.gan.networks import Generator
from ex3cli.gan.rules import falling_short
from ex3cli.gan.scoring import Yardstick
from ex3cli.gan.session import Session
from ex3cli.gan.thresholds import Thresholds
from ex3cli.gan.training import Trained, train
from ex3cli.gan.watching import Sign
from ex3cli.training.progress import Silent


@pytest.fixture(scope="module")
def bench(digits_classifier: Path) -> Bench:
    run = Store(digits_classifier).find(("classifier", "digits"), command="classifier train")
    at = Thresholds(
        interval=20, images=200, final_images=249, grace=30, critic_looks=3, least_agreement=0.5, least_coverage=0.35
    )
    return Bench(at, load_classifier(run), Yardstick(load_real(run, "held_out"), 10))


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load("digits")


@pytest.fixture
def go(new_run: Callable[..., Run], bench: Bench, digits: ImageDataset) -> Callable[..., Trained]:
    def make(
        kind: str = "dcgan", data: ImageDataset = digits, observers: tuple[Any, ...] = (), bench: Bench = bench, **changes: Any
    ) -> Trained:
        plain = {"width": 8, "batch_size": 32, "iterations": 120, "learning_rate": 0.01, "precision": "float32"}
        chosen = GANConfig.resolve("quick", kind=kind, **{**plain, **changes})
        run = new_run(shelf=("gan", "digits", kind), command="gan train", config=chosen.to_dict(), seed=4)
        return train(
            chosen, data, run, Silent(), device=torch.device("cpu"), resume_command="", bench=bench, observers=observers
        )  # fmt: skip

    return make


def decided(done: Trained) -> tuple[str, str | None]:
    (attempt,) = done.attempts
    return attempt.verdict, attempt.reason


def test_a_good_training_converges_and_its_looks_are_kept(go: Callable[..., Trained], store: Store) -> None:
    done = go(learning_rate=0.02, iterations=80)
    (attempt,) = done.attempts
    assert (attempt.verdict, attempt.reason, attempt.iteration) == ("converged", None, 80)
    assert attempt.values["label_agreement"] >= 0.5
    assert store.open(done.run.name).manifest.converged is True
    seen = [row["judged"] for row in done.run.metrics.rows() if "judged" in row]
    assert [look["iteration"] for look in seen if "iteration" in look] == [20, 40, 60, 80]
    assert seen[-1]["fid"] == attempt.values["fid"]
    assert seen[-1]["images"] == 249
    assert seen[-1]["fid_as_looked"] == attempt.values["fid_as_looked"] != seen[-1]["fid"]  # of 200, as the looks
    assert seen[-1]["fid"] < seen[0]["fid"] / 5
    assert 0 < done.judging_seconds < done.seconds


def test_a_step_size_that_stays_too_high_diverges(go: Callable[..., Trained]) -> None:
    """Images are best at iteration 60 or so, as in the good training, whose step size by then falls; here it does not."""
    assert decided(done := go(learning_rate=0.02, iterations=400)) == ("failed", "divergence")
    assert done.iterations <= 320


def test_a_generator_that_ignores_z_has_constant_output(go: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Generator.forward
    monkeypatch.setattr(Generator, "forward", lambda self, z, labels=None: whole(self, z * 0, labels))
    assert decided(done := go()) == ("failed", "constant output")
    assert done.iterations == 40


def test_a_class_of_one_image_is_a_collapse(go: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Generator.forward
    monkeypatch.setattr(
        Generator, "forward", lambda self, z, labels=None: whole(self, z * (labels != 3).to(z.dtype)[:, None], labels)
    )
    assert decided(done := go()) == ("failed", "within-class collapse")
    assert done.iterations == 60


def test_shuffled_labels_are_wrong_labels(go: Callable[..., Trained], digits: ImageDataset) -> None:
    order = torch.randperm(len(digits.train_labels), generator=torch.Generator().manual_seed(0))
    shuffled = replace(digits, train_labels=digits.train_labels[order])
    assert decided(done := go(data=shuffled)) == ("failed", "wrong labels")
    assert done.iterations == 60  # half-way


def test_a_critic_clipped_to_nothing_is_dead(go: Callable[..., Trained]) -> None:
    assert decided(done := go("wgan-clip", clip=1e-12)) == ("failed", "dead critic")
    assert done.iterations == 40


def test_a_critic_far_too_strong_wins(go: Callable[..., Trained], bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator's steps are a thousandth of the critic's."""
    step = iteration.generator_step

    def feeble(players: Any, *drawn: torch.Tensor | None) -> torch.Tensor:
        for group in players.generator_optimiser.param_groups:
            group["lr"] *= 1e-3
        return step(players, *drawn)

    monkeypatch.setattr(iteration, "generator_step", feeble)
    assert decided(done := go(iterations=220)) == ("failed", "critic wins")
    assert done.iterations <= 100


@pytest.mark.parametrize("network", ["generator", "critic"])
def test_a_number_that_is_none_is_found(go: Callable[..., Trained], network: str) -> None:
    class Injects:
        every = 30

        def look(self, session: Session) -> Sign | None:
            with torch.no_grad():
                next(getattr(session.players, network).parameters()).view(-1)[0] = float("nan")
            return None

        def state(self) -> dict[str, Any]:
            return {}

        def restore(self, state: dict[str, Any]) -> None:
            pass

    assert decided(done := go(observers=(Injects(),))) == ("failed", "non-finite")
    assert done.iterations == 40  # ten after it was injected


def test_judging_changes_nothing_in_the_training(go: Callable[..., Trained], new_run: Callable[..., Run]) -> None:
    judged = go(iterations=30)
    alone = go(iterations=30, bench=None)
    assert alone.attempts[0].verdict == "unjudged"
    for file in ("generator.safetensors", "networks.safetensors", "losses.safetensors"):
        assert (judged.run.path / file).read_bytes() == (alone.run.path / file).read_bytes(), file


def test_an_unconditional_generator_is_judged_by_the_classes_it_draws(go: Callable[..., Trained]) -> None:
    (attempt,) = go(conditional=False, iterations=60).attempts
    assert isinstance(attempt, Attempt)
    assert "label_agreement" not in attempt.values
    assert attempt.verdict == "failed"
    assert set(attempt.values) & {"rarest_class", "coverage"}


GOOD = {
    "weights": 1.0,
    "score_gap": 1.0,
    "pixel_spread": 0.9,
    "critic_area": 0.9,
    "least_variety": 0.9,
    "coverage": 0.9,
    "density": 0.9,
}


CHOSEN = GANConfig.resolve("quick", width=2, batch_size=16, iterations=12)


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
    course = Course(CHOSEN, digits, new_run(), 1, torch.device("cpu"), bench, (), Silent())
    while not course.over:
        course.step()
    entry = course.entry()
    assert (entry.verdict, entry.reason, entry.iteration) == (verdict, reason, 12)
    assert entry.values == (course.judge.values if course.judge and not reason else {"coverage": coverage})


def test_a_judge_taken_up_again_counts_the_looks_before(digits: ImageDataset, new_run: Callable[..., Run]) -> None:
    bench: Any = SimpleNamespace(judge=lambda session, report: Told(report))
    courses = [Course(CHOSEN, digits, new_run(seed=4), 1, torch.device("cpu"), bench, (), Silent()) for _ in range(2)]
    for _ in range(9):
        courses[0].step()
    assert not courses[0].over
    courses[1].restore(courses[0].state())
    for _ in range(3):
        courses[1].step()
    entry = courses[1].entry()
    assert (entry.verdict, entry.reason, entry.values) == ("failed", "divergence", {"fid": 2.5, "best_fid": 1.0})


def test_an_attempt_that_is_far_worse_at_its_end_than_it_was_has_not_converged(
    digits: ImageDataset, new_run: Callable[..., Run], bench: Bench
) -> None:
    class Falls(Told):
        fids = (1.0, 1.0, 1.0, 1.0)

        def __init__(self, report: Callable[..., None]) -> None:
            super().__init__(report)
            self._small = bench.real.first(100)
            self.bench = replace(bench, thresholds=Thresholds(grace=0, interval=3, least_agreement=0, least_class_agreement=0,
                                                              least_variety=0, least_coverage=0))  # fmt: skip

    seats: Any = SimpleNamespace(judge=lambda session, report: Falls(report))
    course = Course(CHOSEN, digits, new_run(), 1, torch.device("cpu"), seats, (), Silent())
    while not course.over:
        course.step()
    entry = course.entry()
    assert (entry.verdict, entry.reason, entry.values["best_fid"]) == ("failed", "divergence", 1.0)
    assert entry.values["fid"] > 10  # of the last images, of a generator that is twelve iterations old


def test_an_unconditional_generator_s_spread_is_held_against_that_of_all_real_images(
    digits: ImageDataset, bench: Bench
) -> None:
    def spread(conditional: bool) -> float:
        chosen = replace(CHOSEN, conditional=conditional)
        session = Session(chosen, digits.train_images, digits.train_labels, 10, 0, torch.device("cpu"))
        return Judge(bench, session, lambda look: None)._real_pixel_spread

    images, labels = digits.train_images.numpy(), digits.train_labels.numpy()
    assert spread(conditional=True) == pytest.approx(pixel_spread(images[:2000], labels[:2000]))
    assert spread(conditional=False) == pytest.approx(pixel_spread(images[:2000], None))
    assert spread(conditional=False) > spread(conditional=True)
