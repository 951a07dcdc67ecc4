"""The number of threads is set for a block and put back, also when it fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ex3cli.training.threads import thread_count, torch_threads

ROOT = Path(__file__).parents[2]


def test_threads_are_set_and_put_back() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with pytest.raises(ZeroDivisionError), torch_threads(before + 2):
        _ = 1 / 0
    assert torch.get_num_threads() == before


PROGRAM = """
import hashlib, numpy as np, torch
from threadpoolctl import threadpool_info
from ex3cli.training.threads import all_threads

def digest():
    draws = np.random.default_rng(0).standard_normal((700, 900)).astype(np.float32)
    product = draws.T @ draws
    vectors = np.linalg.eigh(product.astype(np.float64))[1]
    layer = torch.from_numpy(draws) @ torch.from_numpy(product)
    return hashlib.sha256(product.tobytes() + vectors.tobytes() + layer.numpy().tobytes()).hexdigest()

def counts():
    pools = sorted((pool["filepath"], pool["num_threads"]) for pool in threadpool_info())
    return pools, torch.get_num_threads()

with all_threads(1):
    pass  # loads every library
before = counts()
with all_threads(2):
    print({count for _, count in counts()[0]} | {counts()[1]}, digest())
assert counts() == before
"""


def test_every_library_computes_in_as_many_threads_in_every_environment() -> None:
    lines = set()
    for omp, blas in (("1", "2"), ("2", "1")):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": omp,
            "OPENBLAS_NUM_THREADS": blas,
        }
        command = [sys.executable, "-c", PROGRAM]
        lines.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    (line,) = lines
    assert line.startswith("{2} ")


def test_without_torch_the_count_is_that_of_numpys_blas() -> None:
    program = (
        "import sys\nfrom ex3cli.training.threads import thread_count\n"
        "print(thread_count(), 'torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "False"]
    with torch_threads(3):
        assert thread_count() == 3
