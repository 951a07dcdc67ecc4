import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.runs.jsonio import from_jsonable, jsonable, to_json

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(plain)
def test_every_value_becomes_strict_json(value: object) -> None:
    parsed = json.loads(to_json(value), parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))
    assert parsed == jsonable(value)


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_change_the_text(values: dict[str, int]) -> None:
    assert to_json(values) == to_json(dict(reversed(values.items())))


def test_infinities_are_named() -> None:
    assert jsonable([math.inf, -math.inf, math.nan, 1.5]) == [
        {"value": None, "kind": "+inf"},
        {"value": None, "kind": "-inf"},
        {"value": None, "kind": "nan"},
        1.5,
    ]


def test_a_number_that_json_lacks_is_read_back_as_a_number() -> None:
    written = to_json(
        {"a": math.inf, "b": [-math.inf, {"value": None}], "c": math.nan, "d": {"value": 1, "kind": "nan"}}
    )
    read = json.loads(written, object_hook=from_jsonable)
    assert math.isnan(read.pop("c"))
    assert read == {"a": math.inf, "b": [-math.inf, {"value": None}], "d": {"value": 1, "kind": "nan"}}


def test_arrays_and_tensors_become_lists_of_numbers() -> None:
    assert jsonable({"a": np.float32(0.5), "b": np.arange(3), "c": torch.ones(2)}) == {
        "a": 0.5,
        "b": [0, 1, 2],
        "c": [1.0, 1.0],
    }


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        jsonable(object())


def test_a_path_that_is_no_text_is_spelt_in_json_and_can_be_encoded() -> None:
    odd = "a\udcff"  # what Python makes of the byte FF in a file name
    assert json.loads(to_json({"path": odd}).encode()) == {"path": odd}
