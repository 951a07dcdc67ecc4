import errno
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from ex3cli.errors import ArtifactError, UsageError
from ex3cli.runs.bundling import bundle, unfinished
from ex3cli.runs.jsonio import digest
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

NewRun = Callable[..., Run]
SHELF = ("toy", "digits")


def finished(new_run: NewRun, text: str = "long", **end: Any) -> Run:
    run = new_run()
    run.write_text("weights.txt", text)
    run.finish({"accuracy": 0.5}, **end)
    return run


def test_a_shipped_run_is_found_verified_and_remembers_where_it_came_from(
    new_run: NewRun, store: Store
) -> None:
    run = finished(new_run)
    bundle(run, store.reference.joinpath(*SHELF), {"weights.txt": b"short"})
    shipped = store.find(SHELF, command="toy train", name="reference")
    assert shipped.read_bytes("weights.txt") == b"short"
    assert shipped.manifest.summary == {"accuracy": 0.5}
    assert shipped.manifest.argv == run.manifest.argv
    assert shipped.manifest.sources == {"shipped from": run.manifest.digest}
    assert set(shipped.verify().values()) == {"ok"}


def test_where_a_run_was_made_on_a_disk_is_not_shipped(new_run: NewRun, store: Store) -> None:
    run = new_run(
        argv=[
            "ex3",
            "toy",
            "--artifacts",
            "/home/me/artifacts",
            "train",
            "--data=/home/me",
            "--output",
            "/home/me/x.png",
            "--seed",
            "3",
        ]
    )
    run.finish({})
    shipped = bundle(run, store.reference.joinpath(*SHELF), {})
    assert shipped.manifest.argv == ["ex3", "toy", "train", "--seed", "3"]


def test_shipping_again_leaves_nothing_of_the_one_before(new_run: NewRun, store: Store) -> None:
    folder = store.reference.joinpath(*SHELF)
    bundle(finished(new_run), folder, {"weights.txt": b"a", "old.txt": b"b"})
    bundle(finished(new_run), folder, {"weights.txt": b"c"})
    assert sorted(path.name for path in folder.glob("[!.]*")) == ["run.json", "weights.txt"]


@pytest.mark.parametrize("end", [{"partial": True}, {"converged": False}])
def test_a_shortened_or_failed_run_is_not_shipped(new_run: NewRun, store: Store, end: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="cannot be the default run"):
        bundle(finished(new_run, **end), store.reference, {})
    assert not store.reference.exists()


@pytest.mark.parametrize("end", [{}, {"partial": True}, {"converged": False}])
def test_under_a_name_of_its_own_a_run_stands_beside_the_default_one(
    new_run: NewRun, store: Store, end: dict[str, Any]
) -> None:
    folder = store.reference.joinpath(*SHELF)
    bundle(finished(new_run), folder, {"weights.txt": b"taken"})
    beside = bundle(finished(new_run, **end), folder, {"weights.txt": b"beside"}, "paper")
    assert beside.name == "reference/toy/digits/paper"
    assert store.find(SHELF, command="toy train", name="reference").read_bytes("weights.txt") == b"taken"
    named = store.find(SHELF, command="toy train", name=beside.name)
    assert named.read_bytes("weights.txt") == b"beside"
    assert (named.manifest.partial, named.manifest.converged) == (
        end.get("partial", False),
        end.get("converged"),
    )
    bundle(finished(new_run), folder, {"weights.txt": b"again"})
    assert store.open(beside.name).read_bytes("weights.txt") == b"beside"


