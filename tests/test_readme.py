"""The README's tables are those that the shipped runs hold."""

import re
from pathlib import Path

import pytest

from ex3cli.artifacts.store import Store, shipped_reference
from ex3cli.gan.markdown import scores_table
from ex3cli.vae.comparison import FILE
from ex3cli.vae.markdown import accuracy_table

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("dataset", ["fashion-mnist", "mnist"])
def test_the_m1_table_is_the_shipped_comparisons(dataset: str) -> None:
    shipped = Store(Path("artifacts"), shipped_reference()).open("reference", ("vae", dataset, "comparison"))
    between = re.search(rf"<!-- vae compare {dataset} -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert between is not None
    assert between[1] == accuracy_table(shipped.read_json(FILE)), "replace it by the table.md that `ex3 vae compare` wrote"


def test_the_gan_table_is_the_shipped_scores() -> None:
    store = Store(Path("artifacts"), shipped_reference())
    shipped = [store.open("reference", ("gan", "fashion-mnist", "eval", kind)) for kind in ("dcgan", "wgan", "wgan-clip")]
    for run in shipped:
        generator = store.open("reference", ("gan", "fashion-mnist", run.manifest.config["kind"]))
        assert generator.manifest.digest in run.manifest.parents.values(), "score what is shipped: `ex3 gan eval`"
    expected = scores_table([run.read_json("scores.json") for run in shipped])
    between = re.search(r"<!-- gan eval -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert between is not None
    assert between[1] == expected
