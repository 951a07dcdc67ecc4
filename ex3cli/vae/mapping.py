"""A map of the features in two dimensions."""

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from ex3cli.streams import numpy_stream, seed_of_32_bits


def choose_points(images: int, points: int, seed: int) -> NDArray[np.int64]:
    """Positions, ascending, of `points` random images, or of all if there are fewer."""
    return np.sort(numpy_stream(seed, "vae", "map").permutation(images)[:points]).astype(np.int64)


def place(features: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """t-SNE (van der Maaten and Hinton 2008) of features (n, D): places (n, 2).

    Raises nothing for few rows: the perplexity shrinks with them.
    """
    perplexity = min(30.0, max(1.0, (len(features) - 1) / 4))
    places = TSNE(init="pca", perplexity=perplexity, random_state=seed_of_32_bits(seed, "vae", "tsne"), n_jobs=1).fit_transform(
        features
    )
    return np.asarray(places, dtype=np.float32)
