"""Half blocks show each pixel once, and only where they can be seen."""

import io

import numpy as np
import pytest
from rich.console import Console

from ex3cli.cli.preview import can_preview, half_blocks


def shown(images: list[np.ndarray], width: int) -> str:
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system="truecolor", no_color=False, width=200
    )
    console.print(half_blocks(images, width))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_character_holds_the_upper_pixel_in_its_ink_and_the_lower_behind_it() -> None:
    text = shown([np.array([[10], [200]], dtype=np.uint8)], 80)
    assert "38;2;10;10;10" in text
    assert "48;2;200;200;200" in text
    assert text.count("▀") == 1


@pytest.mark.parametrize(("width", "across"), [(5, 1), (29, 1), (58, 2), (80, 2), (87, 3), (1_000, 4)])
def test_as_many_images_as_fit_are_shown_side_by_side(width: int, across: int) -> None:
    lines = half_blocks([np.zeros((28, 28), dtype=np.uint8)] * 4, width).plain.splitlines()
    assert len(lines) == 14
    assert {line.count("▀") for line in lines} == {28 * across}


def test_nothing_is_previewed_on_a_pipe_or_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not can_preview()
    monkeypatch.delenv("NO_COLOR")
    assert can_preview()
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert not can_preview()
