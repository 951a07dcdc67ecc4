"""When a training shows itself."""

import pytest

from ex3cli.gan.grids import moments


def test_grids_come_at_the_start_after_epochs_1_5_10_15_and_at_the_end() -> None:
    found = list(moments(iterations=2_200, iterations_an_epoch=100))
    assert [(each.iteration, each.title) for each in found] == [
        (0, "start"), (100, "epoch 1"), (500, "epoch 5"), (1_000, "epoch 10"), (1_500, "epoch 15"), (2_000, "epoch 20"),
        (2_200, "end, epoch 22.0"),
    ]  # fmt: skip
    assert [each.name for each in found] == sorted(
        (each.name for each in found), key=lambda name: (name != "start", name == "end", name)
    )


@pytest.mark.parametrize(("per_epoch", "first"), [(937 / 2, 469), (937 / 5, 188), (0.5, 1)])
def test_an_epoch_s_grid_waits_until_the_critic_has_seen_it_whole(per_epoch: float, first: int) -> None:
    found = [each for each in moments(1_000, per_epoch) if each.title == "epoch 1"]
    assert [each.iteration for each in found] == [first]


def test_a_training_shorter_than_an_epoch_has_a_start_and_an_end() -> None:
    assert [each.name for each in moments(5, 100)] == ["start", "end"]
