import hashlib

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from ex3cli.datasets.digits import enlarge
from ex3cli.datasets.registry import load


@given(seed=st.integers(0, 2**32))
def test_enlarging_is_bilinear_interpolation_up_to_rounding(seed: int) -> None:
    sixteenths = np.random.default_rng(seed).integers(0, 17, (3, 8, 8))
    exact = interpolate(torch.from_numpy(sixteenths[:, None] * (255 / 16)), scale_factor=3, mode="bilinear")[
        :, 0
    ].numpy()
    enlarged = enlarge(sixteenths)
    assert enlarged.shape == (3, 28, 28)
    assert np.abs(enlarged[:, 2:-2, 2:-2] - exact).max() <= 0.5 + 1e-9
    assert enlarged.sum() == enlarged[:, 2:-2, 2:-2].sum(), "the border is black"


def test_black_stays_black_and_white_white() -> None:
    assert enlarge(np.zeros((1, 8, 8), np.int64)).max() == 0
    assert enlarge(np.full((1, 8, 8), 16))[:, 2:-2, 2:-2].min() == 255


def test_digits_are_always_there_and_look_like_the_others() -> None:
    data = load("digits")
    assert data.train_images.shape == (1493, 28, 28)
    assert data.test_images.shape == (304, 28, 28)
    assert data.train_images.dtype == data.test_images.dtype == torch.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == torch.int64
    assert data.train_images.max() == 255
    assert torch.bincount(data.test_labels).min() == 29
    assert torch.bincount(data.train_labels).min() == 145


def test_digits_are_the_same_bytes_everywhere() -> None:
    """The digest was taken once; another machine, library version or split would show here."""
    data = load("digits")
    images = hashlib.sha256(
        data.train_images.numpy().tobytes() + data.test_images.numpy().tobytes()
    ).hexdigest()
    assert images == "c675f9480a1322efe7fb9aad7213dd73137cd3d83399398bd3e21c49d4afaafc"
    tensors = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    content = b"".join(each.numpy().tobytes() for each in tensors)
    assert data.digests == {"digits enlarged": hashlib.sha256(content).hexdigest()}


def test_no_image_is_in_both_splits_twice_over() -> None:
    from sklearn.datasets import load_digits

    data = load("digits")
    labels = torch.cat([data.train_labels, data.test_labels])
    assert torch.bincount(labels).tolist() == np.bincount(load_digits().target).tolist()
