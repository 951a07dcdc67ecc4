"""Peak memory: exact where it is known, N² only where the matrix is formed."""

import pytest
import torch

from ex3cli.complexity.memory import measure_peak, peak_bytes


def test_peak_is_the_most_held_at_once_not_the_sum() -> None:
    def run() -> None:
        first = torch.empty(1000)  # 4000 bytes
        del first
        second = torch.empty(2000)
        third = torch.empty(500)
        del second, third

    assert peak_bytes(run) == 10_000


@pytest.mark.parametrize(("way", "copies"), [("forward", 2.0), ("training", 3.0)])
def test_the_matrix_is_held_or_not(way: str, copies: float) -> None:
    matrix, fused = (
        [measure_peak(f"attention, {kind}", way, length, 16) for length in (1024, 2048)]
        for kind in ("N² matrix", "fused")
    )
    assert copies <= matrix[1].matrices < copies + 0.2
    assert fused[1].matrices < 0.2
    assert matrix[1].bytes > 3.5 * matrix[0].bytes
    assert fused[1].bytes < 2.5 * fused[0].bytes


def test_nothing_reaches_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    peak_bytes(lambda: torch.empty(10))
    assert capfd.readouterr().err == ""
