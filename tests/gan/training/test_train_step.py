"""Iterations recorded and played equal those run one by one, bit for bit; CUDA's own graphs do so within
rounding.
"""

import copy
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import KINDS
from ex3cli.gan.training import steps
from ex3cli.gan.training.trainer import GANTrainer
from ex3cli.training.cuda_graphs import WARM_UPS
from ex3cli.training.ema import EMA

pytestmark = pytest.mark.trains

CPU = torch.device("cpu")
ITERATIONS = 6
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(autouse=True)
def _rmsprop_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch refuses RMSProp's capturable formula on a CPU, where nothing is captured."""
    module = importlib.import_module("torch.optim.rmsprop")
    monkeypatch.setattr(module, "_get_capturable_supported_devices", lambda: ["cpu", "cuda"])


def trainer(kind: str, backend: Any, device: torch.device = CPU, **changes: Any) -> GANTrainer:
    images = torch.randint(
        0, 256, (48, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(5)
    )
    small = {
        "width": 3,
        "batch_size": 8,
        "iterations": ITERATIONS,
        "precision": "float32",
        "lr_decay_fraction": 1.0,
    }
    config = GANConfig.resolve(
        kind=kind, **{**small, **({"critic_steps": 2} if kind != "dcgan" else {}), **changes}
    )
    return GANTrainer(config, images, torch.arange(48) % 10, 10, seed=3, device=device, backend=backend)


def trained(made: GANTrainer, count: int = ITERATIONS) -> GANTrainer:
    for _ in range(count):
        made.step()
    return made


def outcome(made: GANTrainer) -> list[Tensor]:
    """Everything that a training changes."""

    def tensors(node: Any) -> Iterator[Tensor]:
        if isinstance(node, Tensor):
            yield node.cpu()
        elif isinstance(node, dict | list):
            for each in node.values() if isinstance(node, dict) else node:
                yield from tensors(each)

    return list(tensors(made.state()))


def same(one: GANTrainer, other: GANTrainer) -> bool:
    return all(torch.equal(first, second) for first, second in zip(outcome(one), outcome(other), strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changes", [{}, {"conditional": False, "preset": "narrow"}, {"precision": "bfloat16"}]
)
def test_played_iterations_equal_those_run_one_by_one(
    kind: str, changes: dict[str, Any], tape: Any, direct: Any
) -> None:
    played, run = trained(trainer(kind, tape, **changes)), trained(trainer(kind, direct, **changes))
    assert same(played, run)
    assert (tape.ran, tape.recordings, tape.replays) == (WARM_UPS, 1, ITERATIONS - WARM_UPS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_recorded_trains_like_what_is_not(kind: str, tape: Any) -> None:
    """A step size in a tensor has seven digits, a Python number sixteen."""
    recorded, plain = trained(trainer(kind, tape)), trained(trainer(kind, None))
    torch.testing.assert_close(recorded.losses, plain.losses, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_the_body_is_left_to_chance_read_back_or_sent_over(kind: str, tape: Any) -> None:
    trained(trainer(kind, tape))
    called = {function.overloadpacket.__name__ for function, *_ in tape.operations}
    assert "convolution_backward" in called
    assert not {
        function for function, *_ in tape.operations if torch.Tag.nondeterministic_seeded in function.tags
    }
    reading = {
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "_unique2",
        "equal",
        "is_nonzero",
        "bincount",
        "histc",
    }
    assert not called & reading
    if kind != "wgan-clip":  # RMSProp counts its steps so where they are on a CPU
        assert not called & {"lift_fresh", "lift_fresh_copy"}  # torch.tensor(…), sent over by the host


def _float_step_size(patch: pytest.MonkeyPatch) -> None:
    def put(optimizer: torch.optim.Optimizer, value: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = value

    patch.setattr("ex3cli.gan.training.trainer.set_learning_rate", put)


def _float_share(patch: pytest.MonkeyPatch) -> None:
    update, made = EMA.update, iter(range(100))

    def with_a_number(self: EMA[Any], _: Tensor) -> None:
        update(self, torch.full((), self.weight(next(made))))

    patch.setattr(EMA, "update", with_a_number)


def _float_weight(patch: pytest.MonkeyPatch) -> None:
    step, made = steps.critic_step, iter(range(1, 100))

    def annealed(networks: Any, real: Tensor, *rest: Any) -> Any:
        return step(networks, real * (1 / next(made)), *rest)

    patch.setattr("ex3cli.gan.training.trainer.critic_step", annealed)


@pytest.mark.parametrize("spoil", [_float_step_size, _float_share, _float_weight])
def test_a_changing_number_in_the_body_would_be_noticed(
    spoil: Callable[[pytest.MonkeyPatch], None], tape: Any, direct: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for backend in (tape, direct, type(direct)()):
        with monkeypatch.context() as patch:
            spoil(patch)
            runs.append(trained(trainer("dcgan", backend)))
    assert same(*runs[1:])
    assert not same(*runs[:2])


def test_the_body_finds_its_inputs_where_they_were(direct: Any) -> None:
    made, seen = trainer("wgan", direct), list[int]()
    made.networks.generator.register_forward_pre_hook(
        lambda _, given: seen.extend(each.data_ptr() for each in given)
    )
    each = [
        trained(made, 1) and tuple(seen[-6:]) for _ in range(ITERATIONS)
    ]  # z and labels of three images' batches
    assert len(seen) == 6 * ITERATIONS
    # labels of real images are made in the body
    assert len({(places[0], places[2], *places[4:]) for places in each}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_training_is_recorded_anew_and_ends_the_same(kind: str, tape: Any) -> None:
    whole = trained(trainer(kind, tape, iterations=16), 7)
    kept = copy.deepcopy(whole.state())
    trained(whole, 9)
    other = trainer(kind, type(tape)(), iterations=16)
    other.restore(copy.deepcopy(kept))
    assert same(trained(other, 9), whole)
    whole.restore(kept)  # back into the one that has a recording of tensors which are no longer its own
    assert same(trained(whole, 9), other)
    assert tape.recordings == 2


class _Refuses:
    """A driver that breaks off a recording where the generator would be updated, and leaves memory
    as it was.
    """

    def __init__(self, direct: Any) -> None:
        self.run, self.made, self.tried = direct.run, None, 0

    def record(self, body: Callable[[], Tensor]) -> Any:
        assert self.made is not None
        networks, ema = self.made.networks, self.made.ema
        held = [
            *networks.generator.state_dict().values(),
            *networks.critic.state_dict().values(),
            *ema.model.state_dict().values(),
            *(
                each
                for optimizer in (networks.generator_optimizer, networks.critic_optimizer)
                for state in optimizer.state.values()
                for each in state.values()
                if isinstance(each, Tensor)
            ),
        ]
        before = [each.clone() for each in held]

        def refuse() -> None:
            self.tried += 1
            raise RuntimeError("not while a stream is recorded")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(networks.generator_optimizer, "step", refuse)
            try:
                return body()
            finally:
                with torch.no_grad():
                    for tensor, value in zip(held, before, strict=True):
                        tensor.copy_(value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_that_breaks_off_inside_an_update_changes_nothing(kind: str, direct: Any) -> None:
    refusing = _Refuses(direct)
    refusing.made = broken = trainer(kind, refusing)
    assert same(trained(broken), trained(trainer(kind, type(direct)())))
    assert (refusing.tried, broken.execution) == (1, "not captured: not while a stream is recorded")


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_goes_over_between_what_is_recorded_and_what_is_not(kind: str, tape: Any) -> None:
    for source, target in ((tape, None), (None, type(tape)())):
        state = copy.deepcopy(trained(trainer(kind, source, iterations=12), 6).state())
        there = trainer(kind, target, iterations=12)
        there.restore(state)
        here = trainer(kind, source, iterations=12)
        here.restore(copy.deepcopy(state))
        torch.testing.assert_close(trained(there, 6).losses, trained(here, 6).losses, rtol=1e-3, atol=1e-4)


@needs_cuda
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("conditional", [True, False])
def test_a_cuda_graph_trains_like_the_iterations_that_it_records(
    kind: str, conditional: bool, direct: Any
) -> None:
    there = torch.device("cuda")
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        graph, run = (
            trained(trainer(kind, each, there, conditional=conditional, width=16)) for each in (None, direct)
        )
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
    torch.testing.assert_close(graph.losses, run.losses, rtol=1e-2, atol=1e-3)
    farthest = 2 * graph.config.learning_rate * ITERATIONS
    for one, other in zip(
        graph.networks.generator.parameters(), run.networks.generator.parameters(), strict=True
    ):
        assert (one - other).abs().max().item() < farthest
        assert (one - other).abs().mean().item() < farthest / 20


@needs_cuda
@pytest.mark.parametrize("kind", KINDS)
def test_the_host_never_waits_for_the_gpu(kind: str) -> None:
    made = trained(trainer(kind, None, torch.device("cuda"), iterations=60), WARM_UPS + 1)
    torch.cuda.set_sync_debug_mode("error")
    try:
        trained(made, 50)  # of six batches an epoch
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(made.losses).all()


@needs_cuda
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_on_a_gpu_is_resumed(kind: str) -> None:
    there = torch.device("cuda")
    whole = trained(trainer(kind, None, there, iterations=16), 7)
    other = trainer(kind, None, there, iterations=16)
    other.restore(copy.deepcopy(whole.state()))
    torch.testing.assert_close(trained(other, 9).losses, trained(whole, 9).losses, rtol=1e-2, atol=1e-2)
