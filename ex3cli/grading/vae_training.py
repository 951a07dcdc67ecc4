"""VAE trainings: the labels in their features, the choice of C and gamma, and features from the weights."""

from typing import Any

import numpy as np

from ex3cli.grading.checks import Archive, RunCheck, class_names, finite, fits
from ex3cli.runs.run import Run
from ex3cli.seeding import torch_generator
from ex3cli.vae import encoding, figures
from ex3cli.vae import features as stored
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.few_labels import svm
from ex3cli.vae.networks import VAE

IMAGES = 500  # per split, whose features are recomputed
FEATURE_TOLERANCE = 0.02  # of a feature's largest value: other processors round differently
CHOICE_TOLERANCE = 0.0005  # of the accuracy on validation images, for the same reason


def check_training(check: RunCheck, archive: Archive) -> None:
    """Check a `vae train`: its labels, the choice of C and gamma, and features from images."""
    run = check.run
    history = [row for row in run.read_history() if "elbo" in row]
    if history:
        check.compare("the bound in its manifest", run.manifest.summary.get("elbo"), history[-1]["elbo"])
    check.figure("figures/bound", lambda: figures.bound_by_epoch(run.read_history()))
    bound = check.load("bound.json")
    check.compare("the test bound in its manifest", run.manifest.summary.get("test_elbo"), bound["elbo"])
    features, dataset = stored.load_features(run), stored.dataset_of(run)
    _check_labels(check, archive, features, dataset)
    model_fits = fits(lambda: VAE(stored.config_of(run)), run.read_tensors(stored.WEIGHTS))
    check.expect(model_fits, "its weights do not fit its configuration")
    data = archive.images(dataset)
    if data is not None and model_fits:
        _compare_features(check, run, features, data)
    if not features.complete:
        return
    recorded = svm.from_json(run.manifest.summary.get("svm", {}))
    sizes = tuple(size for size in EvaluationConfig().labels if size in recorded)
    key = ("choice", run.manifest.digest, sizes)
    found = archive.cached(key, lambda: svm.select_params(features, sizes, run.manifest.seed))
    for size in sizes:
        given, chosen = recorded[size], found.get(size)
        if chosen is None:
            continue
        same = (given.penalty, given.gamma) == (chosen.penalty, chosen.gamma)
        near = finite(given.accuracy) and abs(given.accuracy - chosen.accuracy) <= CHOICE_TOLERANCE
        check.expect(
            same or near,
            f"{size} labels: C = {given.penalty:g}, gamma = {given.gamma:g}, but the validation images give "
            f"{chosen.penalty:g} and {chosen.gamma:g}: chosen on the test set?",
        )
    if sizes:
        check.recompute_key("C and gamma from the validation images")


def _check_labels(check: RunCheck, archive: Archive, features: stored.Features, dataset: str) -> None:
    """Compare the stored labels with those of the data set, or of the bundled features."""
    data = archive.images(dataset)
    bundled = archive.bundled(("vae", dataset), "vae train")
    if data is not None:
        known = (data.train_labels.numpy(), data.test_labels.numpy())
    elif bundled is not None:
        beside = archive.cached(("labels", dataset), lambda: stored.load_features(bundled))
        known = (beside.train_labels, beside.test_labels)
    else:
        check.untested.append(f"the labels of {dataset}, whose data set is not here")
        return
    for name, one, other in zip(
        ("training", "test"), (features.train_labels, features.test_labels), known, strict=True
    ):
        check.expect(np.array_equal(one, other), f"its {name} labels are not those of {dataset}")
    check.expect(
        features.test.shape[0] == len(features.test_labels) and class_names(dataset) is not None,
        "it has features of some test images only",
    )


def _compare_features(check: RunCheck, run: Run, features: stored.Features, data: Any) -> None:
    """Compare the stored features of some images with those that the weights give."""
    config = stored.config_of(run)
    if "sample" in config.features:
        return
    model = encoding.load_model(run)
    projection = stored.Projection.from_tensors(run.read_tensors(stored.PROJECTION, finite=True))
    for name, images, kept in (
        ("test", data.test_images, features.test),
        ("training", data.train_images[features.positions], features.train),
    ):
        unused = torch_generator(0, "vae", "features")
        blocks = encoding.blocks_of(model, images[:IMAGES], config.features, unused)
        anew = projection.apply(blocks)
        scale = float(np.abs(anew).max()) or 1.0
        gap = (
            float(np.abs(anew - kept[: len(anew)]).max()) if anew.shape == kept[: len(anew)].shape else np.inf
        )
        check.expect(
            gap <= FEATURE_TOLERANCE * scale,
            f"its features of {name} images are not those of its weights (apart by {gap:.2g} of {scale:.2g})",
        )
    check.recompute_key(f"features of {IMAGES} test and training images from the weights")