def test_a_run_that_has_not_finished_is_not_shipped_under_any_name(new_run: NewRun, store: Store) -> None:
    with pytest.raises(UsageError, match="is running, not finished"):
        bundle(new_run(), store.reference.joinpath(*SHELF), {}, "paper")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "Paper", "0001-paper", "-x", "figures", "comparison", "weights", "other"]
)
def test_a_name_that_is_taken_or_leads_elsewhere_is_refused(new_run: NewRun, store: Store, name: str) -> None:
    folder = store.reference.joinpath(*SHELF)
    bundle(finished(new_run), folder, {"figures/a.png": b"a", "weights": b"w"})
    for category in ("comparison", "other"):
        other = new_run(category=(*SHELF, category), command="toy compare")
        other.finish({})
        bundle(other, folder / category, {"table.txt": b"t"})
    with pytest.raises(UsageError, match=r"--as|holds another bundled result"):
        bundle(finished(new_run), folder, {"weights.txt": b"x"}, name)
    assert store.open("reference/toy/digits/comparison").manifest.command == "toy compare"
    assert sorted(path.name for path in folder.glob("[!.]*")) == [
        "comparison",
        "figures",
        "other",
        "run.json",
        "weights",
    ]


def test_a_name_that_a_shelf_will_have_is_refused_before_it_has_it(new_run: NewRun, store: Store) -> None:
    with pytest.raises(UsageError, match="--as 'comparison'"):
        bundle(finished(new_run), store.reference.joinpath(*SHELF), {}, "comparison")


def test_no_run_of_another_command_is_shipped_over(new_run: NewRun, store: Store) -> None:
    folder = store.reference.joinpath(*SHELF)
    bundle(finished(new_run), folder, {"a.txt": b"a"})
    other = new_run(command="toy compare")
    other.finish({})
    with pytest.raises(UsageError, match="holds another bundled result"):
        bundle(other, folder, {"b.txt": b"b"})
    assert store.open("reference/toy/digits").read_bytes("a.txt") == b"a"


@pytest.mark.parametrize("name", [None, "paper"])
def test_what_a_failed_or_damaged_shipping_left_is_shipped_over(
    new_run: NewRun, store: Store, name: str | None
) -> None:
    folder = store.reference.joinpath(*SHELF)
    place = folder / name if name else folder
    place.mkdir(parents=True)
    (place / ".lock").touch()
    bundle(finished(new_run), folder, {"a.txt": b"a"}, name)
    (place / "run.json").write_text("{")
    assert bundle(finished(new_run), folder, {"a.txt": b"b"}, name).read_bytes("a.txt") == b"b"


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_disk_full_at_any_file_leaves_the_run_shipped_before_whole(
    new_run: NewRun, store: Store, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    folder = store.reference.joinpath(*SHELF)
    bundle(finished(new_run), folder, {"a.txt": b"a", "b.txt": b"b", "old.txt": b"old"})
    again = finished(new_run)
    flush, calls = os.fsync, iter(range(99))

    def full(handle: int) -> None:
        if next(calls) >= survived:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match="No space left"):
        bundle(again, folder, {"a.txt": b"new a", "b.txt": b"new b"})
    monkeypatch.undo()
    kept = store.find(SHELF, command="toy train", name="reference")
    assert set(kept.verify().values()) == {"ok"}
    assert kept.read_bytes("old.txt") == b"old"
    assert not list(folder.glob(".*.tmp"))


def test_a_shipped_run_is_not_shipped_again(new_run: NewRun, store: Store) -> None:
    shipped = bundle(finished(new_run), store.reference.joinpath(*SHELF), {"a.txt": b"a"})
    with pytest.raises(UsageError, match="is bundled already"):
        bundle(shipped, store.reference.joinpath(*SHELF), {"a.txt": b"a"})


def test_two_shippings_at_once_do_not_mix(new_run: NewRun, store: Store) -> None:
    folder = store.reference.joinpath(*SHELF)
    first = bundle(finished(new_run), folder, {"a.txt": b"a"})
    with (
        Run(store.reference, "reference", first.manifest).held(),
        pytest.raises(ArtifactError, match="being written by another"),
    ):
        bundle(finished(new_run), folder, {"a.txt": b"b"})
    assert set(store.find(SHELF, command="toy train", name="reference").verify().values()) == {"ok"}


def test_what_an_earlier_manifest_names_outside_its_folder_is_not_removed(
    new_run: NewRun, store: Store
) -> None:
    folder = store.reference.joinpath(*SHELF)
    precious = store.root / "precious.txt"
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("mine")
    earlier = bundle(finished(new_run), folder, {"a.txt": b"a"})
    earlier.manifest.files |= {str(precious): {"size": 4, "sha256": digest(b"mine")}}
    earlier.manifest.write(folder)
    bundle(finished(new_run), folder, {"a.txt": b"b"})
    assert precious.read_text() == "mine"


