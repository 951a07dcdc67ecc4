"""Named random streams: all random numbers are functions of the run's seed and the stream's name."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def child_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed derived from `seed` and `names`, the same on all machines.

    Different names give independent streams: an additional draw in one stream does not change another.
    """
    words = "\x1f".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


def seed_of_32_bits(seed: int, *names: str | int) -> int:
    """A 32-bit `child_seed`, for libraries such as scikit-learn."""
    return child_seed(seed, *names) >> 31


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """The NumPy generator (PCG64) of the stream `names`."""
    return np.random.default_rng(child_seed(seed, *names))


def torch_generator(seed: int, *names: str | int) -> "torch.Generator":
    """The torch generator, on the CPU, of the stream `names`."""
    import torch

    return torch.Generator().manual_seed(child_seed(seed, *names))


@contextmanager
def forked_global_rng(seed: int, *names: str | int) -> Iterator[None]:
    """Seed torch's global generator in the block, for functions that accept no generator."""
    import torch

    saved = torch.get_rng_state()
    torch.set_rng_state(torch_generator(seed, *names).get_state())
    try:
        yield
    finally:
        torch.set_rng_state(saved)
