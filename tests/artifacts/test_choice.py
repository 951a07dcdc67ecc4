"""Which runs of a shelf are told of: the one that every command takes, and that of a preset that is worth most, once each."""

from collections.abc import Callable
from typing import Any

import pytest

from ex3cli.artifacts import store as store_module
from ex3cli.artifacts.choice import best_of, shipped_below, told_of
from ex3cli.artifacts.run import Run
from ex3cli.artifacts.shipping import ship
from ex3cli.artifacts.store import Store
from ex3cli.errors import ArtifactError

SHELF = ("gan", "digits", "dcgan")
Make = Callable[..., Run]


@pytest.fixture
def trained(new_run: Callable[..., Run], store: Store, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A finished run; shipped under a name, or as that of its kind, where asked for."""
    monkeypatch.setattr(store_module, "shipped_reference", lambda: store.reference)

    def make(preset: str, *, iterations: int = 100, ships: str | None = None, command: str = "gan train", **given: Any) -> Run:
        run = new_run(shelf=SHELF, label=preset, command=command, config={"preset": preset})
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
    plain, paper, wide = (trained(preset, ships=name) for preset, name in (("quick", ""), ("paper", "paper"), ("wide", "wide")))
    assert names(told_of(store, SHELF, "gan train", "paper")) == names([plain, paper])
    assert sorted(names(shipped_below(store, SHELF, "gan train"))) == sorted(names([plain, paper, wide]))
    assert told_of(store, ("gan", "digits", "wgan"), "gan train", "paper") == []


def test_what_is_no_training_is_none(store: Store, trained: Make) -> None:
    trained("paper", ships="scores", command="gan eval")
    assert shipped_below(store, SHELF, "gan train") == []


def test_one_that_is_both_is_told_of_once(store: Store, trained: Make) -> None:
    mine = trained("paper")
    assert names(told_of(store, SHELF, "gan train", "paper")) == [mine.name]


def test_a_trial_hides_no_long_training_and_yours_goes_before_the_shipped(trained: Make) -> None:
    shipped = trained("paper", iterations=4000, ships="paper", partial=True)
    trial = trained("paper", iterations=10, partial=True)
    assert best_of("paper", [shipped, trial]) == shipped
    as_long = trained("paper", iterations=4000, partial=True)
    assert best_of("paper", [shipped, trial, as_long]) == as_long
    whole = trained("paper", iterations=20)
    assert best_of("paper", [whole, shipped, trial, as_long]) == whole
    assert best_of("paper", [trained("quick")]) is None


def test_one_that_is_under_way_or_failed_is_not_taken_for_that_of_the_kind(
    store: Store, trained: Make, new_run: Callable[..., Run]
) -> None:
    trained("quick", converged=False)
    new_run(shelf=SHELF, label="paper", command="gan train", config={"preset": "paper"})
    assert told_of(store, SHELF, "gan train", "paper") == []


def test_damage_is_raised(store: Store, trained: Make) -> None:
    (trained("quick").path / "run.json").write_text("{")
    with pytest.raises(ArtifactError, match="is damaged"):
        told_of(store, SHELF, "gan train", "paper")
