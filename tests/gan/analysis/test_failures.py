"""Who is counted, in which order, and what the failure rate is a share of."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ex3cli.gan.analysis.failures import HISTORY_FILE, count_attempts
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.metrics.statistics import wilson_interval
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt, AttemptLog, tally_by_category

Try = Callable[..., Run]


@pytest.fixture
def tried(new_run: Callable[..., Run]) -> Try:
    """A run with the attempts whose verdicts are given; `started` is the day of November."""
    fresh = itertools.count(100)

    def make(
        *verdicts: str,
        kind: str = "dcgan",
        dataset: str = "digits",
        started: int = 1,
        shortened: bool = False,
        width: int = 0,
    ) -> Run:
        config = {
            "seed": 0,
            **GANConfig.resolve(kind=kind, width=width or next(fresh)).to_dict(),
        }  # no two are the same training
        run = new_run(category=("gan", dataset, kind), command="gan train", label="quick", config=config)
        run.manifest.started = f"2026-11-{started:02d}T12:00:00+00:00"
        run.manifest.write(run.path)
        log = AttemptLog(run)
        for number, verdict in enumerate(verdicts, 1):
            reason = "divergence" if verdict == "failed" else None
            log.record(Attempt(number, number, verdict, reason, 900, shortened=shortened))
        return run

    return make


def test_the_rate_is_of_evaluated_attempts_of_full_length_alone(tried: Try, store: Store) -> None:
    tried("failed", "converged", started=1)
    tried("unjudged", started=2)
    tried("failed", "failed", "converged", started=3, shortened=True)
    tried("failed", "failed", "converged", started=4)
    tried("failed", "failed", "failed", kind="wgan")
    result = count_attempts(store, "digits").kinds["dcgan"].document()
    assert (
        result["failed"],
        result["converged"],
        result["unjudged"],
        result["shortened"],
    ) == (
        3,
        2,
        1,
        3,
    )
    low, high = wilson_interval(3, 5)
    assert result["failure_rate"] == {"value": 0.6, "low": low, "high": high}
    other = count_attempts(store, "digits").kinds["wgan"].document()
    assert (other["failed_before_first_success"], other["failure_rate"]["value"]) == (None, 1.0)


def test_without_an_evaluated_attempt_there_is_no_rate(tried: Try, store: Store) -> None:
    tried("unjudged")
    result = count_attempts(store, "digits").kinds["dcgan"].document()
    assert (
        result["failed_before_first_success"],
        result["failure_rate"],
        result["unjudged"],
    ) == (
        None,
        None,
        1,
    )


def test_failures_before_the_first_success_are_of_all_runs_in_the_order_of_their_starts(
    tried: Try, store: Store
) -> None:
    tried("failed", "converged", started=9)  # begun last, though its folder is the first
    tried("failed", "failed", started=3)
    tried("failed", "failed", "failed", "converged", started=5)
    result = count_attempts(store, "digits")
    assert result.kinds["dcgan"].tally.failed_before_first_success == 5
    assert [row["run"][-10:] for row in result.attempts] == ["0002-quick"] * 2 + ["0003-quick"] * 4 + [
        "0001-quick"
    ] * 2
    assert [row["attempt"] for row in result.attempts] == [1, 2, 1, 2, 3, 4, 1, 2]


def test_what_is_shipped_counts_for_a_kind_only_while_there_is_nothing_of_one_s_own(
    tried: Try, store: Store
) -> None:
    for kind, verdicts in (("dcgan", ("failed", "converged")), ("wgan", ("converged",))):
        (run := tried(*verdicts, kind=kind)).finish({}, converged=True)
        store.reference.joinpath("gan", "digits").mkdir(parents=True, exist_ok=True)
        run.path.rename(store.reference.joinpath("gan", "digits", kind))
    tried("failed")
    result = count_attempts(store, "digits")
    assert {kind: each.shipped for kind, each in result.kinds.items()} == {"dcgan": False, "wgan": True}
    assert (result.kinds["dcgan"].tally.failed, result.kinds["dcgan"].tally.converged) == (1, 0)
    assert result.kinds["wgan"].tally.converged == 1


@pytest.mark.parametrize(("verdict", "is_shortened"), [("converged", True), ("unjudged", False)])
def test_a_trial_that_is_no_evidence_does_not_hide_what_is_shipped(
    tried: Try, store: Store, verdict: str, is_shortened: bool
) -> None:
    (run := tried("failed", "converged")).finish({}, converged=True)
    store.reference.joinpath("gan", "digits").mkdir(parents=True)
    run.path.rename(store.reference.joinpath("gan", "digits", "dcgan"))
    tried(verdict, shortened=is_shortened)
    result = count_attempts(store, "digits")
    counted = result.kinds["dcgan"]
    assert (counted.shipped, counted.tally.failed, counted.tally.converged) == (True, 1, 1)
    assert (counted.tally.shortened, counted.tally.unjudged) == (int(is_shortened), int(not is_shortened))
    assert [row.get("shipped", False) for row in result.attempts] == [True, True, False]


def test_studies_are_no_attempts_at_what_commands_take(tried: Try, store: Store) -> None:
    tried("converged")
    study = tried("failed", "failed")
    study.manifest.summary = {"study": True}
    study.manifest.write(study.path)
    counted = count_attempts(store, "digits").kinds["dcgan"].tally
    assert (counted.failed, counted.converged) == (0, 1)


def test_a_shipped_history_has_each_kind_s_own_attempts(new_run: Callable[..., Run], store: Store) -> None:
    rows = [
        {
            "kind": kind,
            "run": "there",
            "started": "2026-11-01",
            "attempt": 1,
            "seed": 0,
            "verdict": verdict,
            "reason": None,
            "iteration": 9,
            "values": {},
            "shortened": False,
        }
        for kind, verdict in (("dcgan", "converged"), ("wgan", "failed"), ("wgan", "converged"))
    ]
    run = new_run(category=("gan", "digits", "history"), command="gan history")
    run.write_json(HISTORY_FILE, {"attempts": rows})
    run.finish({})
    store.reference.joinpath("gan", "digits").mkdir(parents=True)
    run.path.rename(store.reference.joinpath("gan", "digits", "history"))
    kinds = count_attempts(store, "digits").kinds
    assert {kind: (each.tally.failed, each.tally.converged) for kind, each in kinds.items()} == {
        "dcgan": (0, 1),
        "wgan": (1, 1),
    }


def test_damage_is_named_where_it_concerns_the_data_set(tried: Try, store: Store) -> None:
    for dataset in ("digits", "mnist"):
        tried("converged", dataset=dataset)
        torn = tried("converged", dataset=dataset).path
        Path(torn / "run.json").write_text("{")
    result = count_attempts(store, "digits")
    assert list(result.damaged) == ["gan/digits/dcgan/0002-quick"]
    assert result.kinds["dcgan"].tally.converged == 1


def test_damage_of_the_whole_artifacts_folder_is_named(tried: Try, store: Store) -> None:
    tried("converged")
    (store.root / "run.json").mkdir()
    assert list(count_attempts(store, "digits").damaged) == ["."]


def test_a_run_with_settings_that_this_version_lacks_is_named_and_the_others_count(
    tried: Try, store: Store
) -> None:
    tried("converged")
    later = tried("converged")
    later.manifest.config["invented"] = 1
    later.manifest.write(later.path)
    result = count_attempts(store, "digits")
    assert list(result.damaged) == [later.name]
    assert "invented" in result.damaged[later.name]
    assert result.kinds["dcgan"].tally.converged == 1


def test_dcgan_is_held_against_wgan_by_fishers_exact_test(tried: Try, store: Store) -> None:
    tried("failed", "failed", "failed", "converged", "unjudged", width=8)
    assert count_attempts(store, "digits").difference() is None
    tried("unjudged", kind="wgan")
    assert count_attempts(store, "digits").difference() is None
    tried("converged", "converged", "converged", "converged", kind="wgan", width=8)
    # All three failures among the same four of eight attempts: 4 of C(8, 3) = 56 ways, and as many for the
    # other kind.
    result = count_attempts(store, "digits").difference()
    assert result == {
        "dcgan": {"failed": 3, "judged": 4},
        "wgan": {"failed": 0, "judged": 4},
        "p": pytest.approx(8 / 56),
    }


def test_each_kind_names_its_thresholds_and_each_attempt_the_code_that_evaluated_it(
    tried: Try, store: Store
) -> None:
    run = tried("converged", kind="wgan-clip")
    tried("converged")
    result = count_attempts(store, "digits")
    bars = result.bars()
    assert list(bars) == ["dcgan", "wgan-clip"]
    assert bars["wgan-clip"]["label_agreement"] < bars["dcgan"]["label_agreement"]
    assert bars["wgan-clip"]["coverage"] == bars["dcgan"]["coverage"] == Thresholds().min_coverage
    commit = run.manifest.git and run.manifest.git["commit"]
    assert [row["commit"] for row in result.attempts] == [commit, commit]


def test_a_training_that_was_made_again_counts_once(tried: Try, store: Store) -> None:
    first = tried("failed", "converged", width=8, started=1)
    tried("failed", "converged", width=8, started=2)  # the same settings, the same seeds
    tried("failed", width=9, started=3)
    result = count_attempts(store, "digits")
    assert (result.kinds["dcgan"].tally.failed, result.kinds["dcgan"].tally.converged) == (2, 1)
    assert [row["run"] for row in result.attempts][:2] == [first.name, first.name]
    assert tally_by_category(store.runs(("gan",)))["gan/digits/dcgan"] == result.kinds["dcgan"].tally


def test_your_attempts_are_not_held_against_shipped_ones(tried: Try, store: Store) -> None:
    tried("failed", "converged", width=8)
    tried("converged", "converged", kind="wgan", width=8)
    mine = count_attempts(store, "digits")
    assert mine.difference() is not None
    kinds = {**mine.kinds, "wgan": replace(mine.kinds["wgan"], shipped=True)}
    assert replace(mine, kinds=kinds).difference() is None


def test_like_is_compared_with_like(tried: Try, store: Store) -> None:
    """A DCGAN with a step size of its own says nothing against the other kind's preset."""
    tried("failed", "failed", "failed", "failed", width=8)
    tried("converged", "converged", "converged", "converged", kind="wgan", width=8)
    same = count_attempts(store, "digits")
    assert same.difference() is not None
    assert same.pooled() == {}
    assert {tuple(row["settings"].items()) for row in same.attempts} == {(("preset", "quick"), ("width", 8))}
    tried("failed", width=10, shortened=True)
    tried("unjudged", kind="wgan", width=11)
    same = count_attempts(store, "digits")  # these are not counted, so they change nothing
    assert same.difference() is not None
    assert same.pooled() == {}
    tried("failed", width=9)
    mixed = count_attempts(store, "digits")
    assert mixed.difference() is None
    assert mixed.pooled() == {"dcgan": 2}


