"""The kernel distance against its definition, its law under equal distributions, and torch-fidelity."""

import numpy as np
import pytest
import torch

from ex3cli.metrics.generative import balanced, kernel_distance, squared_discrepancy


def test_it_is_the_mean_over_pairs_written_out() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(6, 3)), generator.normal(1, 1, size=(6, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    own = [[kernel(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j] for s in (x, y)]
    across = [kernel(a, b) for a in x for b in y]
    expected = np.mean(own[0]) + np.mean(own[1]) - 2 * np.mean(across)
    assert squared_discrepancy(x, y) == pytest.approx(expected)


def test_of_shifted_points_it_is_the_difference_of_the_kernel_s_means() -> None:
    """One dimension, every point of a set the same: k(a,a) + k(b,b) − 2k(a,b)."""
    x, y = np.full((5, 1), 1.0), np.full((7, 1), -1.0)
    assert squared_discrepancy(x, y) == pytest.approx(2**3 + 2**3 - 2 * 0)


def test_of_equal_distributions_it_is_zero_within_its_error_and_as_often_negative() -> None:
    generator = np.random.default_rng(3)
    measured = [kernel_distance(*generator.normal(size=(2, 800, 4)), block=100) for _ in range(60)]
    scaled = np.array([each.value / each.standard_error for each in measured if each.standard_error])
    assert len(scaled) == 60
    assert (np.abs(scaled) < 2.365).mean() > 0.85  # Student's t, 7 degrees of freedom: .95 expected
    assert 15 <= (scaled < 0).sum() <= 45


def test_the_order_of_the_features_does_not_matter() -> None:
    """All classes in turn make every block the same mixture, which chance does not: unshuffled it is 6
    standard errors low.
    """
    generator, centres = np.random.default_rng(7), 3 * np.eye(10)
    values = []
    for _ in range(12):
        in_turn = centres[np.arange(1000) % 10] + 0.1 * generator.normal(size=(1000, 10))
        at_random = centres[generator.integers(0, 10, 1000)] + 0.1 * generator.normal(size=(1000, 10))
        values.append(kernel_distance(in_turn, at_random, block=100))
        assert kernel_distance(in_turn, at_random, block=100) == values[-1]
    error = np.sqrt(np.mean([each.standard_error**2 for each in values if each.standard_error]) / len(values))
    assert abs(np.mean([each.value for each in values])) < 3 * error


def test_as_many_of_each_class_by_design_does_not_seem_nearer() -> None:
    """Balanced against balanced, at random against balanced: zero within three standard errors; without the
    labels below.
    """
    generator, centres = np.random.default_rng(8), 3 * np.eye(10)
    in_turn = np.arange(200) % 10

    def draw(classes: np.ndarray) -> np.ndarray:
        return centres[classes] + 0.1 * generator.normal(size=(len(classes), 10))

    values: dict[str, list[float]] = {"both": [], "one": [], "untold": []}
    for _ in range(150):
        x, y, z = draw(in_turn), draw(in_turn), draw(generator.integers(0, 10, 200))
        values["both"].append(kernel_distance(x, y, labels=(in_turn, in_turn)).value)
        values["one"].append(kernel_distance(z, y, labels=(None, in_turn)).value)
        values["untold"].append(kernel_distance(x, y).value)
    scaled = {name: np.mean(each) / (np.std(each) / np.sqrt(len(each))) for name, each in values.items()}
    assert abs(scaled["both"]) < 3
    assert abs(scaled["one"]) < 3
    assert scaled["untold"] < -10


def test_pairs_of_a_class_are_weighted_as_chance_would() -> None:
    """Two classes of two points each: of the ordered pairs half are within a class, written out."""
    x, labels = np.array([[0.0], [1.0], [4.0], [6.0]]), np.array([0, 0, 1, 1])
    y = np.full((3, 1), 2.0)
    k = (x @ x.T + 1) ** 3
    own = 0.25 * k[0, 1] + 0.25 * k[2, 3] + 0.5 * k[:2, 2:].mean()
    expected = own + (2 * 2 + 1) ** 3 - 2 * ((x @ y.T + 1) ** 3).mean()
    assert squared_discrepancy(x, y, (labels, None)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("counts", "expected"), [((5, 5, 5), True), ((5, 6, 5), True), ((5, 7, 5), False), ((4,), True)]
)
def test_a_sample_is_balanced_if_its_classes_differ_by_one_at_most(
    counts: tuple[int, ...], expected: bool
) -> None:
    assert balanced(np.repeat(np.arange(len(counts)), counts)) is expected


def test_the_blocks_of_a_balanced_sample_are_balanced() -> None:
    """Each class is one point, so that blocks with all classes alike have no scatter at all."""
    labels = np.random.default_rng(0).permutation(np.arange(400) % 10)
    x = 3 * np.eye(10)[labels]
    measured = kernel_distance(x, x[::-1], block=100, labels=(labels, labels[::-1]))
    assert measured.value == pytest.approx(0, abs=1e-12)
    assert measured.standard_error == pytest.approx(0, abs=1e-12)


def test_blocks_are_of_whole_turns() -> None:
    """Of 25 samples of ten classes a block could not have as many of each: it takes 20."""
    labels = np.arange(200) % 10
    x = 3 * np.eye(10)[labels]
    distance = kernel_distance(x, x, block=25, labels=(labels, labels))
    assert distance == kernel_distance(x, x, block=20, labels=(labels, labels))
    assert distance.value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "block"),
    [(np.repeat([0, 1], [90, 10]), 50), (np.arange(100) % 10, 19), (np.arange(100) % 60, 100)],
)
def test_labels_that_no_block_can_be_balanced_by_are_refused(labels: np.ndarray, block: int) -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    with pytest.raises(ValueError, match="equally many"):
        kernel_distance(x, x, block=block, labels=(labels, None))


def test_the_standard_error_is_the_scatter_of_the_estimate() -> None:
    generator = np.random.default_rng(4)
    measured = [
        kernel_distance(generator.normal(size=(600, 3)), generator.normal(0.7, 1, size=(600, 3)), block=100)
        for _ in range(80)
    ]
    scatter = np.std([each.value for each in measured], ddof=1)
    assert np.mean([each.standard_error for each in measured]) == pytest.approx(scatter, rel=0.25)


def test_a_single_block_has_no_error() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    assert kernel_distance(x, x[::-1]).standard_error is None


def test_features_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(3, 4\)"):
        kernel_distance(np.zeros((3, 2)), np.zeros((3, 4)))


def test_torch_fidelity_gives_the_same_for_one_block() -> None:
    oracle = pytest.importorskip("torch_fidelity.metric_kid", exc_type=ImportError)
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(200, 16)), generator.normal(0.2, 1.3, size=(200, 16))
    expected = oracle.kid_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), kid_subsets=1, kid_subset_size=200, verbose=False
    )["kernel_inception_distance_mean"]
    assert squared_discrepancy(x, y) == pytest.approx(expected, rel=1e-9)
