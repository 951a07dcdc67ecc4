"""Every layer's shape, the paper's parameter counts and norms, and what labels do."""

import itertools
import math

import pytest
import torch
from torch import nn

from ex3cli.adversarial import gradient_penalty
from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import KINDS
from ex3cli.gan.networks import (
    ConditionalBatchNorm2d,
    Critic,
    Generator,
    build,
    build_critic,
    build_generator,
)

CLASSES = 10
LABELS = torch.tensor([0, 3, 9])


def labels_for(config: GANConfig) -> torch.Tensor | None:
    return LABELS if config.conditional else None


def shapes(maps: list[torch.Tensor]) -> list[tuple[int, ...]]:
    return [tuple(each.shape[1:]) for each in maps]


EXPECTED = {  # (channels in units of the width, side) after each layer
    "cifar": ([(4, 4), (2, 7), (1, 14)], [(1, 14), (2, 7), (4, 4)]),
    "compact": ([(4, 7), (2, 14), (1, 28)], [(1, 14), (2, 7), (4, 4)]),
}


@pytest.mark.parametrize(
    ("preset", "kind", "conditional"), list(itertools.product(GANConfig.presets, KINDS, (True, False)))
)
def test_the_shape_at_every_layer(preset: str, kind: str, conditional: bool) -> None:
    config = GANConfig.resolve(preset, kind=kind, conditional=conditional)
    generator, critic = build(config, CLASSES, seed=0)
    labels = labels_for(config)
    up, down = EXPECTED[config.network]
    z = torch.randn(3, config.latent_dim)
    with torch.no_grad():
        images = generator(z, labels)
        assert shapes(generator.features(z, labels)) == [
            (share * config.width, side, side) for share, side in up
        ]
        assert shapes(critic.features(images)) == [(share * config.width, side, side) for share, side in down]
        assert images.shape == (3, 1, 28, 28)
        assert images.abs().max() <= 1
        assert critic(images, labels).shape == (3,)


def test_the_crop_is_between_eight_and_seven_alone() -> None:
    generator = build_generator(GANConfig.resolve("paper"), CLASSES)
    seen = []
    for up in generator.ups:
        up.register_forward_hook(lambda _, given, made: seen.append((given[0].shape[-1], made.shape[-1])))
    generator(torch.randn(2, 128))
    assert seen == [(4, 8), (7, 14)]


def test_paper_networks_have_as_many_parameters_as_the_paper_s() -> None:
    config = GANConfig.resolve("paper", kind="wgan")
    counts = [
        sum(p.numel() for p in net.parameters())
        for net in (build_generator(config, 0), build_critic(config, 0))
    ]
    assert counts[0] == 128 * 4096 + 4096 + 2 * 4096 + (256 * 128 * 25 + 3 * 128) + (
        128 * 64 * 25 + 3 * 64
    ) + (64 * 25 + 1)
    assert counts[1] == (25 * 64 + 64) + (64 * 128 * 25 + 128) + (128 * 256 * 25 + 256) + (4096 + 1)


