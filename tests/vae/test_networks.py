import pytest
import torch
from torch import nn

from ex3cli.training.seeding import isolated_global_rng, torch_generator
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import VAE, Posterior


def build(**changes: object) -> VAE:
    with isolated_global_rng(0):
        return VAE(VAEConfig.resolve("paper", **changes))


def test_paper_is_784_600_600_50_and_back_with_softplus() -> None:
    layers = [layer for layer in build().modules() if isinstance(layer, nn.Linear)]
    shapes = [(layer.in_features, layer.out_features) for layer in layers]
    assert shapes == [(784, 600), (600, 600), (600, 50), (600, 50), (50, 600), (600, 600), (600, 784)]
    kinds = {type(layer) for layer in build().modules() if not list(layer.children())}
    assert kinds == {nn.Linear, nn.Softplus}


def test_shapes_at_every_stage() -> None:
    model = build()
    posterior = model.encoder(torch.rand(3, 784))
    assert posterior.mu.shape == posterior.logvar.shape == (3, 50)
    z = posterior.sample(torch_generator(0))
    assert z.shape == (3, 50)
    assert model.decoder(z).shape == (3, 784)


def test_fan_in_initialisation() -> None:
    model = build()
    first = model.encoder.trunk[0]
    assert isinstance(first, nn.Linear)
    assert first.weight.std().item() == pytest.approx(784**-0.5, rel=0.01)
    assert all(layer.bias.abs().max() == 0 for layer in model.modules() if isinstance(layer, nn.Linear))
    assert model.encoder(torch.rand(2, 784)).logvar.abs().max() == 0


def test_the_papers_text_initialises_tiny() -> None:
    weights = torch.cat(
        [layer.weight.flatten() for layer in build(initialisation="tiny").modules() if isinstance(layer, nn.Linear)]
    )
    assert weights.std().item() == pytest.approx(0.001, rel=0.01)


def test_a_posterior_sample_has_its_mean_and_spread() -> None:
    posterior = Posterior(torch.full((100_000, 1), 2.0), torch.full((100_000, 1), 4.0).log())
    z = posterior.sample(torch_generator(1))
    assert z.mean().item() == pytest.approx(2, abs=0.03)
    assert z.std().item() == pytest.approx(2, abs=0.03)
