import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import ex3cli
from ex3cli.errors import ArtifactError
from ex3cli.runs.manifest import Manifest
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store, reference_folder

NewRun = Callable[..., Run]
SHELF = ("toy", "digits")


def ship(store: Store, new_run: NewRun) -> None:
    """Move a finished run to where shipped ones lie."""
    run = new_run(label="shipped")
    run.finish({})
    store.reference.joinpath("toy").mkdir(parents=True)
    run.path.rename(store.reference.joinpath(*SHELF))


def test_takes_the_newest_complete_run_and_never_a_partial_or_failed_one(
    new_run: NewRun, store: Store
) -> None:
    new_run().finish({})
    best = new_run()
    best.finish({}, converged=True)
    new_run().finish({}, partial=True)
    new_run().finish({}, converged=False)
    new_run().mark("interrupted")
    new_run(command="toy eval").finish({})
    new_run(category=("toy", "mnist")).finish({})
    new_run()
    assert store.find(SHELF, command="toy train").name == best.name


def test_where_convergence_counts_an_unjudged_run_is_only_named(new_run: NewRun, store: Store) -> None:
    unjudged = new_run()
    unjudged.finish({})
    new_run().finish({}, converged=False)
    assert store.find(SHELF, command="toy train").name == unjudged.name
    with pytest.raises(ArtifactError, match="no converged run") as caught:
        store.find(SHELF, command="toy train", must_converge=True)
    assert "--run 0001-small" in caught.value.remedy
    converged = new_run()
    converged.finish({}, converged=True)
    new_run().finish({})
    assert store.find(SHELF, command="toy train", must_converge=True).name == converged.name


def test_falls_back_to_the_shipped_run(new_run: NewRun, store: Store) -> None:
    ship(store, new_run)
    found = store.find(SHELF, command="toy train")
    assert found.is_reference
    assert found.name == "reference/toy/digits"
    mine = new_run()
    mine.finish({})
    assert store.find(SHELF, command="toy train").name == mine.name
    assert store.find(SHELF, command="toy train", name="reference").is_reference


def test_the_error_names_how_to_make_a_run_when_there_is_none(store: Store) -> None:
    with pytest.raises(ArtifactError, match="no finished run") as caught:
        store.find(SHELF, command="toy train")
    assert "ex3 toy train" in caught.value.remedy


@pytest.mark.parametrize("form", ["short", "long", "path"])
def test_a_run_is_found_by_short_name_full_name_and_path(new_run: NewRun, store: Store, form: str) -> None:
    run = new_run()
    run.finish({}, partial=True)
    name = {"short": run.path.name, "long": run.name, "path": str(run.path)}[form]
    assert store.find(SHELF, command="toy train", name=name).name == run.name


def test_a_short_name_is_taken_from_another_shelf_only_if_it_is_the_only_one(
    new_run: NewRun, store: Store
) -> None:
    run = new_run(category=("toy", "digits", "round"), label="lone")
    new_run(category=("other", "digits"), label="lone")  # of another feature
    assert store.open("0001-lone", ("toy", "mnist")).path == run.path
    with pytest.raises(ArtifactError, match="name of 2 runs") as caught:
        store.open("0001-lone")
    assert caught.value.remedy == "name one of: other/digits/0001-lone, toy/digits/round/0001-lone"
    # on the category itself
    assert store.open("0001-lone", ("other", "digits")).name == "other/digits/0001-lone"


def test_a_misspelt_name_gets_a_suggestion(new_run: NewRun, store: Store) -> None:
    new_run().finish({})
    with pytest.raises(ArtifactError, match="there is no run") as caught:
        store.open("toy/digits/0001-smull")
    assert caught.value.remedy == "did you mean 'toy/digits/0001-small'?"
    new_run(category=("toy", "mnist"), label="smell").finish({})
    with pytest.raises(ArtifactError, match="there is no run") as caught:
        store.open("0001-smll", SHELF)
    assert caught.value.remedy == "did you mean 'toy/digits/0001-small'?", "of the category asked for"


def test_a_shelf_without_a_shipped_run_is_an_error(store: Store) -> None:
    with pytest.raises(ArtifactError, match="ships no run of toy/digits"):
        store.find(SHELF, command="toy train", name="reference")


def test_a_run_of_another_data_set_is_refused(new_run: NewRun, store: Store) -> None:
    run = new_run(category=("toy", "mnist"))
    run.finish({})
    with pytest.raises(ArtifactError, match="toy/mnist, not of"):
        store.find(SHELF, command="toy train", name=run.name)


def test_an_unfinished_run_is_refused_by_name(new_run: NewRun, store: Store) -> None:
    run = new_run()
    run.mark("interrupted")
    with pytest.raises(ArtifactError, match="is interrupted, not finished"):
        store.find(SHELF, command="toy train", name=run.name)