@pytest.mark.parametrize("preset", GANConfig.presets)
def test_a_critic_with_gradient_penalty_never_mixes_samples(preset: str) -> None:
    config = GANConfig.resolve(preset, kind="wgan")
    critic = build(config, CLASSES, seed=0)[1]
    assert not any(
        isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | ConditionalBatchNorm2d)
        for layer in critic.modules()
    )
    images, labels = torch.randn(3, 1, 28, 28), labels_for(config)
    alone = [critic(images[i : i + 1], None if labels is None else labels[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(critic(images, labels), torch.cat(alone))


@pytest.mark.parametrize(
    ("preset", "kind", "norm", "count"),
    [
        ("paper", "dcgan", nn.BatchNorm2d, 2),
        ("paper", "wgan-clip", nn.BatchNorm2d, 2),
        ("quick", "wgan", nn.BatchNorm2d, 0),
        ("wide", "dcgan", nn.BatchNorm2d, 2),
        ("wide", "wgan", nn.GroupNorm, 2),
        ("narrow", "wgan-clip", nn.BatchNorm2d, 2),
    ],
)
def test_norms_of_the_critic(preset: str, kind: str, norm: type[nn.Module], count: int) -> None:
    critic = build_critic(GANConfig.resolve(preset, kind=kind), CLASSES)
    assert sum(isinstance(layer, norm) for layer in critic.modules()) == count
    assert isinstance(critic.norms[0], nn.Identity)


def test_the_penalty_reaches_a_whole_critic() -> None:
    critic = build(GANConfig.resolve("quick", kind="wgan"), CLASSES, seed=0)[1]
    noise = torch.Generator().manual_seed(0)
    real, fake = torch.randn(3, 1, 28, 28), torch.randn(3, 1, 28, 28)
    gradient_penalty(lambda images: critic(images, LABELS), real, fake, generator=noise).backward()
    touched = {name for name, p in critic.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert {
        "downs.0.weight",
        "downs.1.weight",
        "downs.2.weight",
        "score.weight",
        "embedding.weight",
    } <= touched


@pytest.mark.parametrize("network", ["cifar", "compact"])
def test_first_weights_have_the_spread_of_their_source(network: str) -> None:
    preset = "paper" if network == "cifar" else "wide"
    generator, critic = build(GANConfig.resolve(preset), CLASSES, seed=0)
    if network == "compact":
        for layer in (generator.first, generator.ups[0], critic.downs[1]):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.03)
        return
    # √(4 / (fan_in + fan_out)); a stride of 2 leaves a quarter of the 25 places on the finer side
    assert critic.downs[1].weight.std().item() == pytest.approx(
        math.sqrt(4 / (64 * 25 + 128 * 25 / 4)), rel=0.02
    )
    assert generator.ups[0].weight.std().item() == pytest.approx(
        math.sqrt(4 / (256 * 25 / 4 + 128 * 25)), rel=0.02
    )
    assert generator.first.weight.std().item() == pytest.approx(math.sqrt(2 / (128 + 4096)), rel=0.02)
    assert critic.downs[1].weight.abs().max() <= math.sqrt(3) * math.sqrt(4 / (64 * 25 + 128 * 25 / 4))


def test_first_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    config = GANConfig.resolve("quick")
    before = torch.get_rng_state()
    first, again, other = (build(config, CLASSES, seed)[0].state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["ups.0.weight"], other["ups.0.weight"])


def test_with_equal_rows_class_norm_is_batch_norm() -> None:
    ours, torchs = ConditionalBatchNorm2d(6, CLASSES), nn.BatchNorm2d(6)
    values = 2 * torch.randn(5, 6, 4, 4) + 3
    labels = torch.tensor([0, 1, 2, 3, 9])
    torch.testing.assert_close(ours(values, labels), torchs(values), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.mean, torchs.running_mean)
    torch.testing.assert_close(ours.variance, torchs.running_var)
    ours.eval(), torchs.eval()
    torch.testing.assert_close(ours(values, labels), torchs(values), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        ConditionalBatchNorm2d(6, 0)(values, None), nn.BatchNorm2d(6)(values), rtol=1e-4, atol=1e-5
    )


def test_class_norm_scales_and_shifts_each_sample_by_its_own_class() -> None:
    norm = ConditionalBatchNorm2d(2, 3).eval()
    with torch.no_grad():
        norm.scale.copy_(torch.tensor([[1.0, 1.0], [2.0, 3.0], [0.0, 0.0]]))
        norm.shift.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [7.0, 8.0]]))
    out = norm(torch.ones(3, 2), torch.tensor([0, 1, 2]))
    torch.testing.assert_close(out, torch.tensor([[1.0, 1.0], [3.0, 3.0], [7.0, 8.0]]), rtol=1e-4, atol=1e-4)


