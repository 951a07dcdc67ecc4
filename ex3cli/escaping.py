"""Text of a user's, such as the name of a file or a folder, made safe to print."""

import re

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line separators, changes of the writing direction, and bytes of a file name that are no
text.
"""


def printable(text: str, *, lines: bool = False) -> str:
    """The text with every unprintable character as its escape: ESC becomes `\\x1b`; with `lines` a line feed
    stays one.
    """
    return UNPRINTABLE.sub(
        lambda found: found[0] if lines and found[0] == "\n" else _escape(ord(found[0])), text
    )


def _escape(code: int) -> str:
    byte = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code  # Python's stand-in for a byte that is no text
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (
        f"\\x{byte:02x}" if byte < 256 else f"\\u{byte:04x}"
    )
