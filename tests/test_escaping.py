"""What cannot be printed is seen as its escape."""

import pytest

from ex3cli.escaping import printable


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x9b2J", "\\x9b2J"),
        ("\udce4", "\\xe4"),
        ("\ud800", "\\ud800"),
        ("a\u202eb", "a\\u202eb"),
        ("ä 笑 😀 [bold] $", "ä 笑 😀 [bold] $"),
    ],
)
def test_what_cannot_be_printed_is_escaped_and_all_else_is_kept(text: str, seen: str) -> None:
    assert printable(text) == seen


def test_lines_may_be_kept() -> None:
    assert printable("a\nb\x1b", lines=True) == "a\nb\\x1b"