def test_whole_weights_on_one_class_are_that_class() -> None:
    generator = build(GANConfig.resolve("quick"), CLASSES, seed=0)[0].eval()
    with torch.no_grad():
        for norm in (generator.first_norm, *generator.up_norms):
            norm.scale.normal_()
    z = torch.randn(3, 128)
    one_hot = nn.functional.one_hot(LABELS, CLASSES).float()
    torch.testing.assert_close(generator(z, one_hot), generator(z, LABELS))
    assert not torch.allclose(generator(z, LABELS), generator(z, LABELS.roll(1)))


def test_the_critic_s_label_term_is_the_embedding_s_product_with_the_features() -> None:
    critic = build(GANConfig.resolve("quick"), CLASSES, seed=0)[1].eval()
    images = torch.randn(3, 1, 28, 28)
    features = critic.features(images)[-1].flatten(1)
    expected = critic.score(features).squeeze(1) + (critic.embedding.weight[LABELS] * features).sum(dim=1)
    torch.testing.assert_close(critic(images, LABELS), expected)


@pytest.mark.parametrize("network", [Generator(4, 2, 0), Critic(2, 0)])
def test_labels_where_none_belong_are_refused(network: nn.Module) -> None:
    given = torch.zeros(3, 4) if isinstance(network, Generator) else torch.zeros(3, 1, 28, 28)
    with pytest.raises(ValueError, match="accepts none"):
        network(given, LABELS)


class Crop(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps[:, :, :7, :7]


def plain_paper_networks(width: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The paper's pair written down layer by layer from its code (`gan_cifar.py`, crop of `gan_mnist.py`), as
    an oracle.
    """
    up = {"kernel_size": 5, "stride": 2, "padding": 2, "output_padding": 1}
    down = {"kernel_size": 5, "stride": 2, "padding": 2}
    generator = nn.Sequential(
        nn.Linear(128, 4 * 4 * 4 * width),
        nn.BatchNorm1d(4 * 4 * 4 * width),
        nn.ReLU(),
        nn.Unflatten(1, (4 * width, 4, 4)),
        nn.ConvTranspose2d(4 * width, 2 * width, **up),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        Crop(),
        nn.ConvTranspose2d(2 * width, width, **up),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, **up),
        nn.Tanh(),
    )
    critic = nn.Sequential(
        nn.Conv2d(1, width, **down),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, **down),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 4 * width, **down),
        nn.BatchNorm2d(4 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 4 * width, 1),
    )
    return generator, critic


def test_the_paper_s_networks_compute_what_its_code_writes_down() -> None:
    ours = build(GANConfig.resolve("paper", kind="dcgan", width=4), CLASSES, seed=0)
    plain = plain_paper_networks(4)
    # The same weights: ours in the order of its layers, each with its norm.
    generator, critic = ours
    pairs = [
        (generator.first, plain[0][0]),
        (generator.first_norm, plain[0][1]),
        (generator.ups[0], plain[0][4]),
        (generator.up_norms[0], plain[0][5]),
        (generator.ups[1], plain[0][8]),
        (generator.up_norms[1], plain[0][9]),
        (generator.last, plain[0][11]),
        (critic.downs[0], plain[1][0]),
        (critic.downs[1], plain[1][2]),
        (critic.norms[1], plain[1][3]),
        (critic.downs[2], plain[1][5]),
        (critic.norms[2], plain[1][6]),
        (critic.score, plain[1][9]),
    ]
    with torch.no_grad():
        for mine, theirs in pairs:
            for one, other in zip(theirs.parameters(), mine.parameters(), strict=True):
                other.normal_(std=0.2)
                one.copy_(other.reshape(one.shape))
    z, images = torch.randn(6, 128), torch.randn(6, 1, 28, 28)
    for training in (True, False):  # batch statistics, then the running ones that the first pass left
        for mine, theirs, given in ((generator, plain[0], z), (critic, plain[1], images)):
            made = mine.train(training)(given)
            torch.testing.assert_close(
                made, theirs.train(training)(given).reshape(made.shape), rtol=1e-4, atol=1e-4
            )
