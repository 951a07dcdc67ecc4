"""A class by its name or number, however a person spells it."""

from collections.abc import Sequence
from difflib import get_close_matches

from ex3cli.errors import UsageError


def parse_label(text: str, class_names: Sequence[str]) -> int:
    """The class that `text` means: a number, a name, or a part of one ("T-shirt" of "T-shirt/top"); case, blanks, hyphens
    and a plural s do not matter.

    Raises
    ------
    UsageError : it means none; the remedy says which was probably meant.
    """
    spellings: dict[str, int] = {}
    for index, name in enumerate(class_names):
        for spelling in (str(index), name, *name.split("/")):
            spellings.setdefault(_plain(spelling), index)
    given = _plain(text)
    for candidate in (given, given.removesuffix("s"), given.removesuffix("es")):
        if candidate in spellings:
            return spellings[candidate]
    close = get_close_matches(given, [each for each in spellings if not each.isdecimal()], n=1, cutoff=0.6)
    everything = ", ".join(f"{index} {name}" for index, name in enumerate(class_names))
    remedy = f"did you mean {class_names[spellings[close[0]]]!r}?" if close else f"choose one of: {everything}"
    raise UsageError(f"--label {text!r} is not a class of this data set", remedy)


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
