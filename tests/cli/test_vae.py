import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ex3cli.cli import app, main
from ex3cli.errors import InterruptedTrainingError
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.threads import torch_threads
from ex3cli.vae.training import Trainer

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

Ex3 = Callable[..., Any]
SMALL = (
    "--dataset",
    "digits",
    "--preset",
    "paper",
    "--hidden",
    32,
    "--latent-dim",
    6,
    "--batch-size",
    50,
    "--device",
    "cpu",
    "--iwae-samples",
    3,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An artifacts folder with a short training on digits, and its name there."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        outcome = CliRunner().invoke(
            app, ["vae", "train", *map(str, SMALL), "--epochs", "4", "--json"], prog_name="ex3"
        )
    assert outcome.exit_code == 0, outcome.stderr
    return folder / "artifacts", str(json.loads(outcome.stdout)["run"])


@pytest.fixture
def trained(made: tuple[Path, str]) -> str:
    """A short training on digits, in this test's own artifacts folder; returns its name."""
    shutil.copytree(made[0], "artifacts")
    return made[1]


@pytest.mark.numbers
def test_training_writes_a_verified_run_with_how_it_was_made(ex3: Ex3, trained: str) -> None:
    run = Store(Path("artifacts")).open(trained)
    manifest = run.manifest
    assert manifest.state == "finished"
    assert manifest.partial, "4 epochs are fewer than the preset's"
    assert manifest.config["hidden"] == [32]
    assert (manifest.config["dataset"], manifest.config["seed"], manifest.device) == ("digits", 0, "cpu")
    assert manifest.argv[:3] == ["ex3", "vae", "train"]
    written = {
        "weights.safetensors",
        "latents.safetensors",
        "projection.safetensors",
        "metrics.jsonl",
        "bound.json",
    }
    assert written | {"figures/bound.png", "figures/bound.svg"} == set(manifest.files)
    assert manifest.summary["svm"]["100"].keys() == {"penalty", "gamma", "accuracy"}
    assert manifest.summary["test_importance_weighted_bound"] > manifest.summary["test_elbo"]
    assert set(run.verify().values()) == {"ok"}


def test_a_resumed_training_is_as_short_as_its_preset_says(ex3: Ex3, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(config: Any, images: Any, run: Run, **given: Any) -> None:
        run.mark("interrupted")
        raise InterruptedTrainingError("stopped", given["resume_command"], signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr("ex3cli.vae.training.train", stops)
        ex3(
            "vae", "train", *SMALL, "--epochs", 16
        )  # between the lengths of the default preset and of `paper`
    resumed = ex3(
        "vae", "train", "--dataset", "digits", "--resume", "0001-paper", "--device", "cpu", "--json"
    )
    assert resumed.document["partial"]


@pytest.mark.draws
@pytest.mark.numbers
def test_eval_measures_every_size_and_writes_table_and_svms(ex3: Ex3, trained: str) -> None:
    words = (
        "vae",
        "eval",
        "--dataset",
        "digits",
        "--run",
        trained,
        "--labels",
        100,
        "--labels",
        300,
        "--draws",
        3,
    )
    outcome = ex3(*words, "--json")
    document = outcome.document
    assert document["run"] == trained
    assert [row["labels"] for row in document["results"]] == [100, 300]
    assert all(row["draws"] == 3 and 0 < row["accuracy_mean"] <= 1 for row in document["results"])
    assert document["features"] == "posterior mean"
    for row in document["results"]:
        assert np.sum(row["confusion"]) == 3 * 304
        assert np.trace(row["confusion"]) / np.sum(row["confusion"]) == pytest.approx(row["accuracy_mean"])
        assert len(row["class_accuracies"]) == 10
        assert row["baselines"].keys() == {"raw_pixels", "hog"}
        assert all(
            0.5 < each["accuracy_mean"] <= 1 and each["draws"] == 3 for each in row["baselines"].values()
        )
    run = Store(Path("artifacts")).open("vae/digits/0002-eval")
    assert run.read_json("table.json") == document
    assert {"figures/accuracy.svg", "figures/confusion.png"} <= set(run.manifest.files)
    assert run.read_estimator("svm-100.skops").kernel == "rbf"
    assert run.manifest.sources.keys() == {trained}
    again = ex3(*words, "--json").document
    assert again["results"] == document["results"]
    table = ex3(*words)
    assert "±" in table.stdout
    assert "wrote artifacts/vae/digits/0004-eval/table.csv" in table.stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--transductive",), "SVM with label spreading"),
        (("--tune",), "SVM on posterior mean"),
        (("--features", "logvar", "--features", "hidden"), "posterior log-variance + last hidden layer"),
    ],
    ids=["transductive", "tuned", "other features"],
)
def test_eval_in_other_ways(ex3: Ex3, trained: str, options: tuple[str, ...], expected: str) -> None:
    words = (
        "vae",
        "eval",
        "--dataset",
        "digits",
        "--run",
        trained,
        "--labels",
        50,
        "--draws",
        2,
        "--no-baselines",
        *options,
    )
    outcome = ex3(*words)
    assert outcome.exit_code == 0, outcome.stderr
    assert expected in outcome.stdout
    document = Store(Path("artifacts")).open("vae/digits/0002-eval").read_json("table.json")
    row = document["results"][0]
    assert 0 < row["accuracy_mean"] <= 1
    assert row["baselines"] == {}
    assert ("spreading" in row) == ("--transductive" in options)


