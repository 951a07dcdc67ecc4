"""Escaping of a user's text, such as file names, for printing."""

import re

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line separators, direction marks, and undecodable bytes of file names."""


def printable(text: str, *, lines: bool = False) -> str:
    """The text with escaped unprintable characters, such as `\\x1b` for ESC; `lines` keeps line feeds."""
    return UNPRINTABLE.sub(lambda found: "\n" if lines and found[0] == "\n" else _escape(found[0]), text)


def printable_value(value: object) -> object:
    """A template's value, with unprintable characters escaped in text; Markup and others are unchanged."""
    return printable(value) if type(value) is str else value


def _escape(character: str) -> str:
    code = ord(character)
    byte = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code  # surrogates stand for undecodable bytes
    hexadecimal = f"\\x{byte:02x}" if byte < 256 else f"\\u{byte:04x}"
    return {"\t": "\\t", "\n": "\\n", "\r": "\\r"}.get(character, hexadecimal)
