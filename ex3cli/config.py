"""Configuration dataclasses whose fields carry default, help text and range.

A feature's `config.py` declares a frozen dataclass of `option(...)` fields. The command line makes its
options from these fields, the manifest stores the resolved values, and a resumed run compares them.
"""

import sys
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import UnionType
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints

from ex3cli.errors import UsageError, did_you_mean

LARGEST = sys.float_info.max
LARGEST_SEED = 2**63 - 1
"""A manifest stores the seed as a signed 64-bit integer; `seeding` derives the seeds of libraries from it."""


def option(
    default: Any,
    help: str,
    *,
    panel: str = "Model",
    choices: Collection[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    exclusive: bool = False,
    switch: str = "",
) -> Any:
    """Return a dataclass field that becomes a command-line option.

    Parameters
    ----------
    default : its default value.
    help : what the option does, in at most 15 words. The reason for the default goes into a comment.
    panel : heading in `--help`: Model, Training or, for rarely used options, Advanced.
    choices : the allowed values of a text field.
    minimum, maximum : the allowed range of a number (of each number, for a tuple).
    exclusive : the minimum itself is not allowed.
    switch : names of a boolean option where `--x/--no-x` reads badly, such as
        "--conditional/--unconditional".
    """
    metadata = {
        "help": help,
        "panel": panel,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "exclusive": exclusive,
        "switch": switch,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Config:
    """Base of every feature's configuration: presets, range checks, and a plain-dictionary form."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of overrides, such as {"paper": {...}}; the first one is the default."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for declared in fields(self):
            if "help" in declared.metadata:
                _check(declared.name, getattr(self, declared.name), hints[declared.name], declared.metadata)

    @classmethod
    def resolve(cls, preset: str | None = None, **given: Any) -> Self:
        """Return the preset's values, overridden by the given values that are not None.

        Raises
        ------
        UsageError : an unknown preset, a value outside its choices or range, or an option without effect.
        """
        if preset is not None and preset not in cls.presets:
            raise UsageError(f"unknown preset {preset!r}", did_you_mean(preset, cls.presets))
        chosen = {name: value for name, value in given.items() if value is not None}
        resolved = cls(**{**cls.base(preset or next(iter(cls.presets), ""), chosen), **chosen})
        for name, reason in resolved.ineffective().items():
            if name in chosen:
                raise UsageError(f"{option_name(name)} has no effect: {reason}", "leave it out")
        return resolved

    @classmethod
    def base(cls, preset: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The preset's values, which may depend on the given ones."""
        return cls.presets.get(preset, {})

    def ineffective(self) -> Mapping[str, str]:
        """Options that have no effect with the other settings, with the reason. Passing one is an error."""
        return {}

    @classmethod
    def default_text(cls) -> Mapping[str, str]:
        """Text that `--help` shows for defaults that depend on other options."""
        return {}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Rebuild a configuration from `to_dict`; lists become tuples.

        Raises
        ------
        UsageError : `stored` has an unknown key.
        """
        known = {declared.name for declared in fields(cls)}
        unknown = sorted(set(stored) - known)
        if unknown:
            raise UsageError(f"{cls.__name__} has no setting {unknown[0]!r}", did_you_mean(unknown[0], known))
        return cls(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
        )

    def to_dict(self) -> dict[str, Any]:
        """The values as JSON-ready types (tuples become lists)."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


def declared_options(cls: type[Config]) -> dict[str, tuple[Any, Any, Mapping[str, Any]]]:
    """The type, the default (of the default preset) and the metadata of each declared field."""
    hints = get_type_hints(cls)
    base = next(iter(cls.presets.values()), {})
    return {
        declared.name: (hints[declared.name], base.get(declared.name, declared.default), declared.metadata)
        for declared in fields(cls)
        if "help" in declared.metadata and declared.default is not MISSING
    }


def option_name(name: str) -> str:
    """The command-line option of a field."""
    return "--" + name.replace("_", "-")


def is_tuple_type(hint: Any) -> bool:
    """Whether a field holds several values, such as `tuple[float, ...]`."""
    return get_origin(hint) is tuple and bool(get_args(hint))


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value has its field's type. An int is accepted as a float; a bool is not a number."""
    if is_tuple_type(hint):
        return isinstance(value, tuple) and all(_fits(item, get_args(hint)[0]) for item in value)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, member) for member in get_args(hint))
    if hint in (int, float):
        return not isinstance(value, bool) and isinstance(value, int if hint is int else int | float)
    return isinstance(value, hint)


def _check(name: str, value: Any, hint: Any, rule: Mapping[str, Any]) -> None:
    option = option_name(name)
    if not _fits(value, hint):
        raise UsageError(
            f"{option} {value!r} has the wrong type",
            f"give a value of type {getattr(hint, '__name__', hint)}",
        )
    for item in value if isinstance(value, tuple) else (value,):
        if rule["choices"] and item not in rule["choices"]:
            raise UsageError(f"{option} {item!r} is unknown", did_you_mean(str(item), rule["choices"]))
        if isinstance(item, bool) or not isinstance(item, int | float):
            continue
        low, high = rule["minimum"], rule["maximum"]
        too_low = low is not None and (item <= low if rule["exclusive"] else item < low)
        if not abs(item) <= LARGEST or too_low or (high is not None and item > high):
            shown = repr(item) if isinstance(item, float) or abs(item) <= LARGEST else "of so many digits"
            raise UsageError(
                f"{option} {shown} is out of range",
                f"give a number {range_words(low, high, exclusive=rule['exclusive'])}",
            )


def plain_number(value: float) -> str:
    """A number in plain notation: 1,000,000 and 0.001 instead of 1e+06 and 1e-03."""
    if isinstance(value, int):
        return f"{value:,}"
    if value and abs(value) < 1e-6:
        return f"{value:g}"
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def range_words(low: float | None, high: float | None, *, exclusive: bool = False) -> str:
    """A range in words, such as "of at least 1 and of at most 4,096"."""
    if low is None and high is None:
        return "that is finite"
    below = "" if low is None else f"{'above' if exclusive else 'of at least'} {plain_number(low)}"
    above = "" if high is None else f"of at most {plain_number(high)}"
    return " and ".join(part for part in (below, above) if part)