def test_compare_separates_the_spread_over_draws_from_that_over_seeds(ex3: Ex3, trained: str) -> None:
    other = ex3("vae", "train", *SMALL, "--epochs", 4, "--seed", 1, "--json").document["run"]
    sizes = ("--labels", 50, "--labels", 100, "--draws", 2)
    outcome = ex3(
        "vae",
        "compare",
        trained.split("/")[-1],
        other.split("/")[-1],
        "--dataset",
        "digits",
        *sizes,
        "--json",
    )
    document = outcome.document
    assert document["baselines"].keys() == {"raw_pixels", "hog"}
    assert document["recipes"].keys() == {trained, other}, (
        "shortened trainings are no preset: each stands for itself"
    )
    run = Store(Path("artifacts")).open("vae/digits/comparison/0001-table")
    assert run.manifest.partial, "two draws are fewer than the default"
    assert run.manifest.sources.keys() == {trained, other}
    again = ex3("vae", "compare", trained.split("/")[-1], "--dataset", "digits", *sizes)
    assert "edges (HOG) alone" in again.stdout


def test_pictures_are_drawn_and_repeatable(ex3: Ex3, trained: str) -> None:
    common = ("--dataset", "digits", "--run", trained, "--json")
    for number, (words, figures) in enumerate(
        [
            (("reconstruct", "--pairs", 1), ["figures/reconstructions.png"]),
            (("sample", "-n", 5), ["classes.csv", "figures/samples.png"]),
            (
                ("latent", "--points", 40, "--steps", 3, "--label", "7"),
                ["figures/map.png", "figures/traversal.png", "map.csv"],
            ),
            (("sample", "-n", 5), ["classes.csv", "figures/samples.png"]),
        ]
    ):
        outcome = ex3("vae", *words, *common)
        assert outcome.exit_code == 0, outcome.stderr
        assert outcome.document["run"] == trained
        run = Store(Path("artifacts")).open(f"vae/digits/{number + 2:04d}-{words[0]}")
        assert sorted(run.manifest.files) == figures
    first, again = (
        Path(f"artifacts/vae/digits/{n}-sample/figures/samples.png").read_bytes() for n in ("0003", "0005")
    )
    assert first == again


