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
from ex3cli.report.source import ResultSource
from ex3cli.runs.publish import ship
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt

Make = Callable[..., Run]


def read(store: Store) -> Report:
    return assemble(ResultSource(store))


def section(report: Report, name: str) -> list[Part]:
    return list(next(each.parts for each in report.sections if each.id == name))


def words(report: Report, name: str) -> str:
    return " ".join(text for part in section(report, name) for text in part.paragraphs)


def table(report: Report, name: str, caption: str) -> Table:
    return next(
        each for part in section(report, name) for each in part.tables if each.caption.startswith(caption)
    )


def commands(report: Report) -> list[str]:
    return [gap.command for gap in report.gaps]


def test_of_nothing_everything_is_missing_and_every_command_is_named(store: Store) -> None:
    report = read(store)
    assert report.summary.tables == []
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
    assert not [part for each in report.sections for part in each.parts if part.tables and not part.gaps]


def test_of_everything_only_real_images_and_clipping_are_missing(store: Store, everything: Path) -> None:
    report = read(store)
    assert [gap.what for gap in report.gaps] == ["real images", "a trained WGAN (clipping)"]
    assert not any(gap.quick or gap.damaged for gap in report.gaps)
    captions = [each.caption for each in report.summary.tables]
    assert captions == [
        "M1 on Fashion-MNIST",
        "M1 on MNIST",
        "Generated images beside real ones",
        "Failed convergences",
    ]


def test_the_answers_are_made_from_the_numbers(store: Store, everything: Path) -> None:
    report = read(store)
    assert (
        "For θ = 0.5: KL = ∞, JS = 0.6931 nats = log 2 and W = |θ|. For θ = 0: KL = 0, JS = 0 and W = 0."
        in words(report, "distances")
    )
    said = words(report, "few-labels")
    assert "wrong on 20.0 % of the test images with 100 labels" in said
    assert "10.0 points ahead of raw pixels with 100" in said
    assert "level with edges (HOG) alone (+0.5 points, less than the spread of one draw)" in said
    assert "It errs less than the paper's M1+TSVM with none of these numbers of labels." in said
    assert "(λ = 10) reads 4.0 % too high at the 1 shift whose W is at least 0.05: the penalty" in words(
        report, "decisions"
    )
    assert "Bernoulli pixels, as in the paper, keep 7 of them active" in words(report, "decisions")
    assert "With 100, 600, 1,000 and 3,000 labels raw pixels beat the paper's recipe" in words(
        report, "decisions"
    )
    assert "DCGAN: 1 attempt failed before the first good one; in all 2 failed and 1 converged." in words(
        report, "gans"
    )
    assert report.summary.sentences == [
        "The GAN in the plane, ring (loss log, seed 0): converged at epoch 1,300. 5,000 epochs were trained."
    ]


def test_accuracies_stand_beside_errors_the_paper_and_the_baselines(store: Store, everything: Path) -> None:
    found = table(read(store), "few-labels", "M1 on Fashion-MNIST")
    assert found.rows[0][:3] == ["100", "20.00 ± 1.00", "80.00 ± 1.00"]
    assert found.rows[0][3:] == ["70.00 ± 1.00", "79.50 ± 1.00", "11.00 ± 0.2", "3.00 ± 0.1"]
    assert found.headings[3:5] == ["raw pixels: accuracy %", "edges (HOG) alone: accuracy %"]
    assert "measuring them again needs the data set" in found.note
    assert "The paper's figures are of MNIST" in found.note


def test_bars_are_told_where_a_kind_is_held_to_another(store: Store, everything: Path) -> None:
    said = words(read(store), "gans")
    assert "a coverage of at least DCGAN 0.8 and 0.5 and WGAN-GP 0.6 and 0.5." in said


def test_failures_have_wilson_intervals_and_reasons(store: Store, everything: Path) -> None:
    row = table(read(store), "gans", "Failed convergences").rows[0]
    # Wilson for 2 of 3, z = 1.96: (2/3 + z²/6 ± z √(2/27 + z²/36)) / (1 + z²/3) = .208 and .939
    assert row == [
        "DCGAN",
        "shipped",
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
        "shipped",
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
    assert "M1 on Fashion-MNIST" in [each.caption for each in read(store).summary.tables]


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
    assert "RBF. The features are points" in words(report, "decisions")
    assert "Each draw chose." in words(report, "decisions")
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
    assert (why in said, "0 converged, 1 failed, 1 distance" in said) == (True, True)
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
    assert "divergence/0002-run is damaged, and nothing is put in its place" in gap.why


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
    assert "Failed convergences" not in [each.caption for each in report.summary.tables]


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
    assert "cannot be read as this ex3 writes it" in gap.why


def test_commands_name_another_artifacts_folder(store: Store) -> None:
    report = assemble(ResultSource(store, ("--artifacts", "my runs")))
    assert "ex3 divergence --artifacts 'my runs'" in commands(report)
