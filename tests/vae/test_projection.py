import numpy as np
import pytest
import torch

from ex3cli.vae.features import Projection


def make(n: int = 400) -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(0)
    mean = numbers.normal(size=(n, 5)).astype(np.float32)
    mean[:, 3] *= 0.01  # dead: variance 1e-4
    hidden = (20 * numbers.normal(size=(n, 40)) + 7).astype(np.float32)
    hidden[:, 0] = 3.0  # constant
    return {"mean": mean, "hidden": hidden}


def test_dead_dimensions_are_dropped_and_blocks_weigh_the_same() -> None:
    blocks = make()
    features = Projection.fit(blocks, 0).apply(blocks)
    assert features.shape == (400, 4 + 39)
    assert features.dtype == np.float32
    assert np.allclose(features.mean(axis=0), 0, atol=1e-5)
    assert features[:, :4].var(axis=0).sum() == pytest.approx(1, rel=1e-4)
    assert features[:, 4:].var(axis=0).sum() == pytest.approx(1, rel=1e-4)


def test_inside_a_block_nothing_is_whitened() -> None:
    blocks = {"mean": (np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 5.0]).astype(np.float32)}
    features = Projection.fit(blocks, 0).apply(blocks)
    ratio = features[:, 1].std() / features[:, 0].std()
    assert ratio == pytest.approx(blocks["mean"][:, 1].std() / blocks["mean"][:, 0].std(), rel=1e-4)


def test_principal_components_keep_distances_as_well_as_can_be() -> None:
    """Against the singular value decomposition, which scikit-learn and everyone else takes: the same
    subspace.
    """
    blocks = make()
    plain = Projection.fit(blocks, 0).apply(blocks)
    projection = Projection.fit(blocks, 10)
    features = projection.apply(blocks)
    assert features.shape == (400, 10)
    assert np.allclose(projection.axes.T @ projection.axes, np.eye(10), atol=1e-5)
    singular = np.linalg.svd(plain - plain.mean(axis=0), compute_uv=False)
    assert np.allclose(features.std(axis=0) * np.sqrt(400), singular[:10], rtol=1e-3)


def test_as_many_components_as_dimensions_change_nothing() -> None:
    blocks = make()
    assert Projection.fit(blocks, 43).axes.shape[1] == 0


def test_it_is_stored_and_read_back() -> None:
    blocks = make()
    projection = Projection.fit(blocks, 6)
    again = Projection.from_tensors(projection.to_tensors())
    assert np.array_equal(again.apply(blocks), projection.apply(blocks))
    half = {
        name: tensor.half() if name == "axes" else tensor for name, tensor in projection.to_tensors().items()
    }
    assert np.allclose(Projection.from_tensors(half).apply(blocks), projection.apply(blocks), atol=1e-2)
    assert torch.is_tensor(projection.to_tensors()["mean"])


def test_a_model_that_learned_nothing_gives_features_all_the_same() -> None:
    blocks = {"mean": np.full((10, 3), 2.0, np.float32)}
    features = Projection.fit(blocks, 2).apply(blocks)
    assert np.isfinite(features).all()
