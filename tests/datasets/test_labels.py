from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.datasets.labels import in_file_names, parse_label
from ex3cli.datasets.specs import SPECS
from ex3cli.errors import UsageError

CLOTHES = SPECS["fashion-mnist"].class_names


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("dress", 3),
        ("DRESS", 3),
        ("dresses", 3),
        ("T-shirt", 0),
        ("tshirt", 0),
        ("T-shirt/top", 0),
        ("top", 0),
        ("t shirt", 0),
        ("shirt", 6),
        ("ankle boot", 9),
        ("ankle-boot", 9),
        ("AnkleBoot", 9),
        ("9", 9),
        ("trousers", 1),
        ("sandals", 5),
        ("bag", 8),
        ("boot", 9),
        ("Boots", 9),
        ("ankle", 9),
    ],
)
def test_a_class_is_understood_however_it_is_spelt(text: str, index: int) -> None:
    assert parse_label(text, CLOTHES) == index


def test_no_name_of_a_class_is_a_folder() -> None:
    assert [in_file_names(name) for name in CLOTHES[:2]] == ["t-shirt-top", "trouser"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("drss", "Dress"),
        ("snaeker", "Sneaker"),
        ("ankel boot", "Ankle boot"),
        ("bots", "Ankle boot"),
        ("skirt", "Shirt"),
    ],
)
def test_a_near_miss_gets_a_suggestion(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_label(text, CLOTHES)
    assert caught.value.remedy.startswith(
        f"did you mean {meant!r}? choose one of: 0 T-shirt/top, 1 Trouser, "
    )


def test_a_word_is_a_class_only_where_one_alone_has_it() -> None:
    names = ("Ankle boot", "Rubber boot", "Boot")
    # a whole name comes first
    assert [parse_label(text, names) for text in ("ankle", "rubber", "boot")] == [0, 1, 2]
    with pytest.raises(UsageError):
        parse_label("boot", names[:2])


@pytest.mark.parametrize("text", ["trouser,dress", "1,3", "dress, 4"])
def test_one_label_is_taken_and_no_list(text: str) -> None:
    with pytest.raises(UsageError, match="more than one class") as caught:
        parse_label(text, CLOTHES)
    assert "one is taken" in caught.value.remedy


@pytest.mark.parametrize(
    "text", ["10", "-", "", "zebra", "Kleid", "99", "-9", "-1", "+3", "0.9", "9s", "s", "es", "²"]
)
def test_anything_else_lists_the_classes(text: str) -> None:
    with pytest.raises(UsageError, match="not a class") as caught:
        parse_label(text, CLOTHES)
    assert caught.value.remedy.startswith("choose one of: 0 ")
    assert "9 Ankle boot" in caught.value.remedy


def test_digits_are_named_by_their_numbers() -> None:
    assert parse_label(" 7 ", SPECS["mnist"].class_names) == 7
    with pytest.raises(UsageError):
        parse_label("-7", SPECS["mnist"].class_names)


@given(st.sampled_from(CLOTHES), st.lists(st.sampled_from(" -_/."), max_size=4), st.randoms())
def test_every_class_is_found_under_its_own_name(name: str, noise: list[str], random: Random) -> None:
    spelt = list(name)
    for each in noise:
        spelt.insert(random.randint(0, len(spelt)), each)
    text = "".join(random.choice((str.upper, str.lower))(character) for character in spelt)
    assert CLOTHES[parse_label(text, CLOTHES)] == name
