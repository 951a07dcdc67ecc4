"""Configuration: dataclasses whose fields carry their help text and range, so that each default stands in one
place.

A feature's `config.py` declares a frozen dataclass of `option(...)` fields. The command line makes its
options from these
fields, the manifest stores the resolved values, and a resumed run compares them.
"""

import sys
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import UnionType
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints

from ex3cli.errors import UsageError, did_you_mean

LARGEST = sys.float_info.max
LARGEST_SEED = 2**63 - 1
"""A manifest stores the seed in 64 bits with a sign. No library is given it: each gets one that `seeding`
derives from it.
"""


def option(
    default: Any,
    why: str,
    *,
    panel: str = "Model",
    choices: Collection[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    exclusive: bool = False,
    switch: str = "",
) -> Any:
    """Declare one field of a settings dataclass.

    Parameters
    ----------
    default : its value when nobody says otherwise.
    why : one line, shown by `--help`: what it is, in which unit, and why this default.
    panel : heading in `--help`: Model, Training or Output.
    choices : the allowed words, for a text field.
    minimum, maximum : the allowed range of a number (of each number, for a tuple).
    exclusive : the minimum itself is not allowed.
    switch : names of a yes-or-no option where `--x/--no-x` reads badly, such as
        "--conditional/--unconditional".
    """
    metadata = {
        "why": why,
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
        for each in fields(self):
            if "why" in each.metadata:
                _check(each.name, getattr(self, each.name), hints[each.name], each.metadata)

    @classmethod
    def resolve(cls, preset: str | None = None, **given: Any) -> Self:
        """Return the preset's values with every given value that is not None put over them.

        Raises
        ------
        UsageError : an unknown preset, a value outside its choices or range, or one that would not be read.
        """
        if preset is not None and preset not in cls.presets:
            raise UsageError(f"unknown preset {preset!r}", did_you_mean(preset, cls.presets))
        chosen = {name: value for name, value in given.items() if value is not None}
        resolved = cls(**{**cls.base(preset or next(iter(cls.presets), ""), chosen), **chosen})
        for name, why in resolved.ineffective().items():
            if name in chosen:
                raise UsageError(f"{option_name(name)} has no effect here: {why}", "leave it out")
        return resolved

    @classmethod
    def base(cls, preset: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a preset says of the settings that are not given, which may depend on those that are."""
        return cls.presets.get(preset, {})

    def ineffective(self) -> Mapping[str, str]:
        """Settings that the others leave without effect, each with the reason: to give one of them is a
        mistake.
        """
        return {}

    @classmethod
    def default_text(cls) -> Mapping[str, str]:
        """How `--help` shows the defaults that are not one value."""
        return {}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`, turning JSON's lists back into tuples; unknown keys are a `UsageError`."""
        known = {each.name for each in fields(cls)}
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
    """For each declared field: its type, its default in the default preset, and its metadata."""
    hints = get_type_hints(cls)
    base = next(iter(cls.presets.values()), {})
    declared: dict[str, tuple[Any, Any, Mapping[str, Any]]] = {}
    for each in fields(cls):
        if "why" in each.metadata and each.default is not MISSING:
            declared[each.name] = (hints[each.name], base.get(each.name, each.default), each.metadata)
    return declared


def option_name(name: str) -> str:
    """The option of a setting on the command line."""
    return "--" + name.replace("_", "-")


def is_tuple_type(hint: Any) -> bool:
    """Whether a field holds several values, such as `tuple[float, ...]`."""
    return get_origin(hint) is tuple and bool(get_args(hint))


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value, from Python or from a manifest, has its field's type; a whole number is a float, a
    boolean no number.
    """
    if is_tuple_type(hint):
        return isinstance(value, tuple) and all(_fits(one, get_args(hint)[0]) for one in value)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if hint in (int, float):
        return not isinstance(value, bool) and isinstance(value, int if hint is int else int | float)
    return isinstance(value, hint)


def _check(name: str, value: Any, hint: Any, rule: Mapping[str, Any]) -> None:
    option = option_name(name)
    if not _fits(value, hint):
        raise UsageError(
            f"{option} {value!r} is of the wrong type", f"give {getattr(hint, '__name__', hint)}"
        )
    for one in value if isinstance(value, tuple) else (value,):
        if rule["choices"] and one not in rule["choices"]:
            raise UsageError(f"{option} {one!r} is not known", did_you_mean(str(one), rule["choices"]))
        if isinstance(one, bool) or not isinstance(one, int | float):
            continue
        low, high = rule["minimum"], rule["maximum"]
        too_low = low is not None and (one <= low if rule["exclusive"] else one < low)
        if not abs(one) <= LARGEST or too_low or (high is not None and one > high):
            shown = repr(one) if isinstance(one, float) or abs(one) <= LARGEST else "of so many digits"
            raise UsageError(
                f"{option} {shown} is out of range",
                f"give a number {range_words(low, high, exclusive=rule['exclusive'])}",
            )


def plain_number(value: float) -> str:
    """A limit as a person writes it: 1,000,000 and 0.001, not 1e+06 and 1e-03."""
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
