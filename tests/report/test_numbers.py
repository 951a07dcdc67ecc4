"""The words that the page makes of numbers say no more than the numbers do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from ex3cli.report.assembly import Report, assemble
from ex3cli.report.document import Part, Table
from ex3cli.report.source import ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt

Make = Callable[..., Run]


def part(report: Report, section: str, title: str) -> Part:
    parts = next(each.parts for each in report.sections if each.id == section)
    return next(each for each in parts if each.title == title)


def table(found: Part, caption: str) -> Table:
    return next(each for each in found.tables if each.caption.startswith(caption))


def read(store: Store) -> Report:
    return assemble(ResultSource(store))


def critics(old: Run, make: Make, *readings: tuple[float, float], family: str = "lines") -> Run:
    """Another divergence run, whose critic says these of these shifts; none where there are no readings."""
    document = old.read_json("results.json")
    line = document["results"][1]
    document["results"] = []
    for theta, said in readings:
        estimates = {"critic": line["w"]["estimates"]["critic"] | {"value": said}}
        document["results"].append(
            line | {"theta": theta, "w": line["w"] | {"exact": abs(theta), "estimates": estimates}}
        )
    if not readings:
        document = old.read_json("results.json")
        for each in document["results"]:
            each["w"]["estimates"] = {}
    thetas = [theta for theta, _ in readings] or [0.0, 0.5]
    return make(
        ("divergence",),
        "divergence",
        config={"theta": thetas},
        summary={"family": family},
        figures=("distances", "samples"),
        files={"results.json": document},
    )


def penalty(store: Store) -> str:
    return part(read(store), "decisions", "Gradient penalty").paragraphs[1]


BECAUSE = "discourages slopes above 1 but does not forbid them"


def test_the_decisions_are_made_from_the_lines_of_the_first_section(
    store: Store, everything: Path, divergence: Run, make: Make
) -> None:
    critics(divergence, make, (0.0, 0.0), (0.5, 0.9), family="gaussian")
    critics(divergence, make, (0.5, 0.9))  # thin lines, but no θ = 0: section 1 does not take it either
    assert "reads 4.0 % too high" in penalty(store)
    newest = critics(divergence, make, (0.0, 0.0), (0.5, 0.55), (1.0, 1.02))
    assert "reads 2.0 % to 10.0 % too high at the 2 shifts" in penalty(store)
    assert part(read(store), "distances", "Answer").makings[0].run == newest.name


@pytest.mark.parametrize(
    ("readings", "said", "because"),
    [
        ([(0.5, 0.49), (1.0, 0.9)], "reads 2.0 % to 10.0 % too low at the 2 shifts", False),
        ([(0.5, 0.49), (1.0, 1.03)], "reads 2.0 % too low to 3.0 % too high at the 2 shifts", True),
        ([(0.5, 0.505), (-1.0, 1.01)], "reads 1.0 % too high at the 2 shifts", True),
        ([(0.001, -0.009), (1.0, 1.03)], "reads 3.0 % too high at the 1 shift", True),
        ([(0.001, -0.009)], "can be told only of W from 0.05 up", False),
    ],
)
def test_how_far_the_critic_is_off_is_a_range_with_its_sign(
    store: Store,
    everything: Path,
    divergence: Run,
    make: Make,
    readings: list[tuple[float, float]],
    said: str,
    because: bool,
) -> None:
    critics(divergence, make, (0.0, 0.001), *readings)
    text = penalty(store)
    assert said in text
    assert (BECAUSE in text) == because


def test_a_noisy_critic_says_nothing_of_small_shifts(
    store: Store, everything: Path, divergence: Run, make: Make
) -> None:
    critics(divergence, make, (0.0, -0.03), (0.25, 0.5), (0.5, 0.51))
    assert "reads 2.0 % too high at the 1 shift whose W is at least 0.3" in penalty(store)


def test_lines_without_a_critic_leave_a_gap(
    store: Store, everything: Path, divergence: Run, make: Make
) -> None:
    critics(divergence, make)
    (gap,) = part(read(store), "decisions", "Gradient penalty").gaps
    assert (gap.what, gap.command, gap.quick) == (
        "what the penalty does where W is known",
        "ex3 divergence",
        True,
    )


def taken(make: Make, kind: str, **config: Any) -> None:
    make(
        ("gan", "fashion-mnist", kind),
        "gan train",
        converged=True,
        figures=("losses", "samples-through-training"),
        summary={"iterations": 12000, "epochs": 1.0, "critic_loss": 0.5, "generator_loss": 2.0},
        config={
            "kind": kind,
            "gp_weight": 10.0,
            "weight_clip": 0.01,
            "beta1": 0.5,
            "beta2": 0.999,
            "optimizer": "adam",
            "critic_steps": 1,
            "iterations": 12000,
            "preset": "quick",
        }
        | config,
    )


def test_the_losses_are_told_from_the_curves(store: Store, everything: Path, make: Make) -> None:
    valley = np.repeat(np.array([4, 2, 1, 1, 2, 2, 3, 3], dtype=np.float32), 10)
    losses = save(dict.fromkeys(("critic_loss", "generator_loss", "score_gap"), valley))
    make(
        ("gan", "fashion-mnist", "wgan"),
        "gan train",
        converged=True,
        figures=("losses", "samples-through-training"),
        summary={"iterations": 80, "epochs": 1.0, "critic_loss": 0.5, "generator_loss": 2.0},
        config={"kind": "wgan"},
        files={"losses.safetensors": losses},
    )
    found = part(read(store), "gans", "Loss against iterations")
    assert "discriminator's loss 0.500, generator's 2.000." in found.paragraphs[0]
    assert "was 1.000 at its lowest, and ended at 3.000" in found.paragraphs[1]
    assert found.paragraphs[-1].startswith("The losses of the kinds are not comparable")
    assert "meant to fall" not in " ".join(found.paragraphs)


def test_settings_that_a_training_does_not_read_are_dashes(
    store: Store, everything: Path, make: Make
) -> None:
    taken(make, "wgan")
    taken(make, "wgan-clip", optimizer="rmsprop")
    found = table(part(read(store), "decisions", "Architecture"), "Settings")
    rows = {row[0]: list(row[1:]) for row in found.rows}
    assert rows["β₁"][1:] == ["0.5", "–"]
    assert rows["β₂"][1:] == ["0.999", "–"]
    assert rows["penalty's weight λ"] == ["–", "10", "–"]
    assert rows["iterations"][1:] == ["12,000", "12,000"]


def test_the_critics_steps_are_told_beside_the_papers(store: Store, everything: Path, make: Make) -> None:
    taken(make, "wgan")
    taken(make, "wgan-clip", optimizer="rmsprop", critic_steps=2)
    said = part(read(store), "decisions", "Architecture").paragraphs[-1]
    assert "1 in WGAN-GP and 2 in WGAN (clipping); the papers take 5" in said
    assert ".86 and coverage .59" in said
    taken(make, "wgan", critic_steps=5, preset="paper")
    assert ".86" not in part(read(store), "decisions", "Architecture").paragraphs[-1]


def test_a_quantity_that_stands_twice_differently_is_explained(
    store: Store, make: Make, few_labels: dict[str, Run]
) -> None:
    def note() -> str:
        return table(part(read(store), "few-labels", "Fashion-MNIST"), "Every recipe").note

    run = store.find(("vae", "fashion-mnist"), command="vae train")
    before = run.manifest.sources["shipped from"]
    category = ("vae", "fashion-mnist", "comparison")
    document = store.find(category, command="vae compare").read_json("comparison.json")
    given = {"sources": {"vae/fashion-mnist/0001-run": before}, "figures": ("accuracy",)}
    make(category, "vae compare", files={"comparison.json": document}, **given)
    assert note() == ""  # of the same training, with the same numbers
    document["recipes"]["edges"]["results"][0]["accuracy_mean"] = 0.80014
    document["recipes"]["edges"]["results"][1]["accuracy_mean"] = 0.7998
    make(category, "vae compare", files={"comparison.json": document}, figures=("accuracy",))
    assert note() == ""  # of another training
    make(category, "vae compare", files={"comparison.json": document}, **given)
    assert "weights of 16 bits and features of 8, and differs by up to 0.02 points." in note()


def test_settings_left_open_are_not_shown_as_nothing(
    store: Store, everything: Path, make: Make, few_labels: dict[str, Run]
) -> None:
    old = few_labels["fashion-mnist"]
    make(
        ("vae", "fashion-mnist"),
        "vae eval",
        label="eval",
        figures=("confusion",),
        sources=old.manifest.sources,
        files={"table.json": old.read_json("table.json")},
        config=old.manifest.config | {"gamma": 0.0, "penalty": 3.0, "jobs": 0, "tune": False},
    )
    told = dict(part(read(store), "few-labels", "Fashion-MNIST").makings[0].lines)["settings"]
    for each in (
        "features = the training's own",
        "gamma = chosen",
        "penalty = 3",
        "jobs = every processor",
        "tune = no",
    ):
        assert each in told


def test_a_converged_lab_names_the_epoch_and_the_numbers_that_belong_together(
    store: Store, make: Make, plane: Run
) -> None:
    """JS and W are medians over the last five evaluations, so they are never put beside the epoch at which
    the rule was met.
    """
    values = {"js": 0.125, "w": 0.0269, "w_floor": 0.02709, "modes": 8.0, "of_modes": 8.0}
    make(
        ("lab", "ring"),
        "lab train",
        label="log",
        config=plane.manifest.config,
        converged=True,
        figures=("panel",),
        attempts=[Attempt(1, 0, "converged", None, 2300, values)],
        summary=plane.manifest.summary,
    )
    (sentence,) = read(store).summary.sentences
    assert (
        "Every evaluation since epoch 2,300 meets the convergence rule. Over the last five, the median of "
        "JS is 0.125" in sentence
    )
    assert "that of W is 0.027 (real against real: 0.027); 8 of 8 modes are covered" in sentence


def test_scores_have_digits_alike_and_no_powers_of_ten(
    store: Store, everything: Path, generators: dict[str, Run]
) -> None:
    rows = {
        row[0]: row for row in table(part(read(store), "gans", "How good they are"), "Generated images").rows
    }
    assert rows["KID × 1,000"][1:] == ["100.00 ± 10.00", "100.00 ± 10.00", "0.00"]
    assert rows["Fréchet distance of features"][1:] == ["0.5000", "0.5000", "0.0100"]
    assert rows["density"][3] == "1.000"


def test_what_decided_an_attempt_is_in_words(store: Store, everything: Path, make: Make) -> None:
    values = {
        "iteration": 16000.0,
        "kid": -5.1e-5,
        "weights": 320.26,
        "critic_auc": 0.99132,
        "coverage": 0.9,
        "new_one": 2.5,
    }
    tries = [
        Attempt(1, 5, "failed", "low coverage", 16000, values),
        Attempt(2, 6, "converged", None, 16000, values),
    ]
    make(("gan", "fashion-mnist", "wgan"), "gan train", attempts=tries, converged=False)
    found = table(part(read(store), "gans", "Failed convergences"), "Every attempt")
    assert found.rows[-2][4:] == [
        "16,000",
        "coverage 0.900, KID × 1,000 −0.05, critic's area 0.991, size of weights 320.3, new one 2.5",
    ]
    assert found.rows[-1][4:] == ["16,000", "coverage 0.900, new one 2.5"]
    assert "Critic's area: " in found.note
    assert "Least variety" not in found.note


@pytest.mark.parametrize(
    ("verdict", "reason", "cell", "said"),
    [
        ("converged", None, "yes", "It passes as converged."),
        (
            "failed",
            "low coverage",
            "no: low coverage",
            "It falls short of what counts as converged: low coverage.",
        ),
        (
            None,
            None,
            "too few images to say",
            "100 images are too few to say whether it passes as converged.",
        ),
    ],
)
def test_scores_say_whether_the_images_pass(
    store: Store,
    everything: Path,
    generators: dict[str, Run],
    make: Make,
    verdict: str,
    reason: str,
    cell: str,
    said: str,
) -> None:
    old = next(
        run for run in store.runs(("gan", "fashion-mnist", "eval")) if run.manifest.config["kind"] == "wgan"
    )
    make(
        tuple(old.manifest.category),
        "gan eval",
        config=old.manifest.config,
        sources=old.manifest.sources,
        files={"scores.json": {**old.read_json("scores.json"), "verdict": verdict, "reason": reason}},
    )
    found = part(read(store), "gans", "How good they are")
    rows = {row[0]: row for row in table(found, "Generated images").rows}
    assert rows["would pass as converged"][2] == cell
    assert [sentence.endswith(said) for sentence in found.paragraphs if sentence.startswith("WGAN")] == [True]
