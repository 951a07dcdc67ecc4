"""Device, precision and optimizer state."""

import ctypes
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ex3cli.errors import UsageError, did_you_mean

KEPT = 32 << 20  # bytes: the largest block that every version of glibc can keep in its heap
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from <malloc.h>


def keep_freed_memory() -> bool:
    """Let the process keep freed memory; returns whether glibc's allocator accepted it.

    A training step frees all its tensors. glibc returns blocks of that size to the system, which clears
    thousands of pages for the next step: up to a seventh of its time.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return set_option is not None and bool(
        set_option(MMAP_THRESHOLD, KEPT) and set_option(TRIM_THRESHOLD, 1 << 30)
    )


CHOICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `mps`; `auto` prefers a GPU.

    Raises
    ------
    UsageError : the name is unknown, or the device is not available.
    """
    if name not in CHOICES:
        raise UsageError(f"--device {name!r} is unknown", did_you_mean(name, CHOICES))
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available[name]:
        names = ", ".join(kind for kind, is_available in available.items() if is_available)
        raise UsageError(
            f"--device {name} is not available on this machine or in this build of torch",
            f"available here: {names}",
        )
    return torch.device(name)


GAIN = 1.05
"""Minimum speedup of bfloat16 over float32 for `auto` to choose it: a smaller one may be noise."""

PRECISIONS = ("float32", "bfloat16")
EMULATED = 4.0
"""Minimum time of a bfloat16 product, relative to float32, that indicates emulation."""

# untimed steps on a GPU: libraries choose kernels, and a CUDA graph is captured
WARM_UPS = 5


@dataclass(frozen=True)
class PrecisionChoice:
    """The chosen precision of the convolutions, and the seconds of the fastest step by measured precision."""

    precision: str
    seconds: dict[str, float]


def faster_precision(seconds: Mapping[str, float]) -> str:
    """bfloat16 if it is faster by `GAIN`, otherwise float32; `seconds` of a step by precision."""
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
    """Time training steps alternately in float32 and in bfloat16, and choose the faster precision.

    Instructions for bfloat16 do not imply speed: on processors with them, a step in bfloat16 takes between
    0.5 and 1.4 times as long as in float32.

    Parameters
    ----------
    make_step : makes a training step with a precision; its state is discarded.
    device : on MPS, and where bfloat16 is emulated, float32 is chosen without timing a step.
    steps : steps of the whole training; at most a twentieth of them is timed.
    budget : maximum seconds for timed steps, after three of each precision.
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
    """Whether bfloat16 is emulated; `seconds` of a matrix product by precision."""
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
    """Seconds of each candidate's fastest call, in at least three rounds, within `rounds` and `budget`."""
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
    """A learning rate that a captured step reads at each replay, unlike a Python number."""
    return torch.full((), value, device=device)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate; a tensor in place, because its address is part of a captured graph."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(value)
        else:
            group["lr"] = value


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimizer's state in the memory layout of its weights, which a fused step addresses together.

    A checkpoint has contiguous tensors. Without the conversion, weights in the channels-last layout would
    silently be updated with the moments of other weights. Settings of the checkpoint are ignored: a learning
    rate in a tensor would get another address, and `capturable` depends on the device.
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
