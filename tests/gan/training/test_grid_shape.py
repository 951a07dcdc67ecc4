"""The largest pictures that are taken are ones that can be made, and one image more is refused."""

import numpy as np
import pytest

from ex3cli.errors import UsageError
from ex3cli.gan.sampling import export
from ex3cli.gan.sampling.sheet import GAP, GIF_SIDE, SIDE, check_sheet, check_strip


@pytest.mark.parametrize(("count", "scale"), [(10_000, 3), (24, 64), (1, 64), (10_000, 1)])
def test_sheets_that_are_taken(count: int, scale: int) -> None:
    check_sheet(count, scale)


@pytest.mark.parametrize(
    ("count", "scale", "remedy"),
    [
        (10_000, 4, "--scale 3, or at most -n 6250"),
        (25, 64, "--scale 63, or at most -n 24"),
        (100, 64, "--scale 31, "),
    ],
)
def test_a_sheet_that_is_too_large_is_answered_with_the_most(count: int, scale: int, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_sheet(count, scale)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("count", "steps", "scale"),
    [(1_129, 16, 2), (1_129, 22, 1), (1, 24, 64), (25, 1_000, 2), (12, 2, 64), (574, 2, 4)],
)
def test_the_largest_strips_that_are_taken(count: int, steps: int, scale: int) -> None:
    check_strip(count, steps, scale)


@pytest.mark.parametrize(
    ("count", "steps", "scale", "remedy"),
    [
        (1_130, 16, 1, "-n 1129"),
        (575, 2, 4, "-n 574"),
        (26, 1_000, 1, "-n 25"),
        (13, 2, 64, "-n 12"),
        (1, 1_000, 64, "--steps 24"),
    ],
)
def test_a_strip_that_is_too_large_is_answered_with_the_most(
    count: int, steps: int, scale: int, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_strip(count, steps, scale)
    assert caught.value.remedy.endswith(remedy)


def test_the_widest_animation_is_written_and_the_gap_is_that_of_the_pictures() -> None:
    one = np.zeros((SIDE * 2, SIDE * 2), dtype=np.uint8)
    widest = export.make_grid([[one] * 1_129])
    assert widest.shape[1] == 1_129 * (SIDE * 2 + GAP) - GAP <= GIF_SIDE
    assert export.to_gif([widest, widest], 100).startswith(b"GIF")
