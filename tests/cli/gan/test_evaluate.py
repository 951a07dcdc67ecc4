"""`ex3 gan train` with a judge, `eval`, `compare`, `history`, and labels from an unconditional generator."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ex3cli.datasets.registry import load
from ex3cli.gan import evaluation
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.gan.io import load_generator
from ex3cli.runs.manifest import Manifest
from ex3cli.runs.store import Store, reference_folder

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

SMALL = (
    "--dataset",
    "digits",
    "--width",
    "8",
    "--batch-size",
    "32",
    "--learning-rate",
    "0.02",
    "--precision",
    "float32",
)

BUNDLED = ("dcgan", "wgan", "wgan-clip")


LOWEST = {
    "min_agreement": 0.0,
    "min_class_agreement": 0.0,
    "min_coverage": 0.0,
    "min_class_variety": 0.0,
    "min_class_share": 0.0,
    "max_class_kl": 3.0,
    "max_fid_ratio": 1e9,
    "final_images": 249,
}
"""Thresholds that every generator's images pass."""


@pytest.fixture(scope="module")
def judged(digits_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts with a classifier of digits, and a dcgan and a wgan that have converged to a bar that nothing
    can miss.
    """
    from typer.testing import CliRunner

    from ex3cli.cli import app

    root = tmp_path_factory.mktemp("judged") / "artifacts"
    shutil.copytree(digits_classifier, root)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Thresholds, "for_kind", lambda kind, **given: Thresholds(**{**LOWEST, **given}))
        for words in (
            ("--kind", "dcgan", "--iterations", "80"),
            ("--kind", "wgan", "--unconditional", "--iterations", "120"),
        ):
            outcome = CliRunner().invoke(
                app, ["gan", "train", *SMALL, *words, "--artifacts", str(root), "--quiet", "--json"]
            )
            assert outcome.exit_code == 0, outcome.stderr
            assert json.loads(outcome.stdout)["verdict"] == "converged"
    return root


@pytest.mark.numbers
def test_a_training_that_fails_exits_with_five_and_its_whole_history(
    ex3: Callable[..., Any], digits_classifier: Path
) -> None:
    shutil.copytree(digits_classifier, "artifacts")
    outcome = ex3("gan", "train", *SMALL, "--iterations", "12", "--max-attempts", "2", "--json")
    assert outcome.exit_code == 5
    document = outcome.document
    assert (document["verdict"], document["reason"], document["failed"]) == ("failed", "wrong labels", 2)
    assert [each["attempt"] for each in document["attempts"]] == [1, 2]
    assert document["attempts"][0]["seed"] != document["attempts"][1]["seed"]
    assert "classifier for evaluations: classifier/digits/0001-tiny" in outcome.stderr
    assert (
        "no convergence in 2 attempts (wrong labels at iteration 12, wrong labels at iteration 12)"
        in outcome.stderr
    )
    assert "Traceback" not in outcome.stderr
    result = ex3("gan", "history", "--dataset", "digits", "--json").document["kinds"]["dcgan"]
    assert (result["shortened"], result["failed"], result["failure_rate"]) == (2, 0, None)
    (row,) = ex3("gan", "overview", "--dataset", "digits", "--json").document["trainings"]
    assert (row["reason"], row["label_agreement"], row["failed"]) == (
        "wrong labels",
        document["attempts"][-1]["values"]["label_agreement"],
        2,
    )
    assert row["fid"] > 0  # which did not decide it
    unasked = ex3("gan", "sample", "--dataset", "digits")
    assert (unasked.exit_code, "no converged run" in unasked.stderr) == (4, True)
    assert ex3("gan", "sample", "--dataset", "digits", "--run", "0001-quick", "-n", 2).exit_code == 0
    listed = {each["run"]: each["converged"] for each in ex3("runs", "list", "--json").document["runs"]}
    assert listed["gan/digits/dcgan/0001-quick"] is False
    shown = ex3("gan", "train", *SMALL, "--iterations", "6")
    assert shown.exit_code == 5
    assert "wrong labels" in shown.stdout


def test_a_shortened_training_is_tried_once_by_default(
    ex3: Callable[..., Any], digits_classifier: Path
) -> None:
    shutil.copytree(digits_classifier, "artifacts")
    assert len(ex3("gan", "train", *SMALL, "--iterations", "6", "--json").document["attempts"]) == 1


def test_without_a_classifier_a_training_is_unjudged_with_a_note(ex3: Callable[..., Any]) -> None:
    outcome = ex3("gan", "train", *SMALL, "--iterations", "6", "--json")
    assert outcome.exit_code == 0
    assert (outcome.document["verdict"], outcome.document["reason"]) == ("unjudged", None)
    assert "images are not evaluated" in outcome.stderr
    assert "ex3 classifier train --dataset digits" in outcome.stderr


@pytest.mark.numbers
def test_a_resumed_training_is_evaluated_as_it_began(
    ex3: Callable[..., Any], digits_classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ex3cli.gan.training.attempts import AttemptRunner

    step = AttemptRunner.step

    def cut(self: AttemptRunner) -> None:
        if self.trainer.iteration == 7:
            raise KeyboardInterrupt
        step(self)

    words = ("gan", "train", *SMALL, "--iterations", "12")
    with monkeypatch.context() as patched:
        patched.setattr(AttemptRunner, "step", cut)
        patched.setattr("ex3cli.training.loop.SECONDS_BETWEEN_SAVES", 0)
        assert ex3(*words).exit_code == 130  # before there was a classifier
        shutil.copytree(digits_classifier / "classifier", "artifacts/classifier")
        assert ex3(*words).exit_code == 130
    unjudged = ex3("gan", "train", "--resume", "artifacts/gan/digits/dcgan/0001-quick", "--json")
    assert (unjudged.exit_code, unjudged.document["verdict"]) == (0, "unjudged")
    judged = ex3("gan", "train", "--resume", "artifacts/gan/digits/dcgan/0002-quick", "--json")
    assert (judged.exit_code, judged.document["reason"]) == (5, "wrong labels")
    with monkeypatch.context() as patched:
        patched.setattr(AttemptRunner, "step", cut)
        assert ex3(*words).exit_code == 130
    shutil.rmtree("artifacts/classifier")
    gone = ex3("gan", "train", "--resume", "artifacts/gan/digits/dcgan/0003-quick")
    assert (gone.exit_code, "classifier/digits/0001-tiny" in gone.stderr) == (4, True)


def test_eval_gives_each_figure_beside_its_floor(ex3: Callable[..., Any], judged: Path) -> None:
    words = ("gan", "eval", "--dataset", "digits", "--run", "0001-quick", "--artifacts", judged)
    document = ex3(*words, "--json").document
    store = Store(judged)
    run, classifier = store.open("gan/digits/dcgan/0001-quick"), store.open("classifier/digits/0001-tiny")
    expected = evaluation.evaluate(load_generator(run, 10), "dcgan", classifier, 10, count=None, seed=0)
    assert (document["kind"], document["run"]) == ("dcgan", run.name)
    assert document["n"] == 249  # as many as there are held-out images
    for name in ("fid", "coverage", "density", "label_agreement"):
        assert document[name] == getattr(expected.scores, name), name
    for name in ("fid", "coverage", "density"):
        assert document[f"{name}_floor"] == getattr(expected.baseline, name), name
    assert (document["kid"], document["kid_floor"]) == (
        expected.scores.kid.value,
        expected.baseline.kid.value,
    )
    assert document["classifier_accuracy"] == classifier.manifest.summary["accuracy"]
    fewer = ex3(*words, "-n", 120, "--json").document
    assert fewer["n"] == 120
    assert ex3(*words, "--json").document == document
    shown = ex3(*words).stdout
    assert f"{document['label_agreement']:.3f}" in shown
    assert f"{document['classifier_accuracy']:.3f}" in shown


@pytest.mark.parametrize(
    ("thresholds", "verdict", "reason"),
    [
        ({"min_agreement": 1.1}, "failed", "wrong labels"),
        (LOWEST, "converged", None),
        (LOWEST | {"min_coverage": 1.1}, "failed", "low coverage"),
    ],
    ids=["agreement", "none", "coverage"],
)
def test_eval_gives_the_verdict_of_the_kind_s_thresholds(
    ex3: Callable[..., Any],
    judged: Path,
    monkeypatch: pytest.MonkeyPatch,
    thresholds: dict[str, float],
    verdict: str,
    reason: str | None,
) -> None:
    monkeypatch.setattr(Thresholds, "for_kind", lambda kind: Thresholds(**thresholds))
    words = ("gan", "eval", "--dataset", "digits", "--run", "0001-quick", "--artifacts", judged)
    document = ex3(*words, "--json").document
    assert (document["verdict"], document["reason"]) == (verdict, reason)


def test_an_unconditional_generator_has_no_agreement(ex3: Callable[..., Any], judged: Path) -> None:
    words = (
        "gan",
        "eval",
        "--dataset",
        "digits",
        "--kind",
        "wgan-gp",
        "--run",
        "0001-quick",
        "--artifacts",
        judged,
    )
    said = ex3(*words, "--json").document
    assert said["label_agreement"] is None
    assert sum(said["class_shares"].values()) == pytest.approx(1)
    assert ex3(*words).exit_code == 0


@pytest.mark.numbers
def test_the_shipped_generators_are_scored_offline(ex3: Callable[..., Any]) -> None:
    from ex3cli.runs.store import Store

    for kind in BUNDLED:
        bar, whole = (
            Thresholds.for_kind(kind),
            Store(Path("artifacts")).open(f"reference/gan/fashion-mnist/eval/{kind}"),
        )
        shipped = whole.read_json("scores.json")
        assert (shipped["n"], shipped["verdict"]) == (10_000, "converged")
        assert shipped["label_agreement"] >= bar.min_agreement
        assert shipped["coverage"] >= bar.min_coverage
        said = ex3("gan", "eval", "--kind", kind, "-n", 500, "--json").document
        assert said["run"] == shipped["run"] == f"reference/gan/fashion-mnist/{kind}"
        # of 500 images, three standard errors
        assert abs(said["label_agreement"] - shipped["label_agreement"]) < 0.04
        # among fewer images it is higher: no figure for the bar
        assert said["coverage"] > shipped["coverage"]
        assert (said["verdict"], said["reason"]) == (None, None)
        assert said["fid"] > said["fid_floor"]


@pytest.mark.numbers
def test_a_label_of_an_unconditional_generator_is_chosen_by_the_classifier(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path
) -> None:
    words = (
        "gan",
        "sample",
        "--dataset",
        "digits",
        "--kind",
        "wgan",
        "--run",
        "0001-quick",
        "--artifacts",
        judged,
    )
    shares = ex3("gan", "eval", *words[2:], "--json").document["class_shares"]
    common = max(shares, key=shares.__getitem__)
    said = ex3(*words, "--label", common, "-n", 5, "--output", tmp_path / "a", "--json").document
    assert said["classifier"] == "classifier/digits/0001-tiny"
    assert 0 < said["acceptance_rate"] <= 1
    assert {each["label"] for each in said["images"]} == {common}
    fewer = ex3(*words, "--label", common, "-n", 2, "--output", tmp_path / "b", "--json").document
    for one, other in zip(said["images"], fewer["images"], strict=False):
        assert one["index"] == other["index"]
        assert Path(one["path"]).read_bytes() == Path(other["path"]).read_bytes()
    last = said["images"][-1]["index"]
    plain = ex3(*words, "-n", last + 1, "--output", tmp_path / "c", "--json").document["images"][last]
    assert np.array_equal(
        np.asarray(Image.open(plain["path"])), np.asarray(Image.open(said["images"][-1]["path"]))
    )
    assert "% of" in ex3(*words, "--label", common, "-n", 1, "--output", tmp_path / "d").stdout


def test_a_class_that_cannot_be_drawn_is_a_clear_stop(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ex3cli.gan.sampling.rejection.MIN_CONFIDENCE", 1.1)  # nothing is sure enough
    words = (
        "gan",
        "sample",
        "--dataset",
        "digits",
        "--kind",
        "wgan",
        "--run",
        "0001-quick",
        "--artifacts",
        judged,
    )
    outcome = ex3(*words, "--label", "3", "--output", tmp_path / "none")
    assert outcome.exit_code == 5
    assert "could not sample class '3': 0 of 1,024 images" in outcome.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.draws
def test_compare_takes_bundled_real_images_where_the_data_set_is_missing(
    ex3: Callable[..., Any], tmp_path: Path
) -> None:
    words = ("gan", "compare", "--label", "dress")
    outcome = ex3(*words, "--data", tmp_path / "nowhere", "--json")
    assert outcome.exit_code == 0
    said = outcome.document
    assert [each["panel"] for each in said["panels"]] == ["real", "dcgan", "wgan", "wgan-clip"]
    assert [each["stock"] for each in said["panels"]] == [True, False, False, False]
    bundled = Store(Path("artifacts")).open("reference", ("gan", "fashion-mnist", "comparison"))
    (real, *_) = bundled.read_json("comparison.json")["panels"]
    assert said["panels"][0]["indices"] == real["indices"], "seed 0 takes what it takes of the whole set"
    assert said["missing"] == []
    with Image.open(said["figure"]) as figure:
        assert figure.width > 2 * figure.height
    assert "20 bundled test images of each class" in ex3(*words, "--data", tmp_path / "nowhere").stdout
    named = ex3(
        *words, "-n", 1, "--data", tmp_path / "nowhere", "--output", tmp_path / "new" / "dress.PNG", "--json"
    )
    assert named.document["figure"] == str(tmp_path / "new" / "dress.PNG")
    (*_, record) = Store(Path("artifacts")).runs(("gan", "fashion-mnist", "comparison"))
    # wherever it is: the result is the same elsewhere
    assert record.read_json("comparison.json")["figure"] == "dress.PNG"
    assert record.manifest.data.keys() == {"stock/fashion-mnist.png"}


def test_compare_draws_all_classes_in_grids(ex3: Callable[..., Any]) -> None:
    said = ex3("gan", "compare", "--label", "all", "-n", 3, "--seed", 1, "--json").document
    assert said["label"] == "all"
    assert [len(each["indices"]) for each in said["panels"]] == [30] * 4
    assert Path(said["figure"]).name == "compare-all-seed1.png"
    (record,) = Store(Path("artifacts")).runs(("gan", "fashion-mnist", "comparison"))
    assert record.name == "gan/fashion-mnist/comparison/0001-all"


def test_compare_names_real_images_that_are_damaged(ex3: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"cut")
    outcome = ex3("gan", "compare", "--label", "dress", "--data", tmp_path, "--json")
    (missing,) = outcome.document["missing"]
    assert missing["panel"] == "real"
    assert "ex3 data fetch fashion-mnist" in missing["remedy"]


def test_compare_puts_two_of_each_side_by_side(ex3: Callable[..., Any], judged: Path, tmp_path: Path) -> None:
    said = ex3(
        "gan", "compare", "--label", "3", "--dataset", "digits", "--artifacts", judged, "--json"
    ).document
    (*_, record) = Store(judged).runs(("gan", "digits", "comparison"))
    assert record.manifest.data == load("digits").digests != {}
    panels = {each["panel"]: each for each in said["panels"]}
    assert len(panels["real"]["indices"]) == 2
    # shortened ones are not taken unasked
    assert {each["panel"] for each in said["missing"]} == {"dcgan", "wgan"}
    many = ex3(
        "gan",
        "compare",
        "--label",
        "3",
        "--dataset",
        "digits",
        "-n",
        5,
        "--output",
        tmp_path / "five.png",
        "--json",
    )
    assert many.document["figure"] == str(tmp_path / "five.png")


@pytest.mark.parametrize("name", ["x.jpg", "x", ".png"])
def test_compare_writes_a_png_under_no_other_ending(ex3: Callable[..., Any], name: str) -> None:
    outcome = ex3("gan", "compare", "--label", "dress", "--output", f"figures/{name}")
    assert (outcome.exit_code, f"--output 'figures/{name}' does not end in .png" in outcome.stderr) == (
        2,
        True,
    )
    assert len(outcome.stderr.strip().splitlines()) == 2
    assert not Path("figures").exists()
    assert not Path("artifacts").exists()


def test_compare_with_nothing_to_draw_names_the_cause_and_leaves_nothing(
    ex3: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").mkdir(parents=True)  # so that none is bundled
    outcome = ex3("gan", "compare", "--dataset", "mnist", "--label", "3", "--data", tmp_path)
    assert outcome.exit_code == 3
    assert "ex3 data fetch mnist" in outcome.stderr
    assert outcome.stdout == ""
    assert not Path("artifacts").exists()


def spoilt(judged: Path, mine: Path, *kinds: str) -> Path:
    """A copy in which all trainings count as whole, and one byte of the generator of each of the kinds is
    another.
    """
    shutil.copytree(judged, mine)
    shutil.copytree(mine / "gan/digits/dcgan", mine / "gan/digits/wgan-clip")
    for kind in ("dcgan", "wgan", "wgan-clip"):
        folder = mine / "gan/digits" / kind / "0001-quick"
        manifest = Manifest.read(folder)
        config = {**manifest.config, "kind": kind, "critic_norm": "none" if kind == "wgan" else "batch"}
        replace(manifest, partial=False, category=["gan", "digits", kind], config=config).write(folder)
        if kind in kinds:
            content = bytearray((folder / "generator.safetensors").read_bytes())
            content[-1] ^= 1
            (folder / "generator.safetensors").write_bytes(content)
    return mine


@pytest.mark.parametrize("kind", ["dcgan", "wgan-clip"])
def test_compare_draws_beside_a_damaged_generator_and_ends_with_four(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path, kind: str
) -> None:
    mine = spoilt(judged, tmp_path / "mine", kind)
    words = ("gan", "compare", "--label", "3", "--dataset", "digits", "--artifacts", mine)
    outcome = ex3(*words, "--json")
    assert outcome.exit_code == 4
    assert f"{kind}/0001-quick/generator.safetensors" in outcome.stderr
    assert [each["panel"] for each in outcome.document["missing"]] == [kind]
    assert len(outcome.document["panels"]) == 3
    assert Path(outcome.document["figure"]).is_file()
    shutil.rmtree(mine / "gan/digits" / kind)
    whole = ex3(*words, "--json")
    assert whole.exit_code == 0
    assert [each["panel"] for each in whole.document["missing"]] == (["dcgan"] if kind == "dcgan" else [])


def test_compare_names_a_torn_manifest_and_every_damaged_generator(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path
) -> None:
    mine = spoilt(judged, tmp_path / "mine", "dcgan")
    (mine / "gan/digits/wgan/0001-quick/run.json").write_text("{")
    outcome = ex3("gan", "compare", "--label", "3", "--dataset", "digits", "--artifacts", mine)
    assert outcome.exit_code == 4
    assert "dcgan/0001-quick/generator.safetensors" in outcome.stderr
    assert "wgan/0001-quick/run.json" in outcome.stderr
    assert "ex3 runs verify" in outcome.stderr
    assert "3: real, wgan-clip: gan/digits/wgan-clip/0001-quick" in outcome.stdout


def test_history_counts_attempts_with_their_reasons(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path
) -> None:
    from ex3cli.runs.store import Store
    from ex3cli.training.attempts import Attempt, AttemptLog

    store = Store(tmp_path / "artifacts")
    for seed, verdicts in enumerate((("failed", "converged"), ("converged",))):
        run = store.new_run(
            ("gan", "digits", "dcgan"), label="quick", command="gan train", config={}, seed=seed, argv=["ex3"]
        )
        log = AttemptLog(run)
        for number, verdict in enumerate(verdicts, 1):
            reason = "divergence" if verdict == "failed" else None
            log.record(Attempt(number, 10 * seed + number, verdict, reason, 900 * number, {"fid": 3.25}))
        run.finish({}, converged=True)
    said = ex3("gan", "history", "--dataset", "digits", "--json").document
    result = said["kinds"]["dcgan"]
    assert (
        result["failed_before_first_success"],
        result["failed"],
        result["converged"],
    ) == (1, 1, 2)
    assert result["reasons"] == {"divergence": 1}
    assert result["failure_rate"]["value"] == pytest.approx(1 / 3)
    assert result["failure_rate"]["low"] == pytest.approx(0.0615, abs=1e-3)
    assert result["failure_rate"]["high"] == pytest.approx(0.7923, abs=1e-3)
    assert [(each["verdict"], each["iteration"]) for each in said["attempts"]] == [
        ("failed", 900),
        ("converged", 1800),
        ("converged", 900),
    ]
    assert not result["shipped"]
    shown = ex3("gan", "history", "--dataset", "digits").stdout
    assert "33 (6 to 79)" in shown
    assert "Convergence requires label agreement ≥ 0.90 and coverage ≥ 0.70 (DCGAN)." in shown
    assert "FID 3.2500" in shown
    record = store.open("gan/digits/history/0001-attempts")
    assert record.read_json("history.json") == said
    assert {"figures/failures.png", "figures/failures.svg"} <= set(record.manifest.files)
    assert record.manifest.sources.keys() == {"gan/digits/dcgan/0001-quick", "gan/digits/dcgan/0002-quick"}
    derived = json.loads((tmp_path / "artifacts/convergence.json").read_text())["categories"][
        "gan/digits/dcgan"
    ]
    assert derived["failed_before_first_success"] == 1


def test_history_of_nothing_and_of_a_damaged_run(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path
) -> None:
    outcome = ex3("gan", "history", "--dataset", "mnist")
    assert (outcome.exit_code, "There are no attempts yet" in outcome.stdout) == (0, True)
    shipped = ex3("gan", "history", "--json").document["kinds"]["dcgan"]
    assert shipped["shipped"]
    derived = json.loads(Path("artifacts/convergence.json").read_text())
    assert derived["categories"] == {}, "none of one's own"
    assert derived["bundled"]["gan/fashion-mnist/dcgan"]["converged"] == shipped["converged"] == 10
    mine = tmp_path / "mine"
    shutil.copytree(judged, mine)
    log = mine / "gan/digits/dcgan/0001-quick/attempts.jsonl"
    log.write_text(log.read_text().replace("converged", "failed"))
    outcome = ex3("gan", "history", "--dataset", "digits", "--artifacts", mine)
    assert outcome.exit_code == 4
    assert "attempts.jsonl" in outcome.stderr
    assert "wgan" in outcome.stdout


@pytest.mark.parametrize(
    ("words", "code", "cause"),
    [
        (("eval", "--kind", "wgn"), 2, "'wgn'"),
        (("eval", "-n", "3"), 2, "-n"),
        (("eval", "-n", "10001"), 2, "10,000 real images"),
        (("eval", "--dataset", "mnist"), 4, "gan/mnist/dcgan"),
        (("compare",), 2, "--label"),
        (("compare", "--label", "dres"), 2, "'dres'"),
        (("history", "--dataset", "mnst"), 2, "'mnst'"),
    ],
)
def test_what_cannot_be_is_named(
    ex3: Callable[..., Any], words: tuple[str, ...], code: int, cause: str
) -> None:
    outcome = ex3("gan", *words)
    assert (outcome.exit_code, cause in outcome.stderr) == (code, True), outcome.stderr


def test_an_overview_shows_every_training_of_a_preset(ex3: Callable[..., Any], judged: Path) -> None:
    where = ("--dataset", "digits", "--artifacts", judged)
    document = ex3("gan", "overview", *where, "--json").document
    rows = [
        (each["kind"], each["conditional"], each["iterations"], each["verdict"])
        for each in document["trainings"]
    ]
    assert rows == [("dcgan", True, 80, "converged"), ("wgan", False, 120, "converged")]
    assert [each["label_agreement"] is None for each in document["trainings"]] == [False, True]
    named = ex3("gan", "overview", "wgan/0001-quick", *where)
    assert named.exit_code == 0
    assert "figures/overview.png" in named.stdout
    assert "dcgan" not in named.stdout.split("wrote")[0]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--preset", "wide"), 4, "there is no finished training of preset wide on digits"),
        (("--preset", "wdie"), 2, "did you mean 'wide'"),
        (("nothing-there",), 4, "nothing-there"),
        (("classifier/digits/0001-tiny",), 2, "is not a GAN training on digits"),
    ],
)
def test_what_an_overview_cannot_show_is_named(
    ex3: Callable[..., Any], judged: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    outcome = ex3("gan", "overview", *words, "--dataset", "digits", "--artifacts", judged)
    assert (outcome.exit_code, said in outcome.stderr) == (code, True), outcome.stderr


def test_an_overview_reads_past_a_damaged_run_of_another_feature(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(judged, mine)
    (torn := mine / "vae/fashion-mnist/0001-quick").mkdir(parents=True)
    (torn / "run.json").write_text("{")
    outcome = ex3("gan", "overview", "--dataset", "digits", "--artifacts", mine, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert len(outcome.document["trainings"]) == 2


def test_an_overview_shows_the_shipped_ones_where_you_have_none(ex3: Callable[..., Any]) -> None:
    rows = ex3("gan", "overview", "--json").document["trainings"]
    assert {each["kind"] for each in rows} == {"dcgan", "wgan", "wgan-clip"}
    assert all(each["run"].startswith("reference/gan/fashion-mnist/") for each in rows)


def test_of_the_shipped_ones_of_a_preset_an_overview_shows_that_which_every_command_takes(
    ex3: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "reference"
    shutil.copytree(reference_folder() / "gan/fashion-mnist/dcgan", copied / "gan/fashion-mnist/dcgan")
    shutil.copytree(reference_folder() / "gan/fashion-mnist/dcgan", copied / "gan/fashion-mnist/dcgan/quick")
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: copied)
    rows = ex3("gan", "overview", "--preset", "quick", "--json").document["trainings"]
    assert [each["run"] for each in rows] == ["reference/gan/fashion-mnist/dcgan"]


def test_an_overview_refuses_a_training_that_is_under_way(
    ex3: Callable[..., Any], new_run: Callable[..., Any]
) -> None:
    config = {"dataset": "digits", "seed": 0, **GANConfig.resolve(kind="dcgan").to_dict()}
    new_run(category=("gan", "digits", "dcgan"), label="quick", command="gan train", config=config)
    outcome = ex3("gan", "overview", "dcgan/0001-quick", "--dataset", "digits")
    assert (outcome.exit_code, "is running" in outcome.stderr, "--resume" in outcome.stderr) == (
        4,
        True,
        True,
    )


@pytest.mark.numbers
def test_correlate_has_a_row_for_each_training(ex3: Callable[..., Any], judged: Path) -> None:
    where = ("--dataset", "digits", "--artifacts", judged)
    rows = ex3("gan", "correlate", *where, "--json").document["trainings"]
    # A look every 400 iterations and one at the end: these short trainings have one.
    assert [(row["kind"], row["looks"], row["correlation"]) for row in rows] == [
        ("dcgan", 1, None),
        ("wgan", 1, None),
    ]
    assert [row["course"]["iteration"] for row in rows] == [[80], [120]]
    assert rows[0]["course"]["fid"][0] > 0
    shown = ex3("gan", "correlate", "wgan/0001-quick", "wgan/0001-quick", *where)
    assert shown.exit_code == 0
    assert "too few or" in shown.stdout
    assert "figures/correlation.svg" in shown.stdout
    assert shown.stdout.split("wrote")[0].count("gan/digits/wgan") == 1


def test_of_the_shipped_ones_correlate_takes_the_default_ones_and_the_papers(ex3: Callable[..., Any]) -> None:
    rows = ex3("gan", "correlate", "--json").document["trainings"]
    names = [row["run"].removeprefix("reference/gan/fashion-mnist/") for row in rows]
    assert names == ["dcgan", "wgan", "wgan-clip", "dcgan/paper", "wgan/paper"]
    document = ex3("gan", "correlate", "--preset", "narrow", "--json").document
    assert [row["run"] for row in document["trainings"]] == [
        f"reference/gan/fashion-mnist/{kind}/narrow" for kind in BUNDLED
    ]
    (row, *_) = document["trainings"]
    table = " ".join(ex3("gan", "correlate", "--preset", "narrow").stdout.split())
    assert f"{row['lowest']['estimate']:.3f} at {row['lowest']['iteration']:,}" in table


def test_a_training_without_evaluations_is_left_out(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(judged, mine)
    shutil.rmtree(mine / "classifier")
    where = ("--dataset", "digits", "--artifacts", mine)
    assert (
        ex3("gan", "train", *SMALL, "--kind", "wgan-clip", "--iterations", "6", "--artifacts", mine).exit_code
        == 0
    )
    outcome = ex3("gan", "correlate", "--preset", "quick", *where, "--json")
    assert [row["kind"] for row in outcome.document["trainings"]] == ["dcgan", "wgan"]
    (cause,) = outcome.document["left_out"].values()
    assert cause == "gan/digits/wgan-clip/0001-quick has no stored evaluations of its images"
    assert (outcome.exit_code, f"left out: {cause}" in outcome.stderr) == (0, True)
    both = ex3("gan", "correlate", "wgan-clip/0001-quick", "dcgan/0001-quick", *where)
    assert (both.exit_code, cause in both.stderr, "figures/correlation.png" in both.stdout) == (0, True, True)
    alone = ex3("gan", "correlate", "wgan-clip/0001-quick", *where)
    assert (alone.exit_code, "choose a training that was evaluated" in alone.stderr) == (4, True)


def test_damage_is_named_and_hides_no_other_training(
    ex3: Callable[..., Any], judged: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(judged, mine)
    (torn := mine / "gan/digits/wgan/0002-quick").mkdir()
    (torn / "run.json").write_text("{")
    where = ("--dataset", "digits", "--artifacts", mine)
    outcome = ex3("gan", "correlate", *where, "--json")
    assert (outcome.exit_code, "0002-quick/run.json is damaged" in outcome.stderr) == (4, True)
    assert [row["kind"] for row in json.loads(outcome.stdout)["trainings"]] == ["dcgan"]
    assert outcome.stderr.count("left out") == 1
    shutil.rmtree(torn)
    with (mine / "gan/digits/dcgan/0001-quick/metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write("{}\n")
    both = ex3("gan", "correlate", "--preset", "quick", *where, "--json")
    assert (both.exit_code, "metrics.jsonl" in both.stderr) == (4, True)
    document = json.loads(both.stdout)
    assert ([row["kind"] for row in document["trainings"]], document["left_out"]) == (["wgan"], {})
    assert ex3("gan", "correlate", *where).exit_code == 4


def test_without_a_training_the_command_that_makes_one_is_named(
    ex3: Callable[..., Any], tmp_path: Path
) -> None:
    outcome = ex3("gan", "correlate", "--dataset", "digits", "--artifacts", tmp_path / "none")
    assert (outcome.exit_code, "there is no finished training on digits" in outcome.stderr) == (4, True)
