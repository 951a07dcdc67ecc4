from typing import Any

import pytest
from rich.console import Console

from ex3cli.cli.output import to_rich
from ex3cli.tables import Table
from ex3cli.vae import tables
from ex3cli.vae.few_labels.paper import paper_results

SIZES = (100, 600, 1000, 3000)


def row(size: int, mean: float) -> dict[str, Any]:
    return {"labels": size, "draws": 10, "accuracy_mean": mean, "accuracy_std": 0.0125}


def document(**changes: Any) -> dict[str, Any]:
    """An evaluation with everything that a table can hold."""
    beside = {name: row(100, 0.7) | {"source": "shipped"} for name in ("raw_pixels", "hog", "preset_paper")}
    results = [row(size, 0.8025) | {"baselines": beside, "paper": paper_results(size)} for size in SIZES]
    plain = {
        "dataset": "fashion-mnist",
        "preset": "edges",
        "features": "posterior mean + edges (HOG)",
        "transductive": False,
        "selection": "C and gamma were given",
        "results": results,
    }
    return plain | changes


def printed(shown: list[Table], width: int) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        for table in shown:
            console.print(to_rich(table, width))
    return capture.get()


def test_accuracy_and_error_of_every_method_are_each_in_a_line_of_80_columns() -> None:
    shown = tables.evaluation_tables(document())
    accuracy, error = (printed([table], 80).splitlines() for table in shown)
    assert any(line.split() == ["VAE", "+", "HOG", *["80.25", "±", "1.25"] * 4] for line in accuracy)
    assert any(line.split() == ["VAE", "+", "HOG", *["19.75", "±", "1.25"] * 4] for line in error)
    assert any(
        line.startswith("M1+TSVM (paper)") and "88.18 ± 0.25" in line and "96.51 ± 0.04" in line
        for line in accuracy
    )
    assert any(
        line.startswith("M1+TSVM (paper)") and "11.82 ± 0.25" in line and "3.49 ± 0.04" in line
        for line in error
    )
    for lines in (accuracy, error):
        methods = [line for line in lines if "±" in line]
        assert len(methods) == 6, "nothing is wrapped"
        assert all(line.count("±") == 4 for line in methods)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "mean ± standard deviation over 10 draws; C and gamma were given"),
        ({}, "bundled results on the same draws: raw pixels, HOG alone, M1"),
        ({}, "paper: Kingma et al. 2014, Table 1 (MNIST)"),
        ({"dataset": "mnist"}, "paper: Kingma et al. 2014, Table 1"),
    ],
)
def test_notes_explain_the_numbers(changes: dict[str, Any], expected: str) -> None:
    assert expected in tables.evaluation_notes(document(**changes))


def test_a_note_names_the_sizes_where_spreading_did_not_help() -> None:
    results = [
        each | {"spreading": {"share": None if each["labels"] == 3000 else 0.1}}
        for each in document()["results"]
    ]
    notes = tables.evaluation_notes(document(results=results, transductive=True))
    assert notes[-1].endswith("with 3000 labels")
    assert "VAE + HOG, spread" in printed(tables.evaluation_tables(document(transductive=True)), 80)
    assert "spread: with label spreading over the unlabeled training images" in notes


@pytest.mark.parametrize(
    ("preset", "features", "name"),
    [
        ("paper", "posterior mean", "M1"),
        ("edges", "posterior mean", "VAE mean"),
        ("edges", "posterior mean + edges (HOG)", "VAE + HOG"),
        ("paper", "posterior log-variance", "VAE features"),
    ],
)
def test_only_the_papers_own_features_are_called_m1(preset: str, features: str, name: str) -> None:
    changed = document(preset=preset, features=features)
    first = printed(tables.evaluation_tables(changed)[:1], 80).splitlines()[2]
    assert first.startswith(f"{name}  ")
    assert "M1: the posterior mean of the paper's network, trained here" in tables.evaluation_notes(changed)


def test_a_bound_of_two_views_or_of_grey_bernoullis_is_marked_as_no_density() -> None:
    assert tables.not_a_density(["pixels"], "gaussian-learned") == []
    assert "not densities of images" in tables.not_a_density(["pixels", "edges"], "gaussian-learned")[0]
    assert "not a normalized likelihood" in tables.not_a_density(["pixels"], "bernoulli-grey")[0]


def test_a_single_draw_is_shown_without_a_spread() -> None:
    one = [
        each | {"draws": 1, "accuracy_std": None, "paper": {}, "baselines": {}}
        for each in document()["results"]
    ]
    shown = printed(tables.evaluation_tables(document(results=one)), 80)
    assert "80.25" in shown
    assert "19.75" in shown
    assert "±" not in shown
    assert tables.evaluation_notes(document(results=one))[0].startswith("a single draw; ")


def test_what_a_training_came_to_is_whole_in_80_columns() -> None:
    numbers = dict.fromkeys(
        ("elbo", "test_elbo", "test_elbo_of_these", "test_importance_weighted_bound"), -230.25
    )
    counts = {
        "epochs": 20,
        "iwae_images": 1000,
        "test_images": 10_000,
        "active_dimensions": 23,
        "latent_dim": 50,
    }
    summary = {**numbers, **counts, "features": "posterior mean + edges (HOG)", "dimensions": 128}
    shown = printed([tables.training_table("vae/fashion-mnist/0001-edges", summary)], 80)
    assert "importance-weighted, test" in shown
    assert "posterior mean + edges (HOG): 128 numbers" in shown
    assert "…" not in shown
