"""All randomness flows from one seed through named generators, so that adding a draw somewhere moves no other number."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ex3cli.streams import numpy_stream, stream_seed


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """A CPU generator for one purpose, independent of every other name's; `get_state` goes into checkpoints."""
    return torch.Generator().manual_seed(stream_seed(seed, *names))


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy's counterpart of `torch_generator`."""
    return numpy_stream(seed, *names)


@contextmanager
def isolated_global_rng(seed: int, *names: str | int) -> Iterator[None]:
    """Seed torch's global generator inside the block and put it back after.

    For what only draws from the global one, such as layer initialisation: nothing outside notices.
    """
    saved = torch.get_rng_state()
    torch.set_rng_state(torch_generator(seed, *names).get_state())
    try:
        yield
    finally:
        torch.set_rng_state(saved)
