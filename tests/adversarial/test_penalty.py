"""The gradient penalty against closed forms: linear and quadratic critics, zero gradients, one norm per
sample.
"""

import pytest
import torch
from torch import Tensor, nn

from ex3cli.adversarial import gradient_penalty, per_sample_norm


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(2,), (1, 4, 5), (7,)])
@pytest.mark.parametrize("weight", [10.0, 0.5])
def test_a_linear_critic_pays_for_its_slope_exactly(shape: tuple[int, ...], weight: float) -> None:
    slope = torch.randn(shape, generator=seeded(1), dtype=torch.float64) * 2
    real = torch.randn(6, *shape, generator=seeded(2), dtype=torch.float64)
    fake = torch.randn(6, *shape, generator=seeded(3), dtype=torch.float64)

    def critic(samples: Tensor) -> Tensor:
        return (samples * slope).flatten(1).sum(dim=1, keepdim=True) + 3

    penalty = gradient_penalty(critic, real, fake, generator=seeded(), weight=weight)
    assert penalty.item() == pytest.approx(weight * (slope.norm().item() - 1) ** 2, rel=1e-12)


def test_a_slope_of_one_is_free_and_its_scale_learns_to_be_one() -> None:
    scale = torch.tensor(3.0, requires_grad=True)
    real, fake = torch.zeros(4, 2), torch.ones(4, 2)
    penalty = gradient_penalty(lambda x: scale * x[:, 0], real, fake, generator=seeded(), weight=1.0)
    penalty.backward()
    assert penalty.item() == pytest.approx(4.0)
    assert scale.grad is not None
    assert scale.grad.item() == pytest.approx(4.0)  # d/ds (s − 1)² = 2 (s − 1)
    free = gradient_penalty(lambda x: x[:, 0], real, fake, generator=seeded())
    assert free.item() == pytest.approx(0.0, abs=1e-12)


def test_the_norm_is_of_each_sample_not_of_the_batch() -> None:
    # ‖∇‖ is 3 on half of the samples and 1 on the others: mean (norm − 1)² is 2, a batch norm would give
    # another value
    steep = torch.tensor([3.0, 1.0, 3.0, 1.0])
    penalty = gradient_penalty(
        lambda x: steep * x[:, 0], torch.zeros(4, 2), torch.ones(4, 2), generator=seeded(), weight=1.0
    )
    assert penalty.item() == pytest.approx(2.0)


def test_positions_are_drawn_per_sample_and_uniform_on_the_segment() -> None:
    # f = x²/2 has slope x, and x̂ is the position when real = 0 and fake = 1: E (x̂ − 1)² = 1/3
    seen: list[Tensor] = []

    def critic(samples: Tensor) -> Tensor:
        seen.append(samples.detach())
        return samples[:, 0].square() / 2

    count = 20_000
    penalty = gradient_penalty(
        critic, torch.zeros(count, 3), torch.ones(count, 3), generator=seeded(), weight=1.0
    )
    assert penalty.item() == pytest.approx(1 / 3, abs=4 * 0.298 / count**0.5)
    positions = seen[0]
    assert torch.equal(positions, positions[:, :1].expand(-1, 3))
    assert positions[:, 0].unique().numel() > 0.99 * count
    assert 0 <= positions.min() < 0.01
    assert 0.99 < positions.max() <= 1


def test_a_constant_critic_gives_the_full_penalty_and_finite_gradients() -> None:
    network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    penalty = gradient_penalty(network, torch.zeros(4, 2), torch.ones(4, 2), generator=seeded())
    penalty.backward()
    assert penalty.item() == 10.0
    for parameter in network.parameters():
        assert parameter.grad is None or bool(parameter.grad.isfinite().all())


def test_per_sample_norm_has_gradient_zero_at_zero_and_unit_length_elsewhere() -> None:
    values = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    norms = per_sample_norm(values)
    norms.sum().backward()
    assert norms.tolist() == [0.0, 5.0]
    assert values.grad is not None
    torch.testing.assert_close(values.grad, torch.tensor([[0.0, 0.0], [0.6, 0.8]]))


def test_half_precision_gradients_keep_a_penalty_in_single_precision() -> None:
    norms = per_sample_norm(torch.full((1, 2), 1e-4, dtype=torch.float16))
    assert norms.dtype == torch.float32
    # its square, 2e-8, is not a half-precision number
    assert norms.item() == pytest.approx(1.414e-4, rel=1e-2)


def test_no_gradient_reaches_the_samples_and_the_seed_decides() -> None:
    fake = torch.randn(5, 2, generator=seeded(1)).requires_grad_(True)
    real = torch.randn(5, 2, generator=seeded(2))
    slope = torch.ones(2, requires_grad=True)

    def penalty(seed: int) -> Tensor:
        return gradient_penalty(lambda x: (x.square() * slope).sum(dim=1), real, fake, generator=seeded(seed))

    first = penalty(0)
    first.backward()
    assert fake.grad is None
    assert slope.grad is not None
    assert first.item() == penalty(0).item() != penalty(1).item()


def test_samples_of_two_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"real \(4, 2\) and fake \(3, 2\)"):
        gradient_penalty(lambda x: x.sum(), torch.zeros(4, 2), torch.zeros(3, 2), generator=seeded())
