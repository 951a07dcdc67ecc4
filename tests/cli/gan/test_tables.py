"""What is said of attempts: the remedy that fits the reason, and what is counted together."""

from dataclasses import asdict

import pytest

from ex3cli.cli.gan.tables import differences, every_attempt_table, not_converged
from ex3cli.gan.analysis.failures import Count, History
from ex3cli.training.attempts import Attempt, tally


@pytest.mark.parametrize(
    ("reason", "iteration", "shortened", "remedy"),
    [
        ("low coverage", 900, False, "train longer (--iterations above 900)"),
        ("wrong labels", 900, False, "train longer (--iterations above 900)"),
        ("wrong labels", 900, True, "train for the full length of the preset"),
        # it was ended at half-way
        ("wrong labels", 450, False, "try another --seed or a smaller --learning-rate"),
        ("wrong labels", 450, True, "train for the full length of the preset"),
        ("critic wins", 450, True, "train for the full length of the preset"),
        ("divergence", 900, True, "try another --seed or a smaller --learning-rate"),
        ("divergence", 900, False, "try another --seed or a smaller --learning-rate"),
    ],
)
def test_only_a_training_that_came_to_its_end_gets_the_advice_to_train_longer(
    reason: str, iteration: int, shortened: bool, remedy: str
) -> None:
    error = not_converged(
        [Attempt(1, 0, "failed", reason, iteration, shortened=shortened)], "gan/digits/dcgan/0001-quick", 900
    )
    assert (error.remedy or "").startswith(remedy)


def rows(kind: str, settings: int, *verdicts: str) -> list[dict[str, object]]:
    return [
        {
            "kind": kind,
            "settings": {"preset": "quick", "width": settings},
            **asdict(Attempt(1, 0, verdict, None, 1)),
        }
        for verdict in verdicts
    ]


def counted(*result: dict[str, object]) -> History:
    kinds = {
        kind: Count(
            tally([Attempt(1, 0, str(row["verdict"]), None, 1) for row in result if row["kind"] == kind]),
            shipped=False,
        )
        for kind in ("dcgan", "wgan")
    }
    return History(kinds, list(result), {})


def test_settings_that_are_counted_together_are_named_and_not_compared() -> None:
    alike = rows("dcgan", 8, "failed", "failed") + rows("wgan", 8, "converged")
    assert differences(counted(*alike)) == [
        "Failed: dcgan 2 of 2 and wgan 0 of 1; not significantly different (Fisher's exact test, p = 0.33). "
        "Repeated runs are counted once."
    ]
    mixed = differences(counted(*alike, *rows("dcgan", 9, "failed")))
    assert mixed == ["dcgan: the counts pool attempts with 2 different settings."]


def test_a_run_is_named_by_what_differs() -> None:
    values = {"label_agreement": 0.925, "coverage": 0.861, "fid": 0.0945, "weights": 3.0}
    row = {
        "kind": "dcgan",
        "started": "2026-11-21T11:57:02+00:00",
        **asdict(Attempt(1, 0, "converged", None, 6000, values)),
    }
    names = ("gan/fashion-mnist/dcgan/0001-quick", "reference/gan/fashion-mnist/dcgan")
    table = every_attempt_table(History({}, [{**row, "run": name} for name in names], {}))
    assert [str(cell) for cell in table.columns[0].cells] == [
        "dcgan/0001-quick",
        "reference/gan/fashion-mnist/dcgan",
    ]
    result = [{**row, "run": names[0], "shipped": True}, {**row, "run": names[0]}]
    beside = every_attempt_table(History({}, result, {}))
    assert [str(cell) for cell in beside.columns[0].cells] == ["dcgan/0001-quick", "dcgan/0001-quick (yours)"]
    assert next(iter(table.columns[-1].cells)) == "agreement 0.925, coverage 0.861, fid 0.0945"
    assert next(iter(table.columns[2].cells)).plain == "2026-11-21 11:57"  # type: ignore[union-attr]
