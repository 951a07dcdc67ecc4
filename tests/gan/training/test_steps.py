"""What one update of each player does."""

import copy
import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import KINDS
from ex3cli.gan.training.steps import Networks, critic_step, generator_step
from ex3cli.gan.training.trainer import GANTrainer, normalize

pytestmark = pytest.mark.trains

NOISE = torch.Generator()


def trainer(kind: str, preset: str = "quick", **changes: object) -> GANTrainer:
    images = torch.randint(0, 256, (64, 28, 28), dtype=torch.uint8, generator=NOISE.manual_seed(5))
    config = GANConfig.resolve(
        preset,
        kind=kind,
        **{"width": 4, "batch_size": 16, "iterations": 50, "precision": "float32", **changes},
    )
    return GANTrainer(config, images, torch.arange(64) % 10, 10, seed=3, device=torch.device("cpu"))


def update_critic(
    networks: Networks, real: torch.Tensor, labels: torch.Tensor | None, noise: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    return critic_step(networks, real, labels, networks.sample_latents(noise), networks.sample_mix(noise))


def update_generator(networks: Networks, noise: torch.Generator) -> torch.Tensor:
    return generator_step(networks, networks.sample_latents(noise), networks.sample_labels(noise))


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.named_parameters()}


def changed(before: dict[str, torch.Tensor], network: torch.nn.Module) -> set[str]:
    return {name for name, value in network.named_parameters() if not torch.equal(before[name], value)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("conditional", [True, False])
def test_a_critic_step_lowers_its_own_loss_on_a_fixed_batch(kind: str, conditional: bool) -> None:
    networks = trainer(kind, conditional=conditional).networks
    real = normalize(torch.randint(0, 256, (16, 28, 28), dtype=torch.uint8, generator=NOISE.manual_seed(1)))
    labels = torch.arange(16) % 10 if conditional else None
    losses = [update_critic(networks, real, labels, NOISE.manual_seed(9))[0].item() for _ in range(12)]
    first = 1 if kind == "wgan-clip" else 0  # the first clipping shrinks every score at once
    assert losses[-1] < losses[first] - 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_changes_its_own_player_alone(kind: str) -> None:
    networks = trainer(kind).networks
    real, labels = torch.rand(16, 1, 28, 28), torch.arange(16) % 10
    generator, critic = weights(networks.generator), weights(networks.critic)
    update_critic(networks, real, labels, NOISE.manual_seed(0))
    assert not changed(generator, networks.generator)
    # A bias before BatchNorm moves nothing, and Wasserstein losses do not see the score's own bias.
    assert changed(critic, networks.critic) >= {
        "downs.0.weight",
        "downs.1.weight",
        "downs.2.weight",
        "score.weight",
    }
    critic = weights(networks.critic)
    update_generator(networks, NOISE.manual_seed(0))
    assert not changed(critic, networks.critic)
    assert {name for name in changed(generator, networks.generator) if "weight" in name} == {
        name for name in generator if "weight" in name
    }
    assert all(p.requires_grad for p in networks.critic.parameters())


def test_a_generator_step_lowers_its_own_loss_against_a_fixed_critic() -> None:
    networks = trainer("dcgan").networks
    losses = [update_generator(networks, NOISE.manual_seed(9)).item() for _ in range(12)]
    assert losses[-1] < losses[0]


def test_clipped_weights_stay_in_bounds_after_every_step_and_others_do_not() -> None:
    for kind in ("wgan-clip", "wgan"):
        networks = trainer(
            kind, **({"weight_clip": 0.02, "class_weight_clip": 0.05} if kind == "wgan-clip" else {})
        ).networks
        for turn in range(4):
            update_critic(networks, torch.rand(16, 1, 28, 28), torch.arange(16) % 10, NOISE.manual_seed(turn))
            largest = {name: p.abs().max().item() for name, p in networks.critic.named_parameters()}
            result = {name: value for name, value in largest.items() if not name.startswith("auxiliary")}
            assert len(result) == len(largest) - 2  # a classifier is no part of the score
            of_class = result.pop("embedding.weight")
            assert (max(result.values()) <= 0.02 + 1e-6) == (kind == "wgan-clip")
            assert (0.02 < of_class <= 0.05 + 1e-6) == (kind == "wgan-clip")


def test_the_auxiliary_classifier_learns_the_labels_of_real_images() -> None:
    labels = torch.arange(16) % 10
    real = torch.full((16, 1, 28, 28), -1.0)
    real[torch.arange(16), 0, 2 * labels] = 1.0  # a white line, as far down as the label says
    networks = trainer("dcgan", width=8, aux_weight=1.0, learning_rate=2e-3).networks
    for turn in range(40):
        update_critic(networks, real, labels, NOISE.manual_seed(turn))
    logits = networks.critic.scores_and_logits(real, labels)[1]
    assert logits is not None
    assert (logits.argmax(1) == labels).float().mean() > 0.9


def test_the_generator_heeds_the_auxiliary_classifier_by_its_weight() -> None:
    gradients, losses = {}, {}
    for weight in (0.0, 1.0):
        networks = trainer("wgan-clip", aux_weight=0.05, aux_weight_g=weight).networks
        losses[weight] = float(update_generator(networks, NOISE.manual_seed(0)))
        gradients[weight] = networks.generator.last.weight.grad.clone()  # type: ignore[union-attr, operator]
    assert not torch.allclose(gradients[0.0], gradients[1.0])
    cross_entropy = losses[1.0] - losses[0.0]
    assert 0.5 * math.log(10) < cross_entropy < 2 * math.log(10), "added, of an untrained classifier"
    assert trainer("wgan-clip", conditional=False).networks.critic.auxiliary is None
    assert trainer("wgan-clip", aux_weight=0.0).networks.critic.auxiliary is None
    assert trainer("dcgan").networks.critic.auxiliary is None


def test_the_penalty_pulls_the_slope_towards_one() -> None:
    gaps = {}
    for weight in (0.0, 10.0):
        networks = trainer("wgan", gp_weight=weight, learning_rate=1e-3).networks
        real = normalize(
            torch.randint(0, 256, (16, 28, 28), dtype=torch.uint8, generator=NOISE.manual_seed(1))
        )
        for _ in range(30):
            gaps[weight] = update_critic(networks, real, torch.arange(16) % 10, NOISE.manual_seed(9))[
                1
            ].item()
    distance = real.flatten(1).norm(dim=1).mean().item()
    assert gaps[10.0] < 2 * distance  # a 1-Lipschitz critic cannot see further than the images are apart
    assert gaps[0.0] > 4 * gaps[10.0]


def test_half_precision_keeps_the_loss() -> None:
    full = trainer("wgan").networks
    half = copy.deepcopy(full)
    half.use_bf16 = True
    real = torch.rand(16, 1, 28, 28)
    losses = [
        update_critic(each, real, torch.arange(16) % 10, NOISE.manual_seed(9))[0].item()
        for each in (full, half)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert all(p.dtype == torch.float32 for p in half.critic.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", GANConfig.presets)
@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_preset_trains_with_and_without_classes(
    kind: str, preset: str, conditional: bool, precision: str
) -> None:
    made = trainer(kind, preset, conditional=conditional, precision=precision)
    before = weights(made.ema.model)
    for _ in range(2):
        made.step()
    assert torch.isfinite(made.losses).all()
    assert all(torch.isfinite(value).all() for value in made.ema.model.state_dict().values())
    # A bias before a norm has no gradient to speak of.
    assert changed(before, made.ema.model) >= {name for name in before if name.endswith("weight")}


@pytest.mark.parametrize("kind", KINDS)
def test_an_iteration_reads_no_number_back(kind: str) -> None:
    """What would make the host wait for a GPU: reading a scalar, or a result whose size depends on values."""
    waiting = {"_local_scalar_dense", "nonzero", "masked_select", "unique", "_unique2", "equal", "is_nonzero"}

    class Recorder(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.called: set[str] = set()

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            self.called.add(function.overloadpacket.__name__)
            return function(*args, **(kwargs or {}))

    made = trainer(kind)
    made.step()
    with Recorder() as recorder:
        made.step()
    assert "convolution_backward" in recorder.called
    assert not recorder.called & waiting


@pytest.mark.parametrize("kind", KINDS)
def test_no_z_and_no_batch_is_used_twice(kind: str) -> None:
    made = trainer(kind, batch_size=8)
    drawn: list[tuple[float, ...]] = []
    shown: list[tuple[float, ...]] = []
    made.networks.generator.register_forward_pre_hook(
        lambda _, given: drawn.extend(map(tuple, given[0].tolist()))
    )
    made.networks.critic.register_forward_pre_hook(
        lambda _, given: shown.append(tuple(given[0].flatten().tolist()))
    )
    for _ in range(3):
        made.step()
    assert len(drawn) == 3 * (made.config.critic_steps + 1) * 8
    assert len(set(drawn)) == len(drawn)
    assert len(set(shown)) == len(shown)
