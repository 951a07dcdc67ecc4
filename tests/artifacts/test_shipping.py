from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.artifacts.run import Run
from ex3cli.artifacts.shipping import ship
from ex3cli.artifacts.store import Store
from ex3cli.errors import ArtifactError, UsageError

NewRun = Callable[..., Run]
SHELF = ("toy", "digits")


def finished(new_run: NewRun, text: str = "long", **end: Any) -> Run:
    run = new_run()
    run.write_text("weights.txt", text)
    run.finish({"accuracy": 0.5}, **end)
    return run


def test_a_shipped_run_is_found_verified_and_remembers_where_it_came_from(new_run: NewRun, store: Store) -> None:
    run = finished(new_run)
    ship(run, store.reference.joinpath(*SHELF), {"weights.txt": b"short"})
    shipped = store.find(SHELF, command="toy train", name="reference")
    assert shipped.read_bytes("weights.txt") == b"short"
    assert shipped.manifest.summary == {"accuracy": 0.5}
    assert shipped.manifest.argv == run.manifest.argv
    assert shipped.manifest.parents == {"shipped from": run.manifest.digest}
    assert set(shipped.verify().values()) == {"ok"}


def test_shipping_again_leaves_nothing_of_the_one_before(new_run: NewRun, store: Store) -> None:
    folder = store.reference.joinpath(*SHELF)
    ship(finished(new_run), folder, {"weights.txt": b"a", "old.txt": b"b"})
    ship(finished(new_run), folder, {"weights.txt": b"c"})
    assert sorted(path.name for path in folder.iterdir()) == ["run.json", "weights.txt"]


@pytest.mark.parametrize("end", [{"partial": True}, {"converged": False}])
def test_a_shortened_or_failed_run_is_not_shipped(new_run: NewRun, store: Store, end: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="not a finished run of full length"):
        ship(finished(new_run, **end), store.reference, {})
    assert not store.reference.exists()


def test_a_failed_shipping_loses_nothing_of_the_one_before(
    new_run: NewRun, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.reference.joinpath(*SHELF)
    ship(finished(new_run), folder, {"weights.txt": b"a", "old.txt": b"b"})
    again = finished(new_run)

    def full(path: Path, data: bytes) -> None:
        raise ArtifactError("No space left on device", "free some")

    monkeypatch.setattr("ex3cli.artifacts.shipping.write_atomically", full)
    with pytest.raises(ArtifactError):
        ship(again, folder, {"weights.txt": b"c"})
    monkeypatch.undo()
    assert set(store.find(SHELF, command="toy train", name="reference").verify().values()) == {"ok"}
