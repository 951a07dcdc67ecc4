"""Peak memory of a layer's tensors, exact to the byte, from the profiler's record of allocations."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from ex3cli.complexity.layers import FusedAttention, FusedLSTM, WrittenOutAttention

LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "attention, N² matrix": WrittenOutAttention,
    "attention, fused": FusedAttention,
    "lstm": FusedLSTM,
}


@dataclass(frozen=True)
class Peak:
    """Maximum allocated bytes during a pass, without parameters and input."""

    layer: str
    direction: str
    length: int
    width: int
    bytes: int

    @property
    def matrices(self) -> float:
        """The peak in N × N matrices of single precision."""
        return self.bytes / (4 * self.length**2)


def measure_peak(layer: str, direction: str, length: int, width: int) -> Peak:
    """Run the layer once and record its allocations.

    Parameters
    ----------
    direction : "forward", without gradients, or "training", forward and backward.
    """
    network = LAYERS[layer](width).train(direction == "training")
    inputs = torch.zeros(1, length, width, requires_grad=direction == "training")

    def run() -> None:
        if direction == "training":
            network(inputs).sum().backward()
        else:
            with torch.no_grad():
                network(inputs)

    return Peak(layer, direction, length, width, peak_bytes(run))


def peak_bytes(run: Callable[[], object]) -> int:
    """The maximum of allocated minus freed bytes on the CPU during `run()`."""
    with _silent_descriptor(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        run()
    events = recorded.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return int(max(accumulate((change for _, change in changes), initial=0)))


@contextmanager
def _silent_descriptor() -> Iterator[None]:
    """Redirect file descriptor 2 to /dev/null: some builds of the profiler write there directly."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
