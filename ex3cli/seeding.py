"""Named random streams: every random number is a function of the run's seed and the stream's name."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def child_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the purpose that `names` spells, the same on every machine and in every Python
    process.

    Two different names give independent streams, so that an added draw in one place moves no number in
    another.
    """
    words = "\x1f".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


def seed_of_32_bits(seed: int, *names: str | int) -> int:
    """As `child_seed`, for libraries whose seeds have 32 bits, such as scikit-learn's `random_state`."""
    return child_seed(seed, *names) >> 31


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy generator (PCG64) of the stream that `names` spells."""
    return np.random.default_rng(child_seed(seed, *names))


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """A CPU generator for one purpose, independent of every other name's; `get_state` goes into
    checkpoints.
    """
    return torch.Generator().manual_seed(child_seed(seed, *names))


@contextmanager
def forked_global_rng(seed: int, *names: str | int) -> Iterator[None]:
    """Seed torch's global generator inside the block and put it back after.

    For what only draws from the global one, such as layer initialization: nothing outside notices.
    """
    saved = torch.get_rng_state()
    torch.set_rng_state(torch_generator(seed, *names).get_state())
    try:
        yield
    finally:
        torch.set_rng_state(saved)
