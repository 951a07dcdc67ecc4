"""What is said of estimate and distance is what their correlation says, of the very generators that the page tells of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.artifacts.run import Run
from ex3cli.artifacts.store import Store
from ex3cli.report.archive import Archive
from ex3cli.report.assembly import assemble
from ex3cli.report.blocks import Part
from ex3cli.report.correlation import meaning

Make = Callable[..., Run]


@pytest.fixture
def tell(store: Store, make: Make, generators: dict[str, Run]) -> Callable[..., Part]:
    """The part as it is with these rows, each with what it changes of a middling one; `left_out` run → cause."""

    def told(*rows: dict[str, Any], left_out: dict[str, str] | None = None) -> Part:
        plain = {
            "run": "any", "preset": "quick", "kind": "wgan", "critic_steps": 1, "looks": 40, "correlation": 0.0,
            "looks_at_full_step_size": 40, "correlation_at_full_step_size": 0.0,
        }  # fmt: skip
        make(
            ("gan", "fashion-mnist", "correlation"), "gan correlate", figures=("correlation",),
            files={"correlation.json": {"trainings": [plain | each for each in rows], "left_out": left_out or {}}},
            parents={run.name: run.manifest.digest for run in generators.values()},
        )  # fmt: skip
        return meaning(Archive(store))

    return told


@pytest.mark.parametrize(
    ("value", "looks", "begins", "told"),
    [
        (0.8, 9, "The estimate falls as the images get better", "ρ = 0.80 over 9 looks"),
        (0.79, 9, "The estimate says little", "ρ = 0.79 over 9 looks"),
        (-0.49, 9, "The estimate says little", "ρ = −0.49 over 9 looks"),
        (-0.5, 9, "The estimate rises as the images get better", "ρ = −0.50 over 9 looks"),
        (None, 3, "Too few looks to say", "3 looks"),
    ],
)
def test_the_words_follow_the_number(
    tell: Callable[..., Part], value: float | None, looks: int, begins: str, told: str
) -> None:
    (said,) = tell({"correlation": value, "looks": looks}).paragraphs[1:]
    assert said.startswith(begins)
    assert said.endswith(f": WGAN (gradient penalty), preset quick ({told}).")


def test_trainings_with_one_finding_share_a_sentence_and_what_follows_comes_first(tell: Callable[..., Part]) -> None:
    low, high = {"kind": "dcgan", "correlation": -0.9}, {"preset": "paper", "correlation": 1.0}
    said = tell(low, high, {"correlation": -0.8}).paragraphs[1:]
    assert [sentence[:18] for sentence in said] == ["The estimate falls", "The estimate rises"]
    assert "DCGAN, preset quick (ρ = −0.90 over 40 looks) and WGAN (gradient penalty), preset quick (ρ = −0.80" in said[1]


def test_a_row_a_training(tell: Callable[..., Part]) -> None:
    part = tell(
        {"kind": "dcgan", "correlation": -0.9, "looks_at_full_step_size": 20, "correlation_at_full_step_size": 0.25},
        {"preset": "paper", "critic_steps": 5, "correlation": 1.0, "looks": 10, "looks_at_full_step_size": 10},
    )
    assert part.tables[0].rows == [
        ["DCGAN, preset quick", "1", "40", "−0.90", "0.25 (20 looks)"],
        ["WGAN (gradient penalty), preset paper", "5", "10", "1.00", "the same"],
    ]
    assert "preset paper 1.00" in part.figures[0].alt


def test_the_steps_of_the_critic_are_told_only_where_both_presets_are(tell: Callable[..., Part]) -> None:
    quick, paper = {"critic_steps": 1}, {"preset": "paper", "critic_steps": 5}
    assert "preset paper gives it 5 steps to each of the generator" in tell(quick, paper).paragraphs[-1]
    for rows in ([quick], [paper], [quick, {**paper, "kind": "dcgan"}], [quick, {**paper, "critic_steps": 1}]):
        assert "optimum" not in str(tell(*rows).paragraphs)


def test_what_was_left_out_is_told_with_its_cause(tell: Callable[..., Part]) -> None:
    assert tell({}, left_out={"a": "nobody looked at a"}).paragraphs[-1] == "Left out: nobody looked at a."


def test_of_other_generators_it_is_missing_and_the_command_takes_the_newest(
    store: Store, everything: Path, make: Make, generators: dict[str, Run]
) -> None:
    assert not [gap for gap in assemble(Archive(store)).gaps if "correlate" in gap.command]
    mine = make(
        ("gan", "fashion-mnist", "dcgan"), "gan train", converged=True, config=generators["dcgan"].manifest.config,
        summary={"iterations": 900, "epochs": 1.5, "critic_loss": 0.5, "generator_loss": 2.0},
    )  # fmt: skip
    (gap,) = [gap for gap in assemble(Archive(store)).gaps if "correlate" in gap.command]
    assert (gap.command, gap.quick) == ("ex3 gan correlate", True)
    other = {**mine.manifest.config, "preset": "wide"}  # is no newer one of its preset
    make(("gan", "fashion-mnist", "dcgan"), "gan train", converged=False, config=other, summary={"iterations": 5})
    assert gap in assemble(Archive(store)).gaps
    # A newer one that failed would be taken in its place, so that the one that the page tells of has to be named.
    make(
        ("gan", "fashion-mnist", "dcgan"), "gan train", converged=False, config=mine.manifest.config, summary={"iterations": 5}
    )
    (gap,) = [gap for gap in assemble(Archive(store)).gaps if "correlate" in gap.command]
    assert gap.command == f"ex3 gan correlate {mine.name} {generators['wgan'].name}"


def test_a_damaged_result_is_said(store: Store, everything: Path) -> None:
    (folder,) = store.root.glob("gan/fashion-mnist/correlation/*")
    (folder / "correlation.json").write_text("{}")
    (gap,) = [gap for gap in assemble(Archive(store)).gaps if "correlation" in gap.where]
    assert gap.damaged
