"""`ex3 divergence`: its JSON, its table, and what it says to bad input."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = ("--samples", "60", "--critic-steps", "3", "--quiet")
LOG_2 = 0.6931471805599453


def test_json_keys_and_values_are_the_public_interface(ex3: Callable[..., Any]) -> None:
    outcome = ex3("divergence", "--theta", "0", "--theta", "-0.5", *SMALL, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    document = outcome.document
    assert {"settings", "results"} <= set(document)
    assert document["settings"]["theta"] == [0.0, -0.5]
    zero, half = document["results"]
    assert set(half) == {"theta", "kl", "js", "w"}
    assert {name: zero[name]["exact"] for name in ("kl", "js", "w")} == {"kl": 0, "js": 0, "w": 0}
    assert half["kl"]["exact"] == {"value": None, "kind": "+inf"}
    assert half["js"]["exact"] == LOG_2
    assert half["w"]["exact"] == 0.5
    assert [half[name]["gradient"] for name in ("js", "w")] == [0, -1]
    assert half["kl"]["gradient"] == {"value": None, "kind": "nan"}
    assert set(half["w"]["estimates"]) == {"sorted_pairing", "witness", "entropic", "critic"}
    paired = half["w"]["estimates"]["sorted_pairing"]
    assert set(paired) == {"value", "n", "interval", "bias", "gradient", "note"}
    assert paired["n"] == 60
    assert paired["value"] == pytest.approx(0.5, abs=0.02)


def test_the_table_shows_infinity_and_every_file_is_named(ex3: Callable[..., Any]) -> None:
    outcome = ex3("divergence", "--theta", "0.5", *SMALL)
    assert outcome.exit_code == 0, outcome.stderr
    for text in ("∞", "0.6931", "sorted pairing", "Why Wasserstein is better"):
        assert text in outcome.stdout
    written = [
        Path(line.removeprefix("wrote ")) for line in outcome.stdout.splitlines() if line.startswith("wrote ")
    ]
    assert written[0].parent.parent.name == "divergence" or written[0].parent.name.startswith("0001")
    assert all(path.is_file() for path in written)
    assert {"run.json", "results.json", "table.csv", "distances.svg"} <= {path.name for path in written}


def test_an_interval_has_two_ends_that_differ_and_a_note_on_its_bias(
    ex3: Callable[..., Any],
) -> None:
    outcome = ex3("divergence", "--theta", "1000", "--samples", "2000", "--critic-steps", "0", "--quiet")
    assert outcome.exit_code == 0, outcome.stderr
    row = next(line for line in outcome.stdout.splitlines() if "sorted pairing" in line)
    estimate, low, high = (float(number.replace(",", "")) for number in re.findall(r"[\d,]+\.\d+", row)[:3])
    assert low < high < estimate
    assert "The interval is for the true value" in outcome.stdout
    assert "subtracted in the interval" in " ".join(re.findall(r"[^\W\d_]+", outcome.stdout))


def test_thick_lines_have_finite_answers(ex3: Callable[..., Any]) -> None:
    document = ex3("divergence", "--theta", "0.5", "--sigma", "0.1", *SMALL, "--json").document
    (result,) = document["results"]
    assert result["kl"]["exact"] == pytest.approx(12.5)
    assert result["js"]["exact"] == pytest.approx(0.67594, abs=1e-5)
    assert result["w"]["exact"] == 0.5


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--theta", "nan"), "of at least -1,000,000 and of at most 1,000,000"),
        (("--theta", "1e7"), "of at most 1,000,000"),
        (("--theta", "abc"), "is not a number"),
        (("--samples", "1"), "of at least 2"),
        (("--sigma", "0"), "of at least 0.000001"),
        (("--sigma", "-0.1"), "of at least 0.000001"),
        (("--interval", "0"), "of at least 0.000001"),
        (("--sigma", "0.1", "--interval", "0.1"), "exclude each other"),
    ],
    ids=str,
)
def test_bad_input_is_a_usage_error_with_the_range(
    ex3: Callable[..., Any], words: tuple[str, ...], cause: str
) -> None:
    outcome = ex3("divergence", *words)
    assert outcome.exit_code == 2
    assert cause in outcome.stderr
    assert not Path("artifacts").exists()


def test_a_run_that_fails_is_marked_as_failed(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("ex3cli.divergence.study.grow", broken)
    assert ex3("divergence", "--theta", "0.5", *SMALL).exit_code == 1
    (manifest,) = Path("artifacts/divergence").glob("*/run.json")
    assert '"state": "failed"' in manifest.read_text()


def test_numbers_in_the_table_have_a_true_minus_sign(ex3: Callable[..., Any]) -> None:
    shown = ex3("divergence", "--theta", "-0.5", *SMALL).stdout
    assert "│ −0.5 │" in shown
    assert not re.search(r"[ │]-\d", shown)


def test_a_critic_that_has_not_converged_is_stated_as_such(ex3: Callable[..., Any]) -> None:
    words = ("--theta", "1000", "--sigma", "1000", "--samples", "300", "--critic-steps", "3", "--quiet")
    (result,) = ex3("divergence", *words, "--json").document["results"]
    assert result["w"]["estimates"]["critic"]["value"] < 900
    outcome = ex3("divergence", *words)
    row = next(line for line in outcome.stdout.splitlines() if "dual, trained critic" in line)
    assert "not converged" in row
    assert "it has not converged, so its estimate is too low" in outcome.stdout
