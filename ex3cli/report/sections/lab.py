"""GAN Lab: a small GAN on points in the plane."""

from typing import TYPE_CHECKING

from ex3cli.report.document import MissingResult, Part, Table
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.source import ResultSource
from ex3cli.report.words import count, fixed, option, percent
from ex3cli.training.attempts import tally

if TYPE_CHECKING:
    from ex3cli.runs.run import Run
    from ex3cli.training.attempts import Attempt

TRAIN = "lab train"
NEEDED = {"js", "w", "w_floor", "modes", "of_modes"}
LEAST_EPOCHS = 5000
"""What the exercise asks for."""


def chosen(archive: ResultSource) -> "Run":
    """The user's newest training of full length that has converged; while none has, the newest that
    has not.
    """
    command = archive.command("ex3", "lab", "train", "ring")
    gap = MissingResult(
        "a GAN on points in the plane", f"no training of at least {LEAST_EPOCHS:,} epochs", command
    )

    def long_enough(run: "Run") -> bool:
        return int(run.manifest.summary.get("epochs", 0)) >= LEAST_EPOCHS or run.manifest.converged is False

    any_converged = any(run.manifest.converged and long_enough(run) for run in archive.of(("lab",), TRAIN))
    return archive.newest(
        ("lab",),
        TRAIN,
        gap,
        suits=lambda run: long_enough(run) and (not any_converged or run.manifest.converged is True),
    )


def verdict(archive: ResultSource, run: "Run") -> str:
    """What the training came to: of a converged one its numbers, else the words of its own judge."""
    summary = run.manifest.summary
    config = run.manifest.config
    told = (
        f"{config.get('distribution', run.manifest.category[-1])} (loss {config['loss']}, seed "
        f"{run.manifest.seed})"
    )
    good = [
        each
        for each in archive.attempts_in(run)
        if each.verdict == "converged" and each.values.keys() >= NEEDED
    ]
    why = _converged(good[-1]) if good else str(summary["why"]).replace("W -", "W −")
    return f"{told}: {why}. {summary['epochs']:,} epochs were trained."


def _converged(attempt: "Attempt") -> str:
    values = attempt.values
    return (
        f"converged. Every evaluation since epoch {attempt.iteration:,} meets the convergence rule. Over "
        "the last five, "
        f"the median of JS is {fixed(values['js'], 3)} nats and that of W is {fixed(values['w'], 3)} (real "
        "against real: "
        f"{fixed(values['w_floor'], 3)}); {values['modes']:.0f} of {values['of_modes']:.0f} modes are covered"
    )


def answer(archive: ResultSource) -> str:
    """Whether the training has converged, and by which rule."""
    return verdict(archive, chosen(archive))


def plane(archive: ResultSource) -> Part:
    """The training, measured."""
    run = chosen(archive)
    summary, config = run.manifest.summary, run.manifest.config
    floor = summary["floor"]
    rows = [
        [name, *(fixed(value, 4) for value in (summary[key], floor[key], floor[f"{key}_worst"]))]
        for key, name in (
            ("kl", "KL(real ‖ generated), nats"),
            ("js", "JS, nats"),
            ("w", "W, sides of the square"),
        )
    ] + [
        ["modes covered", f"{summary['modes']} of {summary['of_modes']}", "", ""],
        ["points outside of the square", f"{percent(summary['outside'])} %", "", ""],
    ]
    table = Table(
        "At the end of the training",
        ["", "generated", "floor: real against real", "floor, at worst"],
        rows,
        note="The floor is what fresh real points score against real points: no generator can be expected "
        "to beat it.",
    )
    settings = Table(
        "Config", ["setting", "value"], [[name, option(value)] for name, value in config.items()], folded=True
    )
    name = str(config.get("distribution", run.manifest.category[-1]))
    figures = [
        figure(
            archive,
            run,
            "figures/panel",
            caption="Left: real and generated points, the discriminator as colour, and arrows "
            "along −∇ of the generator's loss. Right: losses, KL and JS, and W against the epoch.",
            alt=f"Left, {name}: generated points among the real ones, {summary['modes']} of "
            f"{summary['of_modes']} modes "
            "covered, with arrows at some. Right, curves against the epoch that end at KL "
            f"{fixed(summary['kl'], 3)}, "
            f"JS {fixed(summary['js'], 3)} nats and W {fixed(summary['w'], 3)}, its floor at "
            f"{fixed(floor['w'], 3)}.",
        )
    ]
    if "figures/manifold.png" in run.manifest.files:
        figures.append(
            figure(
                archive,
                run,
                "figures/manifold",
                caption="The generator's manifold: where a grid of noise is sent.",
                alt=f"A grid of noise before, and after the generator has bent it into the shape of {name}.",
            )
        )
    attempts, runs, _ = archive.attempts(run.manifest.category, TRAIN)
    counted = tally(attempts)
    reasons = "".join(f", {count(times, reason, reason)}" for reason, times in counted.reasons.items())
    history = (
        f"All attempts at {name} in this folder: {counted.converged} converged, {counted.failed} "
        f"failed{reasons}, "
        f"{counted.shortened} shortened and so not counted."
    )
    by_name = run.manifest.category[-1] == name  # and not from a file of the user's
    replay = (
        [("Watch it in a browser, offline", archive.command("ex3", "lab", "train", name, "--page"))]
        if by_name
        else []
    )
    others = [making(each) for each in runs if each.name != run.name]
    return Part(
        "Answer",
        [verdict(archive, run), history],
        [table, settings],
        figures,
        commands=replay,
        makings=[making(run), *others],
    )