def test_a_damaged_manifest_on_the_shelf_is_not_passed_over_in_silence(new_run: NewRun, store: Store) -> None:
    new_run().finish({})
    newest = new_run()
    newest.finish({})
    (newest.path / "run.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"0002-small/run\.json is damaged"):
        store.find(SHELF, command="toy train")


def test_many_writers_at_once_get_a_folder_each(store: Store, new_run: NewRun) -> None:
    start = threading.Barrier(8)
    runs: list[Run] = []

    def claim() -> None:
        start.wait()
        runs.append(new_run())

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.path for run in runs}) == 8


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_clear_error(store: Store, new_run: NewRun) -> None:
    store.root.mkdir()
    store.root.chmod(0o500)
    with pytest.raises(ArtifactError, match="cannot write"):
        new_run()


def test_a_file_in_place_of_the_folder_is_one_clear_error(store: Store, new_run: NewRun) -> None:
    store.root.write_text("")
    with pytest.raises(ArtifactError, match="cannot write") as caught:
        new_run()
    assert "--artifacts" in caught.value.remedy


def test_a_label_is_your_newest_run_with_it_or_the_bundled_run_of_that_name(
    store: Store, new_run: NewRun
) -> None:
    ship(store, new_run)
    shelf = store.reference.joinpath(*SHELF)
    shelf.rename(shelf.with_name("aside"))
    shelf.mkdir()
    shelf.with_name("aside").rename(shelf / "paper")
    assert store.open("paper", SHELF).name == "reference/toy/digits/paper"
    for label in ("paper", "paper", "other"):
        new_run(label=label).finish({})
    assert store.open("paper", SHELF).name == "toy/digits/0002-paper", "the newest of yours"
    assert store.open("reference/toy/digits/paper").is_reference


def test_the_shipped_reference_lies_beside_the_package_in_a_checkout_and_inside_it_in_a_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "ex3cli"
    package.mkdir(parents=True)
    monkeypatch.setattr(ex3cli, "__file__", str(package / "__init__.py"))
    assert reference_folder() == tmp_path / "site" / "artifacts" / "reference"
    (package / "_reference").mkdir()
    assert reference_folder() == package / "_reference"


def test_a_run_in_the_folder_of_another_data_set_is_not_taken_by_default(
    new_run: NewRun, store: Store
) -> None:
    mine = new_run()
    mine.finish({})
    stray = new_run(category=("toy", "mnist"))
    stray.finish({})
    stray.path.rename(mine.path.parent / "0002-stray")
    assert store.find(SHELF, command="toy train").name == mine.name


