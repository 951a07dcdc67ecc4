"""What is said of estimate and distance is what their correlation says, of the very generators that the page
tells of.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.report.assembly import assemble
from ex3cli.report.document import Part
from ex3cli.report.sections.correlation import meaning
from ex3cli.report.source import ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt

Make = Callable[..., Run]
FAILED = Attempt(1, 0, "failed", "low coverage", 900, {"coverage": 0.6})
PASSED = Attempt(1, 0, "converged", None, 900, {"coverage": 0.8})


def row(**changes: Any) -> dict[str, Any]:
    """A row of `correlation.json`."""
    return {
        "run": "any",
        "preset": "quick",
        "kind": "wgan",
        "critic_steps": 1,
        "iterations": 4000,
        "partial": False,
        "looks": 40,
        "finding": "falls",
        "correlation": -0.5,
        "correlation_of_changes": 0.25,
        "lowest": {"iteration": 800, "estimate": 0.2, "fid": 0.5},
        "end": {"iteration": 4000, "estimate": 0.4, "fid": 0.1},
        **changes,
    }


@pytest.fixture
def tell(store: Store, make: Make, generators: dict[str, Run]) -> Callable[..., Part]:
    """The part as it is with these rows; `left_out` run → cause."""

    def told(*rows: dict[str, Any], left_out: dict[str, str] | None = None) -> Part:
        make(
            ("gan", "fashion-mnist", "correlation"),
            "gan correlate",
            figures=("correlation",),
            files={"correlation.json": {"trainings": list(rows), "scatter": 1.6, "left_out": left_out or {}}},
            sources={run.name: run.manifest.digest for run in generators.values()},
        )
        return meaning(ResultSource(store))

    return told


def test_a_row_a_training_with_its_run_and_its_length(tell: Callable[..., Part]) -> None:
    none = {"correlation": None, "correlation_of_changes": None}
    part = tell(
        row(kind="dcgan", finding="turns"),
        row(preset="paper", run="gan/fashion-mnist/wgan/0001", partial=True, **none),
    )
    assert [cells[:3] for cells in part.tables[0].rows] == [
        ["DCGAN, quick", "4,000", "−0.50"],
        ["WGAN-GP, paper", "4,000, shortened", "–"],
    ]
    assert "DCGAN, quick and WGAN-GP, paper" in part.figures[0].alt
    assert part.folded


def test_what_was_left_out_is_told_with_its_cause(tell: Callable[..., Part]) -> None:
    assert tell(row(), left_out={"a": "nobody looked at a"}).paragraphs[-1] == "Left out: nobody looked at a."


def gaps(store: Store) -> list[str]:
    return [gap.command for gap in assemble(ResultSource(store)).gaps if "correlate" in gap.command]


def test_of_other_generators_it_is_missing(
    store: Store, everything: Path, make: Make, generators: dict[str, Run]
) -> None:
    assert not gaps(store)
    make(
        ("gan", "fashion-mnist", "dcgan"),
        "gan train",
        converged=True,
        config=generators["dcgan"].manifest.config,
        summary={"iterations": 900, "epochs": 1.5, "critic_loss": 0.5, "generator_loss": 2.0},
    )
    assert gaps(store) == ["ex3 gan correlate"]


def test_without_the_papers_training_that_the_page_tells_of_it_is_missing(
    store: Store, everything: Path, paper: Make, correlated: Make, generators: dict[str, Run]
) -> None:
    run = paper("wgan", PASSED, ships=True)
    assert gaps(store) == ["ex3 gan correlate"]
    correlated({**generators, "paper": run})
    assert not gaps(store)


def test_a_third_kind_is_not_missed_but_where_it_is_there_it_is_told_of(
    store: Store, everything: Path, make: Make, generators: dict[str, Run]
) -> None:
    make(
        ("gan", "fashion-mnist", "wgan-clip"),
        "gan train",
        converged=True,
        config={"kind": "wgan-clip"},
        summary={"iterations": 900, "epochs": 1.5, "critic_loss": 0.5, "generator_loss": 2.0},
        attempts=[PASSED],
    )
    assert gaps(store) == ["ex3 gan correlate"]


def test_a_third_kind_that_has_only_failed_is_not_waited_for(
    store: Store, everything: Path, make: Make
) -> None:
    make(
        ("gan", "fashion-mnist", "wgan-clip"),
        "gan train",
        converged=False,
        config={"kind": "wgan-clip"},
        attempts=[FAILED],
    )
    assert not gaps(store)
    assert meaning(ResultSource(store)).tables


def test_a_damaged_result_is_said(store: Store, everything: Path) -> None:
    (folder,) = store.root.glob("gan/fashion-mnist/correlation/*")
    (folder / "correlation.json").write_text("{}")
    (gap,) = [gap for gap in assemble(ResultSource(store)).gaps if "correlation" in gap.where]
    assert gap.damaged


def test_damaged_looks_of_a_training_are_said_though_they_were_told_of_before(
    store: Store, everything: Path, make: Make, correlated: Make, generators: dict[str, Run]
) -> None:
    mine = make(
        ("gan", "fashion-mnist", "dcgan"),
        "gan train",
        converged=True,
        config=generators["dcgan"].manifest.config,
        files={"metrics.jsonl": b"{}"},
        summary={"iterations": 900, "epochs": 1.5, "critic_loss": 0.5, "generator_loss": 2.0},
    )
    correlated({**generators, "dcgan": mine})
    assert not gaps(store)
    (mine.path / "metrics.jsonl").write_bytes(b"{ }")
    (gap,) = [gap for gap in assemble(ResultSource(store)).gaps if "metrics.jsonl" in gap.why]
    assert gap.damaged
