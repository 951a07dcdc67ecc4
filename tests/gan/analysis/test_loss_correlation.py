"""The critic's estimate beside the images' distance: of the right loss, of the last attempt, over the right
iterations.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from ex3cli.errors import ArtifactError
from ex3cli.gan.analysis.loss_correlation import NotComparableError, correlation_figure, read
from ex3cli.gan.config import GANConfig
from ex3cli.gan.training.trainer import LOSSES
from ex3cli.runs.run import Run
from ex3cli.training.attempts import Attempt, AttemptLog

Trained = Callable[..., Run]
Overlaps = Callable[[Any], list[tuple[str, str]]]
STEPS = 10  # iterations from look to look


@pytest.fixture
def trained(new_run: Callable[..., Run]) -> Trained:
    """A finished training whose losses are those given at each look, with looks at these distances."""

    def make(
        kind: str,
        losses: Sequence[float],
        fids: Sequence[float],
        *,
        name: str = "score_gap",
        earlier: Sequence[float] = (),
        **settings: Any,
    ) -> Run:
        config = GANConfig.resolve(kind=kind, **{"iterations": STEPS * len(losses), **settings})
        run = new_run(
            category=("gan", "digits", kind),
            command="gan train",
            config={"dataset": "digits", "seed": 0, **config.to_dict()},
        )
        attempts = [Attempt(1, 0, "failed", "divergence", STEPS)] if earlier else []
        attempts.append(Attempt(len(attempts) + 1, 1, "converged", None, config.iterations))
        log = AttemptLog(run)
        for attempt in attempts:
            log.record(attempt)
        rows: list[dict[str, Any]] = []
        for attempt, found in zip(attempts, [earlier, fids] if earlier else [fids], strict=True):
            for place, fid in enumerate(found, 1):
                rows.append({"attempt": attempt.attempt, "iteration": place * STEPS, "critic_loss": -1.0})
                rows.append(
                    {
                        "attempt": attempt.attempt,
                        "evaluation": {"iteration": float(place * STEPS), "fid": fid},
                    }
                )
        # of the verdict, no look
        rows.append({"attempt": attempts[-1].attempt, "evaluation": {"images": 10_000.0, "fid": 123.0}})
        run.metrics.append(*rows)
        # On both sides of a block's value, so that only the mean over the whole block is that value.
        values = torch.tensor(losses).repeat_interleave(STEPS) + torch.tensor([-0.5, 0.5]).repeat(
            STEPS * len(losses) // 2
        )
        run.write_tensors(
            "losses.safetensors",
            {each: values if each == name else torch.zeros_like(values) for each in LOSSES},
        )
        run.finish({})
        return run

    return make


@pytest.mark.parametrize("kind", ["wgan", "wgan-clip"])
def test_a_wgans_estimate_is_its_score_gap_averaged_between_evaluations(trained: Trained, kind: str) -> None:
    curve = read(trained(kind, [9, 7, 6, 5.5, 5.0], [4, 3, 2, 1, 0.5]))
    np.testing.assert_allclose(curve.estimates, [9, 7, 6, 5.5, 5.0], rtol=1e-6)
    assert curve.iterations.tolist() == [10, 20, 30, 40, 50]
    assert curve.distances.tolist() == [4, 3, 2, 1, 0.5]
    assert curve.correlation() == pytest.approx(1)
    assert curve.verdict == "converged"


def test_a_dcgans_estimate_is_a_bound_of_the_jensen_shannon_distance(trained: Trained) -> None:
    blind, perfect = math.log(4), 0.0
    curve = read(trained("dcgan", [perfect, blind, 1.0, 0.5, 0.25], [5, 4, 3, 2, 1], name="critic_loss"))
    # JS of what does not overlap, and of the same
    assert curve.estimates[:2] == pytest.approx([math.log(2), 0], abs=1e-6)
    assert curve.correlation() == pytest.approx(np.corrcoef([5, 1, 2, 3, 4], [5, 4, 3, 2, 1])[0, 1])


def test_the_sign_is_that_of_an_estimate_which_falls_with_the_distance(trained: Trained) -> None:
    assert read(trained("wgan", [1, 2, 3, 4, 5], [5, 4, 3, 2, 1])).correlation() == pytest.approx(-1)


def test_changes_are_correlated_without_the_trend(trained: Trained) -> None:
    # both fall: -1 -2 -1 -2 -1
    estimates, distances = np.array([9.0, 8, 6, 5, 3, 2]), np.array([6.0, 4, 3, 1.5, 1, 0.5])
    curve = read(trained("wgan", estimates.tolist(), distances.tolist()))
    assert curve.correlation() == 1
    changes = curve.correlation_of_changes()
    assert changes == pytest.approx(spearmanr(np.diff(estimates), np.diff(distances)).statistic)
    assert changes is not None
    assert changes < 0.9


@pytest.mark.parametrize(
    ("estimates", "distances", "finding", "lowest"),
    [
        ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0.5], [*range(10, 0, -1)], "falls", 100),
        # in the last tenth of the looks
        ([9, 8, 7, 6, 5, 4, 3, 2, 1, 1.5], [*range(10, 0, -1)], "falls", 90),
        # 3 to 1, more than looks scatter
        ([9, 8, 7, 6, 5, 4, 3, 2, 3, 4.0], [*range(10, 0, -1)], "turns", 80),
        ([1, 8, 7, 6, 5, 4, 3, 2, 3, 4.0], [*range(10, 0, -1)], "turns", 10),
        # 1.5 to 1, which they do
        ([9, 8, 7, 6, 5, 4, 3, 2, 3, 4.0], [9, 8, 7, 6, 5, 4, 3, 1.5, 1.2, 1], "ends", 80),
        ([9, 8, 7, 6, 5, 4, 3, 2, 3, 4.0], [9, 8, 7, 6, 5, 4, 3, 1, 2, 3], "ends", 80),
    ],
)
def test_a_loss_is_informative_if_it_turns_as_the_images_get_better(
    trained: Trained, estimates: list[float], distances: list[float], finding: str, lowest: int
) -> None:
    row = read(trained("wgan", estimates, distances)).document()
    assert (row["finding"], row["lowest"]["iteration"]) == (finding, lowest)
    assert row["lowest"]["estimate"] == pytest.approx(min(estimates))
    assert row["lowest"]["fid"] == distances[estimates.index(min(estimates))]
    assert row["end"] == {"iteration": 100, "estimate": pytest.approx(estimates[-1]), "fid": distances[-1]}


def test_a_failed_attempt_before_it_is_not_mixed_in(trained: Trained) -> None:
    curve = read(trained("wgan", [5, 4, 3, 2, 1], [5, 4, 3, 2, 1], earlier=[99]))
    assert curve.distances.tolist() == [5, 4, 3, 2, 1]


def test_few_evaluations_give_no_correlation(trained: Trained) -> None:
    row = read(trained("wgan", [4, 3, 2, 1], [4, 3, 2, 1])).document()
    assert (row["correlation"], row["correlation_of_changes"], row["finding"]) == (None, None, None)


def test_a_constant_gives_no_correlation(trained: Trained) -> None:
    flat = read(trained("wgan", [1] * 5, [5, 4, 3, 2, 1])).document()
    assert (flat["correlation"], flat["correlation_of_changes"], flat["finding"]) == (None, None, None)
    still = read(trained("wgan", [5, 4, 3, 2, 1], [1] * 5)).document()
    assert (still["correlation"], still["finding"]) == (None, "falls")
    steady = read(trained("wgan", [5, 4, 3, 2, 1], [5, 4.5, 3, 2, 1])).document()
    assert steady["correlation"] == 1
    assert steady["correlation_of_changes"] is None  # of the estimate all are the same


def test_an_evaluation_without_a_number_is_left_out(trained: Trained) -> None:
    run = trained("wgan", [5, 4, 3, 2, 1, 0], [5, 4, math.nan, 3, 2, 1])
    curve = read(run)
    assert curve.iterations.tolist() == [10, 20, 40, 50, 60]
    assert curve.estimates[2] == pytest.approx(2.5)  # since the look before that counts


def test_where_the_losses_are_no_numbers_any_more_it_ends(trained: Trained) -> None:
    curve = read(trained("wgan", [6, 5, 4, 3, 2, math.nan], [6, 5, 4, 3, 2, 1]))
    assert curve.iterations.tolist() == [10, 20, 30, 40, 50]
    assert curve.correlation() == pytest.approx(1)


def test_a_training_without_evaluations_or_with_an_unknown_loss_is_refused(
    trained: Trained, new_run: Callable[..., Run]
) -> None:
    with pytest.raises(NotComparableError, match=r"gan/digits/wgan/0001.* has no stored evaluations"):
        read(trained("wgan", [1, 2], []))
    with pytest.raises(NotComparableError, match="has no stored evaluations"):
        read(trained("wgan", [math.nan, math.nan], [2, 1]))
    with pytest.raises(NotComparableError, match="auxiliary classifier"):
        read(trained("dcgan", [1, 2], [2, 1], aux_weight=0.1))
    bare = new_run(
        category=("gan", "digits", "wgan"),
        command="gan train",
        config=GANConfig.resolve(kind="wgan").to_dict(),
    )
    bare.finish({})
    with pytest.raises(NotComparableError, match=r"gan/digits/wgan/.* has no stored losses"):
        read(bare)


def test_damage_is_no_such_refusal(trained: Trained) -> None:
    run = trained("wgan", [5, 4, 3, 2, 1], [5, 4, 3, 2, 1])
    with (run.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write("{}\n")
    with pytest.raises(ArtifactError, match="does not match") as caught:
        read(run)
    assert not isinstance(caught.value, NotComparableError)


def test_evaluations_beyond_the_losses_are_left_out(trained: Trained) -> None:
    assert read(trained("wgan", [5, 4, 3, 2, 1, 0], [6, 5, 4, 3, 2, 1, 0.5])).iterations.tolist() == [
        10,
        20,
        30,
        40,
        50,
        60,
    ]


def test_the_figure_has_a_cell_a_training_with_both_curves(trained: Trained) -> None:
    found = [([5, 4, 3, 2, 1], [5, 4, 3, 2, 1]), ([2, 1, 3, 4, 5], [5, 4, 3, 2, 1])]
    curves = [read(trained("wgan", losses, fids)) for losses, fids in found * 2]
    cells = correlation_figure(curves).subfigs
    titles = [cell.get_suptitle() for cell in cells if cell.axes]
    assert titles == [f"quick WGAN-GP\n{curve.run.name}" for curve in curves]
    for cell, curve in zip(cells, curves, strict=False):
        upper, lower = cell.axes
        np.testing.assert_allclose(np.asarray(upper.lines[0].get_ydata(), float), curve.estimates)
        np.testing.assert_allclose(np.asarray(lower.lines[0].get_ydata(), float), curve.distances)
        assert np.asarray(upper.lines[1].get_ydata(), float) == pytest.approx(1)  # the lowest
        assert np.asarray(upper.lines[2].get_xdata())[0] == 25  # where the step size begins to fall
    plain, _ = correlation_figure([read(trained("wgan", *found[0], lr_decay_fraction=0.0))]).subfigs
    assert [len(axes.lines) for axes in plain.axes] == [2, 1]


@pytest.mark.parametrize(
    ("count", "columns", "beside"), [(1, 1, False), (2, 2, False), (4, 2, False), (5, 3, True), (6, 3, False)]
)
def test_how_to_read_it_fills_the_cell_left_over_or_stands_below(
    trained: Trained, overlaps: Overlaps, count: int, columns: int, beside: bool
) -> None:
    curve = read(trained("wgan", [5e-3, 4e-3, 3e-3, 2e-3, 1e-3], [5e3, 4e3, 3e3, 2e3, 1e3]))
    other = read(trained("dcgan", [1.3, 1.2, 1.1, 1.0, 0.9], [5, 4, 3, 2, 1], name="critic_loss"))
    figure: Any = correlation_figure([curve, other, *[curve] * 4][:count])
    assert overlaps(figure) == []
    *cells, key = figure.subfigs
    assert len({round(cell.bbox.x0) for cell in cells}) == columns
    for cell in cells:
        edges = {round(axes.get_window_extent().x0 - cell.bbox.x0, 3) for axes in cell.axes}
        assert edges == {round(0.13 * cell.bbox.width, 3)}
    assert (key.bbox.y0 == cells[-1].bbox.y0) == beside
    assert (key.bbox.y1 <= cells[-1].bbox.y0 + 1e-6) != beside
    words = key.legends[0].get_window_extent()
    assert (words.x0 >= key.bbox.x0, words.x1 <= key.bbox.x1) == (True, True)
    assert (words.y0 >= key.bbox.y0, words.y1 <= key.bbox.y1) == (True, True)


def test_only_what_is_drawn_is_explained(trained: Trained) -> None:
    def explained(**settings: Any) -> list[str]:
        figure: Any = correlation_figure(
            [read(trained("wgan", [5, 4, 3, 2, 1], [5, 4, 3, 2, 1], **settings))]
        )
        return [text.get_text() for text in figure.subfigs[-1].legends[0].get_texts()]

    assert "start of the learning-rate decay" in explained()
    assert not any("step size" in each for each in explained(lr_decay_fraction=0.0))


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([4.1, 3.1, 2.4, 1.6, 1.05], [1, 2, 5]),
        ([1.22, 0.19, 0.24, 0.3, 0.42], [0.1, 0.2, 0.5, 1, 2]),
        ([2.0, 1.0, 0.5, 0.2, 0.2], [0.2, 0.5, 1, 2]),
        ([5000.0, 50.0, 5.0, 0.5, 0.05], [0.01, 0.1, 1, 10, 100, 1000, 10_000]),
    ],
)
def test_an_axis_that_spans_much_is_logarithmic_with_ticks_at_1_2_5(
    trained: Trained, overlaps: Overlaps, values: list[float], ticks: list[float]
) -> None:
    figure: Any = correlation_figure([read(trained("wgan", values, values))])
    assert overlaps(figure) == []
    for axes in figure.subfigs[0].axes:
        assert (axes.get_yscale(), axes.get_title(loc="left")[-6:]) == ("log", " (log)")
        assert axes.get_yticks().tolist() == ticks
        assert [text.get_text() for text in axes.get_yticklabels()] == [f"{tick:g}" for tick in ticks]
        low, high = axes.get_ylim()
        assert low < min(values) <= max(values) < high


def test_the_course_after_a_first_evaluation_far_off_fills_a_good_part_of_the_height(
    trained: Trained,
) -> None:
    figure: Any = correlation_figure([read(trained("wgan", [1.22, 0.19, 0.24, 0.3, 0.42], [5, 4, 3, 2, 1]))])
    upper = figure.subfigs[0].axes[0]
    points = upper.transData.transform([(0, value) for value in upper.lines[0].get_ydata()])
    heights = upper.transAxes.inverted().transform(points)[:, 1]
    assert np.ptp(heights[1:]) > 0.25  # of a plain axis it is a fifth
    assert ((heights > 0) & (heights < 1)).all()


@pytest.mark.parametrize(
    "values", [[0.56, 0.55, 0.5, 0.46, 0.49], [4.0, 3.0, 2.0, 1.5, 1.5], [3.0, 1.0, 0.0, -1.0, 0.1]]
)
def test_what_spans_little_or_is_not_positive_stays_on_a_plain_axis(
    trained: Trained, values: list[float]
) -> None:
    figure: Any = correlation_figure([read(trained("wgan", values, [5, 4, 3, 2, 1]))])
    upper = figure.subfigs[0].axes[0]
    assert upper.get_yscale() == "linear"
    assert "(log)" not in upper.get_title(loc="left")
    low, high = upper.get_ylim()
    assert low < min(values) < max(values) < high
    shown = [tick for tick in upper.get_yticks() if low <= tick <= high]
    assert len(shown) >= 3
    assert float(f"{np.diff(shown)[0]:e}"[0]) in (1, 2, 5)