def test_a_run_has_one_name_however_its_folder_is_spelt(
    new_run: NewRun, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    monkeypatch.chdir(store.root.parent)
    relative = Store(Path(store.root.name), reference=store.reference)
    assert (
        relative.open(str(run.path)).name
        == store.open(str(run.path.relative_to(Path.cwd()))).name
        == run.name
    )


def test_a_name_too_long_for_a_file_is_no_run(store: Store) -> None:
    with pytest.raises(ArtifactError, match="there is no run"):
        store.open("a" * 300)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_claim_that_cannot_write_its_manifest_leaves_no_folder(
    new_run: NewRun, store: Store, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    for _ in range(kept):
        new_run()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr("ex3cli.runs.folders.sync_folder", lambda folder: None)
    with pytest.raises(ArtifactError, match="No space left"):
        new_run()
    assert len(list(store.root.joinpath(*SHELF).iterdir())) == kept


def test_a_shelf_that_is_a_link_to_another_disk_is_listed_once(
    new_run: NewRun, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    store.root.mkdir()
    (store.root / "toy").symlink_to(tmp_path / "disk")
    run = new_run()
    (store.root / "toy" / "round").symlink_to(store.root)
    assert store.folders() == [run.path]
    assert [each.name for each in store.runs()] == [run.name]


def test_all_that_ships_is_whole_and_stays_within_its_limit(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [store.open_folder(folder) for folder in store.folders()]
    assert runs
    assert {condition for run in runs for condition in run.verify().values()} == {"ok"}
    files = [path for path in reference_folder().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40_000_000


def test_a_damaged_manifest_of_what_is_shipped_names_how_it_comes_back(new_run: NewRun, store: Store) -> None:
    run = new_run()
    run.finish({})
    shipped = store.reference / "toy/digits"
    shipped.parent.mkdir(parents=True)
    run.path.rename(shipped)
    (shipped / "run.json").write_text("{")
    with pytest.raises(ArtifactError) as caught:
        store.open("reference", ("toy", "digits"))
    assert caught.value.remedy == "restore it from a copy, or reinstall ex3"  # of a checkout: `git checkout`


def test_the_newest_run_is_found_without_opening_those_before_it(
    new_run: NewRun, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        new_run().finish({})
    new_run().finish({}, partial=True)
    # damage that is older changes nothing
    (store.root.joinpath(*SHELF) / "0001-small" / "run.json").write_text("{")
    opened: list[str] = []
    read = Manifest.read

    def reading(folder: Path) -> Manifest:
        opened.append(folder.name)
        return read(folder)

    monkeypatch.setattr(Manifest, "read", reading)
    assert store.find(SHELF, command="toy train").path.name == "0005-small"
    assert opened == ["0006-small", "0005-small"]


def test_a_run_without_a_number_is_compared_by_when_it_began(new_run: NewRun, store: Store) -> None:
    new_run().finish({})
    copied = new_run()
    copied.finish({})
    copied.path.rename(copied.path.with_name("best"))
    assert store.find(SHELF, command="toy train").path.name == "best"
    new_run().finish({})
    assert store.find(SHELF, command="toy train").path.name == "0002-small"


def in_place_of_a_manifest(folder: Path, what: str) -> None:
    (folder / "run.json").unlink()
    if what == "folder":
        (folder / "run.json").mkdir()
    elif what == "pipe":
        os.mkfifo(folder / "run.json")
    elif what == "huge":
        with (folder / "run.json").open("wb") as file:
            file.truncate(20_000_000_000)
    elif what == "loop":
        (folder / "run.json").symlink_to("run.json")


@pytest.mark.parametrize("what", ["nothing", "folder", "pipe", "huge", "loop"])
def test_a_run_whose_manifest_is_gone_does_not_vanish(new_run: NewRun, store: Store, what: str) -> None:
    run = new_run()
    run.write_json("table.json", [1])
    run.finish({})
    in_place_of_a_manifest(run.path, what)
    assert store.folders() == [run.path]
    for name in (run.name, run.path.name, str(run.path), "0001"):
        with pytest.raises(ArtifactError, match=r"0001-small/run\.json cannot be read"):
            store.open(name)
    with pytest.raises(ArtifactError, match="cannot be read"):
        store.find(SHELF, command="toy train")


def test_what_lost_its_manifest_among_shipped_runs_is_found_under_any_name(
    new_run: NewRun, store: Store
) -> None:
    ship(store, new_run)
    (store.reference / "README.md").write_text("What ships.")
    assert store.folders() == [store.reference / "toy/digits"]
    (store.reference / "toy/digits/run.json").unlink()
    (store.reference / "toy/digits/metrics.jsonl.gz").touch()
    assert store.folders() == [store.reference / "toy/digits"]


def test_a_folder_of_the_users_own_is_no_run(new_run: NewRun, store: Store) -> None:
    run = new_run()
    for name in (
        "notes/table.json",
        "toy/digits/2024-photos/dog.jpg",
        "toy/digits/.trash/0001-small/table.json",
        "lost+found/x",
    ):
        (store.root / name).parent.mkdir(parents=True)
        (store.root / name).touch()
    # what a kill leaves between claiming a folder and the first manifest
    (store.root / "toy/digits/0009-small").mkdir()
    (store.root / "toy/digits/0009-small/.lock").touch()
    assert store.folders() == [run.path]


@pytest.mark.parametrize("closed", ["toy", "toy/digits", "toy/digits/0001-small"])
def test_a_folder_that_may_not_be_entered_is_named_and_not_passed_over(
    new_run: NewRun, store: Store, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    new_run().finish({})
    place = store.root / closed

    def closing(plain: Callable[..., object], below: bool) -> Callable[..., object]:
        def call(path: object, *words: object, **named: object) -> object:
            here = Path(str(path))
            if place in here.parents or (here == place and not below):
                raise PermissionError(errno.EACCES, "Permission denied")
            return plain(path, *words, **named)

        return call

    # who runs the tests as root may look everywhere
    monkeypatch.setattr(os, "scandir", closing(os.scandir, below=False))
    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, closing(getattr(os, name), below=True))
    assert store.folders() == [place]
    for look in (lambda: store.open_folder(place), lambda: store.find(SHELF, command="toy train")):
        with pytest.raises(ArtifactError, match="Permission denied"):
            look()


def test_the_beginning_of_a_name_suffices_where_one_run_has_it(new_run: NewRun, store: Store) -> None:
    first, second = new_run(), new_run(label="round")
    new_run(category=("other", "digits"))
    assert store.open("0002").path == second.path
    assert store.open("toy/digits/0001").path == first.path
    assert store.open("0001", SHELF).path == first.path
    with pytest.raises(ArtifactError, match="'0001' begins the names of 2 runs") as caught:
        store.open("0001")
    assert caught.value.remedy == "name one of: other/digits/0001-small, toy/digits/0001-small"


def test_of_many_runs_the_nearest_are_named(new_run: NewRun, store: Store) -> None:
    for _ in range(12):
        new_run()
    for name in ("zzz", "toy"):
        with pytest.raises(ArtifactError) as caught:
            store.open(name)
        assert caught.value.remedy.count("toy/digits/") == 5
