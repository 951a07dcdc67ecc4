"""Parse the name or number of a class in any common spelling."""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

from ex3cli.errors import UsageError


def parse_label(text: str, class_names: Sequence[str]) -> int:
    """The class for `text`: a number, a name, a part of a name ("T-shirt" of "T-shirt/top") or a word of only
    one name ("boot"). Case, blanks, hyphens and a plural s are ignored. A number must match exactly, with its
    sign.

    Raises
    ------
    UsageError : no class or several classes match; the remedy has the classes and the closest match.
    """
    numbers = {str(index): index for index in range(len(class_names))}
    if text.strip() in numbers:
        return numbers[text.strip()]
    spellings = _spellings(class_names)
    given = _plain(text)
    for candidate in (given, given.removesuffix("s"), given.removesuffix("es")):
        if candidate in spellings:
            return spellings[candidate]
    everything = ", ".join(f"{index} {name}" for index, name in enumerate(class_names))
    if "," in text:
        raise UsageError(
            f"--label {text!r} names more than one class", f"one is taken; choose one of: {everything}"
        )
    close = get_close_matches(given, spellings, n=1, cutoff=0.75)  # below that "Kleid" would be an ankle boot
    meant = f"did you mean {class_names[spellings[close[0]]]!r}? " if close else ""
    raise UsageError(
        f"--label {text!r} is not a class of this data set", f"{meant}choose one of: {everything}"
    )


def in_file_names(class_name: str) -> str:
    """The name of a class as a part of a file's name: t-shirt-top."""
    return "".join(character if character.isalnum() else "-" for character in class_name.lower())


def _spellings(class_names: Sequence[str]) -> dict[str, int]:
    """Every name, part of a name and word of one alone; where two classes share a part, the first has it."""
    spellings: dict[str, int] = {}
    words = [[_plain(word) for word in name.replace("/", " ").split()] for name in class_names]
    shared = Counter(word for each in words for word in set(each))
    for index, name in enumerate(class_names):
        for spelling in (name, *name.split("/")):
            spellings.setdefault(_plain(spelling), index)
    for index, each in enumerate(words):
        for word in each:
            if shared[word] == 1:
                spellings.setdefault(word, index)
    return {
        spelling: index for spelling, index in spellings.items() if not spelling.isdecimal()
    }  # MNIST's names are numbers


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
