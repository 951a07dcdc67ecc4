from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ex3cli.artifacts import store as store_module
from ex3cli.artifacts.store import Store

Ex3 = Callable[..., Any]
ROW = ("accuracy_mean", "accuracy_std")


def test_a_shipped_training_answers_without_the_data_set_and_says_what_it_cannot(
    ex3: Ex3, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "shipped_reference", lambda: store.reference)
    monkeypatch.setattr("ex3cli.vae.shipping.EvaluationConfig", lambda: SmallDefault)
    small = ("--hidden", 32, "--latent-size", 6, "--device", "cpu")
    trained = ex3("vae", "train", "--dataset", "digits", *small, "--json").document["run"]
    words = ("vae", "eval", "--dataset", "digits", "--labels", 100, "--labels", 300, "--draws", 3, "--json")
    mine = ex3(*words).document
    assert ex3("runs", "ship", trained).exit_code == 0
    shipped = Store(store.root).find(("vae", "digits"), command="vae train", name="reference")
    assert shipped.read_tensors("weights.safetensors")["decoder.logits.weight"].dtype.itemsize == 2
    # The digits ship with scikit-learn, so that their files are never missing: say that one is.
    from ex3cli.datasets import registry
    from ex3cli.datasets.idx import Condition

    monkeypatch.setattr(registry, "verify", lambda *_: [Condition("train", "missing")])
    offline = ex3(*words, "--run", "reference").document
    assert offline["run"] == "reference/vae/digits"
    for ours, theirs in zip(mine["results"], offline["results"], strict=True):
        assert np.isclose(ours["accuracy_mean"], theirs["accuracy_mean"], atol=0.01)  # float16
    other = ex3(*words, "--run", "reference", "--seed", 1)
    assert other.exit_code == 3
    assert "EX3_DATA" in other.stderr


class SmallDefault:
    """Stands in for the default evaluation, whose 3000 labels the digits do not have."""

    labels = (100, 300)
    draws = 3