def test_unconditional_kinds_are_alike_whatever_that_takes_from_their_settings(
    new_run: Callable[..., Run], store: Store
) -> None:
    for kind in ("dcgan", "wgan-clip"):
        config = GANConfig.resolve("quick", kind=kind, conditional=False).to_dict()
        run = new_run(category=("gan", "digits", kind), command="gan train", label="quick", config=config)
        AttemptLog(run).record(Attempt(1, 0, "converged", None, 900))
    result = count_attempts(store, "digits").attempts
    assert [row["settings"] for row in result] == [{"preset": "quick", "conditional": False}] * 2


def test_a_training_that_is_evaluated_later_counts_as_evaluated(
    new_run: Callable[..., Run], store: Store
) -> None:
    """The first had no classifier; the third another one than the second; the fourth again none."""
    config = GANConfig.resolve("quick").to_dict()
    for verdict, monitor in (
        ("unjudged", None),
        ("failed", "one"),
        ("converged", "other"),
        ("unjudged", None),
    ):
        parents = {"classifier": monitor} if monitor else {}
        run = new_run(
            category=("gan", "digits", "dcgan"),
            command="gan train",
            label="quick",
            config=config,
            sources=parents,
        )
        AttemptLog(run).record(Attempt(1, 0, verdict, None, 900))
    result = count_attempts(store, "digits")
    assert [(row["verdict"], row["run"][-10:]) for row in result.attempts] == [("converged", "0003-quick")]
    assert tally_by_category(store.runs(("gan",)))["gan/digits/dcgan"] == result.kinds["dcgan"].tally


