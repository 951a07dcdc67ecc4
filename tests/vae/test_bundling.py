from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.runs.store import Store
from ex3cli.vae.config import VAEConfig

pytestmark = pytest.mark.trains

Ex3 = Callable[..., Any]
ROW = ("accuracy_mean", "accuracy_std")


def test_a_shipped_training_answers_without_the_data_set_and_names_what_it_cannot(
    ex3: Ex3, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: store.reference)
    monkeypatch.setattr("ex3cli.vae.bundling.EvaluationConfig", lambda: SmallDefault)
    monkeypatch.setattr("ex3cli.cli.vae.EvaluationConfig", lambda: SmallDefault)
    monkeypatch.setitem(VAEConfig.presets, "edges", TINY)
    small = ("--device", "cpu")
    trained = ex3("vae", "train", "--dataset", "digits", *small, "--json").document["run"]
    words = ("vae", "eval", "--dataset", "digits", "--labels", 100, "--labels", 300, "--draws", 3, "--json")
    mine = ex3(*words).document
    assert ex3("runs", "ship", trained).exit_code == 0
    assert ex3("runs", "ship", "vae/digits/0002-eval", "--as", "measured").exit_code == 0
    record = Store(store.root).open("reference/vae/digits/measured")
    assert record.manifest.files.keys() == {"table.json"}
    assert record.read_json("table.json") == mine
    shipped = Store(store.root).find(("vae", "digits"), command="vae train", name="reference")
    assert shipped.read_tensors("weights.safetensors")["decoder.heads.edges.weight"].dtype == torch.float16
    assert shipped.read_tensors("latents.safetensors")["test"].dtype == torch.int8
    table = ex3("vae", "compare", trained.split("/")[-1], "--dataset", "digits", *words[4:10]).stdout
    assert "preset edges" in table
    assert ex3("runs", "ship", "vae/digits/comparison/0001-table").exit_code == 0
    online = ex3(*words, "--run", "reference").document
    assert online["computed"].startswith("computed from")
    # The digits ship with scikit-learn, so that their files are never missing: say that one is.
    from ex3cli.datasets import registry
    from ex3cli.datasets.idx import Condition

    verify = registry.verify
    monkeypatch.setattr(registry, "verify", lambda *_: [Condition("train", "missing")])
    offline = ex3(*words, "--run", "reference").document
    assert offline["run"] == "reference/vae/digits"
    for ours, theirs in zip(mine["results"], offline["results"], strict=True):
        assert np.isclose(ours["accuracy_mean"], theirs["accuracy_mean"], atol=0.012)  # a byte a number
    for ours, theirs in zip(online["results"], offline["results"], strict=True):
        assert np.isclose(ours["accuracy_mean"], theirs["accuracy_mean"], atol=0.012)
        shown = theirs["baselines"]["hog"]
        assert shown["source"] == "shipped"
        assert shown["accuracy_mean"] == ours["baselines"]["hog"]["accuracy_mean"]
    for needs_data in (("--seed", 1), ("--transductive",), ("--features", "logvar"), ("--draws", 4)):
        other = ex3(*words, "--run", "reference", *needs_data)
        assert other.exit_code == 3, needs_data
        assert "EX3_DATA" in other.stderr
        assert "`ex3 data fetch digits`" in other.stderr, "the remedy can be typed as it stands"
    assert ex3("vae", "sample", "--dataset", "digits", "--run", "reference", "-n", 4).exit_code == 0
    latent = ("vae", "latent", "--dataset", "digits", "--run", "reference", "--points", 50, "--json")
    assert ex3(*latent).document["mapped"] == "features for the SVM (posterior mean + edges (HOG))"
    monkeypatch.setattr(registry, "verify", verify)
    assert ex3(*latent[:4], "--run", trained, *latent[6:]).document["mapped"] == "posterior means"


TINY = {
    "width": 4,
    "hidden": (16,),
    "latent_dim": 4,
    "epochs": 4,
    "pca_components": 12,
    "iwae_samples": 2,
    "batch_size": 50,
}


class SmallDefault:
    """Stands in for the default evaluation, whose 3000 labels the digits do not have."""

    labels = (100, 300)
    draws = 3
