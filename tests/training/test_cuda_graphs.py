"""A body that is recorded once and played: every call takes effect once, on the inputs of that call."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from ex3cli.training.cuda_graphs import WARM_UPS, GraphedStep, default_backend


@dataclass(frozen=True)
class Inputs:
    """What a body is given."""

    value: Tensor
    weight: Tensor | None = None


class Sum:
    """A body with a state: the weighted sum of all values so far."""

    def __init__(self) -> None:
        self.total, self.calls, self.addresses = torch.zeros(2), 0, set[int]()

    def __call__(self, inputs: Inputs) -> Tensor:
        self.calls += 1
        self.addresses.add(inputs.value.data_ptr())
        self.total.add_(inputs.value if inputs.weight is None else inputs.value * inputs.weight)
        return self.total + 1


def values(count: int) -> list[Tensor]:
    return [torch.tensor([float(number), 2.0**number]) for number in range(count)]


@pytest.mark.parametrize("backend", ["tape", "direct"])
def test_every_call_takes_effect_once(backend: str, request: pytest.FixtureRequest) -> None:
    body = Sum()
    captured = GraphedStep(body, request.getfixturevalue(backend))
    for number, value in enumerate(values(9)):
        result = captured(Inputs(value, torch.tensor(2.0)))
        assert torch.equal(body.total, 2 * sum(values(number + 1)))  # type: ignore[arg-type]
        assert torch.equal(result, body.total + 1)
    assert len(body.addresses) == 1  # the inputs' own tensors are new each time


def test_the_body_is_called_for_the_first_few_and_the_recording_only(tape: Any) -> None:
    body = Sum()
    captured = GraphedStep(body, tape)
    for value in values(20):
        captured(Inputs(value))
    assert (body.calls, tape.ran, tape.recordings, tape.replays) == (WARM_UPS + 1, WARM_UPS, 1, 20 - WARM_UPS)


def test_a_changing_number_is_frozen(tape: Any) -> None:
    """So that the comparisons made with this stand-in would notice one."""
    numbers = iter((1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    captured = GraphedStep(lambda inputs: inputs.value + next(numbers), tape)
    seen = [captured(Inputs(torch.zeros(1))).item() for _ in range(6)]
    assert seen == [1, 2, 3, 4, 4, 4]


def test_without_a_backend_the_body_gets_the_inputs_themselves() -> None:
    body, given = Sum(), values(9)
    captured = GraphedStep(body, None)
    for value in given:
        captured(Inputs(value))
    assert body.calls == 9
    assert body.addresses == {value.data_ptr() for value in given}


def test_what_was_forgotten_is_recorded_anew(tape: Any) -> None:
    body = Sum()
    captured = GraphedStep(body, tape)
    for value in values(6):
        captured(Inputs(value))
    body.total = torch.tensor([100.0, 0.0])  # moved: the recording would go on with the old one
    captured.forget()
    for value in values(6):
        captured(Inputs(value))
    assert body.total.tolist() == [115.0, 63.0]
    assert tape.recordings == 2


def test_inputs_that_a_recording_cannot_follow_are_refused(tape: Any) -> None:
    with pytest.raises(TypeError, match="value is a float"):
        GraphedStep(Sum(), tape)(Inputs(0.5))  # type: ignore[arg-type]
    captured = GraphedStep(Sum(), tape)
    captured(Inputs(torch.zeros(2)))
    for other in (torch.zeros(1), torch.zeros(2, dtype=torch.float64), 0.5):
        with pytest.raises(ValueError, match=r"value was torch.float32 \(2,\) on cpu and is"):
            captured(Inputs(other))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weight was NoneType"):
        captured(Inputs(torch.zeros(2), torch.zeros(())))


def test_only_cuda_records() -> None:
    assert default_backend(torch.device("cpu")) is default_backend(torch.device("mps")) is None


def test_what_cannot_be_recorded_is_called_each_time_with_the_cause() -> None:
    class Refusing:
        tried = 0

        def run(self, body: Any) -> Tensor:
            result: Tensor = body()
            return result

        def record(self, body: Any) -> Any:
            Refusing.tried += 1
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    body = Sum()
    captured = GraphedStep(body, Refusing())
    for value in values(9):
        captured(Inputs(value))
    assert torch.equal(body.total, sum(values(9)))  # type: ignore[arg-type]
    assert (Refusing.tried, captured.is_graphed) == (1, False)
    assert captured.failure == "operation not permitted when stream is capturing"
