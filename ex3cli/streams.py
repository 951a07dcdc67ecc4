"""Named random streams: one seed, and for every purpose a generator of its own."""

import hashlib

import numpy as np


def stream_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the purpose that `names` spells, the same on every machine and in every Python process.

    Two different names give independent streams, so that an added draw in one place moves no number in another.
    """
    words = "\x1f".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


def seed_of_32_bits(seed: int, *names: str | int) -> int:
    """As `stream_seed`, for libraries whose seeds have 32 bits, such as scikit-learn's `random_state`."""
    return stream_seed(seed, *names) >> 31


def numpy_stream(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy generator (PCG64) of the stream that `names` spells."""
    return np.random.default_rng(stream_seed(seed, *names))
