from collections.abc import Callable

import pytest
import torch

from ex3cli.errors import UsageError
from ex3cli.training.device import choose_device, faster_precision, is_emulated, measure_precision


def test_auto_takes_what_is_here() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert choose_device("cpu").type == "cpu"


def test_a_device_that_is_not_here_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="--device cuda") as caught:
        choose_device("cuda")
    assert "cpu" in caught.value.remedy


def test_a_misspelt_device_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        choose_device("cdua")
    assert caught.value.remedy == "did you mean 'cuda'?"


@pytest.mark.parametrize(
    ("seconds", "precision"),
    [
        # a DCGAN where bfloat16 is slow: 16.0 and 12.1 iterations/s
        ({"float32": 0.0625, "bfloat16": 0.0826}, "float32"),
        ({"float32": 0.0840, "bfloat16": 0.1190}, "float32"),
        ({"float32": 0.0800, "bfloat16": 0.0400}, "bfloat16"),
        ({"float32": 0.1000, "bfloat16": 0.0980}, "float32"),  # within the noise of a measurement
        ({"float32": 1.05, "bfloat16": 1.0}, "bfloat16"),
        ({"float32": 0.1}, "float32"),
    ],
)
def test_bfloat16_is_taken_only_where_it_is_clearly_faster(seconds: dict[str, float], precision: str) -> None:
    assert faster_precision(seconds) == precision


class Clock:
    """A clock that only steps move on; each takes its precision's time, the first of each much longer."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.now, self.seconds, self.steps = 0.0, seconds, dict.fromkeys(seconds, 0)

    def __call__(self) -> float:
        return self.now

    def make_step(self, precision: str) -> Callable[[], None]:
        def step() -> None:
            torch.rand(1)  # as a step may that draws from the global generator
            self.now += self.seconds[precision] * (100 if self.steps[precision] == 0 else 1)
            self.steps[precision] += 1

        return step


def test_a_measurement_leaves_out_the_first_step_and_draws_nothing_from_the_global_generator() -> None:
    clock, before = Clock({"float32": 1 / 32, "bfloat16": 1 / 64}), torch.random.get_rng_state()
    chosen = measure_precision(
        clock.make_step, torch.device("cpu"), steps=100_000, budget=30 / 64, clock=clock
    )
    assert chosen.precision == "bfloat16"
    assert chosen.seconds == {"float32": 1 / 32, "bfloat16": 1 / 64}
    assert clock.steps == {"float32": 11, "bfloat16": 11}  # ten rounds fill the budget
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("product", "emulated"),
    [
        ({"float32": 0.19, "bfloat16": 0.04}, False),  # recorded with AMX
        ({"float32": 0.17, "bfloat16": 0.32}, False),  # AVX-512 with instructions for bfloat16
        ({"float32": 0.19, "bfloat16": 0.93}, True),  # AVX-512 without them
        ({"float32": 0.21, "bfloat16": 13.79}, True),  # AVX2
    ],
)
def test_bfloat16_is_emulated_where_its_product_takes_many_times_as_long(
    product: dict[str, float], emulated: bool
) -> None:
    assert is_emulated(product) == emulated


def test_no_step_is_made_in_bfloat16_where_it_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock({"float32": 0.17, "bfloat16": 14.0})
    monkeypatch.setattr("ex3cli.training.device.product", lambda precision, _: clock.make_step(precision))

    def make_step(precision: str) -> Callable[[], None]:
        raise AssertionError(f"a step in {precision}")

    chosen = measure_precision(make_step, torch.device("cpu"), steps=100, clock=clock)
    assert (chosen.precision, chosen.seconds) == ("float32", {})


def test_a_short_training_is_measured_by_few_steps() -> None:
    clock = Clock({"float32": 0.01, "bfloat16": 0.02})
    assert (
        measure_precision(clock.make_step, torch.device("cpu"), steps=10, clock=clock).precision == "float32"
    )
    assert clock.steps == {"float32": 4, "bfloat16": 4}
