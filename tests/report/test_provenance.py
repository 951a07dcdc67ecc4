"""How a run was made, as the report shows it."""

from collections.abc import Callable

from ex3cli.report.provenance import LEFT_OPEN, provenance_of
from ex3cli.runs.run import Run
from ex3cli.vae.config import EvaluationConfig


def test_settings_that_an_evaluation_chooses_itself_are_named_so(new_run: Callable[..., Run]) -> None:
    run = new_run(command="vae eval", config=EvaluationConfig.resolve().to_dict())
    settings = dict(provenance_of(run).lines)["settings"]
    assert "svm_c = chosen" in settings
    assert "svm_gamma = chosen" in settings
    assert "jobs = every processor" in settings


def test_every_setting_left_open_exists() -> None:
    known = EvaluationConfig.resolve().to_dict()
    assert {name for feature, name in LEFT_OPEN if feature == "vae"} <= known.keys()
