"""The words that the page makes of numbers say no more than the numbers do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from ex3cli.report.assembly import Report, assemble
from ex3cli.report.document import Part, Table
from ex3cli.report.sections import decisions
from ex3cli.report.sections.few_labels import RECIPES
from ex3cli.report.source import ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt

Make = Callable[..., Run]


def part(report: Report, section: str, title: str) -> Part:
    parts = next(each.parts for each in report.sections if each.id == section)
    return next(each for each in parts if each.title == title)


def table(found: Part, caption: str) -> Table:
    return next(each for each in found.tables if each.caption.startswith(caption))


def read(store: Store) -> Report:
    return assemble(ResultSource(store))


def critics(old: Run, make: Make, *readings: tuple[float, float], family: str = "lines") -> Run:
    """Another divergence run, whose critic says these of these shifts; none where there are no readings."""
    document = old.read_json("results.json")
    line = document["results"][1]
    document["results"] = []
    for theta, said in readings:
        estimates = {"critic": line["w"]["estimates"]["critic"] | {"value": said}}
        document["results"].append(
            line | {"theta": theta, "w": line["w"] | {"exact": abs(theta), "estimates": estimates}}
        )
    if not readings:
        document = old.read_json("results.json")
        for each in document["results"]:
            each["w"]["estimates"] = {}
    thetas = [theta for theta, _ in readings] or [0.0, 0.5]
    return make(
        ("divergence",),
        "divergence",
        config={"theta": thetas},
        summary={"family": family},
        figures=("distances", "samples"),
        files={"results.json": document},
    )


def test_the_decisions_are_made_from_the_lines_of_the_first_section(
    store: Store, everything: Path, divergence: Run, make: Make
) -> None:
    critics(divergence, make, (0.0, 0.0), (0.5, 0.9), family="gaussian")
    critics(divergence, make, (0.5, 0.9))  # thin lines, but no θ = 0: section 1 does not take it either
    found = part(read(store), "decisions", "Gradient penalty")
    assert table(found, "A critic with penalty λ = 10").rows[1] == ["0.5", "0.5", "0.5200", "1.020"]
    newest = critics(divergence, make, (0.0, 0.0), (0.5, 0.55))
    found = part(read(store), "decisions", "Gradient penalty")
    assert table(found, "A critic").rows == [["0", "0", "0.0000", "1.020"], ["0.5", "0.5", "0.5500", "1.020"]]
    assert part(read(store), "distances", "Computed").provenances[0].run == newest.name


def test_lines_without_a_critic_leave_a_gap(
    store: Store, everything: Path, divergence: Run, make: Make
) -> None:
    critics(divergence, make)
    (gap,) = part(read(store), "decisions", "Gradient penalty").gaps
    assert (gap.what, gap.command, gap.quick) == (
        "what the penalty does where W is known",
        "ex3 divergence",
        True,
    )


def taken(make: Make, kind: str, **config: Any) -> None:
    make(
        ("gan", "fashion-mnist", kind),
        "gan train",
        converged=True,
        figures=("losses", "samples-through-training"),
        summary={"iterations": 12000, "epochs": 1.0, "critic_loss": 0.5, "generator_loss": 2.0},
        config={
            "kind": kind,
            "gp_weight": 10.0,
            "weight_clip": 0.01,
            "beta1": 0.5,
            "beta2": 0.999,
            "optimizer": "adam",
            "critic_steps": 1,
            "iterations": 12000,
            "preset": "quick",
        }
        | config,
    )


def test_settings_that_a_training_does_not_read_are_dashes(
    store: Store, everything: Path, make: Make
) -> None:
    taken(make, "wgan")
    taken(make, "wgan-clip", optimizer="rmsprop")
    found = table(part(read(store), "decisions", "Networks and settings"), "Settings")
    rows = {row[0]: list(row[1:]) for row in found.rows}
    assert rows["β₁"][1:] == ["0.5", "–"]
    assert rows["β₂"][1:] == ["0.999", "–"]
    assert rows["penalty's weight λ"] == ["–", "10", "–"]
    assert rows["iterations"][1:] == ["12,000", "12,000"]


def test_one_critic_step_is_explained_where_it_was_taken(store: Store, everything: Path, make: Make) -> None:
    taken(make, "wgan")
    assert decisions.ONE_STEP in part(read(store), "decisions", "Networks and settings").paragraphs
    taken(make, "wgan", critic_steps=5, preset="paper")
    assert decisions.ONE_STEP not in part(read(store), "decisions", "Networks and settings").paragraphs


def test_the_evaluation_at_hand_stands_in_the_row_of_its_preset(
    store: Store, everything: Path, few_labels: dict[str, Run]
) -> None:
    def error(name: str) -> str:
        found = table(part(read(store), "few-labels", "Results"), "Test error")
        return next(row[2] for row in found.rows if row[:2] == ["Fashion-MNIST", name])

    assert error(RECIPES["edges"]) == "20.00 ± 1.00"
    old = few_labels["fashion-mnist"]
    document = old.read_json("table.json")
    document["results"][0]["accuracy_mean"] = 0.85
    make_again(store, old, document)
    assert error(RECIPES["edges"]) == "15.00 ± 1.00"
    assert error(RECIPES["paper"]) == "40.00 ± 1.00"


def test_an_evaluation_has_the_same_scores_in_answer_tables_and_decisions(
    store: Store, everything: Path, make: Make
) -> None:
    def shown() -> tuple[str, list[str], list[list[str]], str]:
        report = read(store)
        answer = next(each.answer for each in report.sections if each.id == "few-labels")
        found = part(report, "few-labels", "Results")
        errors = next(list(row[2:]) for row in table(found, "Test error").rows if row[1] == RECIPES["paper"])
        rows = table(part(report, "decisions", "Likelihood"), "Likelihood").rows
        caption = next(each.caption for each in found.figures if "against the number" in each.caption)
        return answer, errors, [list(row) for row in rows], caption

    paper = [RECIPES["paper"], "Bernoulli", "7", "60.0", "60.0"]
    edges = [RECIPES["edges"], "Gaussian, learned variance; pixels and HOG", "63", "80.0", "80.0"]
    raw = ["SVM on raw pixels", "no model", "–", "70.0", "70.0"]
    answer, errors, rows, caption = shown()
    assert "40.0 % with 100 labels and of 40.0 % with 3,000." in answer
    assert (errors, rows) == (["40.00 ± 1.00"] * 4, [paper, edges, raw])
    assert caption.endswith(f" The tables have the scores of another run for “{RECIPES['edges']}”.")
    trained = make(("vae", "fashion-mnist"), "vae train", partial=True, summary={"active_dimensions": 8})
    results = [
        {"labels": size, "accuracy_mean": 0.75 + size / 100_000, "accuracy_std": 0.01}
        for size in (100, 600, 1000, 3000, 6000)
    ]
    make(
        ("vae", "fashion-mnist"),
        "vae eval",
        config={"labels": [100, 600, 1000, 3000, 6000], "baselines": False, "features": []},
        files={"table.json": {"preset": "paper", "features": "posterior mean", "results": results}},
        sources={trained.name: trained.manifest.digest},
    )
    answer, errors, rows, caption = shown()
    assert "24.9 % with 100 labels and of 22.0 % with 3,000." in answer
    assert (errors[0], errors[-1]) == ("24.90 ± 1.00", "22.00 ± 1.00")
    assert rows == [[*paper[:2], "8", "75.1", "78.0"], edges, raw]
    assert f"another run for “{RECIPES['paper']}” and “{RECIPES['edges']}”." in caption


def test_other_features_and_label_spreading_have_rows_of_their_own(
    store: Store, everything: Path, few_labels: dict[str, Run]
) -> None:
    old = few_labels["fashion-mnist"]
    document = old.read_json("table.json")
    for each in document["results"]:
        each["accuracy_mean"] = 0.9
    make_again(store, old, document | {"features": "posterior mean"}, features=["mean"])
    make_again(store, old, document | {"transductive": True}, transductive=True)
    found = table(part(read(store), "few-labels", "Results"), "Test error")
    rows = {row[1]: row[2] for row in found.rows if row[0] == "Fashion-MNIST"}
    assert rows["convolutional VAE: posterior mean alone"] == "10.00 ± 1.00"
    assert rows[f"{RECIPES['edges']}, label spreading"] == "10.00 ± 1.00"


def test_pictures_of_the_vae_that_is_taken_are_shown(
    store: Store, everything: Path, make: Make, few_labels: dict[str, Run]
) -> None:
    assert "The VAE" not in [each.title for each in read(store).sections[3].parts if each.figures]
    sources = few_labels["fashion-mnist"].manifest.sources
    category = ("vae", "fashion-mnist")
    figures = ("reconstructions",)
    make(category, "vae reconstruct", figures=figures, sources={"another": "0" * 64})
    right = make(category, "vae reconstruct", label="new", figures=figures, sources=sources)
    make(category, "vae sample", figures=("samples",), sources=right.manifest.sources)
    found = part(read(store), "few-labels", "The VAE")
    assert [each.run for each in found.provenances] == [right.name, "vae/fashion-mnist/0004-run"]
    assert not found.folded


def test_two_classes_have_a_figure_each(
    store: Store, everything: Path, make: Make, generators: dict[str, Run]
) -> None:
    panels = [{"panel": name, "run": None, "indices": [4, 5]} for name in ("real", "dcgan", "wgan")]
    for label in ("Bag", "Bag"):
        make(
            ("gan", "fashion-mnist", "comparison"),
            "gan compare",
            label=label,
            figures=("comparison",),
            summary={"missing": 0},
            files={"comparison.json": {"label": label, "seed": 0, "panels": panels, "missing": []}},
            sources={run.name: run.manifest.digest for run in generators.values()},
        )
    found = part(read(store), "gans", "Two images of each")
    assert [each.caption.partition(":")[0] for each in found.figures] == ["Bag", "Dress"]
    assert not found.gaps  # the best has real images


def make_again(store: Store, old: Run, document: dict[str, Any], **config: Any) -> None:
    run = store.new_run(
        tuple(old.manifest.category),
        label="eval",
        command="vae eval",
        config={**old.manifest.config, **config},
        seed=0,
        argv=["ex3"],
        sources=old.manifest.sources,
    )
    run.write_json("table.json", document)
    run.write_bytes("figures/confusion.png", (old.path / "figures/confusion.png").read_bytes())
    run.finish({})


def test_settings_left_open_are_not_shown_as_nothing(
    store: Store, everything: Path, make: Make, few_labels: dict[str, Run]
) -> None:
    old = few_labels["fashion-mnist"]
    make(
        ("vae", "fashion-mnist"),
        "vae eval",
        label="eval",
        figures=("confusion",),
        sources=old.manifest.sources,
        files={"table.json": old.read_json("table.json")},
        config=old.manifest.config | {"svm_gamma": 0.0, "svm_c": 3.0, "jobs": 0, "tune": False},
    )
    told = dict(part(read(store), "few-labels", "Results").provenances[1].lines)["settings"]
    for each in (
        "features = the training's own",
        "svm_gamma = chosen",
        "svm_c = 3",
        "jobs = every processor",
        "tune = no",
    ):
        assert each in told


def test_the_lab_is_explained_by_its_own_numbers(store: Store, make: Make, plane: Run) -> None:
    pull = np.stack([np.full((4, 2), 3.0), np.full((4, 2), 0.3)]).astype(np.float32)
    film = save({"epoch": np.array([0, 5000]), "pull": pull})
    history = b"epoch,discriminator_loss,generator_loss\n0,nan,nan\n5000,1.3851,0.6941\n"
    make(
        ("lab", "ring"),
        "lab train",
        label="log",
        config=plane.manifest.config,
        converged=True,
        figures=("panel",),
        summary=plane.manifest.summary,
        files={"film.safetensors": film, "history.csv": history},
    )
    said = " ".join(map(str, part(read(store), "lab", "Explanation").paragraphs))
    assert "At the end they are 1.385 and 0.694." in said
    assert "mean length is 4.243 at epoch 0 and 0.424 at epoch 5,000." in said
    assert "converged at epoch 1,300" in str(part(read(store), "lab", "Training").paragraphs)
    make(
        ("lab", "ring"),
        "lab train",
        label="hinge",
        config=plane.manifest.config | {"loss": "wasserstein"},
        converged=True,
        figures=("panel",),
        summary=plane.manifest.summary,
    )
    assert "1.386" not in str(part(read(store), "lab", "Explanation").paragraphs)


def test_scores_have_digits_alike_and_no_powers_of_ten(
    store: Store, everything: Path, generators: dict[str, Run]
) -> None:
    rows = {
        row[0]: row
        for row in table(part(read(store), "gans", "Quality of the images"), "Generated images").rows
    }
    assert rows["KID × 1,000"][1:] == ["100.00 ± 10.00", "100.00 ± 10.00", "0.00"]
    assert rows["FID (64 classifier features)"][1:] == ["0.5000", "0.5000", "0.0100"]
    assert rows["density"][3] == "1.000"


def test_what_decided_an_attempt_is_in_words(store: Store, everything: Path, make: Make) -> None:
    values = {
        "iteration": 16000.0,
        "kid": -5.1e-5,
        "weights": 320.26,
        "critic_auc": 0.99132,
        "coverage": 0.9,
        "new_one": 2.5,
    }
    tries = [
        Attempt(1, 5, "failed", "low coverage", 16000, values),
        Attempt(2, 6, "converged", None, 16000, values),
    ]
    make(("gan", "fashion-mnist", "wgan"), "gan train", attempts=tries, converged=False)
    found = table(part(read(store), "gans", "Failed convergences"), "Every attempt")
    assert [list(row[:5]) for row in found.rows[-2:]] == [
        ["WGAN-GP", "1", "5", "failed: low coverage", "16,000"],
        ["WGAN-GP", "2", "6", "converged", "16,000"],
    ]
    assert "weight norm 320.3" in found.rows[-2][-1]
    assert "Critic's AUC: " in found.note
