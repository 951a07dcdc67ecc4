import pytest
import torch
from torch import nn

from ex3cli.errors import UsageError
from ex3cli.seeding import forked_global_rng, torch_generator
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import VAE, Posterior

GREY = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8, generator=torch_generator(0, "test"))


def build(preset: str = "paper", **changes: object) -> VAE:
    with forked_global_rng(0):
        return VAE(VAEConfig.resolve(preset, **changes))


def test_paper_is_784_600_600_50_and_back_with_softplus() -> None:
    layers = [layer for layer in build().modules() if isinstance(layer, nn.Linear)]
    shapes = [(layer.in_features, layer.out_features) for layer in layers]
    assert shapes == [(784, 600), (600, 600), (600, 50), (600, 50), (50, 600), (600, 600), (600, 784)]
    body = {type(layer) for part in (build().encoder.body, build().decoder.body) for layer in part}
    assert body == {nn.Linear, nn.Softplus}


def test_relu_is_the_papers_shape_with_batch_normalization_and_relu() -> None:
    model, paper = build("relu"), build()
    shapes, of_paper = (
        [layer.weight.shape for layer in each.modules() if isinstance(layer, nn.Linear)]
        for each in (model, paper)
    )
    assert shapes == of_paper
    body = [type(layer) for part in (model.encoder.body, model.decoder.body) for layer in part]
    assert body == [nn.Linear, nn.BatchNorm1d, nn.ReLU] * 4
    assert torch.equal(model.observe(GREY, torch_generator(0))["pixels"], GREY.flatten(1).float() / 255), (
        "cross-entropy on the grey levels themselves"
    )


@pytest.mark.parametrize(
    ("preset", "changes", "sizes"),
    [
        ("paper", {}, {"pixels": 784}),
        ("relu", {}, {"pixels": 784}),
        ("pixels", {}, {"pixels": 784}),
        ("edges", {}, {"pixels": 784, "edges": 648}),
        ("edges", {"architecture": "mlp", "inputs": ("edges",), "hidden": (32, 16)}, {"edges": 648}),
    ],
)
def test_shapes_at_every_stage(preset: str, changes: dict[str, object], sizes: dict[str, int]) -> None:
    model, config = build(preset, **changes), VAEConfig.resolve(preset, **changes)
    seen = model.observe(GREY, torch_generator(0))
    assert {view: tuple(x.shape) for view, x in seen.items()} == {
        view: (3, size) for view, size in sizes.items()
    }
    hidden = model.encoder.represent(seen)
    assert hidden.shape == (3, config.hidden[-1])
    posterior = model.encoder.posterior(hidden)
    assert posterior.mu.shape == posterior.logvar.shape == (3, config.latent_dim)
    assert posterior.logvar.abs().max() == 0, "every posterior starts at unit variance"
    outputs = model.decoder(posterior.sample(torch_generator(0)))
    assert {view: tuple(x.shape) for view, x in outputs.items()} == {
        view: (3, size) for view, size in sizes.items()
    }


def test_convolutions_see_28_14_and_7_pixels() -> None:
    seen: list[tuple[int, ...]] = []
    model = build("pixels", width=8)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _module, _given, made: seen.append(tuple(made.shape[1:])))
    model.decoder(model.encoder(model.expect(GREY)).mu)
    encoder, decoder = seen[:4], seen[4:]
    assert encoder == [(8, 14, 14), (16, 7, 7), (16, 7, 7), (4, 7, 7)]
    assert decoder == [(16, 7, 7), (8, 14, 14), (1, 28, 28)]


def test_convolutions_need_pixels() -> None:
    with pytest.raises(UsageError, match="requires the input `pixels`"):
        VAEConfig.resolve("edges", inputs=("edges",))


def test_what_is_expected_needs_no_draw_and_is_the_mean_of_what_is_observed() -> None:
    model, noise = build(), torch_generator(0)
    drawn = torch.stack([model.observe(GREY, noise)["pixels"] for _ in range(400)]).mean(0)
    # 5 standard deviations of a fair coin
    assert torch.allclose(drawn, model.expect(GREY)["pixels"], atol=0.13)
    assert torch.equal(model.expect(GREY)["pixels"], GREY.flatten(1).float() / 255)


def test_fan_in_initialisation() -> None:
    model = build()
    first = model.encoder.body[0]
    assert isinstance(first, nn.Linear)
    assert first.weight.std().item() == pytest.approx(784**-0.5, rel=0.01)
    assert all(layer.bias.abs().max() == 0 for layer in model.modules() if isinstance(layer, nn.Linear))


def test_the_papers_text_initialises_tiny() -> None:
    weights = torch.cat(
        [layer.weight.flatten() for layer in build(init="tiny").modules() if isinstance(layer, nn.Linear)]
    )
    assert weights.std().item() == pytest.approx(0.001, rel=0.01)


def test_a_posterior_sample_has_its_mean_and_spread() -> None:
    posterior = Posterior(torch.full((100_000, 1), 2.0), torch.full((100_000, 1), 4.0).log())
    z = posterior.sample(torch_generator(1))
    assert z.mean().item() == pytest.approx(2, abs=0.03)
    assert z.std().item() == pytest.approx(2, abs=0.03)
