"""Gray images in a terminal: each character shows two pixels, one above the other."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

UPPER_HALF = "▀"


def can_preview() -> bool:
    """Whether stdout is a terminal with colors (see no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def half_blocks(images: Sequence[Any], width: int) -> "Text":
    """As many of the (H, W) gray images side by side as fit into `width` characters; H is even.

    The upper pixel is the color of the character, the lower one its background.
    """
    from rich.text import Text

    across = images[0].shape[1] + 1
    shown = [image.tolist() for image in images[: max(1, width // across)]]
    text = Text(no_wrap=True)
    for row in range(0, len(shown[0]) - 1, 2):
        for image in shown:
            for upper, lower in zip(image[row], image[row + 1], strict=True):
                text.append(UPPER_HALF, style=f"rgb({upper},{upper},{upper}) on rgb({lower},{lower},{lower})")
            text.append(" ")
        text.append("\n")
    return text
