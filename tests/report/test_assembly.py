"""What the page says follows from the artifacts: what is there is shown, what is not is named, nothing is
filled in.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ex3cli.report.assembly import Report, assemble
from ex3cli.report.document import Part, Table
from ex3cli.report.sections.few_labels import RECIPES, TABLE_1
from ex3cli.report.source import ResultSource
from ex3cli.runs.publish import ship
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt
from ex3cli.vae.few_labels.paper import TABLE

Make = Callable[..., Run]


def read(store: Store) -> Report:
    return assemble(ResultSource(store))


def section(report: Report, name: str) -> list[Part]:
    return list(next(each.parts for each in report.sections if each.id == name))


def words(report: Report, name: str) -> str:
    parts = section(report, name)
    return " ".join(text for part in parts for text in part.paragraphs if isinstance(text, str))


def table(report: Report, name: str, caption: str) -> Table:
    return next(
        each for part in section(report, name) for each in part.tables if each.caption.startswith(caption)
    )


def commands(report: Report) -> list[str]:
    return [gap.command for gap in report.gaps]


def test_of_nothing_everything_is_missing_and_every_command_is_named(store: Store) -> None:
    report = read(store)
    said = commands(report)
    for wanted in (
        "ex3 divergence",
        "ex3 complexity",
        "ex3 lab train ring",
        "ex3 vae eval",
        "ex3 vae eval --dataset mnist",
        "ex3 gan train --kind dcgan",
        "ex3 gan train --kind wgan",
    ):
        assert wanted in said
    shown = [each.caption for section in report.sections for part in section.parts for each in part.tables]
    assert shown == ["One layer: N positions, width d"]
    assert [each.id for each in report.sections if each.answer] == ["distances", "costs", "decisions"]


def test_of_everything_only_real_images_and_clipping_are_missing(store: Store, everything: Path) -> None:
    report = read(store)
    assert [gap.what for gap in report.gaps] == ["real images", "a trained WGAN (clipping)"]
    assert not any(gap.quick or gap.damaged for gap in report.gaps)
    assert all(each.answer for each in report.sections)


def test_the_answers_are_made_from_the_numbers(store: Store, everything: Path) -> None:
    answers = {each.id: each.answer for each in read(store).sections}
    assert "a test error of 40.0 % with 100 labels and of 40.0 % with 3,000." in answers["few-labels"]
    assert "before the first that converged: 1 of DCGAN and 1 of WGAN-GP." in answers["gans"]
    assert answers["lab"] == "A GAN on points in the plane (ring), 5,000 epochs: converged at epoch 1,300."


def test_errors_stand_with_all_of_table_1_and_accuracies_apart(store: Store, everything: Path) -> None:
    errors = table(read(store), "few-labels", "Test error")
    assert errors.rows[0] == ["Fashion-MNIST", RECIPES["paper"], *["40.00 ± 1.00"] * 4]
    assert ["Fashion-MNIST", "SVM on raw pixels", *["30.00 ± 1.00"] * 4] in errors.rows
    assert [row[1] for row in errors.rows[-9:]] == [f"{name} (the paper)" for name in TABLE_1]
    accuracies = table(read(store), "few-labels", "Test accuracy")
    assert accuracies.rows[0] == ["Fashion-MNIST", RECIPES["paper"], *["60.00 ± 1.00"] * 4]
    assert len(accuracies.rows) == len(errors.rows) - len(TABLE_1)


def test_table_1_has_the_methods_that_an_evaluation_knows() -> None:
    for method, errors in TABLE.items():
        cells = [f"{error:.2f} ± {spread:g}" for error, spread in errors.values()]
        assert cells == list(TABLE_1[method])


def test_the_criterion_is_told_for_each_kind(store: Store, everything: Path) -> None:
    assert "agreement / coverage is 0.8 / 0.5 for DCGAN and 0.6 / 0.5 for WGAN-GP." in words(
        read(store), "gans"
    )


def test_the_theory_needs_no_run(store: Store) -> None:
    report = assemble(ResultSource(store), ["costs", "distances"])
    titles = [part.title for each in report.sections for part in each.parts]
    assert titles[:3] == ["LSTM", "Transformer", "When each is better"]
    assert {"Definitions", "θ ≠ 0", "θ = 0", "Why Wasserstein is better"} <= set(titles)


def test_questions_choose_and_order_the_sections(store: Store, everything: Path) -> None:
    report = assemble(ResultSource(store), ["gans", "distances"])
    assert [each.id for each in report.sections] == ["gans", "distances"]
    assert [each.number for each in report.sections[0].parts[0].tables] == ["1"]
    assert "ex3 lab train ring" not in commands(report)


def test_a_gap_is_named_once_a_section(store: Store) -> None:
    lab = next(each for each in read(store).sections if each.id == "lab")
    assert len(lab.parts) > 1
    assert len(lab.gaps) == 1


def test_failures_have_wilson_intervals_and_reasons(store: Store, everything: Path) -> None:
    row = table(read(store), "gans", "Failed convergences").rows[0]
    # Wilson for 2 of 3, z = 1.96: (2/3 + z²/6 ± z √(2/27 + z²/36)) / (1 + z²/3) = .208 and .939
    assert row == [
        "DCGAN",
        "bundled",
        "1",
        "2",
        "1",
        "67 % (21 to 94 %)",
        "1 divergence, 1 wrong labels",
        "–",
    ]


def test_the_users_own_attempts_replace_the_shipped_ones(store: Store, everything: Path, make: Make) -> None:
    mine = [
        Attempt(1, 5, "unjudged", None, 10),
        Attempt(2, 6, "failed", "divergence", 20),
        Attempt(3, 7, "failed", "divergence", 20),
    ]
    make(("gan", "fashion-mnist", "wgan"), "gan train", attempts=mine, converged=False)
    rows = table(read(store), "gans", "Failed convergences").rows
    assert rows[1][1:] == [
        "yours",
        "none converged",
        "2",
        "0",
        "100 % (34 to 100 %)",
        "2 divergence",
        "1 unjudged",
    ]


def test_a_trial_that_is_no_evidence_stands_beside_the_shipped_attempts(
    store: Store, everything: Path, make: Make
) -> None:
    before = table(read(store), "gans", "Failed convergences").rows[1]
    trial = [Attempt(1, 5, "failed", "low coverage", 10, shortened=True)]
    make(("gan", "fashion-mnist", "wgan"), "gan train", attempts=trial, converged=False, partial=True)
    assert table(read(store), "gans", "Failed convergences").rows[1] == [*before[:-1], "1 shortened"]


def test_the_figure_of_failures_is_of_the_attempts_that_are_counted(
    store: Store, everything: Path, make: Make
) -> None:
    def drawn() -> list[str]:
        return [
            each.alt
            for part in section(read(store), "gans")
            for each in part.figures
            if "interval" in each.alt
        ]

    assert drawn() == [
        "Failed attempts of those judged, each with its interval: DCGAN 2 of 3 and WGAN-GP 2 of 3."
    ]
    make(
        ("gan", "fashion-mnist", "wgan"),
        "gan train",
        attempts=[Attempt(1, 5, "failed", "divergence", 20)],
        converged=False,
    )
    assert drawn() == []
    assert "ex3 gan history" in commands(read(store))


def test_a_shipped_history_knows_more_attempts_than_the_shipped_training(
    store: Store, everything: Path, make: Make
) -> None:
    told = [Attempt(number, number, "failed", "low coverage", 400) for number in (1, 2, 3)]
    rows = [
        {"kind": "wgan", "run": "gan/fashion-mnist/wgan/0001-quick", "started": "", **asdict(each)}
        for each in told
    ]
    history = make(
        ("gan", "fashion-mnist", "history"), "gan history", files={"history.json": {"attempts": rows}}
    )
    before = table(read(store), "gans", "Failed convergences").rows
    contents = {name: history.read_bytes(name) for name in history.manifest.files}
    ship(history, store.reference / "gan/fashion-mnist/history", contents)
    after = table(read(store), "gans", "Failed convergences").rows
    assert after[0] == before[0]  # it tells of no dcgan
    assert after[1][1:] == [
        "bundled",
        "none converged",
        "3",
        "0",
        "100 % (44 to 100 %)",
        "3 low coverage",
        "–",
    ]


def test_scores_of_another_generator_are_not_shown(store: Store, everything: Path, make: Make) -> None:
    newer = make(
        ("gan", "fashion-mnist", "dcgan"),
        "gan train",
        converged=True,
        figures=("losses", "samples-through-training"),
        summary={"iterations": 1, "epochs": 1.0, "critic_loss": 0.5, "generator_loss": 2.0},
        config={"kind": "dcgan", "gp_weight": 10.0, "weight_clip": 0.01},
    )
    report = read(store)
    assert f"{newer.name} has not been scored here" in [gap.why for gap in report.gaps]
    assert "ex3 gan eval --kind dcgan" in commands(report)
    assert "ex3 gan compare --label dress" in commands(report)
    assert table(report, "gans", "Generated images").headings == ["", "WGAN-GP", "real"]


def test_a_generator_that_nobody_judged_is_not_taken_unasked(
    store: Store, everything: Path, make: Make
) -> None:
    make(("gan", "fashion-mnist", "dcgan"), "gan train", attempts=[Attempt(1, 0, "unjudged", None, 9)])
    missed = ["real images", "the figure of failure rates", "a trained WGAN (clipping)"]
    assert [gap.what for gap in read(store).gaps] == missed


def test_a_comparison_with_real_images_goes_before_a_newer_one_without(
    store: Store, everything: Path, generators: dict[str, Run], make: Make
) -> None:
    def panels(missing: list[Any]) -> Run:
        listed = [{"panel": name, "run": None, "indices": [4, 5]} for name in ("real", "dcgan", "wgan")]
        return make(
            ("gan", "fashion-mnist", "comparison"),
            "gan compare",
            figures=("comparison",),
            summary={"missing": len(missing)},
            files={"comparison.json": {"label": "Dress", "seed": 0, "panels": listed, "missing": missing}},
            sources={run.name: run.manifest.digest for run in generators.values()},
        )

    whole = panels([])
    panels([{"panel": "real", "cause": "no data", "remedy": "fetch it"}])
    part = section(read(store), "gans")[1]
    assert (part.makings[0].run, list(part.gaps)) == (whole.name, [])
    contents = {name: whole.read_bytes(name) for name in whole.manifest.files}
    ship(whole, store.reference / "gan/fashion-mnist/comparison", contents)
    shutil.rmtree(whole.path)
    part = section(read(store), "gans")[1]  # the shipped one has real images, the user's newer one has not
    assert (part.makings[0].run, list(part.gaps)) == ("reference/gan/fashion-mnist/comparison", [])
    assert "2 each of real, DCGAN and WGAN-GP" in part.figures[0].alt


def test_an_evaluation_of_few_sizes_does_not_hide_the_whole_one(
    store: Store, everything: Path, few_labels: dict[str, Run], make: Make
) -> None:
    make(
        ("vae", "fashion-mnist"),
        "vae eval",
        label="eval",
        files={"table.json": {}},
        config={"labels": [3000], "baselines": True, "features": []},
        sources=few_labels["fashion-mnist"].manifest.sources,
    )
    assert "ex3 vae eval" not in commands(read(store))


def test_draws_that_tuned_their_own_svm_have_no_one_penalty(
    store: Store, few_labels: dict[str, Run], make: Make
) -> None:
    old = few_labels["fashion-mnist"]
    document = old.read_json("table.json") | {"selection": "each draw chose"}
    for each in document["results"]:
        each |= {"penalty": None, "gamma": None}
    make(
        ("vae", "fashion-mnist"),
        "vae eval",
        label="eval",
        figures=("confusion",),
        files={"table.json": document},
        config=old.manifest.config,
        sources=old.manifest.sources,
    )
    report = read(store)
    assert "Each draw chose." in words(report, "few-labels")
    assert table(report, "few-labels", "The SVM").rows[0] == [
        "100",
        "RBF",
        "each draw's own",
        "each draw's own",
    ]


def test_lines_without_a_shift_of_zero_do_not_answer_the_question(store: Store, make: Make) -> None:
    make(
        ("divergence",),
        "divergence",
        config={"theta": [0.3]},
        summary={"family": "lines"},
        files={"results.json": {}},
    )
    make(
        ("divergence",),
        "divergence",
        config={"theta": [0.0, 0.3]},
        summary={"family": "gaussian"},
        files={"results.json": {}},
    )
    assert "ex3 divergence" in commands(read(store))


def test_a_lab_that_failed_is_told_while_none_has_converged(store: Store, plane: Run, make: Make) -> None:
    why = "not converged, distance: JS 0.5"
    summary = {**plane.manifest.summary, "why": why}
    config = {"distribution": "moons", "loss": "log"}
    given = {"config": config, "summary": summary, "converged": False, "figures": ("panel",)}
    failed = make(
        ("lab", "moons"), "lab train", attempts=[Attempt(1, 0, "failed", "distance", 5000)], **given
    )
    assert "ring" in words(read(store), "lab")
    shutil.rmtree(plane.path)
    said = words(read(store), "lab")
    assert (why in said, "0 converged, 1 failed." in said) == (True, True)
    assert failed.name == section(read(store), "lab")[0].makings[0].run


def test_damage_leaves_a_gap_and_no_older_run_takes_its_place(
    store: Store, everything: Path, divergence: Run, make: Make
) -> None:
    newer = make(
        ("divergence",),
        "divergence",
        config=divergence.manifest.config,
        summary={"family": "lines"},
        figures=("distances", "samples"),
        files={"results.json": divergence.read_json("results.json")},
    )
    (newer.path / "results.json").write_text("{}")
    (gap,) = [gap for gap in read(store).sections[0].gaps if gap.damaged]
    assert "0002-run/results.json does not match the SHA-256 in its manifest" in gap.why
    (newer.path / "run.json").write_text("{}")
    (gap,) = [gap for gap in read(store).sections[0].gaps if gap.damaged]
    assert "divergence/0002-run is damaged and is not replaced by another run" in gap.why


def test_a_damaged_attempt_log_gives_no_count(store: Store, everything: Path, make: Make) -> None:
    bad = make(
        ("gan", "fashion-mnist", "wgan"),
        "gan train",
        attempts=[Attempt(1, 0, "failed", "divergence", 3)],
        converged=False,
    )
    (bad.path / "attempts.jsonl").write_text("")
    report = read(store)
    assert any(gap.damaged and "attempts.jsonl" in gap.why for gap in report.gaps)
    shown = [each.caption for part in section(report, "gans") for each in part.tables]
    assert "Loss" in str(shown)
    assert "Failed convergences" not in shown


def test_results_of_another_shape_are_a_gap_and_not_the_end(store: Store, make: Make) -> None:
    config = {"theta": [0.0, 0.5]}
    make(
        ("divergence",),
        "divergence",
        config=config,
        summary={"family": "lines"},
        files={"results.json": {"results": [{}]}},
    )
    (gap,) = read(store).sections[0].gaps
    assert "has another format" in gap.why


def test_commands_name_another_artifacts_folder(store: Store) -> None:
    report = assemble(ResultSource(store, ("--artifacts", "my runs")))
    assert "ex3 divergence --artifacts 'my runs'" in commands(report)
