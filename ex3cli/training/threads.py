"""The number of threads of torch and of the libraries of NumPy, SciPy and scikit-learn."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def thread_count() -> int:
    """The threads that this process computes with: torch's, or before its import those of NumPy's BLAS."""
    if "torch" in sys.modules:
        import torch

        return torch.get_num_threads()
    import numpy  # noqa: F401  (loads its BLAS)
    from threadpoolctl import threadpool_info

    counts = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    return max(counts, default=1)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads in the block or in the decorated function.

    With one thread, sums do not depend on the number of cores, and small products do not wait for a second
    thread whose core is busy.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def all_threads(count: int) -> Iterator[None]:
    """Let torch, and the BLAS and OpenMP libraries of NumPy, SciPy and scikit-learn, use `count` threads.

    The last bits of a product depend on the number of threads, for which each library has its own environment
    variable (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS).
    """
    import scipy.linalg  # noqa: F401  (the limit applies to loaded libraries, and these load their own)
    import sklearn  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count), torch_threads(count):
        yield
