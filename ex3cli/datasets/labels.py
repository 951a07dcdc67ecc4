"""A class by its name or number, however a person spells it."""

from collections.abc import Sequence
from difflib import get_close_matches

from ex3cli.errors import UsageError


def parse_label(text: str, class_names: Sequence[str]) -> int:
    """The class that `text` means: a number, a name, or a part of one ("T-shirt" of "T-shirt/top"); case, blanks, hyphens
    and a plural s do not matter. A number is taken as it stands: -9 is not 9.

    Raises
    ------
    UsageError : it means none; the remedy says which was probably meant.
    """
    numbers = {str(index): index for index in range(len(class_names))}
    if text.strip() in numbers:
        return numbers[text.strip()]
    spellings = _spellings(class_names)
    given = _plain(text)
    for candidate in (given, given.removesuffix("s"), given.removesuffix("es")):
        if candidate in spellings:
            return spellings[candidate]
    words = {_plain(word): index for index, name in enumerate(class_names) for word in name.split()}
    hints = words | spellings
    close = get_close_matches(given, hints, n=1, cutoff=0.6)
    everything = ", ".join(f"{index} {name}" for index, name in enumerate(class_names))
    remedy = f"did you mean {class_names[hints[close[0]]]!r}?" if close else f"choose one of: {everything}"
    raise UsageError(f"--label {text!r} is not a class of this data set", remedy)


def _spellings(class_names: Sequence[str]) -> dict[str, int]:
    """Every name and part of a name; where two classes share a part, the first has it."""
    spellings: dict[str, int] = {}
    for index, name in enumerate(class_names):
        for spelling in (name, *name.split("/")):
            if not _plain(spelling).isdecimal():  # MNIST's names are the numbers themselves
                spellings.setdefault(_plain(spelling), index)
    return spellings


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
