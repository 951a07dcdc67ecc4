"""Which runs a catalog holds, and which training of a preset is the best."""

from collections.abc import Callable
from typing import Any

import pytest

from ex3cli.errors import ArtifactError
from ex3cli.runs.bundling import bundle
from ex3cli.runs.catalog import Catalog
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

CATEGORY = ("gan", "digits", "dcgan")
Make = Callable[..., Run]


@pytest.fixture
def trained(new_run: Callable[..., Run], store: Store, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A finished run; with `ships` a bundled one of that name, or, if the name is empty, the default one."""
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: store.reference)

    def make(
        preset: str,
        *,
        iterations: int = 100,
        ships: str | None = None,
        command: str = "gan train",
        **given: Any,
    ) -> Run:
        run = new_run(category=CATEGORY, label=preset, command=command, config={"preset": preset})
        run.finish({"iterations": iterations}, **{"converged": True, **given})
        if ships is None:
            return run
        made = bundle(run, store.reference.joinpath(*CATEGORY), {}, ships or None)
        (run.path / "run.json").unlink()
        return made

    return make


def names(catalog: Catalog) -> list[str]:
    return [run.name for run in catalog.runs]


def test_a_scan_lists_your_runs_before_the_bundled_ones(
    store: Store, trained: Make, new_run: Callable[..., Run]
) -> None:
    bundled = [trained("quick", ships=""), trained("paper", ships="paper")]
    mine = trained("quick")
    other = new_run(category=("gan", "digits", "wgan"))
    assert names(store.scan(CATEGORY)) == [mine.name, *sorted(run.name for run in bundled)]
    assert names(store.scan(bundled=False)) == [mine.name, other.name]
    assert names(store.scan(CATEGORY, bundled=True)) == sorted(run.name for run in bundled)


def test_runs_of_another_command_are_left_out(store: Store, trained: Make) -> None:
    trained("paper", ships="scores", command="gan eval")
    assert names(store.scan(CATEGORY).of("gan train")) == []


def test_damage_is_kept_by_name_and_raised_on_demand(store: Store, trained: Make) -> None:
    good, bad = trained("quick"), trained("quick")
    (bad.path / "run.json").write_text("{")
    found = store.scan(CATEGORY)
    assert names(found) == [good.name]
    assert list(found.damaged) == [bad.name]
    with pytest.raises(ArtifactError, match="is damaged"):
        found.of("gan train").require_undamaged()


def test_a_trial_hides_no_long_training_and_yours_goes_before_the_bundled_one(trained: Make) -> None:
    def best(*runs: Run) -> Run | None:
        return Catalog(runs, {}).best("paper")

    bundled = trained("paper", iterations=4000, ships="paper", partial=True)
    trial = trained("paper", iterations=10, partial=True)
    assert best(bundled, trial) == bundled
    as_long = trained("paper", iterations=4000, partial=True)
    assert best(bundled, trial, as_long) == as_long
    whole = trained("paper", iterations=20)
    assert best(whole, bundled, trial, as_long) == whole
    assert best(trained("quick")) is None


def test_a_training_under_way_is_no_best_one(store: Store, new_run: Callable[..., Run]) -> None:
    new_run(category=CATEGORY, label="paper", command="gan train", config={"preset": "paper"})
    assert store.scan(CATEGORY).best("paper") is None
