"""When a training shows itself."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from ex3cli.gan.training.sample_grids import GridEvent, SampleGrids, grid_schedule, subsample
from ex3cli.runs.run import Run


def test_grids_come_at_the_start_after_epochs_1_5_10_15_and_at_the_end() -> None:
    found = list(grid_schedule(iterations=2_200, iterations_an_epoch=100))
    assert [(each.iteration, each.title) for each in found] == [
        (0, "start"),
        (100, "epoch 1"),
        (500, "epoch 5"),
        (1_000, "epoch 10"),
        (1_500, "epoch 15"),
        (2_000, "epoch 20"),
        (2_200, "end, epoch 22.0"),
    ]
    assert [each.name for each in found] == sorted(
        (each.name for each in found), key=lambda name: (name != "start", name == "end", name)
    )


@pytest.mark.parametrize(("per_epoch", "first"), [(937 / 2, 469), (937 / 5, 188), (0.5, 1)])
def test_an_epoch_s_grid_waits_until_the_critic_has_seen_it_whole(per_epoch: float, first: int) -> None:
    found = [each for each in grid_schedule(1_000, per_epoch) if each.title == "epoch 1"]
    assert [each.iteration for each in found] == [first]


def test_a_training_shorter_than_an_epoch_has_a_start_and_an_end() -> None:
    assert [each.name for each in grid_schedule(5, 100)] == ["start", "end"]


@pytest.mark.parametrize("count", [2, 24, 25, 26, 43, 216, 955])
def test_of_many_grids_the_first_the_last_and_evenly_spaced_ones_are_shown(count: int) -> None:
    interval = [GridEvent(place, str(place), str(place)) for place in range(count)]
    found = [each.iteration for each in subsample(interval)]
    assert len(found) == min(count, 24)
    assert found[:4] == list(range(count))[:4]
    assert found[-1] == count - 1
    apart = np.diff(found[3:])
    assert count <= 24 or (apart.min() >= 1 and apart.max() - apart.min() <= 1)


def test_only_what_is_shown_is_read_back(new_run: Callable[..., Run]) -> None:
    from ex3cli.gan.sampling.export import to_png

    run = new_run()
    grid_schedule = {place: GridEvent(place, f"grid-{place}", str(place)) for place in range(216)}
    interval = SimpleNamespace(
        run=run,
        trainer=SimpleNamespace(iteration=100),
        grid_schedule=grid_schedule,
        _file=lambda it: f"{it.name}.png",
    )
    for moment in grid_schedule.values():
        run.write_bytes(f"{moment.name}.png", to_png(np.full((2, 2), moment.iteration, dtype=np.uint8)))
    shown = SampleGrids.history(interval)  # type: ignore[arg-type]
    assert len(shown) == 24
    assert all(int(title) == pixels[0, 0] for title, pixels in shown)
    assert shown[-1][0] == "100"
