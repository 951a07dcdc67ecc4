"""`ex3 vae predict`: classify images with an SVM on the features of a trained VAE."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import SVC

from ex3cli.datasets.splits import for_drawing, stratified_sample
from ex3cli.errors import ArtifactError
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.vae import encoding, features
from ex3cli.vae.few_labels import svm as svms
from ex3cli.vae.few_labels.fits import check_sizes
from ex3cli.vae.few_labels.prediction import decisions, pairs, predict, votes
from ex3cli.vae.networks import VAE

EVALUATE = "vae eval"
NEIGHBORS = 5
TYPICAL_LABELS = 1000
DRAW = 0
"""The draw whose SVM `ex3 vae eval` saves."""
OTHER_SVMS = ("features", "transductive", "tune", "svm_c", "svm_gamma")
"""Settings of `ex3 vae eval` with which it makes an SVM of other features, labels, C or gamma."""


@dataclass(frozen=True)
class Prediction:
    """The class that an SVM gives an image.

    label, runner_up : class numbers; the runner-up has the second most votes.
    margin : the decision value of `label` against the runner-up; 1 is the edge of the SVM's margin.
    neighbors : class numbers of the labeled images with the nearest features, the nearest first.
    """

    label: int
    runner_up: int
    margin: float
    neighbors: tuple[int, ...]


@dataclass(frozen=True)
class FewLabelClassifier:
    """A VAE's encoder and an SVM on its features.

    trained : the run of the VAE.
    evaluation : the run that saved the SVM; None if the SVM was fitted to the stored features.
    points, point_labels : features (n, K) and classes (n,) of the labeled images.
    accuracy : of the SVM on the test images.
    """

    trained: Run
    evaluation: Run | None
    svm: SVC
    points: NDArray[np.float32]
    point_labels: NDArray[np.int64]
    accuracy: float
    _network: VAE
    _projection: features.Projection

    @classmethod
    def load(
        cls, trained: Run, *, store: Store | None = None, labels: int | None = None, seed: int = 0
    ) -> Self:
        """The SVM that `ex3 vae eval` saved for the number of labels and the seed, or one fitted now.

        Parameters
        ----------
        store : the runs in which to search for a saved SVM; None fits one.
        labels : number of labeled images; None takes 1,000, or as many as the data set can supply.

        Raises
        ------
        UsageError : the classes cannot supply that number of labels.
        DataError : a bundled run lacks the features of the labeled images.
        """
        stored = features.load_features(trained)
        chosen = _drawn(stored, labels, seed)
        size = len(chosen)
        points, point_labels = stored.take(chosen), stored.train_labels[chosen]
        evaluation = saved_svm(store, trained, size, seed) if store else None
        if evaluation is not None:
            svm = evaluation.read_estimator(f"svm-{size}.skops")
            if not isinstance(svm, SVC) or svm.shape_fit_ != points.shape:
                raise ArtifactError(
                    f"{evaluation.path / f'svm-{size}.skops'} is no SVM of these features",
                    "evaluate anew: ex3 vae eval",
                )
        else:
            params = svms.nearest(svms.from_json(trained.manifest.summary.get("svm", {})), size)
            svm = params.svm(points).fit(points, point_labels)
        accuracy = float((predict(svm, stored.test) == stored.test_labels).mean())
        projection = features.Projection.from_tensors(trained.read_tensors(features.PROJECTION, finite=True))
        network = encoding.load_model(trained)
        return cls(trained, evaluation, svm, points, point_labels, accuracy, network, projection)

    def predict(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Classify (n, 28, 28) images."""
        names = features.config_of(self.trained).features
        noise = torch.Generator().manual_seed(0)  # for the block `sample` only
        blocks = encoding.blocks_of(self._network, torch.from_numpy(images), names, noise)
        x = self._projection.apply(blocks)
        return [
            self._prediction(*each)
            for each in zip(x, predict(self.svm, x), decisions(self.svm, x), votes(self.svm, x), strict=True)
        ]

    def _prediction(
        self, x: NDArray[np.float32], label: int, values: NDArray[np.float64], ranks: NDArray[np.float64]
    ) -> Prediction:
        own = int(np.searchsorted(self.svm.classes_, label))
        other = next(int(place) for place in np.argsort(-ranks, kind="stable") if place != own)
        value = float(values[pairs(self.svm).index((min(own, other), max(own, other)))])
        nearest = np.argsort(np.square(self.points - x).sum(axis=1), kind="stable")[:NEIGHBORS]
        return Prediction(
            label=int(label),
            runner_up=int(self.svm.classes_[other]),
            margin=value if own < other else -value,
            neighbors=tuple(int(each) for each in self.point_labels[nearest]),
        )


def saved_svm(store: Store, trained: Run, labels: int, seed: int) -> Run | None:
    """The newest evaluation that saved an SVM on a training's own features for this number of labels.

    Evaluations with a setting of `OTHER_SVMS` are passed over.
    """
    found = [
        run
        for run in store.runs(trained.manifest.category)
        if run.manifest.command == EVALUATE
        and run.manifest.state == "finished"
        and trained.manifest.digest in run.manifest.sources.values()
        and f"svm-{labels}.skops" in run.manifest.files
        and run.manifest.seed == seed
        and not any(run.manifest.config.get(name) for name in OTHER_SVMS)
    ]
    return max(found, key=lambda run: (run.manifest.started, run.name), default=None)


def _drawn(stored: features.Features, given: int | None, seed: int) -> NDArray[np.int64]:
    """The positions of the labeled images; without a given number, as many of 1,000 as are stored."""
    labels, drawable = stored.train_labels, for_drawing(len(stored.train_labels))
    counts = np.bincount(labels[drawable])
    if given is not None:
        check_sizes(labels, [given])
    first = given or min(TYPICAL_LABELS // len(counts), int(counts.min())) * len(counts)
    for size in [given] if given else range(first, 0, -len(counts)):
        chosen = stratified_sample(labels, size, seed, DRAW, candidates=drawable)
        if np.isin(chosen, stored.positions).all():
            return chosen
    return stratified_sample(labels, first, seed, DRAW, candidates=drawable)  # `take` names what is missing
