"""Which generator `ex3 gan` draws from: by kind and run, and what is said of one that draws nothing or
failed.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ex3cli.runs.manifest import Manifest
from ex3cli.runs.store import reference_folder

SHIPPED = "reference/gan/fashion-mnist"


def own(kind: str, name: str, **changes: Any) -> Path:
    """A run of yours of that kind: a copy of the shipped one, with changes."""
    folder = Path("artifacts/gan/fashion-mnist", kind, name)
    shutil.copytree(
        reference_folder() / "gan/fashion-mnist" / kind,
        folder,
        ignore=lambda _, __: ["paper", "wide", "narrow"],
    )
    replace(Manifest.read(folder), **changes).write(folder)
    return folder


def test_a_run_whose_category_is_no_kind_is_named(ex3: Callable[..., Any]) -> None:
    folder = own("dcgan", "0001-odd", category=["gan", "y"])
    outcome = ex3("gan", "sample", "--run", folder, "-n", 1)
    assert outcome.exit_code == 4
    assert f"{folder}/run.json: its category names no kind of GAN: 'y'" in outcome.stderr


@pytest.mark.parametrize(
    ("words", "kind", "run"),
    [
        (("--run", f"{SHIPPED}/wgan/paper"), "wgan", f"{SHIPPED}/wgan/paper"),
        (("--run", f"{SHIPPED}/wgan/paper", "--kind", "wgan-gp"), "wgan", f"{SHIPPED}/wgan/paper"),
        (
            ("--run", "gan/fashion-mnist/wgan-clip/0001-quick"),
            "wgan-clip",
            "gan/fashion-mnist/wgan-clip/0001-quick",
        ),
        (
            ("--run", "artifacts/gan/fashion-mnist/wgan/0002-quick"),
            "wgan",
            "gan/fashion-mnist/wgan/0002-quick",
        ),
        (("--run", "0001-quick"), "dcgan", "gan/fashion-mnist/dcgan/0001-quick"),
        (
            ("--run", "0001-quick", "--kind", "wgan-clip"),
            "wgan-clip",
            "gan/fashion-mnist/wgan-clip/0001-quick",
        ),
        (("--run", "0002-quick"), "wgan", "gan/fashion-mnist/wgan/0002-quick"),
        (("--run", "reference"), "dcgan", f"{SHIPPED}/dcgan"),
    ],
)
def test_the_kind_is_that_of_the_run(
    ex3: Callable[..., Any], words: tuple[str, ...], kind: str, run: str
) -> None:
    for each, name in (("dcgan", "0001-quick"), ("wgan-clip", "0001-quick"), ("wgan", "0002-quick")):
        own(each, name)
    drawn = ex3("gan", "sample", *words, "-n", 1, "--json").document
    assert (drawn["kind"], drawn["run"]) == (kind, run)


def test_scores_are_of_the_run_and_its_kind(ex3: Callable[..., Any]) -> None:
    said = ex3("gan", "eval", "--run", f"{SHIPPED}/wgan-clip", "-n", 100, "--json").document
    assert (said["kind"], said["run"]) == ("wgan-clip", f"{SHIPPED}/wgan-clip")
    assert Path("artifacts/gan/fashion-mnist/eval/wgan-clip").is_dir()


@pytest.mark.parametrize(
    ("words", "begin"),
    [
        (("--kind", "wgan"), "wgan"),
        (("--run", f"{SHIPPED}/wgan"), "wgan"),
        (("--run", "reference", "--kind", "wgan"), "wgan"),
        (("--run", str(reference_folder() / "gan/fashion-mnist/wgan")), "wgan"),
        (("--run", f"{SHIPPED}/wgan/paper"), "wgan-paper"),
        (("--run", "gan/fashion-mnist/wgan/0002-quick"), "wgan-0002-quick"),
        (("--run", "0002-quick", "--kind", "wgan"), "wgan-0002-quick"),
    ],
)
def test_a_run_that_is_not_taken_by_default_is_in_its_images_names(
    ex3: Callable[..., Any], words: tuple[str, ...], begin: str
) -> None:
    own("wgan", "0002-quick", partial=True)
    document = ex3("gan", "sample", *words, "-n", 1, "--json").document
    names = [Path(path).name for path in (document["images"][0]["path"], document["sheet"])]
    assert names == [f"{begin}-all-seed0-0000.png", f"{begin}-all-seed0-sheet.png"]


def test_images_of_two_runs_are_not_written_over_each_other(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = own("wgan", "0002-quick", seed=9)  # and so it is the one taken unasked
    way = ("--interpolate", "sandal", "bag", "--steps", 2, "-n", 1)
    runs = {None: "wgan", "0002-quick": "wgan", "reference": "wgan-reference"}
    for run, begin in runs.items():
        named = [] if run is None else ["--run", run]
        drawn = ex3("gan", "sample", "--kind", "wgan", *named, *way, "--output", "here", "--json").document
        assert (drawn["sheet"], drawn["animation"]) == (
            f"here/{begin}-sandal-to-bag-seed0-strip.png",
            f"here/{begin}-sandal-to-bag-seed0.gif",
        )
        sheet = ex3(
            "gan", "sample", "--kind", "wgan", *named, "--label", "dress", "-n", 1, "--json"
        ).document["sheet"]
        assert Path(sheet).name == f"{begin}-dress-seed0-sheet.png"
    torn = mine.with_name("0003-quick")
    torn.mkdir()
    (torn / "run.json").write_text("{")  # nobody knows which would be taken
    artifacts = Path("artifacts").absolute()
    monkeypatch.chdir(mine)
    drawn = ex3("gan", "sample", "--run", ".", "-n", 1, "--artifacts", artifacts, "--json").document
    assert Path(drawn["sheet"]).name == "wgan-0002-quick-all-seed0-sheet.png"


@pytest.mark.parametrize("converged", [False, True])
def test_a_training_that_failed_is_noted(ex3: Callable[..., Any], converged: bool) -> None:
    own("wgan", "0001-quick", converged=converged, summary={"reason": None if converged else "low coverage"})
    words = ("--run", "gan/fashion-mnist/wgan/0001-quick", "-n")
    assert ex3("gan", "sample", *words, 1, "--json").document["converged"] is converged
    said = "The training failed: low coverage."
    drawn = ex3("gan", "sample", *words, 1).stdout.splitlines()
    assert drawn.count(said) == (0 if converged else 1)
    assert (said in ex3("gan", "eval", *words, 100).stdout) is not converged


def test_a_training_without_evaluations_has_no_failure_note(ex3: Callable[..., Any]) -> None:
    own("wgan", "0001-quick", converged=None)
    words = ("gan", "sample", "--kind", "wgan", "--run", "0001-quick", "-n", 1)
    assert ex3(*words, "--json").document["converged"] is None
    assert "ruled" not in ex3(*words).stdout


@pytest.mark.parametrize("command", ["sample", "eval"])
@pytest.mark.parametrize(
    ("words", "code", "cause", "remedy"),
    [
        (
            ("--kind", "dcgan", "--run", f"{SHIPPED}/wgan"),
            4,
            f"{SHIPPED}/wgan is a run of `ex3 gan train`",
            "runs list",
        ),
        (("--run", f"{SHIPPED}/history"), 4, "is a run of `ex3 gan history`", "runs list"),
        (("--run", "classifier/fashion-mnist"), 4, "no run 'classifier/fashion-mnist'", "did you mean"),
        (("--run", "0003-quick"), 4, "is the name of 2 runs", "gan/fashion-mnist/wgan/0003-quick"),
        (
            ("--run", f"{SHIPPED}/dcgan/wide"),
            4,
            f"{SHIPPED}/dcgan/wide is bundled without its generator weights",
            f"ex3 runs reproduce {SHIPPED}/dcgan/wide",
        ),
    ],
)
def test_what_cannot_be_drawn_from_is_named_in_a_line(
    ex3: Callable[..., Any], command: str, words: tuple[str, ...], code: int, cause: str, remedy: str
) -> None:
    for kind in ("wgan", "wgan-clip"):
        own(kind, "0003-quick")
    before = sorted(Path("artifacts").rglob("*"))
    outcome = ex3("gan", command, *words)
    assert outcome.exit_code == code
    said, tried = outcome.stderr.strip().splitlines()
    assert cause in said
    assert remedy in tried
    assert sorted(Path("artifacts").rglob("*")) == before
