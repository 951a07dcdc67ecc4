"""`ex3 complexity`: its JSON and its tables."""

from collections.abc import Callable
from typing import Any

import pytest

from ex3cli.complexity import timing

TINY = ("--max-length", 64, "--width", 4, "--max-width", 64, "--length", 8, "--time-budget", 1, "--quiet")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SHORTEST_BLOCK", 1e-5)
    monkeypatch.setattr(timing, "MOST_ROUNDS", 3)


def test_json_has_counts_slopes_crossover_depth_and_memory(ex3: Callable[..., Any]) -> None:
    outcome = ex3("complexity", *TINY, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    document = outcome.document
    keys = {"settings", "counts", "slopes", "crossover", "sequential_depth", "memory", "times", "explanation"}
    assert set(document) == keys
    assert all(each["equal"] for each in document["counts"])
    assert {each["predicted"] for each in document["crossover"]} == {16}
    assert {each["against"] for each in document["slopes"]} == {"length", "width"}


def test_the_tables_show_counted_measured_and_law(ex3: Callable[..., Any]) -> None:
    outcome = ex3("complexity", *TINY)
    assert outcome.exit_code == 0, outcome.stderr
    for text in (
        "16Nd²",
        "24Nd² + 4N²d",
        "equal at",
        "predicted N = 4d",
        "Sequential matrix products",
        "In short",
        "run.json",
    ):
        assert text in outcome.stdout


@pytest.mark.parametrize("words", [("--max-length", "10"), ("--width", "0"), ("--threads", "0")], ids=str)
def test_bad_input_is_a_usage_error_with_the_range(ex3: Callable[..., Any], words: tuple[str, ...]) -> None:
    outcome = ex3("complexity", *words)
    assert outcome.exit_code == 2
    assert "of at least" in outcome.stderr
