"""Which trainings an overview shows, and that each one's cell is its own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ex3cli.gan.analysis.overview import (
    COLUMNS,
    ROWS,
    Training,
    last_evaluation,
    latest_per_preset,
    overview_figure,
)
from ex3cli.gan.config import GANConfig
from ex3cli.gan.training.trainer import LOSSES
from ex3cli.runs.run import Run
from ex3cli.training.attempts import Attempt

NewRun = Callable[..., Run]

THREE = ("dcgan", "wgan", "wgan-clip")


@pytest.fixture
def trained(new_run: NewRun) -> Callable[..., Run]:
    def make(preset: str, kind: str, *, finished: bool = True) -> Run:
        config = {"dataset": "digits", "seed": 0, **GANConfig.resolve(preset, kind=kind).to_dict()}
        run = new_run(category=("gan", "digits", kind), label=preset, command="gan train", config=config)
        if finished:
            run.finish({})
        return run

    return make


def test_the_newest_finished_one_of_each_preset_and_kind(trained: Callable[..., Run]) -> None:
    old, wgan, narrow = trained("wide", "dcgan"), trained("wide", "wgan"), trained("narrow", "dcgan")
    new, running = trained("wide", "dcgan"), trained("wide", "wgan", finished=False)
    found = [run.name for run in latest_per_preset([running, new, narrow, wgan, old])]
    assert found == [new.name, wgan.name, narrow.name]
    assert latest_per_preset([running]) == []


def training(
    trained: Callable[..., Run], preset: str, kind: str, *attempts: Attempt, level: int = 0
) -> Training:
    losses = {name: np.linspace(0, 1, 50, dtype=np.float32) for name in LOSSES}
    images = np.full((ROWS * COLUMNS, 28, 28), level, dtype=np.uint8)
    return Training(
        trained(preset, kind), GANConfig.resolve(preset, kind=kind), list(attempts), losses, images, {}
    )


GOOD = Attempt(
    2, 7, "converged", None, 900, {"coverage": 0.8, "fid": 0.5, "label_agreement": 0.95, "weights": 3.0}
)
BAD = Attempt(1, 3, "failed", "low coverage", 500, {"coverage": 0.1})


def test_a_row_is_of_the_last_attempt_and_counts_the_failed(trained: Callable[..., Run]) -> None:
    row = training(trained, "narrow", "wgan", BAD, GOOD).document()
    result = {
        name: row[name]
        for name in ("preset", "kind", "width", "conditional", "iterations", "seed", "verdict", "failed")
    }
    assert result == {
        "preset": "narrow",
        "kind": "wgan",
        "width": 32,
        "conditional": False,
        "iterations": 900,
        "seed": 7,
        "verdict": "converged",
        "failed": 1,
    }
    assert (row["coverage"], row["fid"], row["label_agreement"], row["min_class_share"]) == (
        0.8,
        0.5,
        0.95,
        None,
    )
    assert "weights" not in row


def test_what_did_not_decide_a_failure_comes_from_its_last_evaluation(trained: Callable[..., Run]) -> None:
    looked = {"coverage": 0.2, "fid": 2.5, "min_class_share": 0.01, "images": 10_000.0}
    row = replace(training(trained, "narrow", "wgan", BAD), last_evaluation=looked).document()
    assert (row["coverage"], row["fid"], row["min_class_share"], row["label_agreement"]) == (
        0.1,
        2.5,
        0.01,
        None,
    )


def titles(figure: Any) -> list[str]:
    return [cell.get_suptitle().split("\n")[0] for cell in figure.subfigs if cell.axes]


def test_a_column_is_a_kind_and_a_row_a_preset(trained: Callable[..., Run]) -> None:
    shown = [
        training(trained, preset, kind, GOOD, level=40 * place)
        for preset in ("wide", "narrow")
        for place, kind in enumerate(THREE)
        if (preset, kind) != ("narrow", "wgan")
    ]
    figure = overview_figure(shown)
    assert titles(figure) == [
        "wide DCGAN",
        "wide WGAN-GP",
        "wide WGAN (clipping)",
        "narrow DCGAN",
        "narrow WGAN (clipping)",
    ]
    blank = figure.subfigs[4]
    assert not blank.axes
    for cell, level in zip([each for each in figure.subfigs if each.axes], (0, 40, 80, 0, 80), strict=True):
        upper, lower, below = cell.axes
        assert len(upper.get_lines()[0].get_ydata()) == len(lower.get_lines()[0].get_ydata()) == 50
        assert below.images[0].get_array()[0, 0] == level


def test_the_edges_of_a_column_stand_in_one_line_whatever_the_numbers_are(
    trained: Callable[..., Run], overlaps: Callable[[Any], list[tuple[str, str]]]
) -> None:
    plain = [training(trained, preset, kind, GOOD) for preset in ("wide", "narrow") for kind in THREE]
    scales = (1e-3, 1.0, 1e4, 1.0, 1e4, 1e-3)
    shown = [
        replace(each, losses={name: scale * values for name, values in each.losses.items()})
        for each, scale in zip(plain, scales, strict=True)
    ]
    figure = overview_figure(shown)
    assert overlaps(figure) == []
    edges = np.array(
        [[[*axes.get_window_extent().intervalx] for axes in cell.axes] for cell in figure.subfigs]
    )
    for column in range(3):
        np.testing.assert_allclose(edges[column], edges[column + 3])  # of both rows
        # of losses and images
        np.testing.assert_allclose(edges[column], np.tile(edges[column, :1], (3, 1)))
    for above, below in zip(figure.subfigs[:3], figure.subfigs[3:], strict=True):
        assert above.axes[2].get_window_extent().y0 > below.axes[0].get_window_extent().y1


def test_a_long_formula_keeps_to_its_cell(
    trained: Callable[..., Run], overlaps: Callable[[Any], list[tuple[str, str]]]
) -> None:
    config = GANConfig.resolve("quick", kind="dcgan", aux_weight=0.5, aux_weight_g=0.5)
    figure = overview_figure(
        [replace(training(trained, "quick", kind, GOOD), config=config) for kind in ("dcgan", "wgan")]
    )
    assert overlaps(figure) == []
    for axes in figure.subfigs[0].axes[:2]:
        assert axes._left_title.get_window_extent().x1 <= axes.get_window_extent().x1


def test_a_loss_with_an_auxiliary_part_is_marked(trained: Callable[..., Run]) -> None:
    config = GANConfig.resolve("quick", kind="wgan", aux_weight=0.1, aux_weight_g=0.2)
    result = replace(training(trained, "quick", "wgan", GOOD), config=config)
    upper, lower, _ = overview_figure([result]).subfigs[0].axes
    assert upper.get_title(loc="left") == "Wasserstein estimate: E[D(x)] − E[D(G(z))]"
    assert lower.get_title(loc="left") == "generator: −E[D(G(z))] + 0.2 × auxiliary cross-entropy"


def test_two_of_the_same_preset_and_kind_stand_below_each_other(trained: Callable[..., Run]) -> None:
    pair = [training(trained, "quick", "dcgan", attempt) for attempt in (GOOD, BAD)]
    pair[1].run.manifest = replace(pair[1].run.manifest, partial=True)
    figure = overview_figure(pair)
    assert [each.get_suptitle() for each in figure.subfigs] == [
        "quick DCGAN\n900 iterations; converged",
        "quick DCGAN\n500 iterations, shortened; failed: low coverage",
    ]
    figure.canvas.draw()


def test_an_attempt_without_evaluations_borrows_none_of_the_one_before(new_run: NewRun) -> None:
    run = new_run(category=("gan", "digits", "dcgan"), command="gan train")
    run.metrics.append(
        {"attempt": 1, "evaluation": {"fid": 3.0}},
        {"attempt": 1, "evaluation": {"fid": 2.0}},
        {"attempt": 2, "loss": 1.0},
    )
    run.finish({})
    assert last_evaluation(run, 1) == {"fid": 2.0}
    assert last_evaluation(run, 2) == {}
