import errno
import fcntl
import json
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from ex3cli.classifier.config import ClassifierConfig
from ex3cli.errors import ArtifactError, UsageError
from ex3cli.runs import files
from ex3cli.runs.files import note_once
from ex3cli.runs.jsonio import digest, to_json
from ex3cli.runs.lock import WRITER_NAME
from ex3cli.runs.manifest import Manifest
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

mpl.use("agg")
NewRun = Callable[..., Run]


def fill(run: Run) -> Run:
    """A small run with a file of every kind that commands load."""
    run.write_tensors(
        "weights.safetensors", {"w": torch.arange(4.0), "half": torch.ones(2, dtype=torch.float16)}
    )
    run.write_estimator("svm.skops", SVC(C=3.0).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]))
    run.write_json("tables/table.json", {"accuracy": 0.5})
    run.metrics.append({"step": 1, "loss": 2.0})
    run.finish({"loss": 2.0})
    return run


def test_what_is_written_is_read_back(new_run: NewRun, store: Store) -> None:
    written = fill(new_run())
    run = store.open(written.name)
    assert run.manifest.state == "finished"
    assert set(run.manifest.files) == {
        "weights.safetensors",
        "svm.skops",
        "tables/table.json",
        "metrics.jsonl",
    }
    tensors = run.read_tensors("weights.safetensors")
    assert torch.equal(tensors["w"], torch.arange(4.0))
    assert tensors["half"].dtype == torch.float16
    svm = run.read_estimator("svm.skops")
    assert svm.C == 3.0
    assert svm.predict([[2.9]]).tolist() == [1]
    assert run.read_json("tables/table.json") == {"accuracy": 0.5}
    assert run.metrics.rows() == [{"loss": 2.0, "step": 1}]
    assert set(run.verify().values()) == {"ok"}


LOADERS = {
    "run.json": lambda store, run: store.open(run.name),
    "weights.safetensors": lambda store, run: run.read_tensors("weights.safetensors"),
    "svm.skops": lambda store, run: run.read_estimator("svm.skops"),
    "tables/table.json": lambda store, run: run.read_json("tables/table.json"),
    "metrics.jsonl": lambda store, run: run.read_bytes("metrics.jsonl"),
}


@pytest.fixture(scope="module")
def finished() -> tuple[Store, Run]:
    root = Path(tempfile.mkdtemp())
    store = Store(root / "artifacts", reference=root / "reference")
    run = store.new_run(("toy",), label="small", command="toy train", config={}, seed=0, argv=["ex3", "toy"])
    return store, fill(run)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(sorted(LOADERS)),
    position=st.floats(0, 1, exclude_max=True),
    flip=st.integers(1, 255),
)
def test_any_changed_byte_is_found_before_use_and_named(
    finished: tuple[Store, Run], file: str, position: float, flip: int
) -> None:
    store, run = finished
    path = run.path / file
    original = path.read_bytes()
    altered = bytearray(original)
    altered[int(position * len(altered))] ^= flip
    try:
        path.write_bytes(altered)
        with pytest.raises(ArtifactError) as caught:
            LOADERS[file](store, run)
        assert str(path) in caught.value.cause
        assert caught.value.exit_code == 4
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize("file", ["weights.safetensors", "svm.skops"])
def test_a_pickle_with_a_matching_digest_is_refused_unloaded(
    new_run: NewRun, store: Store, file: str
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (pytest.fail, ("the pickle was loaded",))

    run = new_run()
    run.write_bytes(file, pickle.dumps(Bomb()))
    run.finish({})
    loaders = {"weights.safetensors": run.read_tensors, "svm.skops": run.read_estimator}
    with pytest.raises(ArtifactError, match="looks like a pickle"):
        loaders[file](file)


def test_a_torch_archive_is_refused_unloaded(new_run: NewRun, tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1)}, tmp_path / "w.pt")
    run = new_run()
    run.write_bytes("svm.skops", (tmp_path / "w.pt").read_bytes())
    run.finish({})
    with pytest.raises(ArtifactError, match="looks like a pickle"):
        run.read_estimator("svm.skops")


def test_a_truncated_or_missing_file_is_named(new_run: NewRun) -> None:
    run = fill(new_run())
    path = run.path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"weights\.safetensors does not match"):
        run.read_tensors("weights.safetensors")
    path.unlink()
    with pytest.raises(ArtifactError, match=r"weights\.safetensors cannot be read"):
        run.read_tensors("weights.safetensors")
    assert run.verify()["weights.safetensors"] == "missing"


