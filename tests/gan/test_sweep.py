"""The trainings that a sweep plans, their command lines, and the runs that count as them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ex3cli.errors import UsageError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.sweep import parse_seeds, plan
from ex3cli.runs.run import Run


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-3", [0, 1, 2, 3]), ("7", [7]), ("0,3, 7-9", [0, 3, 7, 8, 9]), ("1,0-2", [1, 0, 2])],
)
def test_seeds_are_numbers_and_ranges_each_once(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "0-", "0..3", "0-1000000", str(2**63)])
def test_other_texts_are_no_seeds(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        parse_seeds(text)


def test_a_sweep_has_every_kind_with_every_combination_and_every_seed() -> None:
    jobs = plan(["dcgan", "wgan"], None, ["learning_rate=1e-3,2e-3", "width=8"], [0, 5])
    made = {(job.config.kind, job.config.learning_rate, job.config.width, job.seed) for job in jobs}
    assert made == {
        (kind, rate, 8, seed) for kind in ("dcgan", "wgan") for rate in (0.001, 0.002) for seed in (0, 5)
    }
    assert len(jobs) == len(made)
    assert [job.number for job in jobs] == list(range(8))
    assert [job.seed for job in jobs] == [0] * 4 + [5] * 4


def test_the_options_of_a_job_give_its_configuration(ex3: Callable[..., Any]) -> None:
    texts = ["learning-rate=0.001", "conditional=no", "critic_norm=layer", "critic_steps=2"]
    (job,) = plan(["wgan"], "paper", texts, [3])
    settings = ex3("gan", "train", *job.words(), "--dry-run", "--json").document["settings"]
    assert settings.pop("seed") == 3
    assert {name: settings[name] for name in job.config.to_dict() if name != "preset"} == {
        name: value for name, value in job.config.to_dict().items() if name != "preset"
    }
    assert job.config == GANConfig.resolve(
        "paper", kind="wgan", learning_rate=0.001, conditional=False, critic_norm="layer", critic_steps=2
    )


@pytest.mark.parametrize(
    ("texts", "describe_defects"),
    [
        (["learning_rate"], "has no value"),
        (["learning_rat=1"], "no setting 'learning_rat'"),
        (["width=a"], "'a' is not a whole number"),
        (["conditional=maybe"], "is not true or false"),
        (["width=0"], "out of range"),
        (["width=8", "width=9"], "twice"),
        (["kind=wgan"], "an option of their own"),
        (["gp_weight=1"], "has no effect: dcgan has no gradient penalty"),
    ],
)
def test_a_wrong_setting_is_refused(texts: list[str], describe_defects: str) -> None:
    with pytest.raises(UsageError, match=describe_defects):
        plan(["wgan", "dcgan"], None, texts, [0])


def test_a_run_is_a_job_of_the_same_settings_seed_data_and_classifier(new_run: Callable[..., Run]) -> None:
    (job,) = plan(["dcgan"], None, ["width=8"], [1])
    stored = replace(job.config, precision="bfloat16").to_dict()  # what `auto` came to
    data, sources = {"images": "1"}, {"classifier/digits/0001": "2"}

    def run(**changes: Any) -> Run:
        given = {"command": "gan train", "seed": 1, "data": data, "sources": sources}
        config = {"dataset": "digits", "seed": 1, **stored, **changes.pop("config", {})}
        return new_run(**given | changes, config=config)

    assert job.is_made_by(run(), data, sources)
    assert not job.is_made_by(run(seed=2), data, sources)
    assert not job.is_made_by(run(config={"width": 9}), data, sources)
    assert not job.is_made_by(run(command="gan eval"), data, sources)
    assert not job.is_made_by(run(), {"images": "other"}, sources)
    assert not job.is_made_by(run(), data, {})
    assert not job.is_made_by(run(config={"unknown": 1}), data, sources), "of another version of ex3"
    exact = replace(job, config=replace(job.config, precision="float32"))
    assert not exact.is_made_by(run(), data, sources)
