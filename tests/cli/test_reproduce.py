"""`ex3 runs reproduce`: the same command once more, in a folder of its own, held against the run file by
file.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from ex3cli.cli import app
from ex3cli.cli.command import call
from ex3cli.cli.context import Context
from ex3cli.cli.report import own_command
from ex3cli.cli.runs import repeat
from ex3cli.config import Config
from ex3cli.errors import ArtifactError, InterruptedTrainingError, MissingRunError
from ex3cli.runs.environment import differing_environment
from ex3cli.runs.manifest import FILE_NAME, Manifest, without
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

Ex3 = Callable[..., Any]
TINY = (
    "gan",
    "train",
    "--dataset",
    "digits",
    "--width",
    "4",
    "--batch-size",
    "16",
    "--iterations",
    "6",
    "--seed",
    "3",
    "--precision",
    "float32",
)
MODEL = (
    "vae",
    "train",
    "--dataset",
    "digits",
    "--preset",
    "paper",
    "--hidden",
    "8",
    "--latent-dim",
    "4",
    "--epochs",
    "1",
    "--iwae-images",
    "20",
    "--iwae-samples",
    "2",
)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another person's artifacts folder: a training of a VAE, an SVM's table of it, a GAN, all on digits."""
    from typer.testing import CliRunner

    from ex3cli.cli import app

    root = tmp_path_factory.mktemp("student") / "artifacts"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    for words in (
        MODEL,
        (
            "vae",
            "eval",
            "--dataset",
            "digits",
            "--run",
            "0001-paper",
            "--labels",
            "100",
            "--draws",
            "2",
            "--no-baselines",
        ),
        TINY,
    ):
        made = CliRunner().invoke(app, [*words, "--artifacts", str(root), "--quiet"])
        assert made.exit_code == 0, made.stderr
    torch.set_num_threads(before)
    return root


