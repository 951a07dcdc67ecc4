"""Which processor a training runs on, and in which precision."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from ex3cli.errors import UsageError, did_you_mean
from ex3cli.training.memory import keep_freed_memory

CHOICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `mps` into a device; `auto` takes a GPU where there is one.

    Raises
    ------
    UsageError : an unknown name, or a device that this machine does not have.
    """
    if name not in CHOICES:
        raise UsageError(f"--device {name!r} is not known", did_you_mean(name, CHOICES))
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available[name]:
        here = ", ".join(kind for kind, present in available.items() if present)
        raise UsageError(f"--device {name}: this machine or this build of torch has none", f"available here: {here}")
    return torch.device(name)


GAIN = 1.05
"""How much faster bfloat16 has to be than float32 before `auto` takes it: below that, noise would decide."""

PRECISIONS = ("float32", "bfloat16")
WARM_UPS = 5  # steps of each before the first timed one: libraries choose kernels, and a CUDA graph is captured


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision that a training computes its convolutions in, and the measurement that it was chosen by.

    seconds : of one training step, the fastest of several, by precision; a precision that was not timed is absent.
    """

    precision: str
    seconds: dict[str, float]


def faster_precision(seconds: Mapping[str, float]) -> str:
    """The precision to take by the seconds that a step takes in each; float32 unless bfloat16 gains `GAIN`."""
    gains = "bfloat16" in seconds and seconds["float32"] / seconds["bfloat16"] >= GAIN
    return "bfloat16" if gains else "float32"


def measure_precision(
    make_step: Callable[[str], Callable[[], object]],
    device: torch.device,
    *,
    steps: int,
    budget: float = 1.5,
    clock: Callable[[], float] = time.perf_counter,
) -> PrecisionChoice:
    """Time training steps in float32 and in bfloat16, in turn, and choose the faster one.

    That a processor has instructions for bfloat16 does not tell: on some, steps in bfloat16 take 1.4 times as long as in
    float32, on others 0.5 times.

    Parameters
    ----------
    make_step : makes a step of the training at a precision; the step's state is thrown away.
    device : where it computes; on MPS float32 is taken without a measurement.
    steps : of the whole training, of which a twentieth at most is spent on timed steps.
    budget : seconds to spend on timed steps. Three steps of each precision are timed at least.
    """
    if device.type == "mps":
        return PrecisionChoice("float32", {})
    keep_freed_memory()
    wait: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        candidates = {precision: make_step(precision) for precision in PRECISIONS}
        for step in candidates.values():
            for _ in range(WARM_UPS if device.type == "cuda" else 1):
                step()
        seconds = dict.fromkeys(PRECISIONS, math.inf)
        began, rounds = clock(), 0
        while rounds < 3 or (rounds < steps // 40 and clock() - began < budget):
            for precision, step in candidates.items():
                wait()
                before = clock()
                step()
                wait()
                seconds[precision] = min(seconds[precision], clock() - before)
            rounds += 1
    return PrecisionChoice(faster_precision(seconds), seconds)