def test_a_repeated_training_counts_once_also_where_the_first_measured_its_precision(
    new_run: Callable[..., Run], store: Store
) -> None:
    """A bundled run holds `auto` and what it came to; its repetition holds the precision itself."""
    config = GANConfig.resolve("quick", precision="auto").to_dict()
    for precision, came_to in (("auto", "bfloat16"), ("bfloat16", "bfloat16"), ("float32", "float32")):
        settings = {**config, "precision": precision}
        run = new_run(
            category=("gan", "digits", "dcgan"), command="gan train", label="quick", config=settings
        )
        AttemptLog(run).record(Attempt(1, 0, "converged", None, 900))
        run.finish({"precision": came_to}, converged=True)
    assert count_attempts(store, "digits").kinds["dcgan"].tally.converged == 2


def test_on_another_device_or_with_other_threads_it_is_another_training(
    new_run: Callable[..., Run], store: Store
) -> None:
    """What differs in the last bits differs wholly after a thousand iterations."""
    for device, threads in (("cpu", 1), ("cuda", 1), ("cpu", 2), ("cpu", 1)):
        run = new_run(
            category=("gan", "digits", "dcgan"),
            command="gan train",
            label="quick",
            config=GANConfig.resolve("quick").to_dict(),
            device=device,
            threads=threads,
        )
        AttemptLog(run).record(Attempt(1, 0, "converged", None, 900))
    assert count_attempts(store, "digits").kinds["dcgan"].tally.converged == 3


def test_kinds_that_were_evaluated_by_different_classifiers_are_not_compared(
    new_run: Callable[..., Run], store: Store
) -> None:
    for kind, monitor in (("dcgan", "one"), ("wgan", "other")):
        run = new_run(
            category=("gan", "digits", kind),
            command="gan train",
            label="quick",
            sources={"classifier/digits": monitor},
            config=GANConfig.resolve("quick", kind=kind).to_dict(),
        )
        AttemptLog(run).record(Attempt(1, 0, "converged", None, 900))
    assert count_attempts(store, "digits").difference() is None
