"""Device, number of threads, precision and optimizer state."""

import ctypes
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ex3cli.errors import UsageError, did_you_mean

KEPT = 32 << 20  # the largest block that every glibc lets its heap hold
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # mallopt's names of what it sets: <malloc.h>


def keep_freed_memory() -> bool:
    """Let the process keep the memory that it frees; returns whether it can.

    A step frees every tensor that it makes. glibc gives blocks of that size back to the system, which clears
    each page anew
    when the next step asks for it: thousands of pages a step, up to a seventh of its time. Other allocators
    stay as they are.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return set_option is not None and bool(
        set_option(MMAP_THRESHOLD, KEPT) and set_option(TRIM_THRESHOLD, 1 << 30)
    )


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block (or the function that it decorates), and as many as
    before after it.

    With one, sums come out the same on any number of cores, and small products do not wait for a second
    thread that
    another program keeps busy.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def all_threads(count: int) -> Iterator[None]:
    """Let torch, and the BLAS and OpenMP of NumPy, SciPy and scikit-learn, use `count` threads inside the
    block.

    The last bits of a product depend on how many threads share it, and each library takes its number from an
    environment
    variable of its own (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS).
    """
    import scipy.linalg  # noqa: F401  (a limit holds for libraries that are loaded, and these bring their own)
    import sklearn  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count), torch_threads(count):
        yield


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
        raise UsageError(
            f"--device {name}: this machine or this build of torch has none", f"available here: {here}"
        )
    return torch.device(name)


GAIN = 1.05
"""How much faster bfloat16 has to be than float32 before `auto` takes it: below that, noise would decide."""

PRECISIONS = ("float32", "bfloat16")
EMULATED = 4.0
"""A bfloat16 product that takes so many times as long as one in float32 is emulated, and no step is tried in
bfloat16.
"""

# steps of each before the first timed one: libraries choose kernels, and a CUDA graph is captured
WARM_UPS = 5


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision that a training computes its convolutions in, and the measurement that it was chosen by.

    seconds : of one training step, the fastest of several, by precision; a precision that was not timed is
        absent.
    """

    precision: str
    seconds: dict[str, float]


def faster_precision(seconds: Mapping[str, float]) -> str:
    """The precision to take by the seconds that a step takes in each; float32 unless bfloat16 gains
    `GAIN`.
    """
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

    That a processor has instructions for bfloat16 does not tell: on some, steps in bfloat16 take 1.4 times as
    long as in
    float32, on others 0.5 times.

    Parameters
    ----------
    make_step : makes a step of the training at a precision; the step's state is thrown away.
    device : where it computes; on MPS, and where bfloat16 is emulated, float32 is taken without a step in
        either.
    steps : of the whole training, of which a twentieth at most is spent on timed steps.
    budget : seconds to spend on timed steps. Three steps of each precision are timed at least.
    """
    if device.type == "mps":
        return PrecisionChoice("float32", {})
    keep_freed_memory()
    wait: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    fastest = partial(
        fastest_seconds, wait=wait, clock=clock, warm_ups=WARM_UPS if device.type == "cuda" else 1
    )
    if is_emulated(fastest({name: product(name, device) for name in PRECISIONS}, rounds=3, budget=0.0)):
        return PrecisionChoice("float32", {})
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        seconds = fastest({name: make_step(name) for name in PRECISIONS}, rounds=steps // 40, budget=budget)
    return PrecisionChoice(faster_precision(seconds), seconds)


def is_emulated(seconds: Mapping[str, float]) -> bool:
    """Whether bfloat16 is emulated, by the seconds that a product of matrices takes in each precision."""
    return seconds["bfloat16"] > EMULATED * seconds["float32"]


def product(precision: str, device: torch.device) -> Callable[[], object]:
    """A product of two small matrices."""
    matrix = torch.ones(256, 256, dtype=getattr(torch, precision), device=device)
    return lambda: matrix @ matrix


def fastest_seconds(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    budget: float,
    wait: Callable[[], object],
    clock: Callable[[], float],
    warm_ups: int,
) -> dict[str, float]:
    """The seconds of each candidate's fastest call, in turn until the rounds or the budget are spent; three
    at least.
    """
    for call in candidates.values():
        for _ in range(warm_ups):
            call()
    seconds = dict.fromkeys(candidates, math.inf)
    began, done = clock(), 0
    while done < 3 or (done < rounds and clock() - began < budget):
        for name, call in candidates.items():
            wait()
            before = clock()
            call()
            wait()
            seconds[name] = min(seconds[name], clock() - before)
        done += 1
    return seconds


def learning_rate_tensor(value: float, device: torch.device) -> Tensor:
    """A step size that a recorded step reads anew each time, unlike a Python number."""
    return torch.full((), value, device=device)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set it in place where it is a tensor: its address is part of a recording, and nothing waits for the
    device.
    """
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(value)
        else:
            group["lr"] = value


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimizer's state in the memory layout of its weights: a fused step reads both by address.

    A checkpoint holds plain contiguous tensors; convolutions whose weights are kept channels last would
    otherwise be updated
    with the moments of other weights, without an error. Its settings are left out: a step size in a tensor
    would change its
    address, and a checkpoint of another device says what only that one can do (`capturable`).
    """
    own = [
        {name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups
    ]
    groups = [{**kept, **settings} for kept, settings in zip(state["param_groups"], own, strict=True)]
    optimizer.load_state_dict({**state, "param_groups": groups})
    for group, settings in zip(optimizer.param_groups, own, strict=True):
        group.update(settings)
    for parameter, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                kept[name] = torch.empty_like(parameter).copy_(value)
