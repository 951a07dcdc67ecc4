"""Peak memory of tensors while a layer runs, exact to the byte, from the profiler's record of allocations."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
    """Most bytes that the layer's own work held at once, beyond its parameters and input."""

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
    """Run the layer once, `forward` without gradients or `training` with, and follow what it allocates."""
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
    """Return the largest sum of allocations less frees on the CPU at any moment of `run()`."""
    with _silent_descriptor(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        run()
    events = recorded.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    held = most = 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most


@contextmanager
def _silent_descriptor() -> Iterator[None]:
    """Send file descriptor 2 nowhere: some builds of the profiler announce themselves there, below Python's
    reach.
    """
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
