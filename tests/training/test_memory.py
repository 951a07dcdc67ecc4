"""Keeping freed memory is a matter of glibc; elsewhere nothing happens, and nothing fails."""

import ctypes
import resource
import sys

import pytest
import torch

from ex3cli.training.device import keep_freed_memory


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # a C library without mallopt
    assert not keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc that gives memory back")
def test_memory_that_is_freed_is_not_asked_for_again() -> None:
    """Blocks are made and freed over and over; each page that the system hands out anew faults."""
    if not keep_freed_memory():
        pytest.skip("the C library is not glibc")
    pages = 2_000

    def make_and_free() -> None:
        [torch.ones(pages * 4096, dtype=torch.uint8) for _ in range(6)]

    for _ in range(10):  # until the heap has settled
        make_and_free()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        make_and_free()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 2 * pages
