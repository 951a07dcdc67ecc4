"""The README's tables are those that the shipped runs hold."""

import re
from pathlib import Path

import pytest

from ex3cli.artifacts.store import Store, shipped_reference
from ex3cli.vae.comparison import FILE
from ex3cli.vae.markdown import accuracy_table

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("dataset", ["fashion-mnist", "mnist"])
def test_the_m1_table_is_the_shipped_comparisons(dataset: str) -> None:
    shipped = Store(Path("artifacts"), shipped_reference()).open("reference", ("vae", dataset, "comparison"))
    between = re.search(rf"<!-- vae compare {dataset} -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert between is not None
    assert between[1] == accuracy_table(shipped.read_json(FILE)), "replace it by the table.md that `ex3 vae compare` wrote"
