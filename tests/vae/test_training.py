import math
import os
import signal
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ex3cli.datasets import registry
from ex3cli.errors import InterruptedTrainingError, NotConvergedError
from ex3cli.runs import formats
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.progress import NullProgress
from ex3cli.vae import encoding, features, figures, training
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import Posterior
from ex3cli.vae.training import EpochMeans, Trainer

pytestmark = pytest.mark.trains

CPU = torch.device("cpu")
SMALL = VAEConfig.resolve("paper", hidden=(32, 16), latent_dim=4, epochs=6, batch_size=50)
IMAGES = registry.load("digits").train_images[:425]  # the last minibatch of an epoch is half full


def run_training(run: Run, progress: object = None, config: VAEConfig = SMALL) -> training.TrainedVAE:
    trained = training.train(
        config,
        IMAGES,
        run,
        seed=3,
        device=CPU,
        resume_command="ex3 vae train --resume X",
        progress=progress or NullProgress(),
    )  # type: ignore[arg-type]
    run.write_tensors(features.WEIGHTS, trained.model.state_dict())
    run.finish({})
    return trained


def results(run: Run) -> tuple[bytes, bytes]:
    return (run.path / features.WEIGHTS).read_bytes(), (run.path / "metrics.jsonl").read_bytes()


class StopAt(NullProgress):
    """Sends this process a signal when the training has taken so many steps."""

    def __init__(self, step: int, number: int) -> None:
        self.left, self.number = step, number

    def advance(self, amount: int = 1, **live: float) -> None:
        self.left -= amount > 0
        if self.left == 0 and amount > 0:
            os.kill(os.getpid(), self.number)


def test_training_raises_the_bound_and_is_repeatable(new_run: Callable[..., Run]) -> None:
    first, second = new_run(), new_run()
    trained = run_training(first)
    run_training(second)
    rows = [row["elbo"] for row in first.metrics.rows()]
    assert rows[-1] > rows[0] + 50
    assert trained.elbo == pytest.approx(trained.reconstruction - trained.kl)
    assert results(first) == results(second)


def test_the_images_order_and_noise_follow_from_the_seed_alone(new_run: Callable[..., Run]) -> None:
    torch.manual_seed(99)
    first = new_run()
    run_training(first)
    torch.manual_seed(1)
    second = new_run()
    run_training(second)
    assert results(first) == results(second)


@pytest.mark.parametrize(
    "step", [1, 9, 13, 18], ids=["first", "end of an epoch", "middle", "end of the second epoch"]
)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_resuming_ends_bit_identical(
    new_run: Callable[..., Run], store: Store, step: int, number: int, code: int
) -> None:
    straight, stopped = new_run(), new_run()
    run_training(straight)
    with pytest.raises(InterruptedTrainingError) as caught:
        run_training(stopped, StopAt(step, number))
    assert caught.value.exit_code == code
    assert caught.value.remedy == "go on with: ex3 vae train --resume X"
    assert store.open(stopped.name).manifest.state == "interrupted"
    resumed = store.open(stopped.name).reopen({"width": 2})
    run_training(resumed)
    assert results(resumed) == results(straight)


def test_killed_before_any_file_operation_it_ends_bit_identical(
    new_run: Callable[..., Run], store: Store, kill_and_repeat: Callable[..., int]
) -> None:
    straight, killed = new_run(), new_run()
    run_training(straight)
    killed.mark("interrupted")

    def go_on() -> None:
        if (run := store.open(killed.name)).manifest.state != "finished":
            run_training(run.reopen({"width": 2}))

    assert kill_and_repeat(go_on, killed.path, farthest=25) >= 3
    assert results(store.open(killed.name)) == results(straight)


def test_it_does_not_leave_signal_handlers_behind(new_run: Callable[..., Run]) -> None:
    before = [signal.getsignal(number) for number in GracefulStop.SIGNALS]
    run_training(new_run())
    assert [signal.getsignal(number) for number in GracefulStop.SIGNALS] == before


def test_stored_features_are_those_of_the_stored_weights(new_run: Callable[..., Run], store: Store) -> None:
    data = registry.load("digits")
    config = VAEConfig.resolve("edges", width=4, hidden=(16,), latent_dim=4, epochs=1, pca_components=9)
    run = new_run(config={"dataset": "digits", "seed": 3, **config.to_dict()})
    trained = training.train(config, IMAGES, run, seed=3, device=CPU, resume_command="")
    encoding.save_features(run, trained.model.eval(), data, config, seed=3)
    run.finish({})
    opened = store.open(run.name)
    stored, again = features.load_features(opened), encoding.compute_features(opened, data)
    assert stored.train.shape == (len(data.train_images), 9)
    assert np.allclose(stored.test, again.test, atol=1e-5)
    assert np.allclose(stored.train, again.train, atol=1e-5)
    assert stored.complete
    assert stored.test_labels.tolist() == data.test_labels.tolist()


