import copy
import os
import signal
from collections.abc import Callable

import pytest
import torch
from torch import nn

from ex3cli.datasets import registry
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.seeding import torch_generator
from ex3cli.vae import training
from ex3cli.vae.augmentation import warp
from ex3cli.vae.batchnorm import recompute_batchnorm_statistics
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.elbo import kl_to_standard_normal, log_likelihood
from ex3cli.vae.networks import VAE
from ex3cli.vae.training import Trainer

pytestmark = pytest.mark.trains

CPU = torch.device("cpu")
IMAGES = registry.load("digits").train_images[:400]
CONFIG = VAEConfig.resolve("edges", width=4, hidden=(32,), latent_dim=8, epochs=5, batch_size=50)
STARTS = range(0, 400, 50)


@pytest.fixture(scope="module")
def uncalibrated() -> VAE:
    """Trained on warped images, as the last training step left it."""
    trainer = Trainer(CONFIG, len(STARTS), 3, CPU)
    for epoch in range(CONFIG.epochs):
        order = torch.randperm(400, generator=torch_generator(3, epoch))
        for number, start in enumerate(STARTS):
            trainer.step(IMAGES[order[start : start + 50]], epoch * len(STARTS) + number)
    return trainer.model


@torch.no_grad()
def elbo(model: VAE, *, warped: bool) -> float:
    noise = torch_generator(0, "elbo")
    x = model.observe(IMAGES, noise)
    posterior = model.encoder(model.observe(warp(IMAGES, 1.0, noise), noise) if warped else x)
    likelihood = log_likelihood(model.likelihood_of, model.decoder(posterior.sample(noise)), x)
    return float((likelihood - kl_to_standard_normal(*posterior)).mean())


def test_after_it_clean_images_are_no_less_likely_than_warped_ones(uncalibrated: VAE) -> None:
    before, model = copy.deepcopy(uncalibrated).eval(), copy.deepcopy(uncalibrated)
    recompute_batchnorm_statistics(model, IMAGES, STARTS, 50, seed=3)
    assert not model.training
    assert elbo(model, warped=False) > elbo(model, warped=True)
    assert elbo(model, warped=False) > elbo(before, warped=False) + 10


def test_statistics_and_variances_are_those_of_clean_images_and_no_weight_changes(uncalibrated: VAE) -> None:
    model = copy.deepcopy(uncalibrated)
    # one minibatch of all images: its statistics are theirs
    recompute_batchnorm_statistics(model, IMAGES, [0], 400, seed=3)
    first = model.encoder.trunks["pixels"][1]
    pixels = IMAGES.float().unsqueeze(1) / 255
    with torch.no_grad():
        seen = first(pixels)
        assert torch.allclose(model.encoder.trunks["pixels"][2].running_mean, seen.mean((0, 2, 3)), atol=1e-5)
        assert torch.allclose(model.encoder.trunks["pixels"][2].running_var, seen.var((0, 2, 3)), rtol=1e-3)
        noise = torch_generator(5)
        x = model.observe(IMAGES, noise)
        outputs = model.decoder(model.encoder(x).sample(noise))
    for view, likelihood in model.likelihoods.items():
        assert likelihood.variance.item() == pytest.approx(
            (outputs[view] - x[view]).square().mean().item(), rel=0.03
        )
    for name, weight in model.named_parameters():
        assert torch.equal(weight, uncalibrated.get_parameter(name)), name


def test_done_again_it_is_the_same_to_the_bit_and_forgets_what_was_there(uncalibrated: VAE) -> None:
    once, twice = copy.deepcopy(uncalibrated), copy.deepcopy(uncalibrated)
    recompute_batchnorm_statistics(once, IMAGES, STARTS, 50, seed=3)
    for _ in range(2):
        recompute_batchnorm_statistics(twice, IMAGES, STARTS, 50, seed=3)
    assert all(torch.equal(value, twice.state_dict()[name]) for name, value in once.state_dict().items())
    momenta = {
        layer.momentum for layer in once.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    }
    assert momenta == {0.1}, "what a layer does in a later training is not changed"


def test_a_model_without_statistics_is_left_as_it_is() -> None:
    model = VAE(VAEConfig.resolve("paper", hidden=(8,)))
    before = copy.deepcopy(model.state_dict())
    recompute_batchnorm_statistics(model, IMAGES, STARTS, 50, seed=3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_fixed_sigma_stays() -> None:
    model = VAE(
        VAEConfig.resolve("pixels", width=2, hidden=(4,), latent_dim=2, likelihood="gaussian", sigma=0.3)
    )
    recompute_batchnorm_statistics(model, IMAGES, STARTS, 50, seed=3)
    assert model.likelihoods["pixels"].variance.item() == pytest.approx(0.09)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_killed_in_the_middle_of_it_a_resume_ends_bit_identical(
    new_run: Callable[..., Run], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a forked child must not wait for a thread pool that stayed with its parent
    config = VAEConfig.resolve("edges", width=4, hidden=(16,), latent_dim=4, epochs=2, batch_size=100)

    def train(run: Run) -> dict[str, torch.Tensor]:
        return training.train(config, IMAGES, run, seed=3, device=CPU, resume_command="").model.state_dict()

    straight, killed = train(new_run()), new_run()
    if (child := os.fork()) == 0:
        monkeypatch.setattr(
            nn.BatchNorm2d, "reset_running_stats", lambda _: os.kill(os.getpid(), signal.SIGKILL)
        )
        train(killed)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    killed.mark("interrupted")
    resumed = train(store.open(killed.name).reopen({"width": 2}))
    torch.set_num_threads(threads)
    assert all(torch.equal(value, straight[name]) for name, value in resumed.items())
