"""A map of the features in two dimensions."""

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from ex3cli.streams import numpy_stream


def map_features(
    features: NDArray[np.float32], labels: NDArray[np.int64], *, points: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """t-SNE (van der Maaten and Hinton 2008) of `points` random rows of features (N, D): places (points, 2), labels (points,).

    Raises nothing for few rows: the perplexity shrinks with them.
    """
    chosen = np.sort(numpy_stream(seed, "vae", "map").permutation(len(features))[:points])
    perplexity = min(30.0, max(1.0, (len(chosen) - 1) / 4))
    places = TSNE(init="pca", perplexity=perplexity, random_state=seed, n_jobs=1).fit_transform(features[chosen])
    return places.astype(np.float32), labels[chosen]
