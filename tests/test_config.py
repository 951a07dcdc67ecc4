from dataclasses import dataclass
from typing import ClassVar

import pytest

from ex3cli.config import Config, declared_options, option
from ex3cli.errors import UsageError


@dataclass(frozen=True)
class Toy(Config):
    presets: ClassVar = {"quick": {"width": 8}, "paper": {}}
    width: int = option(64, "units a layer", minimum=1, maximum=4096)
    rate: float = option(0.1, "step size", minimum=0, exclusive=True)
    loss: str = option("log", "objective", choices=("log", "least-squares"))
    lengths: tuple[int, ...] = option((1, 2), "lengths", minimum=1)

    def ineffective(self) -> dict[str, str]:
        return {} if self.loss == "log" else {"rate": "it is of the log loss"}


def test_the_first_preset_is_the_default_and_given_values_win() -> None:
    assert Toy.resolve().width == 8
    assert Toy.resolve("paper").width == 64
    assert Toy.resolve("paper", width=5, rate=None).to_dict() == {
        "width": 5,
        "rate": 0.1,
        "loss": "log",
        "lengths": [1, 2],
    }
    assert declared_options(Toy)["width"][1] == 8


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"width": 0}, "of at least 1 and of at most 4,096"),
        ({"rate": 0.0}, "above 0"),
        ({"rate": float("nan")}, "above 0"),
        ({"rate": float("inf")}, "above 0"),
        ({"width": 10**400}, "of at most 4,096"),
        ({"loss": "lgo"}, "did you mean 'log'"),
        ({"lengths": (3, 0)}, "of at least 1"),
        ({"preset": "papre"}, "did you mean 'paper'"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(given: dict[str, object], remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        Toy.resolve(**given)  # type: ignore[arg-type]
    assert remedy in caught.value.remedy


def test_a_given_value_that_would_not_be_read_is_refused() -> None:
    with pytest.raises(UsageError, match="--rate has no effect: it is of the log loss"):
        Toy.resolve(loss="least-squares", rate=0.5)
    assert Toy.resolve(loss="least-squares").rate == 0.1
    assert Toy.resolve(loss="log", rate=0.5).rate == 0.5


def test_the_stored_form_gives_the_same_settings_back() -> None:
    assert Toy.from_dict(Toy(width=3).to_dict()) == Toy(width=3)
    with pytest.raises(UsageError, match="no setting 'widht'"):
        Toy.from_dict({"widht": 3})


@pytest.mark.parametrize(
    "stored",
    [
        {"width": "3"},
        {"width": True},
        {"width": 2.5},
        {"rate": None},
        {"loss": 3},
        {"lengths": 3},
        {"lengths": ["3"]},
    ],
)
def test_a_stored_value_of_the_wrong_type_is_refused_by_name(stored: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(stored))} .* has the wrong type"):
        Toy.from_dict(stored)


def test_a_whole_number_is_a_number() -> None:
    assert Toy.from_dict({"rate": 1}).rate == 1
