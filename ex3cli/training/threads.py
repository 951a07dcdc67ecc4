"""How many threads a stretch of work uses."""

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


@contextmanager
def all_threads(count: int) -> Iterator[None]:
    """Let torch, and the BLAS and OpenMP of NumPy, SciPy and scikit-learn, use `count` threads inside the block.

    The last bits of a product depend on how many threads share it, and each library takes its number from an environment
    variable of its own (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS).
    """
    import scipy.linalg  # noqa: F401  (a limit holds for libraries that are loaded, and these bring their own)
    import sklearn  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count), torch_threads(count):
        yield
