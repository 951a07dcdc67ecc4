"""scikit-learn's digits, enlarged to 28×28; the result is bit-identical on every machine."""

import numpy as np
from numpy.typing import NDArray

Split = tuple[NDArray[np.uint8], NDArray[np.int64]]  # images (N, 28, 28), labels (N,)


def load_enlarged() -> tuple[Split, Split]:
    """The 1,797 digits as a training and a test split.

    Every sixth image of each class, beginning with its first, is a test image. The split has 304 test images
    and no randomness.
    """
    from sklearn.datasets import load_digits

    sixteenths, labels = load_digits(return_X_y=True)
    images = enlarge(sixteenths.reshape(-1, 8, 8).astype(np.int64))
    labels = labels.astype(np.int64)
    test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        test[np.flatnonzero(labels == label)[::6]] = True
    return (images[~test], labels[~test]), (images[test], labels[test])


def enlarge(sixteenths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Images (N, 8, 8) of 0 to 16 as (N, 28, 28) of 0 to 255: 24×24 by bilinear interpolation, in a black
    border of 2.

    The computation uses integers. One result in 27 is exactly a half, and floating-point rounding depends on
    the order of operations: single and double precision differ in 2.6 % of the pixels. Then the result of
    a seed would depend on the machine.
    """
    thirds = _bilinear_thirds(size=8)  # (24, 8)
    ninths = thirds @ sixteenths @ thirds.T  # (N, 24, 24), in units of 1/9 of 1/16
    grey = (255 * ninths + 72) // 144  # half a unit added: rounds half up
    return np.pad(grey, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)


def _bilinear_thirds(size: int) -> NDArray[np.int64]:
    """Weights (3·size, size), in thirds, that enlarge a row of pixels by 3, with border pixels
    replicated.
    """
    weights = np.zeros((3 * size, size), dtype=np.int64)
    for pixel in range(size):
        before, after = max(pixel - 1, 0), min(pixel + 1, size - 1)
        for third, (own, neighbour) in enumerate(((2, before), (3, pixel), (2, after))):
            weights[3 * pixel + third, pixel] += own
            weights[3 * pixel + third, neighbour] += 3 - own
    return weights
