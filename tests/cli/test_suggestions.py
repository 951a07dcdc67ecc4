"""The commands that messages suggest work: each is taken from a message, on the digits data set, and run."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ex3 = Callable[..., Any]
COMMAND = re.compile(r"(ex3 (?:vae|gan|classifier|lab|runs) [a-z]+(?: [^;`\n]*)?)")
SHORT = ("--draws", "2", "--no-baselines")


def suggested(text: str, file_prefix: str) -> list[str]:
    """The words after `ex3` of the command in a text that begins so."""
    found = next(each[1] for each in COMMAND.finditer(text) if each[1].startswith(file_prefix))
    return shlex.split(found)[1:]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a shortened training in an artifacts folder whose name has a blank; what that printed."""
    from typer.testing import CliRunner

    from ex3cli.cli import app

    folder = tmp_path_factory.mktemp("made")
    words = (
        "--preset",
        "paper",
        "--epochs",
        "1",
        "--hidden",
        "20,20",
        "--latent-dim",
        "4",
        "--artifacts",
        "my runs",
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("COLUMNS", "200")
        outcome = CliRunner().invoke(app, ["vae", "train", "--dataset", "digits", *words], prog_name="ex3")
    assert outcome.exit_code == 0, outcome.stderr
    return folder, outcome.stdout


@pytest.fixture
def shortened_vae(made: tuple[Path, str]) -> str:
    """What that training printed, with a copy of its artifacts folder in this test's own folder."""
    shutil.copytree(made[0] / "my runs", "my runs")
    return made[1]


def test_the_evaluation_that_a_training_suggests_works(ex3: Ex3, shortened_vae: str) -> None:
    outcome = ex3(*suggested(shortened_vae, "ex3 vae eval"), *SHORT, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert [row["labels"] for row in outcome.document["results"]] == [100, 600, 1000]
    assert "digits has too few images for 3,000 labels; left out" in outcome.stderr
    assert [row["accuracy_std"] is None for row in outcome.document["results"]] == [False] * 3


def test_a_number_of_labels_that_was_given_is_refused_before_a_run_is_begun(
    ex3: Ex3, shortened_vae: str
) -> None:
    for command in (("vae", "eval", "--run", "0001-paper"), ("vae", "compare", "0001-paper")):
        outcome = ex3(*command, "--dataset", "digits", "--artifacts", "my runs", "--labels", 3000, *SHORT)
        assert (outcome.exit_code, "give at most 1210" in outcome.stderr) == (2, True)
        outcome = ex3(
            *command, "--dataset", "digits", "--artifacts", "my runs", "--labels", 10, "--tune", *SHORT
        )
        assert (outcome.exit_code, "--tune needs two" in outcome.stderr) == (2, True)
    assert [each.name for each in Path("my runs/vae/digits").iterdir()] == ["0001-paper"]


def test_the_sizes_of_a_comparison_fit_the_data_set_too(ex3: Ex3, shortened_vae: str) -> None:
    outcome = ex3(
        "vae", "compare", "0001-paper", "--dataset", "digits", "--artifacts", "my runs", *SHORT, "--json"
    )
    assert outcome.exit_code == 0, outcome.stderr


def test_a_run_that_is_passed_over_is_named_with_the_option_that_takes_it(
    ex3: Ex3, shortened_vae: str
) -> None:
    outcome = ex3("vae", "eval", "--dataset", "digits", "--artifacts", "my runs")
    assert outcome.exit_code == 4
    assert "your newest, 0001-paper, was shortened: take it with --run 0001-paper" in outcome.stderr


def test_images_of_an_unjudged_training_are_drawn_by_the_command_in_the_message(ex3: Ex3) -> None:
    small = ("--width", 2, "--batch-size", 16, "--precision", "float32")
    assert ex3("gan", "train", "--dataset", "digits", "--iterations", 2, *small).exit_code == 0
    refused = ex3("gan", "sample", "--dataset", "digits")
    assert refused.exit_code == 4
    option = re.search(r"--run (\S+);", refused.stderr)
    assert option is not None, refused.stderr
    assert ex3("gan", "sample", "--dataset", "digits", "--run", option[1], "-n", 2).exit_code == 0
    judging = suggested(refused.stderr, "ex3 classifier train")
    assert ex3(*[word.rstrip(",") for word in judging[:4]], "--dry-run").exit_code == 0


def test_a_shipped_run_is_not_taken_for_a_shortened_one_of_yours_without_a_word(
    ex3: Ex3, new_run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run = new_run(category=("gan", "fashion-mnist", "dcgan"), command="gan train")
    run.finish({}, partial=True)
    outcome = ex3("gan", "sample", "-n", 1)
    assert outcome.exit_code == 0, outcome.stderr
    assert (
        f"reference/gan/fashion-mnist/dcgan is taken; your newest, {run.path.name}, was shortened"
        in caplog.text
    )


@pytest.mark.parametrize("words", [("--artifacts=~/runs",), ()])
def test_a_tilde_is_the_home_of_the_user(
    ex3: Ex3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if not words:
        monkeypatch.setenv("EX3_ARTIFACTS", "~/runs")
    outcome = ex3("divergence", "--dry-run", "--json", *words)
    assert outcome.document["settings"]["artifacts"] == str(tmp_path / "home" / "runs")
