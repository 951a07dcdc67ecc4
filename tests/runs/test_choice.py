"""Which runs of a category are told of: the one that every command takes, and that of a preset that is worth
most, once each.
"""

from collections.abc import Callable
from typing import Any

import pytest

from ex3cli.errors import ArtifactError
from ex3cli.runs.publish import ship
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store, best_run, bundled_runs, default_and_newest

SHELF = ("gan", "digits", "dcgan")
Make = Callable[..., Run]


@pytest.fixture
def trained(new_run: Callable[..., Run], store: Store, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A finished run; shipped under a name, or as that of its kind, where asked for."""
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: store.reference)

    def make(
        preset: str,
        *,
        iterations: int = 100,
        ships: str | None = None,
        command: str = "gan train",
        **given: Any,
    ) -> Run:
        run = new_run(category=SHELF, label=preset, command=command, config={"preset": preset})
        run.finish({"iterations": iterations}, **{"converged": True, **given})
        if ships is None:
            return run
        made = ship(run, store.reference.joinpath(*SHELF), {}, ships or None)
        (run.path / "run.json").unlink()
        return made

    return make


def names(runs: list[Run]) -> list[str]:
    return [run.name for run in runs]


def test_of_the_shipped_ones_that_of_the_kind_and_the_papers(store: Store, trained: Make) -> None:
    plain, paper, wide = (
        trained(preset, ships=name) for preset, name in (("quick", ""), ("paper", "paper"), ("wide", "wide"))
    )
    assert names(default_and_newest(store, SHELF, "gan train", "paper")) == names([plain, paper])
    assert sorted(names(bundled_runs(store, SHELF, "gan train"))) == sorted(names([plain, paper, wide]))
    assert default_and_newest(store, ("gan", "digits", "wgan"), "gan train", "paper") == []


def test_what_is_no_training_is_none(store: Store, trained: Make) -> None:
    trained("paper", ships="scores", command="gan eval")
    assert bundled_runs(store, SHELF, "gan train") == []


def test_one_that_is_both_is_listed_once(store: Store, trained: Make) -> None:
    mine = trained("paper")
    assert names(default_and_newest(store, SHELF, "gan train", "paper")) == [mine.name]


def test_a_trial_hides_no_long_training_and_yours_goes_before_the_shipped(trained: Make) -> None:
    shipped = trained("paper", iterations=4000, ships="paper", partial=True)
    trial = trained("paper", iterations=10, partial=True)
    assert best_run("paper", [shipped, trial]) == shipped
    as_long = trained("paper", iterations=4000, partial=True)
    assert best_run("paper", [shipped, trial, as_long]) == as_long
    whole = trained("paper", iterations=20)
    assert best_run("paper", [whole, shipped, trial, as_long]) == whole
    assert best_run("paper", [trained("quick")]) is None


def test_one_that_is_under_way_or_failed_is_not_taken_for_that_of_the_kind(
    store: Store, trained: Make, new_run: Callable[..., Run]
) -> None:
    trained("quick", converged=False)
    new_run(category=SHELF, label="paper", command="gan train", config={"preset": "paper"})
    assert default_and_newest(store, SHELF, "gan train", "paper") == []


def test_damage_is_raised(store: Store, trained: Make) -> None:
    (trained("quick").path / "run.json").write_text("{")
    with pytest.raises(ArtifactError, match="is damaged"):
        default_and_newest(store, SHELF, "gan train", "paper")
