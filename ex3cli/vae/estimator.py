"""VAE features as a scikit-learn transformer: `make_pipeline(VAEFeatures("reference"), SVC())`."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ex3cli.datasets.grey_levels import to_grey_levels
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.seeding import torch_generator
from ex3cli.vae.encoding import blocks_of, load_model
from ex3cli.vae.features import PROJECTION, Projection, config_of
from ex3cli.vae.networks import SIDE

PIXELS = SIDE * SIDE


class VAEFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Transforms images into the features of a trained VAE.

    `fit` loads the run and learns nothing from its input, so neither labels nor test images leak in
    cross-validation.

    Parameters
    ----------
    run : "reference" for the bundled run, a name from `ex3 runs list`, or a path.
    dataset : data set of the run.
    artifacts : folder of the runs.

    Attributes
    ----------
    run_ : name of the loaded run.
    n_features_in_ : 784.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> from ex3cli.vae.estimator import VAEFeatures
    >>> model = make_pipeline(VAEFeatures("reference"), SVC(C=3))
    >>> # then model.fit(images, labels), with images (n, 784) in 0…255
    """

    def __init__(
        self, run: str = "reference", *, dataset: str = "fashion-mnist", artifacts: str | Path = "artifacts"
    ) -> None:
        self.run = run
        self.dataset = dataset
        self.artifacts = artifacts

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check the shape of the images and load the run.

        Parameters
        ----------
        X : (n, 784), grey levels from 0 to 255.

        Raises
        ------
        ValueError : another shape, or values that are not grey levels.
        ArtifactError : the run does not exist or is damaged.
        """
        self._images(X, reset=True)
        self._load()
        return self

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """The names of the features, vaefeatures0 to vaefeatures K-1, for `set_output(transform="pandas")`.

        Parameters
        ----------
        input_features : ignored.
        """
        check_is_fitted(self, "run_")
        if not hasattr(self, "_loaded"):
            self._load()
        return np.asarray([f"vaefeatures{place}" for place in range(self._loaded[1].size)], dtype=np.object_)

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Features (n, K), float32, of images (n, 784) with grey levels from 0 to 255."""
        check_is_fitted(self, "run_")
        images = self._images(X, reset=False)
        # after unpickling or copying, the weights are read again
        if not hasattr(self, "_loaded"):
            self._load()
        model, projection, names = self._loaded
        nothing = torch_generator(0, "vae", "features", "transform")
        return projection.apply(
            blocks_of(model, torch.from_numpy(images).view(-1, SIDE, SIDE), names, nothing)
        )

    def _images(self, X: ArrayLike, *, reset: bool) -> NDArray[np.uint8]:
        shape = tuple(getattr(X, "shape", ()))
        if len(shape) == 3:  # scikit-learn's message would not mention pixels
            raise ValueError(f"X has shape {shape}: reshape it to (n, {PIXELS}), one row per image")
        values = validate_data(self, X, reset=reset, dtype=np.float64)
        if values.shape[1] != PIXELS:
            raise ValueError(
                f"X has {values.shape[1]} features, but the run was trained on {PIXELS} pixels (28 x 28)"
            )
        return to_grey_levels(values, "X")

    def _load(self) -> None:
        run: Run = Store(Path(self.artifacts)).find(("vae", self.dataset), command="vae train", name=self.run)
        config = config_of(run)
        self._loaded = (
            load_model(run),
            Projection.from_tensors(run.read_tensors(PROJECTION, finite=True)),
            config.features,
        )
        self.run_ = run.name

    def __getstate__(self) -> dict[str, Any]:
        """The state without weights: they are read from the run, which checks their digest."""
        state: dict[str, Any] = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_loaded"}

    def __sklearn_tags__(self) -> Tags:
        """Tags for scikit-learn: the input is non-negative."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags
