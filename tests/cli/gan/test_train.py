"""`ex3 gan`: from a training on digits to images by name, and every way to ask for what is not there."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ex3cli.cli.gan.train import not_converged
from ex3cli.training.attempts import Attempt

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

TRAIN = (
    "gan",
    "train",
    "--dataset",
    "digits",
    "--width",
    "2",
    "--batch-size",
    "16",
    "--iterations",
    "20",
    "--precision",
    "float32",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifacts folder with a conditional dcgan and an unconditional wgan of digits, both partial."""
    from ex3cli.cli import app

    root = tmp_path_factory.mktemp("trained") / "artifacts"
    for extra in (("--kind", "dcgan"), ("--kind", "wgan-gp", "--unconditional")):
        outcome = CliRunner().invoke(app, [*TRAIN, *extra, "--artifacts", str(root), "--quiet"])
        assert outcome.exit_code == 0, outcome.stderr
    return root


def pixels(path: str | Path) -> Any:
    return np.asarray(Image.open(path))


def sampled(ex3: Callable[..., Any], root: Path, *words: object) -> dict[str, Any]:
    outcome = ex3(
        "gan", "sample", "--dataset", "digits", "--artifacts", root, "--run", "0001-quick", "--json", *words
    )
    assert outcome.exit_code == 0, outcome.stderr
    document: dict[str, Any] = outcome.document
    return document


def test_train_names_what_it_made(ex3: Callable[..., Any]) -> None:
    outcome = ex3(*TRAIN, "--kind", "wgan-clip", "--json", "--seed", "3")
    document = outcome.document
    assert (document["kind"], document["dataset"], document["seed"], document["iterations"]) == (
        "wgan-clip",
        "digits",
        3,
        20,
    )
    assert document["run"] == "gan/digits/wgan-clip/0001-quick"
    assert document["partial"]
    assert set(document["losses"]) == {"critic_loss", "generator_loss", "score_gap"}
    assert Path("artifacts/gan/digits/wgan-clip/0001-quick/figures/losses.png").is_file()


def test_two_digits_by_name(ex3: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    document = sampled(ex3, trained, "--label", "7", "-n", "2", "--output", tmp_path / "here")
    assert {"kind", "dataset", "run", "images", "sheet"} <= set(document)
    assert document["run"] == "gan/digits/dcgan/0001-quick"
    assert [(each["label"], each["index"]) for each in document["images"]] == [("7", 0), ("7", 1)]
    shown = [pixels(each["path"]) for each in document["images"]]
    assert [image.shape for image in shown] == [(28, 28), (28, 28)]
    assert not np.array_equal(*shown)
    assert Path(document["sheet"]).is_file()


def test_more_images_do_not_change_the_first(ex3: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    few, many = (sampled(ex3, trained, "-n", n, "--seed", 7, "--output", tmp_path / str(n)) for n in (3, 70))
    for one, other in zip(few["images"], many["images"], strict=False):
        assert one["label"] == other["label"]
        assert np.array_equal(pixels(one["path"]), pixels(other["path"]))
    assert [each["label"] for each in many["images"][:12]] == [*"0123456789", "0", "1"]


def test_scale_repeats_pixels_without_blur(ex3: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    small, large = (
        sampled(ex3, trained, "--scale", s, "--output", tmp_path / str(s))["images"][0]["path"]
        for s in (1, 5)
    )
    assert np.array_equal(pixels(small).repeat(5, 0).repeat(5, 1), pixels(large))


def test_a_way_between_classes_is_a_strip_and_an_animation(
    ex3: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    document = sampled(
        ex3, trained, "--interpolate", "1", "8", "--steps", "6", "-n", "2", "--output", tmp_path
    )
    with Image.open(document["sheet"]) as strip, Image.open(document["animation"]) as animation:
        assert strip.height == 2 * 56 + 2
        assert animation.n_frames == 6 + 4  # there, and back without the ends
    assert "1-to-8" in document["sheet"]


@pytest.mark.parametrize(
    ("words", "code", "cause", "remedy"),
    [
        (("--kind", "wgn"), 2, "'wgn'", "'wgan'"),
        (("--label", "dress"), 2, "'dress'", "0 0"),
        (("--label", "11"), 2, "'11'", "0 0"),
        (("--interpolate", "1", "boot"), 2, "'boot'", "0 0"),
        (("--interpolate", "1", "2", "--label", "3"), 2, "exclude each other", "leave one"),
        (("--steps", "16"), 2, "--steps has no effect without --interpolate", "leave it out"),
        (
            ("-n", "10000", "--scale", "64"),
            2,
            "10,000 images at --scale 64",
            "at most --scale 3, or at most -n 24",
        ),
        (("-n", "10000", "--interpolate", "1", "2"), 2, "10,000 rows of 16 images", "at most -n 1129"),
        (("--run", "0009-quick"), 4, "'0009-quick'", "0001-quick"),
        (("--kind", "wgan-clip", "--run", "reference"), 4, "ships no run of gan", ""),
        (
            ("--kind", "wgan", "--label", "3", "--run", "0001-quick"),
            4,
            "unconditional",
            "ex3 classifier train",
        ),
        (("--kind", "wgan", "--run", "gan/digits/dcgan/0001-quick"), 4, "gan/digits/dcgan", "runs list"),
        (("--dataset", "mnist", "--run", "gan/digits/dcgan/0001-quick"), 4, "gan/mnist/dcgan", "runs list"),
        (
            (
                "--dataset",
                "minst",
            ),
            2,
            "'minst'",
            "'mnist'",
        ),
        (("--kind", "dcgan"), 4, "no converged run", "ex3 gan train --kind dcgan --dataset digits"),
    ],
)
def test_what_is_not_there_is_named_with_its_remedy(
    ex3: Callable[..., Any], trained: Path, words: tuple[str, ...], code: int, cause: str, remedy: str
) -> None:
    given = words if "--dataset" in words else ("--dataset", "digits", *words)
    outcome = ex3("gan", "sample", "--artifacts", trained, *given)
    assert outcome.exit_code == code
    said, tried = outcome.stderr.strip().splitlines()
    assert cause in said
    assert remedy in tried


@pytest.mark.parametrize("count", [0, -3])
def test_no_images_is_a_usage_error(ex3: Callable[..., Any], trained: Path, count: int) -> None:
    outcome = ex3("gan", "sample", "--dataset", "digits", "--artifacts", trained, "-n", count)
    assert outcome.exit_code == 2
    assert "-n" in outcome.stderr


def test_damaged_weights_are_named_and_never_drawn_from(
    ex3: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(trained, mine)
    weights = mine / "gan/digits/dcgan/0001-quick/generator.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    outcome = ex3("gan", "sample", "--dataset", "digits", "--artifacts", mine, "--run", "0001-quick")
    assert outcome.exit_code == 4
    assert "generator.safetensors" in outcome.stderr
    assert not (mine / "samples").exists()


def test_an_unconditional_generator_draws_all_classes_unnamed(ex3: Callable[..., Any], trained: Path) -> None:
    document = sampled(ex3, trained, "--kind", "wgan", "-n", 3)
    assert [each["label"] for each in document["images"]] == [None] * 3


def test_a_finished_run_is_not_resumed(ex3: Callable[..., Any], trained: Path) -> None:
    again = (*TRAIN, "--artifacts", trained, "--resume", "0001-quick")
    assert "finished" in ex3(*again).stderr
    assert (
        "finished"
        in ex3("gan", "train", "--artifacts", trained, "--resume", "gan/digits/dcgan/0001-quick").stderr
    )


def test_a_resume_under_other_settings_names_them(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the machine went away")

    with monkeypatch.context() as patched:
        patched.setattr("ex3cli.gan.training.attempts.train", broken)
        assert ex3(*TRAIN, "--kind", "wgan").exit_code == 1
    resume = ("gan", "train", "--resume", "artifacts/gan/digits/wgan/0001-quick")
    for words, named in (
        (("--seed", "1"), "seed: 0 there, 1 now"),
        (("--width", "3"), "width: 2 there, 3 now"),
    ):
        outcome = ex3(*resume, *words)
        assert outcome.exit_code == 2
        assert named in outcome.stderr
    done = ex3(
        "gan", "train", "--dataset", "digits", "--kind", "wgan-gp", "--resume", "0001-quick", "--json"
    ).document
    assert (done["kind"], done["iterations"], done["run"]) == ("wgan", 20, "gan/digits/wgan/0001-quick")


def test_a_batch_larger_than_the_data_is_refused(ex3: Callable[..., Any]) -> None:
    outcome = ex3("gan", "train", "--dataset", "digits", "--batch-size", "5000")
    assert outcome.exit_code == 2
    assert "1,5" in outcome.stderr or "1,4" in outcome.stderr
    assert not Path("artifacts").exists()


@pytest.mark.parametrize("words", [("--iterations", "100000000000"), ("--width", "100000")])
def test_a_training_that_no_machine_can_hold_is_refused_before_there_is_a_run(
    ex3: Callable[..., Any], words: tuple[str, str]
) -> None:
    outcome = ex3("gan", "train", "--dataset", "digits", *words)
    assert (outcome.exit_code, words[0] in outcome.stderr) == (2, True)
    assert not Path("artifacts").exists()


def test_missing_data_is_exit_code_three_and_leaves_no_run(ex3: Callable[..., Any], tmp_path: Path) -> None:
    outcome = ex3("gan", "train", "--data", tmp_path / "nowhere")
    assert outcome.exit_code == 3
    assert "--dataset digits" in outcome.stderr
    assert not Path("artifacts").exists()


def test_conditional_and_unconditional_are_one_switch(ex3: Callable[..., Any]) -> None:
    for word, expected in (("--conditional", True), ("--unconditional", False)):
        outcome = ex3("gan", "train", "--preset", "paper", word, "--dry-run", "--json")
        assert outcome.document["settings"]["conditional"] is expected
    assert word in ex3("gan", "train", "--unconditional", "--dry-run", "--json").document["command"]


def test_the_resolved_command_repeats_an_interpolation_whole(ex3: Callable[..., Any]) -> None:
    command = ex3("gan", "sample", "--interpolate", "sandal", "ankle boot", "--dry-run", "--json").document[
        "command"
    ]
    assert command == ["ex3", "gan", "sample", "--interpolate", "sandal", "ankle boot"]


@pytest.mark.parametrize(
    ("reason", "iteration", "shortened", "remedy"),
    [
        ("low coverage", 900, False, "train longer (--iterations above 900)"),
        ("wrong labels", 900, False, "train longer (--iterations above 900)"),
        ("wrong labels", 900, True, "train for the full length of the preset"),
        # it was ended at half-way
        ("wrong labels", 450, False, "try another --seed or a smaller --learning-rate"),
        ("wrong labels", 450, True, "train for the full length of the preset"),
        ("critic wins", 450, True, "train for the full length of the preset"),
        ("divergence", 900, True, "try another --seed or a smaller --learning-rate"),
        ("divergence", 900, False, "try another --seed or a smaller --learning-rate"),
    ],
)
def test_only_a_training_that_came_to_its_end_gets_the_advice_to_train_longer(
    reason: str, iteration: int, shortened: bool, remedy: str
) -> None:
    error = not_converged(
        [Attempt(1, 0, "failed", reason, iteration, shortened=shortened)], "gan/digits/dcgan/0001-quick", 900
    )
    assert (error.remedy or "").startswith(remedy)