def test_a_picture_that_cannot_be_drawn_leaves_a_failed_run(
    ex3: Ex3, trained: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no room for the axes")

    monkeypatch.setattr("ex3cli.vae.figures.samples", fail)
    assert ex3("vae", "sample", "--dataset", "digits", "--run", trained).exit_code == 1
    (run,) = [run for run in map(store.open_folder, store.folders()) if run.manifest.command == "vae sample"]
    assert run.manifest.state == "failed"
    assert "no room for the axes" in str(run.manifest.note)


def test_a_shortened_run_is_never_taken_by_default(ex3: Ex3, trained: str) -> None:
    outcome = ex3("vae", "eval", "--dataset", "digits")
    assert outcome.exit_code == 4
    assert "ex3 vae train" in outcome.stderr


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("eval", "--labels", 7), 2, "give 10"),
        (("eval", "--labels", 100_000), 2, "give at most"),
        (("eval", "--dataset", "digit"), 2, "did you mean 'digits'"),
        (("eval", "--run", "0009"), 4, "there is no run '0009'"),
        (("train", "--init", "fanin"), 2, "did you mean 'fan-in'"),
        (("train", "--preset", "papr"), 2, "did you mean 'paper'"),
        (("train", "--inputs", "edges"), 2, "requires the input `pixels`"),
        (("train", "--features", "mean", "--features", "mean"), 2, "contains a duplicate"),
        (("train", "--likelihood", "gausian"), 2, "did you mean 'gaussian'"),
        (("eval", "--features", "maen"), 2, "did you mean 'mean'"),
        (("eval", "--svm-c", -1), 2, "of at least 0"),
        (("eval", "--labels", 100, "--labels", 100), 2, "contains a duplicate"),
        (("eval", "--tune", "--transductive"), 2, "leave out one of them"),
        (("eval", "--tune", "--svm-gamma", 1), 2, "--tune selects C and gamma"),
        (("latent", "--run", "0009"), 4, "there is no run '0009'"),
        (("train", "--latent-dim", 0), 2, "of at least 1"),
        (("train", "--device", "tpu"), 2, "--device 'tpu' is unknown"),
        (("train", "--resume", "0009-paper"), 4, "there is no run '0009-paper'"),
    ],
)
def test_bad_input_is_one_clear_line(
    ex3: Ex3, trained: str, words: tuple[object, ...], code: int, expected: str
) -> None:
    defaults = ("--dataset", "digits") if "--dataset" not in words else ()
    named = (
        ("--run", trained)
        if words[0] in ("eval", "latent") and "--run" not in words and "--dataset" not in words
        else ()
    )
    before = sorted(Path("artifacts").rglob("*"))
    outcome = ex3("vae", *words, *defaults, *named)
    assert outcome.exit_code == code
    assert expected in outcome.stderr
    assert outcome.stderr.count("error: ") == 1
    assert sorted(Path("artifacts").rglob("*")) == before


def test_a_missing_data_set_is_exit_3_and_leaves_no_run(ex3: Ex3, tmp_path: Path) -> None:
    outcome = ex3("vae", "train", "--data", tmp_path)
    assert outcome.exit_code == 3
    assert "ex3 data fetch fashion-mnist" in outcome.stderr
    assert not (tmp_path / "artifacts").exists()


def test_a_run_of_another_data_set_is_refused(ex3: Ex3, trained: str) -> None:
    outcome = ex3("vae", "eval", "--run", trained)
    assert outcome.exit_code == 4
    assert "vae/digits" in outcome.stderr


def test_damaged_latents_are_named_before_use(ex3: Ex3, trained: str) -> None:
    path = Path("artifacts") / trained / "latents.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    outcome = ex3("vae", "eval", "--dataset", "digits", "--run", trained)
    assert outcome.exit_code == 4
    assert str(path) in outcome.stderr