def test_files_that_no_manifest_names_are_reported_and_not_read(new_run: NewRun, tmp_path: Path) -> None:
    run = fill(new_run())
    (run.path / "extra.json").write_text("{}")
    os.mkfifo(run.path / "pipe.png")
    (run.path / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    (run.path / "nowhere").symlink_to(tmp_path / "missing")
    conditions = run.verify()
    extra = {name for name, condition in conditions.items() if condition == "unknown"}
    assert extra == {"extra.json", "pipe.png", "elsewhere", "nowhere"}
    with pytest.raises(ArtifactError, match=r"has no file extra\.json"):
        run.read_json("extra.json")


@pytest.mark.parametrize(
    "outside", ["../other.json", "/etc/passwd", "", ".", "a/../../b", "..\\b", "run.json"]
)
def test_a_manifest_cannot_point_outside_its_folder(new_run: NewRun, store: Store, outside: str) -> None:
    run = new_run()
    run.finish({})
    run.manifest.files[outside] = {"size": 0, "sha256": digest(b"")}
    run.manifest.write(run.path)
    with pytest.raises(ArtifactError, match=r"run\.json is damaged"):
        store.open(run.name)


@pytest.mark.parametrize("outside", ["../other.json", "/etc/passwd", ""])
def test_a_run_writes_and_reads_nothing_outside_its_folder(new_run: NewRun, outside: str) -> None:
    run = new_run()
    with pytest.raises(ArtifactError, match="outside the run folder"):
        run.write_bytes(outside, b"")
    with pytest.raises(ArtifactError, match="outside the run folder"):
        run.read_bytes(outside)


def test_a_manifest_of_another_schema_is_refused(new_run: NewRun) -> None:
    run = fill(new_run())
    content = json.loads((run.path / "run.json").read_text()) | {"schema": 99}
    (run.path / "run.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="schema 99"):
        Manifest.read(run.path)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b'{"schema": 1}'])
def test_anything_else_in_place_of_a_manifest_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"run\.json"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"files": [1]},
        {"files": {"weights.safetensors": 3}},
        {"config": [1]},
        {"category": "abc"},
        {"started": None},
        {"summary": []},
        {"argv": None},
        {"argv": [1]},
        {"versions": None},
        {"git": 3},
        {"seed": "0"},
        {"seed": True},
        {"threads": 1.5},
        {"partial": 1},
        {"converged": "yes"},
        {"state": "odd"},
        {"ended": 3},
        {"schema": True},
        {"category": []},
        {"seed": 2**64},
        {"config": {"width": [10**400]}},
        {"extra": 1},
        {"data": {"a": 1}},
        {"files": {"a": {"size": "1", "sha256": ""}}},
    ],
    ids=str,
)
def test_a_manifest_with_a_right_digest_and_wrong_types_is_damage(
    new_run: NewRun, change: dict[str, object]
) -> None:
    run = fill(new_run())
    content = json.loads((run.path / "run.json").read_text()) | change
    del content["digest"]
    signed = content | {"digest": digest(to_json(content, indent=None).encode())}
    (run.path / "run.json").write_text(to_json(signed) + "\n")
    with pytest.raises(ArtifactError, match=r"run\.json is damaged"):
        Manifest.read(run.path)


def test_a_run_being_written_cannot_be_taken_by_a_second_writer(new_run: NewRun, store: Store) -> None:
    run = new_run()
    with pytest.raises(ArtifactError, match="being written by another"):
        store.open(run.name).reopen({"width": 2})


def test_resuming_under_another_configuration_names_each_difference(new_run: NewRun, store: Store) -> None:
    run = new_run(config={"width": 2, "rate": 0.1, "same": [1]})
    run.mark("interrupted", "SIGINT")
    with pytest.raises(UsageError) as caught:
        store.open(run.name).reopen({"width": 3, "rate": 0.1, "same": (1,), "fresh": True})
    assert "width: 2 there, 3 now" in caught.value.cause
    assert "fresh: None there, True now" in caught.value.cause
    assert "rate" not in caught.value.cause
    assert "same" not in caught.value.cause


def test_a_finished_run_is_not_resumed(new_run: NewRun, store: Store) -> None:
    run = fill(new_run())
    with pytest.raises(UsageError, match="is finished"):
        store.open(run.name).reopen({"width": 2})


