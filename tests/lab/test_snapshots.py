"""What a frame shows, against the trainer that it is of."""

import numpy as np
import pytest
import torch

from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import PRESETS
from ex3cli.lab.evaluation import Measurement
from ex3cli.lab.snapshots import HEAT, Recorder, Snapshots
from ex3cli.lab.trainer import LabTrainer
from ex3cli.metrics.histogram2d import Interval

READING = Measurement(Interval(0.2, 0.1, 0.3), Interval(0.1, 0.0, 0.2), 0.03, 0.5, 0.4, 3)


@pytest.mark.parametrize("loss", ["log", "least-squares", "wgan-gp"])
def test_the_heat_is_the_discriminator_at_the_middle_of_each_cell_the_lowest_row_first(loss: str) -> None:
    trainer = LabTrainer(
        LabConfig.resolve(loss=loss, generator_units=8, discriminator_units=8), PRESETS["disjoint"], 0
    )
    trainer.train(50)
    heat = Recorder(trainer).view().heat
    places = [(3, 20), (20, 3), (29, 0), (0, 0), (15, 15)]
    points = torch.tensor([[(column + 0.5) / HEAT, (row + 0.5) / HEAT] for row, column in places])
    scores = trainer.score(points)
    shown = np.array([heat[place] for place in places])
    if loss == "log":
        assert shown == pytest.approx(torch.sigmoid(scores).numpy(), abs=1e-5)
    elif loss == "least-squares":
        assert shown == pytest.approx(scores.clamp(0, 1).numpy(), abs=1e-5)
    else:  # stretched over all that is shown, the order kept
        assert np.argsort(shown).tolist() == np.argsort(scores.numpy()).tolist()
        assert (heat.min(), heat.max()) == pytest.approx((0, 1), abs=1e-6)


def test_a_film_keeps_counts_whole_and_numbers_as_they_were_measured() -> None:
    trainer = LabTrainer(LabConfig.resolve(generator_units=8, discriminator_units=8), PRESETS["disjoint"], 0)
    recorder = Recorder(trainer)
    snapshots = Snapshots.of(
        [
            recorder.take(torch.empty(0, 2), READING),
            recorder.take(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), READING),
        ]
    )
    assert snapshots.epoch.tolist() == [0, 0]
    assert [type(each) for each in snapshots.modes.tolist()] == [int, int]
    assert (snapshots.kl[0], snapshots.js[0], snapshots.w[0], snapshots.outside[0]) == (0.2, 0.1, 0.03, 0.5)
    assert (snapshots.discriminator_loss[1], snapshots.generator_loss[1]) == (2, 3)
    assert np.isnan(snapshots.generator_loss[0])
    assert snapshots.tensors()["heat"].shape == (2, HEAT, HEAT)
