import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
import typer
from typer.testing import CliRunner

from ex3cli.cli.command import EXAMPLES, command
from ex3cli.cli.context import Context
from ex3cli.cli.output import Result
from ex3cli.config import Config, option
from ex3cli.errors import DataError, NotConvergedError
from ex3cli.runs.manifest import now
from ex3cli.training.progress import NullProgress


@dataclass(frozen=True)
class ToySettings(Config):
    presets: ClassVar = {"quick": {"width": 8}, "paper": {}}
    width: int = option(64, "units of each layer", minimum=1)
    lengths: tuple[int, ...] = option((1, 2), "lengths to try", panel="Training")
    warp: bool = option(False, "bend the images")


def run_toy(body: Callable[[Context], Result], *words: str) -> Any:
    app = typer.Typer()

    @command(app, "toy", config=ToySettings, common=("dataset", "artifacts", "seed"), examples=("ex3 toy",))
    def toy(
        context: Context,
        name: Annotated[str, typer.Argument()],
        count: Annotated[int, typer.Option("-n", help="how many")] = 3,
    ) -> Result:
        """Play."""
        context.config = (context.config, name, count)
        return body(context)

    EXAMPLES.pop(f"{__name__}.toy")
    return CliRunner().invoke(app, list(words), prog_name="ex3")


def echo(context: Context) -> Result:
    config, name, count = context.config
    document = config.to_dict() | {
        "name": name,
        "count": count,
        "argv": context.argv,
        "seed": context.seed,
        "dataset": context.dataset,
    }
    return Result(document=document, show=["a table"])


def test_settings_options_and_arguments_reach_the_command() -> None:
    result = run_toy(
        echo, "ann", "-n", "5", "--lengths", "4", "--lengths", "5", "--warp", "--seed", "7", "--json"
    )
    assert json.loads(result.stdout) == {
        "width": 8,
        "lengths": [4, 5],
        "warp": True,
        "name": "ann",
        "count": 5,
        "seed": 7,
        "dataset": "fashion-mnist",
        "argv": ["ex3", "ann", "-n", "5", "--lengths", "4", "--lengths", "5", "--warp", "--seed", "7"],
    }


def test_a_preset_sets_what_was_not_given() -> None:
    result = run_toy(echo, "ann", "--preset", "paper", "--lengths", "9", "--json")
    assert json.loads(result.stdout)["width"] == 64
    assert json.loads(result.stdout)["lengths"] == [9]


def test_a_dry_run_shows_the_resolved_settings_and_runs_nothing() -> None:
    def never(context: Context) -> Result:
        pytest.fail("it ran")

    result = run_toy(never, "ann", "--width", "5", "--dry-run", "--json")
    settings = json.loads(result.stdout)["settings"]
    assert settings["width"] == 5
    assert settings["lengths"] == [1, 2]
    assert settings["seed"] == 0


def test_a_dry_run_shows_brackets_as_they_were_given() -> None:
    assert "[/x]" in run_toy(echo, "ann", "--artifacts", "[/x]", "--dry-run").stdout


def test_a_person_sees_the_table_and_no_json() -> None:
    result = run_toy(echo, "ann")
    assert result.stdout.splitlines() == ["a table"]


def test_an_error_is_two_lines_on_stderr_and_its_exit_code() -> None:
    def fail(context: Context) -> Result:
        raise DataError("the file\nis short", "fetch it")

    result = run_toy(fail, "ann")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.splitlines() == ["error: the file is short", "  try: fetch it"]
    asked = run_toy(fail, "ann", "--json")
    assert asked.stderr == result.stderr
    assert json.loads(asked.stdout) == {
        "error": {"cause": "the file is short", "remedy": "fetch it", "exit_code": 3}
    }


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ZeroDivisionError("by zero"), Result(document={"odd": object()})]
)
def test_json_is_exactly_one_document_however_a_command_ends(error: Any) -> None:
    def end(context: Context) -> Result:
        if isinstance(error, Result):  # it cannot be spelt in JSON
            return error
        raise error

    result = run_toy(end, "ann", "--json", "--debug")
    assert json.loads(result.stdout)["error"]["exit_code"] == result.exit_code > 0


def test_a_surprise_is_one_line_too_and_debug_shows_the_traceback() -> None:
    def fail(context: Context) -> Result:
        raise ZeroDivisionError("by zero")

    quiet = run_toy(fail, "ann")
    assert quiet.exit_code == 1
    assert quiet.stderr.splitlines()[0] == "error: unexpected ZeroDivisionError: by zero"
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in run_toy(fail, "ann", "--debug").stderr


def test_a_run_records_when_its_command_began_and_not_when_its_figures_were_ready() -> None:
    worked: list[str] = []

    def work_first(context: Context) -> Result:
        worked.append(now())
        run = context.store.new_run(
            ("toy",), label="late", command="toy", config={}, seed=0, argv=context.argv
        )
        run.finish({})
        return Result(document={"started": run.manifest.started})

    assert json.loads(run_toy(work_first, "ann", "--json").stdout)["started"] <= worked[0]