def test_a_study_is_never_taken_by_default_and_ships_only_under_a_name(new_run: NewRun, store: Store) -> None:
    ours = finished(new_run)
    study = new_run(is_study=True)
    study.finish({"accuracy": 0.9})
    assert study.manifest.summary == {"study": True, "accuracy": 0.9}
    assert store.find(SHELF, command="toy train").name == ours.name
    assert store.find(SHELF, command="toy train", name=study.name).name == study.name
    with pytest.raises(UsageError, match="is a study"):
        bundle(study, store.reference.joinpath(*SHELF), {})
    assert bundle(study, store.reference.joinpath(*SHELF), {}, "wide").name == "reference/toy/digits/wide"


def steps_of(monkeypatch: pytest.MonkeyPatch, survived: int) -> None:
    """End the process at the next step on the disk after so many."""
    left = [survived]

    def before(step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            return step(*given, **named)

        return counted

    for name in ("replace", "rename", "unlink", "mkdir", "rmdir", "fsync"):
        monkeypatch.setattr(os, name, before(getattr(os, name)))


def test_a_kill_at_any_step_leaves_the_run_before_or_the_new_one_or_a_remedy(
    new_run: NewRun, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.reference.joinpath(*SHELF)
    old, new = (
        {"a.txt": b"a", "old.txt": b"old", "b/c.txt": b"c"},
        {"a.txt": b"new", "new.txt": b"new", "b/c.txt": b"new"},
    )
    bundle(finished(new_run), folder, old)
    bundle(finished(new_run), folder, {"a.txt": b"beside"}, "paper")
    whole, again = shutil.copytree(store.reference, store.root.with_name("whole")), finished(new_run)
    ways: list[str] = []
    for survived in range(200):
        shutil.rmtree(store.reference)
        shutil.copytree(whole, store.reference)
        if (child := os.fork()) == 0:
            steps_of(monkeypatch, survived)
            bundle(again, folder, new)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        left = unfinished(store.reference)
        for command in left.values():
            subprocess.run(shlex.split(command), check=True)
        shipped = store.open("reference/toy/digits")
        held = {name: shipped.read_bytes(name) for name in shipped.manifest.files}
        assert held in (old, new)
        assert (
            set(shipped.verify().values())
            == set(store.open("reference/toy/digits/paper").verify().values())
            == {"ok"}
        )
        assert {each.relative_to(store.reference).as_posix() for each in store.folders()[-2:]} == {
            "toy/digits",
            "toy/digits/paper",
        }
        ways.append(f"{'new' if held == new else 'old'}{', mended' if left else ''}")
        if not os.waitstatus_to_exitcode(status):
            break
        shutil.rmtree(store.reference)
        shutil.copytree(whole, store.reference)
    assert ways[-1] == "new"
    assert set(ways) == {"old", "old, mended", "new, mended", "new"}


def test_what_a_kill_left_is_tidied_up_by_the_next_shipping_and_found_by_verify(
    new_run: NewRun, store: Store, ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.reference.joinpath(*SHELF)
    bundle(finished(new_run), folder, {"a.txt": b"a"})
    folder.rename(folder.with_name(".digits.old"))
    shutil.copytree(folder.with_name(".digits.old"), folder.with_name(".digits.new"))
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: store.reference)
    outcome = ex3("runs", "verify", "--artifacts", store.root)
    assert (outcome.exit_code, "`ex3 runs ship` was killed" in outcome.stderr) == (4, True)
    assert (
        f"mv {folder.with_name('.digits.old')} {folder} && rm -r {folder.with_name('.digits.new')}"
        in outcome.stderr
    )
    bundle(finished(new_run), folder, {"a.txt": b"again"})
    assert [each.name for each in folder.parent.iterdir()] == ["digits"]
    assert ex3("runs", "verify", "--artifacts", store.root).exit_code == 0
