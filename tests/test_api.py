"""ex3 from Python gives what the commands give, and refuses what they refuse."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ex3cli
from ex3cli import evaluate, load_classifier, load_generator, load_vae, train_gan
from ex3cli.errors import ArtifactError, UsageError

Ex3 = Callable[..., Any]


def test_importing_the_package_loads_nothing_heavy_and_names_everything() -> None:
    program = (
        "import sys, ex3cli\n"
        "assert not {'torch', 'numpy', 'typer'} & set(sys.modules)\n"
        "assert {'load_generator', 'evaluate', 'train_gan'} <= set(dir(ex3cli))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert all(getattr(ex3cli, name) is not None for name in ex3cli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'load_gan'"):
        _ = ex3cli.load_gan


def test_a_sample_is_that_of_the_command(ex3: Ex3) -> None:
    written = ex3(
        "gan", "sample", "--kind", "wgan", "--label", "dress", "-n", 2, "--seed", 5, "--json"
    ).document
    samples = load_generator("wgan").sample("dress", 2, seed=5)
    assert samples.labels is not None
    assert samples.labels.tolist() == [3, 3]
    for image, entry in zip(samples.images, written["images"], strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(entry["path"])), image)
    saved = samples.save(Path("mine/dress"))
    assert [each.label for each in saved.images] == ["Dress", "Dress"]
    assert saved.sheet.read_bytes() == samples._repr_png_() == Path(written["sheet"]).read_bytes()


def test_a_smaller_sample_is_the_beginning_of_a_larger_one() -> None:
    generator = load_generator("dcgan")
    few, many = generator.sample(n=3), generator.sample(n=12)
    np.testing.assert_array_equal(few.images, many.images[:3])
    assert many.labels is not None
    assert many.labels.tolist() == [*range(10), 0, 1]


def test_the_vae_and_the_classifier_take_images() -> None:
    vae, classifier = load_vae(), load_classifier()
    images = vae.sample(3, seed=1)
    assert images.shape == vae.reconstruct(images).shape == (3, 28, 28)
    features = vae.transform(images)
    np.testing.assert_allclose(vae.transform(images.astype(float))[1], features[1], rtol=1e-5, atol=1e-6)
    assert classifier.predict(images).shape == (3,)
    assert classifier.features(images[0]).shape[0] == 1


def test_evaluation_is_that_of_the_command(ex3: Ex3) -> None:
    written = ex3("gan", "eval", "--kind", "wgan", "-n", 200, "--json").document
    samples = load_generator("wgan").sample(n=200)
    compared = evaluate(samples.images, samples.labels)
    found = (
        compared.images.fid,
        compared.real.fid,
        compared.images.coverage,
        compared.images.label_agreement,
    )
    assert found == tuple(written[key] for key in ("fid", "fid_floor", "coverage", "label_agreement"))


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((3, 27, 28)), None, "shape"),
        (np.full((3, 28, 28), 0.5), None, "scaled to 0…1"),
        (np.full((3, 28, 28), np.nan), None, "grey levels"),
        (np.zeros((3, 28, 28)), [1, 2], "3 whole numbers"),
        (np.zeros((3, 28, 28)), [1, 2, 10], "from 0 to 9"),
    ],
)
def test_what_is_no_image_or_no_label_is_refused(images: Any, labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate(images, labels)


def test_bad_requests_are_the_errors_of_the_commands() -> None:
    with pytest.raises(UsageError, match="dres"):
        load_generator().sample("dres sandal")
    with pytest.raises(UsageError, match="no image"):
        load_generator().sample(n=0)
    with pytest.raises(UsageError, match="cannot be compared"):
        evaluate(np.zeros((1, 28, 28)))
    with pytest.raises(UsageError, match="--bogus"):
        train_gan("wgan", bogus=1)
    with pytest.raises(ArtifactError, match="9999"):
        load_vae(run="9999")


def test_a_training_is_that_of_the_command(ex3: Ex3, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"dataset": "digits", "iterations": 3, "precision": "float32", "batch_size": 16}
    run = train_gan("wgan-clip", seed=4, **options)  # type: ignore[arg-type]
    assert capsys.readouterr() == ("", "")
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    same = ex3("gan", "train", "--kind", "wgan-clip", "--seed", 4, *words, "--json").document["run"]
    mine = {each.name: each for each in ex3cli.list_runs()}
    file = "generator.safetensors"
    assert mine[same].manifest.files[file] == mine[run.name].manifest.files[file]


def test_a_notebook_shows_a_sample_as_a_picture(tmp_path: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    code = 'import ex3cli as ex3\n\ndresses = ex3.load_generator("wgan").sample("dress", 2)'
    cells = [nbformat.v4.new_code_cell(code), nbformat.v4.new_code_cell("dresses")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "image/png" in notebook.cells[1].outputs[0]["data"]
