"""How far scores may lie from those computed anew."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.svm import SVC

from ex3cli.grading.checks import RunCheck
from ex3cli.grading.svm_scores import compare_row
from ex3cli.runs.run import Run
from ex3cli.vae.few_labels.fits import SizeResult

IMAGES, DRAWS = 10_000, 10


@pytest.fixture
def result() -> SizeResult:
    accuracies = np.linspace(0.85, 0.86, DRAWS)
    confusion = np.full((10, 10), DRAWS * IMAGES // 100)
    return SizeResult(100, accuracies, confusion, SVC(), [(30.0, 0.5)] * DRAWS)


def row_of(result: SizeResult, **changes: Any) -> dict[str, Any]:
    fits = [{"penalty": penalty, "kernel_gamma": gamma} for penalty, gamma in result.fits]
    row = {"labels": result.labels, "accuracies": result.accuracies, "fits": fits}
    return {**row, "accuracy_mean": result.accuracy_mean, **changes}


def lines(
    new_run: Callable[..., Run], row: dict[str, Any], result: SizeResult, *, rounded: bool
) -> list[str]:
    check = RunCheck(new_run())
    compare_row(check, row, result, rounded=rounded)
    return check.wrong


def test_a_draw_may_differ_with_rounded_features_and_the_mean_hardly(
    new_run: Callable[..., Run], result: SizeResult
) -> None:
    signs = np.resize([1, -1], DRAWS)
    honest = row_of(result, accuracies=result.accuracies + 0.002 * signs)
    assert lines(new_run, honest, result, rounded=True) == []
    assert "accuracy of draw" in lines(new_run, honest, result, rounded=False)[0]
    raised = row_of(result, accuracies=result.accuracies + 0.004, accuracy_mean=result.accuracy_mean + 0.004)
    (line,) = lines(new_run, raised, result, rounded=True)
    assert line.startswith("100 labels: mean accuracy is 0.859")


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize(("penalty", "gamma", "what"), [(10.0, 0.5, "C"), (30.0, 0.52, "gamma")])
def test_c_and_gamma_are_always_compared(
    new_run: Callable[..., Run], result: SizeResult, rounded: bool, penalty: float, gamma: float, what: str
) -> None:
    row = row_of(result, fits=[{"penalty": penalty, "kernel_gamma": gamma}] * DRAWS)
    (line,) = lines(new_run, row, result, rounded=rounded)
    assert line.startswith(f"100 labels: {what} of draw [1]")
