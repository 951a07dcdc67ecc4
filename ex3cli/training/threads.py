"""How many threads torch uses for a stretch of work."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block (or the function that it decorates), and as many as before after it.

    With one, sums come out the same on any number of cores, and small products do not wait for a second thread that
    another program keeps busy.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