def test_a_file_that_the_training_did_not_write_is_not_sealed_as_its_own(new_run: NewRun) -> None:
    run = new_run()
    run.write_json("mine.json", {})
    for foreign in ("foreign.png", "metrics.jsonl"):
        (run.path / foreign).write_bytes(b"foreign")
    os.mkfifo(run.path / "pipe.png")
    run.mark("interrupted")
    run.reopen({"width": 2})
    run.finish({})
    assert set(run.manifest.files) == {"mine.json"}
    assert run.verify() == dict.fromkeys(["foreign.png", "metrics.jsonl", "pipe.png"], "unknown") | {
        "mine.json": "ok"
    }


def test_a_checkpoint_that_a_kill_left_in_a_finished_run_is_removed_at_the_next_resume(
    new_run: NewRun, store: Store
) -> None:
    run = fill(new_run())
    (checkpoint := run.path / "checkpoint").mkdir()
    (checkpoint / "state.safetensors").write_bytes(b"1")
    with pytest.raises(UsageError, match="is finished"):
        store.open(run.name).reopen({"width": 2})
    assert not checkpoint.exists()


def test_a_folder_in_place_of_the_lock_is_named(new_run: NewRun, store: Store) -> None:
    run = new_run()
    run.mark("interrupted")
    (run.path / ".lock").unlink(missing_ok=True)
    (run.path / ".lock").mkdir()
    with pytest.raises(ArtifactError, match=r"cannot write .*/\.lock: Is a directory"):
        store.open(run.name).claim()


def test_an_interrupted_run_is_reopened_as_running(new_run: NewRun, store: Store) -> None:
    run = new_run()
    run.mark("interrupted", "SIGINT")
    reopened = store.open(run.name).reopen({"width": 2})
    assert store.open(run.name).manifest.state == "running"
    reopened.finish({})


@pytest.mark.draws
def test_equal_figures_have_equal_bytes(new_run: NewRun) -> None:
    from matplotlib.figure import Figure

    def draw() -> Figure:
        figure = Figure()
        figure.subplots().plot([0, 1])
        return figure

    run = new_run()
    first = [path.read_bytes() for path in run.write_figure("figures/line", draw(), svg=True)]
    second = [path.read_bytes() for path in run.write_figure("figures/again", draw(), svg=True)]
    assert first == second
    assert first[0].startswith(b"\x89PNG")


def test_a_resume_sees_what_another_process_did_since_the_run_was_opened(
    new_run: NewRun, store: Store
) -> None:
    run = new_run()
    run.mark("interrupted")
    late = store.open(run.name)
    store.open(run.name).reopen({"width": 2}).finish({"loss": 1.0})
    with pytest.raises(UsageError, match="is finished"):
        late.reopen({"width": 2})
    assert store.open(run.name).manifest.state == "finished"
    assert store.open(run.name).claim()  # the refused one holds nothing


def test_a_run_resumed_and_killed_is_not_called_altered(new_run: NewRun, store: Store) -> None:
    run = new_run()
    run.metrics.append({"step": 1})
    run.mark("interrupted")
    resumed = store.open(run.name).reopen({"width": 2})
    resumed.metrics.append({"step": 1}, {"step": 2})  # and here it is killed
    assert "altered" not in store.open(run.name).verify().values()


def test_a_file_changed_while_the_run_was_stopped_is_named_and_not_sealed(
    new_run: NewRun, store: Store
) -> None:
    run = new_run()
    path = run.write_text("table.csv", "a,b")
    run.mark("interrupted")
    path.write_text("a,c")
    with pytest.raises(ArtifactError, match=r"table\.csv is altered"):
        store.open(run.name).reopen({"width": 2})


def test_a_resume_clears_away_what_a_kill_left_half_written(new_run: NewRun, store: Store) -> None:
    run = new_run()
    run.mark("interrupted")
    (run.path / "figures").mkdir()
    (run.path / "figures" / ".line.png.0123abcd.tmp").write_text("half")
    store.open(run.name).reopen({"width": 2}).finish({})
    assert not list(run.path.rglob("*.tmp"))


def test_a_history_that_something_else_wrote_into_is_not_sealed(new_run: NewRun) -> None:
    run = new_run()
    run.metrics.append({"step": 1})
    run.metrics.path.unlink()
    run.metrics.append({"step": 2})
    with pytest.raises(ArtifactError, match=r"metrics\.jsonl is damaged"):
        run.finish({})


def test_a_history_is_read_back_verified(new_run: NewRun) -> None:
    run = new_run()
    assert run.read_history() == []
    run.metrics.append({"step": 1}, {"step": 2})
    run.finish({})
    assert run.read_history() == [{"step": 1}, {"step": 2}]
    run.metrics.path.write_text('{"step": 1}\n')
    with pytest.raises(ArtifactError, match="does not match the SHA-256"):
        run.read_history()