@pytest.mark.draws
def test_an_epoch_without_a_bound_is_read_back_as_a_number_and_drawn_as_a_gap(
    new_run: Callable[..., Run],
) -> None:
    run = new_run()
    for epoch, bound in enumerate((-200.0, math.nan, -math.inf, -100.0), 1):
        run.metrics.append({"epoch": epoch, "elbo": bound, "reconstruction": bound, "active_dimensions": 3})
    run.finish({})
    assert math.isnan(run.read_history()[1]["elbo"])
    formats.figure_to_bytes(figures.bound_by_epoch(run.metrics.rows()), "svg")


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_lost_ends_the_training_at_the_end_of_its_epoch(
    new_run: Callable[..., Run], store: Store, monkeypatch: pytest.MonkeyPatch, number: float
) -> None:
    plain = Trainer.step

    def lose(trainer: Trainer, grey: torch.Tensor, done: int) -> None:
        plain(trainer, grey, done)
        if done == 10:  # the second of the second epoch's nine
            trainer.means.bound[0] = number

    monkeypatch.setattr(Trainer, "step", lose)
    run = new_run()
    with pytest.raises(
        NotConvergedError, match=f"non-finite: elbo is {number}, reconstruction is {number} in epoch 2"
    ):
        run_training(run)
    # of the epoch before
    assert next((run.path / "checkpoint").glob("*")).name.startswith("step-0000000009-")


def test_a_weight_that_is_lost_in_the_last_step_ends_the_training_too(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Trainer.step

    def lose(trainer: Trainer, grey: torch.Tensor, done: int) -> None:
        plain(trainer, grey, done)
        if done == 53:
            next(trainer.model.parameters()).data[0] = math.nan

    monkeypatch.setattr(Trainer, "step", lose)
    with pytest.raises(NotConvergedError, match="non-finite: a weight is nan after the last epoch"):
        run_training(new_run())


def test_active_dimensions_are_those_whose_mean_moves() -> None:
    means = EpochMeans(2, CPU)
    mu = torch.stack([torch.linspace(-1, 1, 100), torch.full((100,), 3.0)], dim=1)
    means.add(torch.full((100,), -5.0), torch.full((100,), 2.0), Posterior(mu, torch.zeros(100, 2)))
    assert means.row() == {"elbo": -7.0, "reconstruction": -5.0, "kl": 2.0, "active_dimensions": 1}


CONVOLUTIONAL = VAEConfig.resolve(
    "edges", width=4, hidden=(16,), latent_dim=4, epochs=3, batch_size=53, beta_warmup=1.5
)


@pytest.mark.parametrize("step", [4, 9])
def test_convolutions_schedules_and_warps_resume_bit_identical_too(
    new_run: Callable[..., Run], store: Store, step: int
) -> None:
    """425 images in minibatches of 53: the last single image is left out, since batch normalisation needs
    two.
    """
    straight, stopped = new_run(), new_run()
    trained = run_training(straight, config=CONVOLUTIONAL)
    with pytest.raises(InterruptedTrainingError):
        run_training(stopped, StopAt(step, signal.SIGTERM), config=CONVOLUTIONAL)
    resumed = store.open(stopped.name).reopen({"width": 2})
    run_training(resumed, config=CONVOLUTIONAL)
    assert results(resumed) == results(straight)
    assert trained.model.likelihoods["edges"].variance.item() > 0  # type: ignore[union-attr,operator]


def test_the_kl_weight_grows_over_its_warm_up() -> None:
    trainer = Trainer(VAEConfig.resolve("paper", beta=0.5, beta_warmup=2.0, hidden=(4,)), 10, 0, CPU)
    assert [trainer.beta(done) for done in (0, 10, 20, 99)] == [0, 0.25, 0.5, 0.5]
    assert Trainer(VAEConfig.resolve("paper", hidden=(4,)), 10, 0, CPU).beta(0) == 1


def test_the_learning_rate_rises_then_falls_along_a_cosine() -> None:
    trainer = Trainer(VAEConfig.resolve("pixels", width=2, hidden=(4,), latent_dim=2, epochs=4), 1000, 0, CPU)
    rates = []
    for done in (0, 199, 2000, 3999):
        trainer._set_learning_rate(done)
        rates.append(trainer.optimizer.param_groups[0]["lr"] / 1e-3)
    assert rates == pytest.approx([1 / 200, 0.994, 0.5, 0.0], abs=2e-3)
    constant = Trainer(VAEConfig.resolve("paper", hidden=(4,)), 10, 0, CPU)
    constant._set_learning_rate(3)
    assert constant.optimizer.param_groups[0]["lr"] == 3e-4


def test_the_decoder_explains_the_straight_images_while_the_encoder_sees_warped_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = Trainer(VAEConfig.resolve("pixels", width=2, hidden=(4,), latent_dim=2), 10, 0, CPU)
    seen: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(training, "warp", lambda grey, *_: 255 - grey)
    trainer.model.encoder.register_forward_pre_hook(lambda _, given: seen.update(encoder=given[0]["pixels"]))
    original = trainer.model.likelihoods["pixels"].log_likelihood

    def spy(output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        seen["decoder"] = x
        return original(output, x)

    monkeypatch.setattr(trainer.model.likelihoods["pixels"], "log_likelihood", spy)
    trainer.step(IMAGES[:20], 0)
    straight = IMAGES[:20].flatten(1).float() / 255
    assert torch.allclose(seen["decoder"], straight)
    assert torch.allclose(seen["encoder"], 1 - straight)
