"""Points as text: JSON, or CSV in the dialects of Excel, pandas and R."""

import codecs
import csv
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ex3cli.errors import DataError
from ex3cli.lab.distributions import Points

MOST_POINTS, LONGEST_LINE = 1_000_000, 1_000
PAIRS = "give a list of pairs: [[0.1, 0.2], …]"
COLUMNS = "give two columns, x and y"


def pairs_of(path: Path, data: bytes) -> tuple[Points, list[str]]:
    """The points (n, 2) in a file's content, and remarks on ambiguous lines, such as a header.

    Raises
    ------
    DataError : the content is binary, has too many points, or an entry is not a pair of finite numbers.
    """
    text = _text(path, data)
    start = text[:100].lstrip()
    if start.startswith(("<", "data:")):
        raise DataError(f"{path} holds markup or a data URI: {start[:30]}", "save the drawing as PNG")
    is_json = path.suffix.lower() == ".json" or start.startswith(("[", "{"))
    points, remarks = (_json_pairs(path, text), []) if is_json else _csv_pairs(path, text)
    if len(points) > MOST_POINTS:
        raise _too_many(path)
    return points, remarks


def _text(path: Path, data: bytes) -> str:
    """Decode UTF-8, UTF-16 with a byte order mark, or Windows' code page (Excel and PowerShell)."""
    has_mark = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if has_mark else ("utf-8-sig", "cp1252"):
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if "\0" not in text:
                return text
    raise DataError(
        f"{path} is neither a PNG nor text", "give a PNG drawing, or CSV or JSON of points, saved as UTF-8"
    )


def _json_pairs(path: Path, text: str) -> Points:
    if text.count(",") > 2 * MOST_POINTS:  # before parsing, which would need much memory
        raise _too_many(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON ({error})", PAIRS) from None
    found = found.get("points") if isinstance(found, dict) else found
    if not isinstance(found, list):
        raise DataError(f"{path} holds no list of points", PAIRS)
    return _array([_pair(path, f"entry {index}", _two(each), each) for index, each in enumerate(found, 1)])


def _two(entry: Any) -> list[Any]:
    """The values of an entry; empty for other types. Booleans are excluded, because Python treats them as 1
    and 0.
    """
    words = (
        [entry.get("x"), entry.get("y")]
        if isinstance(entry, dict)
        else entry
        if isinstance(entry, list)
        else []
    )
    return [] if any(isinstance(word, bool) for word in words) else words


def _csv_pairs(path: Path, text: str) -> tuple[Points, list[str]]:
    """Two columns of numbers, and remarks on a skipped header or index column (from pandas or R).

    The separator is the first of semicolon, comma, tab and spaces that splits the first line into two
    columns, or else into three. If the separator is not a comma, a comma is the decimal separator.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > 2 * MOST_POINTS:
        raise _too_many(path)
    numbered = [
        (number, line)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and line.strip()[0] != "#"
    ]
    for number, line in numbered:
        if len(line) > LONGEST_LINE:
            raise DataError(f"{path}, line {number} is no pair of numbers: {line[:60]}", COLUMNS)
    if not numbered:
        return _array([]), []
    if len(numbered) > MOST_POINTS + 1:
        raise _too_many(path)
    first = numbered[0][1]
    separators = (";", ",", "\t", None)
    separator = next(
        (each for columns in (2, 3) for each in separators if len(_split(first, each)) == columns), ","
    )
    header, remarks = _header(_split(first, separator), [line for _, line in numbered[1:]], separator)
    numbered = numbered[header:]
    lines = [line if separator == "," else line.replace(",", ".") for _, line in numbered]
    try:
        found = (
            np.loadtxt(lines, delimiter=separator, quotechar='"', comments=None, ndmin=2)
            if lines
            else _array([])
        )
    except ValueError:
        found = np.empty((0, 0))
    if found.shape[1] == 3 and any((found[:, 0] == np.arange(len(found)) + start).all() for start in (0, 1)):
        found = found[:, 1:]
        remarks.append("its first column counts the lines and is left out")
    if found.shape[1] != 2 or not np.isfinite(found).all():  # line by line, to name the one that is wrong
        found = _array(
            [
                _pair(path, f"line {number}", words := _split(line, separator), words)
                for number, line in numbered
            ]
        )
    return found, remarks


def _split(line: str, separator: str | None) -> list[str]:
    words = next(csv.reader([line], delimiter=separator)) if separator else line.split()
    return words if separator == "," else [word.replace(",", ".") for word in words]


def _header(first: list[str], others: Sequence[str], separator: str | None) -> tuple[bool, list[str]]:
    """Whether the first line is a header: one without numbers, or the 0,1 that pandas writes above an array
    without names.
    """
    if first == ["", "0", "1"] or not any(_is_number(word) for word in first):
        return True, []
    if first != ["0", "1"] or not others:
        return False, []
    if all(any(mark in line for mark in ".,eE" if mark != separator) for line in others):
        return True, ["its first line, 0 and 1, is taken for a header, for all other lines have decimals"]
    return False, ["its first line, 0 and 1, is taken for a point: remove it if it is a header"]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _pair(path: Path, where: str, words: list[Any], shown: Any) -> tuple[float, float]:
    try:
        x, y = (float(word) for word in words if word is not None)
    except OverflowError:
        raise DataError(
            f"{path}, {where} has a number too large: {str(shown)[:60]}", "scale them into 0 … 1"
        ) from None
    except (ValueError, TypeError):
        raise DataError(f"{path}, {where} is no pair of numbers: {str(shown)[:60]}", COLUMNS) from None
    if not np.isfinite([x, y]).all():
        raise DataError(f"{path}, {where} is not finite: {x:g}, {y:g}", "remove it or give it a value")
    return x, y


def _array(pairs: list[Any]) -> Points:
    return np.asarray(pairs, dtype=np.float64).reshape(-1, 2)


def _too_many(path: Path) -> DataError:
    return DataError(f"{path} has too many points", f"give at most {MOST_POINTS:,}")