@pytest.mark.parametrize("line", ["{", "[1]", "[" * 100_000])
def test_a_recorded_history_that_is_no_json_is_damage(new_run: NewRun, line: str) -> None:
    run = new_run()
    run.write_text("metrics.jsonl", line + "\n")
    run.finish({})
    with pytest.raises(ArtifactError, match=r"metrics\.jsonl does not hold a JSON object on each line"):
        run.read_history()


def test_a_recorded_file_that_is_no_json_is_damage(new_run: NewRun) -> None:
    run = new_run()
    run.write_text("table.json", "{")
    run.finish({})
    with pytest.raises(ArtifactError, match=r"table\.json is not JSON"):
        run.read_json("table.json")


def test_a_file_that_cannot_be_read_is_a_condition_and_no_surprise(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fill(new_run())

    def refuse(path: Path) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "size_of", refuse)
    assert set(run.verify().values()) == {"unreadable"}


def test_finishing_leaves_a_linked_checkpoint_folder_and_what_it_links_to_alone(
    new_run: NewRun, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    run = new_run()
    (run.path / "checkpoint").symlink_to(precious)
    run.finish({})
    assert run.manifest.state == "finished"
    assert (precious / "thesis.txt").read_text() == "mine"


def test_a_setting_of_a_later_version_is_damage_and_names_the_run(new_run: NewRun) -> None:
    run = new_run(config={"dataset": "digits", "seed": 0, "width": 8, "wings": 2})
    with pytest.raises(ArtifactError, match=r"0001-small/run\.json: .*no setting 'wings'") as caught:
        run.settings(ClassifierConfig)
    assert "version of ex3" in caught.value.remedy


def safetensors_of(kind: str, size: int) -> bytes:
    header = json.dumps({"w": {"dtype": kind, "shape": [2], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


@pytest.mark.parametrize(
    ("kind", "size"), [("F4", 1), ("F8_E8M0", 2), ("F8_E4M3", 2), ("C64", 16), ("NONE", 2)]
)
def test_tensors_of_a_type_that_ex3_never_writes_are_damage(new_run: NewRun, kind: str, size: int) -> None:
    run = new_run()
    run.write_bytes("w.safetensors", safetensors_of(kind, size))
    run.finish({})
    with pytest.raises(ArtifactError, match=r"w\.safetensors is not a safetensors file"):
        run.read_tensors("w.safetensors")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_damage(new_run: NewRun, bad: float) -> None:
    run = new_run()
    run.write_tensors(
        "w.safetensors", {"good": torch.ones(2, dtype=torch.uint8), "bad": torch.tensor([1.0, bad])}
    )
    run.finish({})
    assert run.read_tensors("w.safetensors")["bad"][0] == 1.0
    with pytest.raises(ArtifactError, match="non-finite numbers, in bad"):
        run.read_tensors("w.safetensors", finite=True)


def test_who_writes_a_run_is_named_and_the_way_out(new_run: NewRun, store: Store) -> None:
    run = new_run()
    with pytest.raises(
        ArtifactError, match=rf"another ex3 \(process {os.getpid()} on .+, since 20"
    ) as caught:
        store.open(run.name).claim()
    assert caught.value.remedy.endswith(f"if that process has ended, remove {run.path / '.lock'}")
    (run.path / ".writer").write_text("\x1b[2J")
    with pytest.raises(ArtifactError, match=r"another ex3$"):
        store.open(run.name).claim()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS])
def test_where_there_are_no_locks_a_run_is_written_with_one_warning(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    note_once.cache_clear()
    new_run().finish({})
    again = new_run()
    again.mark("interrupted")
    again.reopen({"width": 2}).finish({})
    assert [record.message for record in caplog.records] == [
        f"note: this file system has no locks ({os.strerror(number)}): let no two commands write the same "
        "run at once"
    ]


def test_the_note_of_the_writer_replaces_a_link_and_a_pipe(new_run: NewRun, tmp_path: Path) -> None:
    (precious := tmp_path / "precious.txt").write_text("mine")
    run = new_run()
    run.mark("interrupted")
    writer = run.path / WRITER_NAME
    for put in (lambda: writer.symlink_to(precious), lambda: os.mkfifo(writer)):
        writer.unlink()
        put()
        reopened = Run(run.path, run.name, Manifest.read(run.path)).reopen({"width": 2})
        assert "process" in writer.read_text()
        reopened.mark("interrupted")
    assert precious.read_text() == "mine"