@pytest.fixture
def theirs(student: Path, tmp_path: Path) -> Path:
    """A copy of that folder, beside the folder that the commands run in."""
    return Path(shutil.copytree(student, tmp_path / "theirs"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


def forge(folder: Path, relative: str, data: bytes) -> None:
    """Replace a file of a run, and make all digests true again: what anyone can do in twelve lines."""
    from ex3cli.runs.jsonio import digest

    (folder / relative).write_bytes(data)
    manifest = Manifest.read(folder)
    manifest.files[relative] = {"size": len(data), "sha256": digest(data)}
    manifest.write(folder)


def test_a_training_made_again_is_the_same_bit_for_bit_and_nothing_stays_behind(
    ex3: Ex3, theirs: Path
) -> None:
    before = contents(theirs)
    outcome = ex3("runs", "reproduce", theirs / "gan/digits/dcgan/0001-quick", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    (result,) = outcome.document["runs"]
    assert (result["same"], result["differing"], result["made_with"]) == (True, [], {})
    assert contents(theirs) == before
    named = Path(outcome.stderr.split("temporary folder ")[1].split(",")[0])
    assert not named.exists()
    assert not Path("artifacts").exists()


def test_what_was_computed_from_another_persons_runs_is_made_again_in_a_folder_of_ones_own(
    ex3: Ex3, theirs: Path
) -> None:
    ex3(*MODEL, "--artifacts", theirs, "--seed", 1, "--quiet")  # newer, and not what the table is of
    before = contents(theirs)
    assert "theirs" not in Manifest.read(theirs / "vae/digits/0002-eval").argv
    outcome = ex3("runs", "reproduce", theirs / "vae/digits/0002-eval", "--into", "mine", "--json", "--quiet")
    assert outcome.exit_code == 0, outcome.stderr
    (result,) = outcome.document["runs"]
    assert (result["repeated"], result["same"], result["made_with"]) == (
        "mine/vae/digits/0001-eval",
        True,
        {},
    )
    assert (contents(theirs), outcome.stderr) == (before, "")
    assert (
        Manifest.read(Path("mine/vae/digits/0001-eval")).files
        == Manifest.read(theirs / "vae/digits/0002-eval").files
    )


def test_a_forged_result_differs_though_a_forged_twin_lies_beside_it(ex3: Ex3, theirs: Path) -> None:
    folder = theirs / "vae/digits/0002-eval"
    table = json.loads((folder / "table.json").read_bytes())
    for row in table["results"]:
        row["accuracy_mean"] += 0.05
    forge(folder, "table.json", json.dumps(table).encode())
    forge(folder, "figures/accuracy.svg", b"<svg/>")
    shutil.copytree(folder, theirs / "vae/digits/0003-eval")
    assert ex3("runs", "verify", folder).exit_code == 0  # digests are not signed
    outcome = ex3("runs", "reproduce", folder, "--json")
    assert outcome.exit_code == 4
    (result,) = outcome.document["runs"]
    assert result["same"] is False
    # results first
    assert [each["file"] for each in result["differing"]] == ["table.json", "figures/accuracy.svg"]
    assert result["differing"][0]["largest_difference"] == pytest.approx(0.05)
    assert "differs from its repetition: table.json and 1 more" in outcome.stderr
    assert "do not trust this run" in outcome.stderr


def test_nothing_is_taken_that_lies_in_the_folder_for_repetitions(ex3: Ex3, theirs: Path) -> None:
    folder = theirs / "vae/digits/0002-eval"
    forge(folder, "table.csv", b"labels\n")
    shutil.copytree(folder, Path("mine/vae/digits/0001-eval"))
    (result,) = ex3("runs", "reproduce", folder, "--into", "mine", "--json").document["runs"]
    assert (result["repeated"], result["same"]) == ("mine/vae/digits/0002-eval", False)


@pytest.mark.parametrize("into", ["theirs", "theirs/below", "."])
def test_the_folder_under_examination_is_no_folder_for_repetitions(ex3: Ex3, theirs: Path, into: str) -> None:
    before = contents(theirs)
    outcome = ex3("runs", "reproduce", theirs / "gan/digits/dcgan/0001-quick", "--into", into)
    assert outcome.exit_code == (0 if into == "." else 2)
    assert contents(theirs) == before


def test_a_source_that_is_not_as_it_was_is_refused(ex3: Ex3, theirs: Path) -> None:
    forge(theirs / "vae/digits/0001-paper", "metrics.jsonl", b"")
    outcome = ex3("runs", "reproduce", theirs / "vae/digits/0002-eval")
    assert outcome.exit_code == 4
    assert "was computed from vae/digits/0001-paper, now missing or changed" in outcome.stderr
    assert str(theirs) in outcome.stderr


def test_threads_seed_settings_attempts_and_precision_are_those_of_the_manifest(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever today's defaults and the command line's spelling of them."""
    config = {
        "dataset": "digits",
        "seed": 3,
        "learning_rate": 0.125,
        "conditional": False,
        "width": 4,
        "precision": "auto",
    }
    summary = {"precision": "bfloat16", "max_attempts": 7}  # raised when it was resumed
    original = finished(store, config=config, threads=2, summary=summary)
    seen: dict[str, Any] = {}

    class Stop(Exception):  # noqa: N818
        pass

    def stop(*_: Any, **__: Any) -> None:
        raise Stop

    plain = repeat.Repetition._prepare

    def prepare(self: Any, outer: Context, context: Context, kind: type[Config] | None) -> dict[str, Any]:
        own = plain(self, outer, context, kind)
        seen.update(vars(context), own=own, threads=torch.get_num_threads())
        raise Stop

    monkeypatch.setattr(repeat.Repetition, "_prepare", prepare)
    before = torch.get_num_threads()
    with pytest.raises(Stop):
        repeat.Repetition(original, [], tmp_path / "into").make(
            Context(argv=[], program=typer.main.get_command(app))
        )
    assert torch.get_num_threads() == before
    assert (seen["threads"], seen["seed"], seen["dataset"], seen["device"]) == (2, 3, "digits", "cpu")
    assert seen["artifacts"] == tmp_path / "into"
    assert seen["own"] == {"max_attempts": 7}
    settings = seen["config"].to_dict()
    assert {
        name: settings[name] for name in ("learning_rate", "conditional", "width", "iterations", "precision")
    } == {
        "learning_rate": 0.125,
        "conditional": False,
        "width": 4,
        "iterations": 6,
        "precision": "bfloat16",
    }


def finished(store: Store, *, summary: dict[str, Any] | None = None, **given: Any) -> Run:
    """A finished run of `gan train` that holds nothing."""
    words: dict[str, Any] = {
        "label": "odd",
        "command": "gan train",
        "config": {},
        "seed": 3,
        "argv": ["ex3", *TINY],
        "threads": 1,
    }
    run = store.new_run(given.pop("category", ("gan", "digits", "dcgan")), **{**words, **given})
    run.finish(summary or {})
    return run


def test_every_shipped_training_is_carried_out_with_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Config] = []

    def prepare(self: Any, outer: Context, context: Context, kind: type[Config] | None) -> dict[str, Any]:
        plain(self, outer, context, kind)
        seen.append(context.config)
        raise ArtifactError("seen", "")

    plain = repeat.Repetition._prepare
    monkeypatch.setattr(repeat.Repetition, "_prepare", prepare)
    store = Store(tmp_path / "artifacts")
    shipped = [store.open_folder(folder) for folder in store.folders()]
    trainings = [run for run in shipped if run.manifest.command.endswith(" train")]
    assert len(trainings) >= 10
    for run in trainings:
        sources = repeat.checked_sources(Context(argv=[], program=typer.main.get_command(app)), run)
        assert {each.name for each in sources} == set(run.manifest.source_runs)
        with pytest.raises(ArtifactError, match="seen"):
            repeat.Repetition(run, sources, tmp_path / "into").make(
                Context(argv=[], program=typer.main.get_command(app))
            )
        config = json.loads(json.dumps(seen.pop().to_dict()))
        stored = {
            name: value
            for name, value in run.manifest.config.items()
            if name in config and name != "precision"
        }
        assert len(stored) > 5
        assert {name: config[name] for name in stored} == stored, run.name
        if "precision" in run.manifest.summary:
            assert config["precision"] == run.manifest.summary["precision"]


@pytest.mark.parametrize(
    ("command", "argv", "code", "words"),
    [
        (
            "gan train",
            ["ex3", "gan", "train", "--dataset", "digits", "--kind", "wgn"],
            2,
            "'wgn' is unknown",
        ),
        ("gan train", ["ex3", "gan", "train", "--no-such"], 2, "No such option"),
        ("runs ship", ["ex3", "runs", "ship", "gan/digits/dcgan/0001-odd"], 4, "has an invalid command line"),
        ("gan train", ["ex3", "runs", "ship", "gan/digits/dcgan/0001-odd"], 4, "has an invalid command line"),
        ("lab presets", ["ex3", "lab", "presets"], 4, "created no run"),
        ("gan train", ["ex3", "gan", "train", "--help"], 2, "does not create a run"),
        ("complexity", ["ex3", "complexity"], 2, "the time and memory of this machine"),
    ],
)
def test_a_manifest_whose_command_cannot_be_carried_out(
    ex3: Ex3, store: Store, command: str, argv: list[str], code: int, words: str
) -> None:
    outcome = ex3("runs", "reproduce", finished(store, command=command, argv=argv).name)
    assert (outcome.exit_code, words in outcome.stderr) == (code, True), outcome.stderr


@pytest.mark.parametrize(("name", "value"), [("width", "many"), ("invented", 3)])
def test_a_stored_setting_that_this_version_cannot_use_is_named_with_its_run(
    ex3: Ex3, store: Store, name: str, value: object
) -> None:
    run = finished(
        store, command="gan train", argv=["ex3", "gan", "train", "--dataset", "digits"], config={name: value}
    )
    outcome = ex3("runs", "reproduce", run.name)
    assert outcome.exit_code == 4
    assert name in outcome.stderr
    assert f"{run.name}/run.json: " in outcome.stderr


def test_one_that_cannot_be_made_hides_no_other(
    ex3: Ex3, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(theirs)
    bad = finished(store, argv=["ex3", "gan", "train", "--dataset", "digits", "--kind", "wgn"])
    torn = finished(store)
    torn.write_text("notes.txt", "whole")
    torn.finish({})
    (torn.path / "notes.txt").write_text("torn")
    good = store.open("gan/digits/dcgan/0001-quick")
    damage = ArtifactError("run.json is damaged", "restore it")
    monkeypatch.setattr(
        "ex3cli.cli.runs.reproduce._shipped_trainings",
        lambda _: ([bad, torn, good], {"reference/gone": damage}),
    )
    outcome = ex3("runs", "reproduce", "--into", "mine", "--json")
    assert outcome.exit_code == 4
    gone, failed, altered, made = outcome.document["runs"]
    assert gone == {"run": "reference/gone", "repeated": None, "same": None, "error": "run.json is damaged"}
    assert (failed["run"], failed["repeated"], "'wgn'" in failed["error"]) == (bad.name, None, True)
    assert (altered["run"], altered["repeated"], "SHA-256" in altered["error"]) == (torn.name, None, True)
    assert (made["repeated"], made["same"]) == ("mine/gan/digits/dcgan/0001-quick", True)


def test_all_shipped_trainings_need_a_folder_that_stays(
    ex3: Ex3, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = ex3("runs", "reproduce")
    assert (outcome.exit_code, "ex3 runs reproduce --into artifacts" in outcome.stderr) == (2, True)
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: store.reference)
    nothing = ex3("runs", "reproduce", "--into", "artifacts")
    assert (nothing.exit_code, "there are no bundled trainings" in nothing.stderr) == (4, True)
    folder = store.reference / "gan/digits/dcgan"
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_text("{")
    damaged = ex3("runs", "reproduce", "--into", "artifacts", "--json")
    (result,) = damaged.document["runs"]
    assert (damaged.exit_code, result["run"], result["same"]) == (4, "reference/gan/digits/dcgan", None)


@pytest.fixture
def shipped(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The only training that ex3 ships."""
    original = Store(theirs).open("gan/digits/dcgan/0001-quick")
    monkeypatch.setattr("ex3cli.cli.runs.reproduce._shipped_trainings", lambda _: ([original], {}))
    return original


def test_a_repetition_that_was_interrupted_is_resumed_and_a_finished_one_taken(
    ex3: Ex3, shipped: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all shipped trainings are made again, which takes hours: the same command as often as need be."""
    from ex3cli.training.interruption import GracefulStop

    plain = GracefulStop.__enter__

    def stop_at_once(self: GracefulStop) -> GracefulStop:
        plain(self)
        self.request()
        return self

    everything = ("runs", "reproduce", "--into", "mine", "--json")
    with monkeypatch.context() as patched:
        patched.setattr(GracefulStop, "__enter__", stop_at_once)
        stopped = ex3(*everything)
    assert (stopped.exit_code, "the same command resumes" in stopped.stderr) == (130, True), stopped.stderr
    other = Store(Path("mine")).open("gan/digits/dcgan/0001-quick")
    assert other.manifest.state == "interrupted"
    resumed = ex3(*everything)
    assert (resumed.exit_code, "resuming mine/gan/digits/dcgan/0001-quick" in resumed.stderr) == (0, True), (
        resumed.stderr
    )
    (result,) = resumed.document["runs"]
    assert (result["repeated"], result["same"]) == ("mine/gan/digits/dcgan/0001-quick", True)
    again = ex3(*everything)
    assert again.document["runs"] == resumed.document["runs"]
    assert [each.name for each in Path("mine/gan/digits/dcgan").iterdir()] == ["0001-quick"]
    named = ex3("runs", "reproduce", shipped.path, "--into", "mine", "--json").document["runs"]
    # one that is named is always made in the call
    assert named[0]["repeated"] == "mine/gan/digits/dcgan/0002-quick"


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        ({}, True),
        ({"threads": 2}, False),
        ({"config": {"learning_rate": 0.5}}, False),
        ({"device": "cuda:0"}, False),
        ({"sources": {"c": "d"}}, False),
        ({"more": ["--max-attempts", "2"]}, False),
    ],
)
def test_a_run_made_otherwise_is_no_repetition(
    ex3: Ex3, shipped: Run, other: dict[str, Any], taken: bool
) -> None:
    manifest = shipped.manifest
    there = shutil.copytree(shipped.path, Path("mine/gan/digits/dcgan/0001-quick"))
    argv = [*without(manifest.argv), *other.get("more", [])]
    config = {**manifest.config, "precision": manifest.summary["precision"], **other.get("config", {})}
    changes = {name: value for name, value in other.items() if name not in ("more", "config")}
    replace(manifest, argv=argv, config=config, **changes).write(there)
    (result,) = ex3("runs", "reproduce", "--into", "mine", "--json").document["runs"]
    assert result["repeated"] == f"mine/gan/digits/dcgan/000{1 if taken else 2}-quick"


def test_look_ups_find_the_sources_and_nothing_else(store: Store, tmp_path: Path) -> None:
    """Whatever has been made since, and in the folder for repetitions."""
    sources = [finished(store), finished(store, category=("gan", "digits", "wgan"))]
    finished(store).finish({}, converged=True)  # newer, and it is what a command would take
    into = Store(tmp_path / "into")
    finished(into)
    narrow = repeat.SourcesStore(into.root, sources, lists_sources=True)
    for source in sources:
        assert narrow.find(source.manifest.category, command="gan train", must_converge=True) is source
        for name in (source.name, str(source.path), source.path.name):
            assert narrow.open(name, source.manifest.category) is source
    assert (
        [narrow.open_folder(each) for each in narrow.folders()] == sources == narrow.runs(("gan", "digits"))
    )
    with pytest.raises(MissingRunError):
        narrow.find(("classifier", "digits"), command="classifier train")
    assert narrow.open("reference/vae/mnist").is_reference
    assert [each.path for each in repeat.SourcesStore(into.root, sources, lists_sources=False).runs()] == [
        each.path for each in into.runs()
    ]


def test_an_interruption_without_a_folder_names_how_to_keep_what_is_done(
    ex3: Ex3, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise InterruptedTrainingError(
            "stopped by SIGTERM", "go on with: ex3 gan train --resume /tmp/gone", 15
        )

    monkeypatch.setattr(repeat.Repetition, "make", interrupt)
    outcome = ex3("runs", "reproduce", theirs / "gan/digits/dcgan/0001-quick")
    assert (outcome.exit_code, "use --into FOLDER to keep the state" in outcome.stderr) == (143, True)
    assert "/tmp/gone" not in outcome.stderr


def test_a_part_of_a_training_is_nothing_to_repeat(ex3: Ex3, store: Store) -> None:
    run = finished(store)
    replace(run.manifest, state="interrupted").write(run.path)
    outcome = ex3("runs", "reproduce", run.name)
    assert (outcome.exit_code, f"{run.name} is interrupted, not finished" in outcome.stderr) == (4, True)


def test_a_lab_training_of_a_drawing_is_made_again_from_the_copy_in_its_run(ex3: Ex3) -> None:
    Path("cloud.csv").write_text("".join(f"0.{each % 7 + 1},0.{each % 9 + 1}\n" for each in range(60)))
    short = ("--max-epochs", 3, "--max-attempts", 1, "--no-animation", "--quiet")
    assert ex3("lab", "train", "--points", "cloud.csv", *short).exit_code == 5
    Path("cloud.csv").unlink()
    outcome = ex3("runs", "reproduce", "lab/points/0001-log", "--json")
    assert (outcome.exit_code, outcome.document["runs"][0]["differing"]) == (0, []), outcome.stderr


def test_a_result_of_all_runs_of_a_folder_is_made_again_from_the_same_ones(ex3: Ex3, theirs: Path) -> None:
    assert ex3("gan", "history", "--dataset", "digits", "--artifacts", theirs, "--quiet").exit_code == 0
    ex3(*TINY[:-1], "4", "--artifacts", theirs, "--quiet")  # an attempt more
    outcome = ex3("runs", "reproduce", theirs / "gan/digits/history/0001-attempts", "--json")
    assert (outcome.exit_code, outcome.document["runs"][0]["differing"]) == (0, []), outcome.stderr


SHADOWS = ("random.py", "copy.py", "queue.py")


def test_a_users_files_are_not_run_in_place_of_pythons_own(theirs: Path, tmp_path: Path) -> None:
    """With random.py in the working folder `python -m` would import it, in this process and in those that it
    starts.
    """
    for name in SHADOWS:
        Path(name).write_text(
            "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\nraise SystemExit(9)\n"
        )
    module = [sys.executable, "-m", "ex3cli"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for line in (
        [
            *module,
            "vae",
            "eval",
            "--artifacts",
            str(theirs),
            "--dataset",
            "digits",
            "--run",
            "0001-paper",
            "--labels",
            "100",
            "--draws",
            "2",
            "--jobs",
            "2",
            "--no-baselines",
        ],
        [*own_command(), "divergence", "--dry-run"],  # as `report --make` starts it
    ):
        done = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, list(tmp_path.glob("*.ran"))) == (0, []), done.stderr


def test_what_two_runs_were_made_with_is_named_where_it_differs(store: Store) -> None:
    first = finished(store, data={"train": "1"})
    second = finished(
        store, data={"train": "2"}, device="cuda:0", sources={"shipped from": "a", "judge": "0123456789"}
    )
    first.manifest = replace(
        first.manifest,
        versions={"torch": "1"},
        summary={"precision": "bfloat16"},
        git={"commit": "abcdefghi"},
    )
    second.manifest = replace(
        second.manifest, versions={"torch": "2"}, summary={"precision": "float32"}, git=None
    )
    result = differing_environment(first.manifest, second.manifest)
    assert len(set(result.pop("data"))) == 2
    first.manifest.machine.pop("vectors", None)  # an older one, which does not tell of them
    assert "vectors" not in differing_environment(first.manifest, second.manifest)
    assert result == {
        "torch": ("1", "2"),
        "device": ("cpu", "cuda:0"),
        "precision": ("bfloat16", "float32"),
        "code": ("abcdefg", "none"),
        "judge": ("none", "0123456"),
    }


def test_a_command_called_in_this_process_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(typer.main.get_command(app), ["lab", "presets"], lambda context, config: {})
    assert len(answer.document["presets"]) > 3
    assert capsys.readouterr() == ("", "")


def test_a_result_remembers_its_threads(ex3: Ex3, theirs: Path) -> None:
    """By which it is made again: sums in other threads differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    for words in (
        ("vae", "sample", "-n", 1),
        ("vae", "eval", "--labels", 100, "--draws", 1, "--no-baselines"),
    ):
        assert (
            ex3(
                *words, "--dataset", "digits", "--run", "0001-paper", "--artifacts", theirs, "--quiet"
            ).exit_code
            == 0
        )
    torch.set_num_threads(before)
    assert [Manifest.read(theirs / "vae/digits" / name).threads for name in ("0003-sample", "0004-eval")] == [
        2,
        2,
    ]