def test_ctrl_c_is_130() -> None:
    def stop(context: Context) -> Result:
        raise KeyboardInterrupt

    assert run_toy(stop, "ann").exit_code == 130


def test_what_ctrl_c_ended_names_the_whole_line_that_runs_it_again() -> None:
    def stop(context: Context) -> Result:
        context.seed = 4  # whatever the command made of it: the line is what was typed
        raise KeyboardInterrupt

    result = run_toy(stop, "ann boot", "--seed", "3", "--lengths", "4", "--lengths", "5", "--quiet")
    assert (
        result.stderr.splitlines()[1]
        == "  try: run it again: ex3 'ann boot' --lengths 4 --lengths 5 --seed 3"
    )


def test_a_failure_is_printed_after_the_whole_answer() -> None:
    def bad(context: Context) -> Result:
        return Result(
            document={"failed": 10}, problem=NotConvergedError("none converged", "try another seed")
        )

    result = run_toy(bad, "ann", "--json")
    assert json.loads(result.stdout) == {"failed": 10}
    assert result.exit_code == 5
    assert "none converged" in result.stderr


def test_notes_go_to_stderr_and_are_silenced_by_quiet() -> None:
    def note(context: Context) -> Result:
        context.note("took the shipped run")
        return Result(document={})

    assert "took the shipped run" in run_toy(note, "ann").stderr
    assert run_toy(note, "ann", "--quiet").stderr == ""


def test_help_shows_panels_defaults_presets_and_examples() -> None:
    text = run_toy(echo, "--help").stdout
    for expected in (
        "Model",
        "Training",
        "default: 8",
        "default: 1,2",
        "default: no-warp",
        "quick, paper",
        "$ ex3 toy",
    ):
        assert expected in text


def test_no_numbers_that_json_lacks() -> None:
    result = run_toy(lambda context: Result(document={"kl": float("inf")}), "ann", "--json")
    assert json.loads(result.stdout) == {"kl": {"value": None, "kind": "+inf"}}
    assert sys.float_info.max < float("inf")


def test_an_option_with_nothing_in_it_is_refused() -> None:
    result = run_toy(echo, "ann", "--dataset", "")
    assert result.exit_code == 2
    assert "dataset is empty" in result.stderr
    assert run_toy(echo, "ann", "--artifacts", "").exit_code == 2


def test_an_empty_environment_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EX3_ARTIFACTS", "")
    result = run_toy(lambda context: Result(document={"at": context.artifacts}), "ann", "--json")
    assert json.loads(result.stdout) == {"at": "artifacts"}


def test_progress_is_ended_however_the_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Recorder(NullProgress):
        stopped = 0

        def stop(self) -> None:
            self.stopped += 1

    listener = Recorder()
    monkeypatch.setattr("ex3cli.cli.progress.choose_progress", lambda quiet: listener)

    def fail(context: Context) -> Result:
        context.progress.start("training", 2, "steps")
        raise DataError("gone", "fetch it")

    run_toy(fail, "ann")
    assert listener.stopped == 1


@pytest.mark.parametrize(
    ("words", "panel"),
    [
        ("gan sample", "Input"),
        ("gan overview", "Input"),
        ("vae sample", "Input"),
        ("gan train", "Training"),
        ("lab train", "Training"),
        ("divergence", "Training"),
    ],
)
def test_a_seed_stands_with_training_only_where_something_is_trained(
    ex3: Callable[..., Any], words: str, panel: str
) -> None:
    lines = ex3(*words.split(), "--help").stdout.splitlines()
    headings = [line.strip("╭╮─ ") if line.startswith("╭") else "" for line in lines]
    place = next(place for place, line in enumerate(lines) if "--seed" in line)
    assert next(heading for heading in reversed(headings[:place]) if heading) == panel


def test_a_tilde_is_the_users_home_wherever_a_path_is_given(
    ex3: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell leaves it as it is after `=` and in quotes."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EX3_ARTIFACTS", "~/runs")
    short = ("--dataset", "digits", "--width", 4, "--batch-size", 16, "--iterations", 2, "--quiet")
    assert ex3("gan", "train", "--data=~/data", *short).exit_code == 0
    run = "~/runs/gan/digits/dcgan/0001-quick"
    assert (tmp_path / "home/runs/gan/digits/dcgan/0001-quick/run.json").is_file()
    assert (
        ex3("gan", "sample", "--dataset", "digits", "--run", run, "--output=~/drawn", "-n", 1).exit_code == 0
    )
    assert list((tmp_path / "home/drawn").iterdir())
    assert (
        ex3("runs", "show", run).exit_code
        == ex3("gan", "overview", "--dataset", "digits", run).exit_code
        == 0
    )
    shown = ex3("data", "list", "--data=~/data", "--dry-run", "--json").document["settings"]
    assert shown["data"] == str(tmp_path / "home/data")
    assert not Path("~").exists()