def test_an_artifacts_folder_that_cannot_be_written_is_exit_4(ex3: Ex3, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = ex3("vae", "train", *SMALL, "--epochs", 1, "--artifacts", tmp_path / "file")
    assert outcome.exit_code == 4
    assert "--artifacts" in outcome.stderr


@pytest.fixture
def start() -> Iterator[Callable[..., int]]:
    """Begin `ex3 vae train` in a process of its own, forked off: a new interpreter would take seconds to
    import torch.

    What it says goes to the files `ID.out` and `ID.err`.
    """
    with torch_threads(1):  # a forked child must not wait for a thread pool that stayed with its parent
        torch.zeros(1)
        gc.freeze()  # nor copy what was imported, when it collects

        def begin(*words: object) -> int:
            sys.stdout.flush()
            if process := os.fork():
                return process
            code = 1
            try:
                for stream, kind in ((1, "out"), (2, "err")):
                    os.dup2(os.open(f"{os.getpid()}.{kind}", os.O_WRONLY | os.O_CREAT), stream)
                sys.stdout, sys.stderr = (os.fdopen(stream, "w") for stream in (1, 2))
                sys.argv = ["ex3", "vae", "train", *(str(word) for word in (*SMALL, *words))]
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

        yield begin
        gc.unfreeze()


def ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_sigterm_saves_and_prints_the_command_that_ends_the_same(
    ex3: Ex3, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.step

    def stopped(trainer: Trainer, grey: torch.Tensor, done: int) -> None:
        if done == 40:
            signal.raise_signal(signal.SIGTERM)
        step(trainer, grey, done)

    monkeypatch.setattr(Trainer, "step", stopped)
    outcome = ex3("vae", "train", *SMALL, "--epochs", 2000)
    assert outcome.exit_code == 143
    line = next(line for line in outcome.stderr.splitlines() if "go on with: " in line)
    words = line.partition("go on with: ex3 ")[2].split()
    assert words[:2] == ["vae", "train"]
    refused = ex3(*words, "--latent-dim", 7, "--seed", 1)
    assert refused.exit_code == 2
    assert "latent_dim: 6 there, 7 now" in refused.stderr
    assert "seed: 0 there, 1 now" in refused.stderr
    taken_up = Store(Path("artifacts")).open("vae/digits/0001-paper")
    assert taken_up.manifest.state == "interrupted"
    assert taken_up.manifest.config["epochs"] == 2000


def test_two_trainings_at_once_get_two_folders(start: Callable[..., int]) -> None:
    processes = [start("--epochs", 1, "--json") for _ in range(2)]
    assert [ended(process) for process in processes] == [0, 0]
    runs = {json.loads(Path(f"{process}.out").read_text())["run"] for process in processes}
    assert runs == {"vae/digits/0001-paper", "vae/digits/0002-paper"}


def test_bundled_baselines_of_the_same_draws_are_not_fitted_again(
    real_data: Path, ex3: Ex3, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr("ex3cli.vae.few_labels.evaluate.baselines", fail)
    words = ("vae", "eval", "--run", "paper", "--labels", 100, "--data", real_data, "--json")
    row = ex3(*words).document["results"][0]
    assert row["baselines"]["raw_pixels"]["source"] == "shipped"
    assert "fitted again" in ex3(*words, "--draws", 2).stderr, "of other draws they are"


@pytest.mark.parametrize(("run", "beside"), [("paper", False), ("reference", True)])
def test_the_papers_network_is_bundled_and_stands_in_a_table_once(ex3: Ex3, run: str, beside: bool) -> None:
    document = ex3("vae", "eval", "--run", run, "--labels", 100, "--json").document
    assert document["preset"] == ("edges" if beside else "paper")
    row = document["results"][0]
    assert ("preset_paper" in row["baselines"]) == beside
    assert "raw_pixels" in row["baselines"]


def test_paper_on_real_fashion_mnist_reaches_what_was_measured(real_data: Path, store: Store) -> None:
    """20,000 images seen once by the paper's model already separate clothes; the full table is measured by
    `ex3 vae eval`.
    """
    from ex3cli.datasets import registry
    from ex3cli.vae import encoding, training
    from ex3cli.vae.config import EvaluationConfig, VAEConfig
    from ex3cli.vae.few_labels import fits

    whole, config = registry.load("fashion-mnist", real_data), VAEConfig.resolve("paper", epochs=1)
    data = replace(whole, train_images=whole.train_images[:20_000], train_labels=whole.train_labels[:20_000])
    run = store.new_run(
        ("vae", "fashion-mnist"), label="paper", command="vae train", config=config.to_dict(), seed=0, argv=[]
    )
    trained = training.train(
        config, data.train_images, run, seed=0, device=torch.device("cpu"), resume_command=""
    )
    _, judged = encoding.features_of(
        trained.model.eval(), data, config.features, config.pca_components, seed=0
    )
    small = EvaluationConfig(labels=(600,), draws=2)
    accuracy = fits.evaluate(judged, small, fits.fit_baseline({}, small, 0), seed=0)[0].accuracy_mean
    assert accuracy > 0.65


@pytest.mark.parametrize("preset", ["paper", "pixels", "edges"])
@pytest.mark.numbers
def test_a_training_that_diverges_ends_with_its_reason_and_a_remedy(ex3: Ex3, preset: str) -> None:
    """Adam's first step moves each bias of the posterior mean by the rate; its square overflows in the KL."""
    small = ("--dataset", "digits", "--hidden", 8, "--latent-dim", 2, "--device", "cpu")
    outcome = ex3(
        "vae", "train", *small, "--preset", preset, "--epochs", 1, "--learning-rate", 1e30, "--quiet"
    )
    assert outcome.exit_code == 5
    assert "non-finite" in outcome.stderr
    assert "in epoch 1" in outcome.stderr
    assert "smaller step size than --learning-rate 1e+30" in outcome.stderr
    (run,) = Store(Path("artifacts")).runs(("vae", "digits"))
    assert run.manifest.state == "failed"
    assert "non-finite" in run.manifest.note


@pytest.mark.numbers
def test_a_collapsed_posterior_is_reported_in_words(ex3: Ex3) -> None:
    trained = ex3("vae", "train", *SMALL, "--epochs", 2, "--beta", 1000, "--quiet")
    assert trained.exit_code == 0, trained.stderr
    judged = ex3(
        "vae", "eval", "--dataset", "digits", "--run", "0001-paper", "--labels", 100, "--draws", 1, "--quiet"
    )
    assert judged.exit_code == 0, judged.stderr
    for outcome in (trained, judged):
        assert "posterior collapse" in outcome.stdout
