"""Trainings beside those that are taken unasked: shown as what they are, shortened or failed, and never in
their place.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.report.assembly import assemble
from ex3cli.report.document import Part
from ex3cli.report.sections import trainings
from ex3cli.report.source import ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt

Make = Callable[..., Run]
SHORT = Attempt(2, 1, "failed", "low coverage", 900, {"coverage": 0.6}, shortened=True)
FAILED = Attempt(1, 0, "failed", "divergence", 400, shortened=True)
PASSED = Attempt(1, 0, "converged", None, 900, {"coverage": 0.8}, shortened=True)


def papers(store: Store) -> Part:
    return trainings.papers(ResultSource(store))


def test_without_such_trainings_nothing_is_said_and_nothing_is_missing(
    store: Store, everything: Path
) -> None:
    archive = ResultSource(store)
    for part in (trainings.papers(archive), trainings.side_by_side(archive)):
        assert not any((part.title, part.paragraphs, part.tables, part.figures, part.gaps))


def test_a_shortened_training_is_told_as_one_with_its_verdict_and_its_failures(
    store: Store, everything: Path, paper: Make, score: Make
) -> None:
    run = paper("wgan", FAILED, SHORT, converged=False, ships=True)
    score("wgan", run, fid=0.25)
    part = papers(store)
    name = "reference/gan/fashion-mnist/wgan/paper"
    how = ["64", "no", "0.0001", "5", "900 (shortened)", "1", "failed: low coverage"]
    assert part.tables[0].rows == [["WGAN-GP", name, *how]]
    assert part.folded
    assert part.commands == [("WGAN-GP was trained by", "ex3 gan train")]
    assert [table.rows[0] for table in part.tables[1:]] == [
        ["FID (64 classifier features)", "0.2500", "0.0100"]
    ]
    assert len(part.figures) == 2
    assert not part.gaps


def test_one_that_is_not_scored_names_the_command(store: Store, everything: Path, paper: Make) -> None:
    run = paper("dcgan", PASSED, converged=True)
    (gap,) = papers(store).gaps
    assert (gap.command, gap.quick) == (f"ex3 gan eval --kind dcgan --run {run.name}", True)
    assert gap in assemble(ResultSource(store)).gaps


def test_yours_goes_before_the_shipped_one_unless_it_was_shorter(
    store: Store, everything: Path, paper: Make
) -> None:
    paper("dcgan", PASSED, iterations=900, ships=True)
    trial = paper("dcgan", PASSED, iterations=3)
    assert "reference/" in papers(store).tables[0].rows[0][1]
    assert trial.name not in str(papers(store))
    mine = paper("dcgan", PASSED, iterations=900)
    assert mine.name in papers(store).tables[0].rows[0][1]


def test_your_complete_one_goes_before_a_longer_shipped_one(
    store: Store, everything: Path, paper: Make
) -> None:
    paper("dcgan", PASSED, iterations=900, ships=True)
    mine = paper("dcgan", FAILED, iterations=500, partial=False, converged=False)
    assert mine.name in papers(store).tables[0].rows[0][1]


def test_one_beside_that_of_its_kind_is_not_that_of_its_kind(store: Store, paper: Make) -> None:
    paper("dcgan", PASSED, ships=True)
    archive, category = ResultSource(store), ("gan", "fashion-mnist", "dcgan")
    assert archive.shipped(category, "gan train") is None
    assert archive.attempts(category, "gan train") == ([], [], False)


def test_one_that_every_command_takes_is_not_told_of_twice(
    store: Store, everything: Path, paper: Make
) -> None:
    paper("dcgan", PASSED, ships=True)
    whole = paper("dcgan", PASSED, partial=False, converged=True)
    assert papers(store).title == ""
    assert [
        gap.command for gap in assemble(ResultSource(store)).gaps if gap.quick and "eval" in gap.command
    ] == ["ex3 gan eval --kind dcgan"]
    assert whole.name in str(assemble(ResultSource(store)))


def test_it_takes_no_place_among_what_commands_take_and_count(
    store: Store, everything: Path, paper: Make
) -> None:
    def told() -> list[Any]:
        parts = next(each.parts for each in assemble(ResultSource(store)).sections if each.id == "gans")
        return [
            part
            for part in parts
            if part.title in ("Quality of the images", "Loss against iterations", "Failed convergences")
        ]

    before = told()
    assert len(before) == 3
    paper("dcgan", PASSED, converged=True, ships=True)
    assert told() == before


@pytest.mark.parametrize("ships", [True, False])
def test_damage_to_one_is_said_and_hides_no_other(
    store: Store, everything: Path, paper: Make, ships: bool
) -> None:
    paper("dcgan", PASSED, ships=True)
    run = paper("dcgan", PASSED, ships=ships)
    paper("wgan", PASSED, ships=True)
    (run.path / "run.json").write_text("{")
    part = papers(store)
    assert [(gap.damaged, gap.where) for gap in part.gaps][:1] == [(True, run.name)]
    assert [row[1] for row in part.tables[0].rows] == ["reference/gan/fashion-mnist/wgan/paper"]


def test_damaged_scores_are_no_missing_ones(store: Store, everything: Path, paper: Make, score: Make) -> None:
    scored = score("dcgan", paper("dcgan", PASSED, ships=True))
    (scored.path / "run.json").write_text("{")
    (gap,) = papers(store).gaps
    assert (gap.damaged, gap.quick, gap.where) == (True, False, scored.name)


def test_the_overview_tells_every_training_by_its_row(store: Store, make: Make) -> None:
    def row(kind: str, verdict: str, reason: str | None, **more: Any) -> dict[str, Any]:
        return {
            "run": f"gan/fashion-mnist/{kind}/0001-wide",
            "kind": kind,
            "preset": "wide",
            "command": f"ex3 gan train --kind {kind}",
            "width": 64,
            "conditional": False,
            "iterations": 4000,
            "partial": True,
            "failed": 1,
            "verdict": verdict,
            "reason": reason,
            "label_agreement": None,
            "min_class_share": 0.05,
            "coverage": 0.7,
            "fid": 0.25,
            **more,
        }

    def shown(*rows: dict[str, Any]) -> None:
        files = {"overview.json": {"trainings": list(rows)}}
        make(("gan", "fashion-mnist", "overview"), "gan overview", files=files, figures=("overview",))

    shown(row("wgan", "failed", "low coverage", partial=False))
    assert "shortened" not in trainings.side_by_side(ResultSource(store)).tables[0].note
    shown(row("dcgan", "converged", None), row("wgan", "failed", "low coverage", partial=False))
    part = trainings.side_by_side(ResultSource(store))
    assert [list(row[:4]) for row in part.tables[0].rows] == [
        ["DCGAN, wide", "64", "4,000, shortened", "converged, after 1 failed"],
        ["WGAN-GP, wide", "64", "4,000", "failed: low coverage"],
    ]
    assert "A shortened training" in part.tables[0].note
    assert part.tables[1].rows[1][::2] == ["WGAN-GP, wide", "ex3 gan train --kind wgan"]
    assert "DCGAN, wide and WGAN-GP, wide" in part.figures[0].alt
