"""The critic's estimate beside the images' distance: of the right loss, of the last attempt, over the right iterations."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.artifacts.attempts import Attempt, AttemptLog
from ex3cli.artifacts.run import Run
from ex3cli.errors import ArtifactError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.correlation import correlation_figure, read
from ex3cli.gan.session import LOSSES

Trained = Callable[..., Run]
STEPS = 10  # iterations from look to look


@pytest.fixture
def trained(new_run: Callable[..., Run]) -> Trained:
    """A finished training whose losses are those given at each look, with looks at these distances."""

    def make(
        kind: str, losses: Sequence[float], fids: Sequence[float], *, name: str = "score_gap", earlier: Sequence[float] = (),
        **settings: Any,
    ) -> Run:  # fmt: skip
        config = GANConfig.resolve(kind=kind, **{"iterations": STEPS * len(losses), **settings})
        run = new_run(
            shelf=("gan", "digits", kind), command="gan train", config={"dataset": "digits", "seed": 0, **config.to_dict()}
        )
        attempts = [Attempt(1, 0, "failed", "divergence", STEPS)] if earlier else []
        attempts.append(Attempt(len(attempts) + 1, 1, "converged", None, config.iterations))
        for attempt in attempts:
            AttemptLog(run.path).record(attempt)
        rows: list[dict[str, Any]] = []
        for attempt, found in zip(attempts, [earlier, fids] if earlier else [fids], strict=True):
            for place, fid in enumerate(found, 1):
                rows.append({"attempt": attempt.attempt, "iteration": place * STEPS, "critic_loss": -1.0})
                rows.append({"attempt": attempt.attempt, "judged": {"iteration": float(place * STEPS), "fid": fid}})
        rows.append({"attempt": attempts[-1].attempt, "judged": {"images": 10_000.0, "fid": 123.0}})  # of the verdict, no look
        run.metrics.append(*rows)
        # On both sides of a block's value, so that only the mean over the whole block is that value.
        values = torch.tensor(losses).repeat_interleave(STEPS) + torch.tensor([-0.5, 0.5]).repeat(STEPS * len(losses) // 2)
        run.write_tensors("losses.safetensors", {each: values if each == name else torch.zeros_like(values) for each in LOSSES})
        run.finish({})
        return run

    return make


@pytest.mark.parametrize("kind", ["wgan", "wgan-clip"])
def test_a_wgans_estimate_is_its_score_gap_averaged_from_look_to_look(trained: Trained, kind: str) -> None:
    course = read(trained(kind, [9, 7, 6, 5.5, 5.0], [4, 3, 2, 1, 0.5]))
    np.testing.assert_allclose(course.estimates, [9, 7, 6, 5.5, 5.0], rtol=1e-6)
    assert course.iterations.tolist() == [10, 20, 30, 40, 50]
    assert course.distances.tolist() == [4, 3, 2, 1, 0.5]
    assert course.correlation() == pytest.approx(1)
    assert course.verdict == "converged"


def test_a_dcgans_estimate_is_a_bound_of_the_jensen_shannon_distance(trained: Trained) -> None:
    blind, perfect = math.log(4), 0.0
    course = read(trained("dcgan", [perfect, blind, 1.0, 0.5, 0.25], [5, 4, 3, 2, 1], name="critic_loss"))
    assert course.estimates[:2] == pytest.approx([math.log(2), 0], abs=1e-6)  # JS of what does not overlap, and of the same
    assert course.correlation() == pytest.approx(np.corrcoef([5, 1, 2, 3, 4], [5, 4, 3, 2, 1])[0, 1])


def test_the_sign_is_that_of_an_estimate_which_falls_with_the_distance(trained: Trained) -> None:
    assert read(trained("wgan", [1, 2, 3, 4, 5], [5, 4, 3, 2, 1])).correlation() == pytest.approx(-1)


def test_the_first_half_is_told_apart_where_the_step_size_falls_in_the_second(trained: Trained) -> None:
    falls, rises = [6, 5, 4, 3, 2, 1], [7, 8, 9, 10, 11, 12]
    row = read(trained("wgan", [*falls, *rises], [*range(12, 0, -1)])).document()
    assert (row["looks"], row["looks_at_full_step_size"]) == (12, 6)
    assert row["correlation_at_full_step_size"] == pytest.approx(1)
    assert -1 < row["correlation"] < 0
    always = read(trained("wgan", [*falls, *rises], [*range(12, 0, -1)], decaying_share=0.0)).document()
    assert (always["looks_at_full_step_size"], always["correlation_at_full_step_size"]) == (12, row["correlation"])


def test_a_failed_attempt_before_it_is_not_mixed_in(trained: Trained) -> None:
    course = read(trained("wgan", [5, 4, 3, 2, 1], [5, 4, 3, 2, 1], earlier=[99]))
    assert course.distances.tolist() == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("losses", "fids"), [([4, 3, 2, 1], [4, 3, 2, 1]), ([1] * 5, [5, 4, 3, 2, 1]), ([5, 4, 3, 2, 1], [1] * 5)]
)
def test_of_few_looks_or_of_what_never_changes_nothing_is_told(
    trained: Trained, losses: list[float], fids: list[float]
) -> None:
    course = read(trained("wgan", losses, fids))
    assert course.correlation() is None
    assert "too few looks" in correlation_figure([course]).subfigs[0].get_suptitle()


def test_a_look_without_a_number_is_left_out(trained: Trained) -> None:
    run = trained("wgan", [5, 4, 3, 2, 1, 0], [5, 4, math.nan, 3, 2, 1])
    course = read(run)
    assert course.iterations.tolist() == [10, 20, 40, 50, 60]
    assert course.estimates[2] == pytest.approx(2.5)  # since the look before that counts


def test_where_the_losses_are_no_numbers_any_more_it_ends(trained: Trained) -> None:
    course = read(trained("wgan", [6, 5, 4, 3, 2, math.nan], [6, 5, 4, 3, 2, 1]))
    assert course.iterations.tolist() == [10, 20, 30, 40, 50]
    assert course.correlation() == pytest.approx(1)


def test_what_nobody_looked_at_or_whose_loss_says_more_is_refused(trained: Trained) -> None:
    with pytest.raises(ArtifactError, match="no look at the images of gan/digits/wgan/0001"):
        read(trained("wgan", [1, 2], []))
    with pytest.raises(ArtifactError, match="auxiliary classifier"):
        read(trained("dcgan", [1, 2], [2, 1], auxiliary_weight=0.1))


def test_the_figure_has_a_cell_a_training_with_both_curves(trained: Trained) -> None:
    found = [([5, 4, 3, 2, 1], [5, 4, 3, 2, 1]), ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])]
    courses = [read(trained("wgan", losses, fids)) for losses, fids in found * 2]
    cells = correlation_figure(courses).subfigs
    titles = [cell.get_suptitle() for cell in cells if cell.axes]
    assert titles == ["quick WGAN (gradient penalty): ρ = 1.00", "quick WGAN (gradient penalty): ρ = −1.00"] * 2
    for cell, course in zip(cells, courses, strict=False):
        upper, lower = cell.axes
        np.testing.assert_allclose(np.asarray(upper.lines[0].get_ydata(), float), course.estimates)
        np.testing.assert_allclose(np.asarray(lower.lines[0].get_ydata(), float), course.distances)
        assert np.asarray(upper.lines[1].get_xdata())[0] == 25  # where the step size begins to fall
