import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.cli.runs import listing
from ex3cli.runs.manifest import Manifest
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

Ex3 = Callable[..., Any]


@pytest.fixture
def run(store: Store, new_run: Callable[..., Run]) -> Run:
    made = new_run()
    made.write_json("table.json", [1])
    made.finish({"accuracy": 0.5})
    return made


def test_lists_runs_with_their_state(ex3: Ex3, run: Run) -> None:
    rows = [
        row
        for row in ex3("runs", "list", "--json").document["runs"]
        if not row["run"].startswith("reference")
    ]
    assert rows[0]["run"] == "toy/digits/0001-small"
    assert rows[0]["state"] == "finished"
    assert "0001-small" in ex3("runs", "list").stdout


def test_a_name_is_whole_however_narrow_the_list(
    ex3: Ex3, new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_run(label="a-label-that-is-longer-than-any-of-the-shipped-ones-by-far")
    monkeypatch.setenv("COLUMNS", "80")
    lines = ex3("runs", "list").stdout.splitlines()
    assert max(map(len, lines)) == 80
    assert made.name in "".join(line.split("│")[1].strip() for line in lines if line.startswith("│"))


def test_names_take_the_room_before_anything_else(
    ex3: Ex3, new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_run(label="a-label-of-a-usual-length")
    made.finish({"label agreement of " * 3: 0.5})
    for width in ("80", "110"):
        monkeypatch.setenv("COLUMNS", width)
        lines = [line for line in ex3("runs", "list").stdout.splitlines() if "│" in line]
        assert any(line.split("│")[1].strip() == made.name for line in lines)
        assert "…" not in "".join(lines)


@pytest.mark.parametrize(
    ("command", "summary", "expected"),
    [
        (
            "vae eval",
            {"100": 0.79, "1000": 0.87, "3000": 0.9, "600": 0.86},
            "100 labels 0.79, 600 labels 0.86, 1000 labels 0.87, 3000 labels 0.9",
        ),
        (
            "vae train",
            {"active_dimensions": 64, "iwae_images": 9, "epochs": 15, "test_elbo": 7.25, "svm": {"100": {}}},
            "test elbo 7.25, active dimensions 64, epochs 15",
        ),
        (
            "gan train",
            {"attempt": 2, "critic_loss": 0.1, "iterations": 60, "reason": None, "verdict": "converged"},
            "verdict converged, iterations 60, attempt 2",
        ),
        ("gan train", {"critic_loss": 0.1}, "critic loss 0.1"),
        ("vae compare", {"paper": 0.8, "edges": 0.9}, "edges 0.9, paper 0.8"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_summary_has_what_matters_of_its_command(
    command: str, summary: dict[str, Any], expected: str
) -> None:
    manifest = Manifest(command, [], {}, 0, [], "cpu", 1, {}, {}, None, {}, {}, "", summary=summary)
    assert listing._key_results(manifest) == expected


def test_lists_a_damaged_run_as_damaged(ex3: Ex3, run: Run) -> None:
    (run.path / "run.json").write_text("{")
    listed = ex3("runs", "list", "--json")
    assert listed.exit_code == 0
    assert listed.document["runs"][0]["state"] == "damaged"
    assert "run.json is damaged" in listed.document["runs"][0]["cause"]


def test_shows_a_run(ex3: Ex3, run: Run) -> None:
    shown = ex3("runs", "show", run.name, "--json").document
    assert shown["manifest"]["files"]["table.json"]["size"] == len((run.path / "table.json").read_bytes())
    assert shown["manifest"]["summary"] == {"accuracy": 0.5}
    assert "accuracy 0.5" in ex3("runs", "show", run.name).stdout


def test_verifies_and_names_what_was_altered(ex3: Ex3, run: Run) -> None:
    assert ex3("runs", "verify", run.name).exit_code == 0
    (run.path / "table.json").write_text("[2]")
    verified = ex3("runs", "verify", run.name, "--json")
    assert verified.exit_code == 4
    assert verified.document["runs"][0]["files"] == {"table.json": "altered"}
    assert str(Path("artifacts") / run.name / "table.json") in verified.stderr


def test_verifies_every_run_and_finds_the_damaged_manifest(ex3: Ex3, run: Run) -> None:
    (run.path / "run.json").write_text("{")
    verified = ex3("runs", "verify")
    assert verified.exit_code == 4
    assert "run.json is damaged" in verified.stderr


def test_an_unknown_run_is_exit_4_with_a_suggestion(ex3: Ex3, run: Run) -> None:
    outcome = ex3("runs", "show", "toy/digits/0001-smull")
    assert outcome.exit_code == 4
    assert "did you mean 'toy/digits/0001-small'" in outcome.stderr


def test_folders_with_brackets_are_shown_as_they_are(ex3: Ex3, run: Run) -> None:
    odd = run.path.with_name("[red]odd[bold]")
    run.path.rename(odd)
    for words in (
        ("runs", "list"),
        ("runs", "verify"),
        ("runs", "show", f"toy/digits/{odd.name}"),
        ("doctor",),
    ):
        outcome = ex3(*words)
        assert outcome.exit_code == 0, outcome.stderr
    assert "[red]odd[bold]" in ex3("runs", "list").stdout


def test_control_characters_in_a_folder_s_name_are_escaped(
    ex3: Ex3, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = run.path.rename(run.path.with_name("a\x07b\nc\x1b[31m"))
    monkeypatch.setenv("COLUMNS", "200")
    for words in (("runs", "list"), ("runs", "verify"), ("runs", "show", f"toy/digits/{odd.name}")):
        printed = ex3(*words).stdout
        assert r"a\x07b\nc\x1b[31m" in printed
        assert not {"\x07", "\x1b"} & set(printed)


@pytest.mark.parametrize(
    ("summary", "end", "expected"),
    [
        ({"verdict": "failed"}, {"partial": True, "converged": False}, "partial"),
        ({"accuracy": 0.5}, {"converged": False}, "finished, not converged"),
        ({"verdict": "converged"}, {"converged": True}, "finished"),
    ],
)
def test_the_list_names_what_a_run_lacks_once(
    ex3: Ex3,
    new_run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    summary: Any,
    end: Any,
    expected: str,
) -> None:
    run = new_run()
    run.finish(summary, **end)
    monkeypatch.setenv("COLUMNS", "200")
    (line,) = [line for line in ex3("runs", "list").stdout.splitlines() if run.name in line]
    assert line.split("│")[3].strip() == expected


@pytest.mark.parametrize(
    "words", [("list",), ("verify",), ("show", "reference/vae/mnist")], ids=lambda words: words[0]
)
def test_an_artifacts_folder_that_was_named_and_is_not_there_is_exit_4(
    ex3: Ex3, words: tuple[str, ...]
) -> None:
    outcome = ex3("runs", *words, "--artifacts", "typo")
    assert outcome.exit_code == 4
    assert "there is no folder typo" in outcome.stderr
    assert ex3("runs", *words).exit_code == 0  # ./artifacts need not be there


def test_a_folder_of_runs_is_verified_and_yours_and_the_shipped_ones_are_counted(
    ex3: Ex3, run: Run, store: Store
) -> None:
    for folder in ("toy", str(run.path.parent), str(run.path.parent.absolute())):
        verified = ex3("runs", "verify", folder)
        assert verified.exit_code == 0
        assert "1 of yours in artifacts, 0 bundled" in verified.stdout
    assert "0 of yours in artifacts, 2 bundled" in ex3("runs", "verify", "reference/classifier").stdout
    assert ex3("runs", "verify", "tox").exit_code == 4


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_a_run_that_lost_its_manifest_is_listed_and_verified_as_damaged(
    ex3: Ex3, run: Run, what: str
) -> None:
    (run.path / "run.json").unlink()
    if what == "folder":
        (run.path / "run.json").mkdir()
    assert ex3("runs", "list", "--json").document["runs"][0]["state"] == "damaged"
    verified = ex3("runs", "verify")
    assert verified.exit_code == 4
    assert f"{run.name}/run.json cannot be read" in verified.stderr


def test_a_bundled_training_is_exported_with_its_curves(ex3: Callable[..., Any]) -> None:
    outcome = ex3("runs", "export", "reference/gan/fashion-mnist/dcgan", "--to", "csv", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    folder = Path("artifacts/exports/csv/reference-gan-fashion-mnist-dcgan")
    assert outcome.document["output"] == str(folder)
    assert {"critic_loss", "generator_loss", "evaluation/fid"} <= set(outcome.document["curves"])
    assert outcome.document["images"] == 2
    lines = (folder / "scalars.csv").read_text().splitlines()
    assert len(lines) == 1 + outcome.document["points"]
    assert any(line.startswith("evaluation/fid,400,") for line in lines)
    again = ex3("runs", "export", "reference/gan/fashion-mnist/dcgan", "--to", "csv")
    assert again.exit_code == 2
    assert f"{folder} is not empty" in again.stderr


@pytest.mark.parametrize(
    ("words", "describe_defects"),
    [
        (("--to", "tensorbord"), "did you mean 'tensorboard'?"),
        (("--to", "mlflow"), "pip install 'ex3cli[mlflow]'"),
        (("--to", "wandb-offline"), "pip install 'ex3cli[wandb]'"),
        (("--to", "tensorboard"), "pip install 'ex3cli[tensorboard]'"),
    ],
)
def test_an_export_to_what_is_not_there_is_exit_2(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], describe_defects: str
) -> None:
    for package in ("mlflow", "wandb", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, package, None)
    outcome = ex3("runs", "export", "reference/vae/fashion-mnist", *words)
    assert outcome.exit_code == 2
    assert describe_defects in outcome.stderr


def test_the_grids_of_a_training_have_their_iterations(store: Store, new_run: Callable[..., Run]) -> None:
    from ex3cli.cli.runs.export import _steps_of_images
    from ex3cli.gan.config import GANConfig

    config = GANConfig.resolve(kind="wgan", iterations=100, critic_steps=2)
    run = new_run(command="gan train", config=config.to_dict())
    for name in ("start", "epoch-0001", "epoch-0005", "end"):
        run.write_bytes(f"attempt-01/grids/{name}.png", b"")
    run.finish({"iterations": 100, "epochs": 100 * 2 / 23})  # 23 batches an epoch
    assert _steps_of_images(run) == {
        "attempt-01/grids/start.png": 0,
        "attempt-01/grids/epoch-0001.png": 12,
        "attempt-01/grids/epoch-0005.png": 58,
        "attempt-01/grids/end.png": 100,
    }
    assert _steps_of_images(new_run()) == {}
