"""GAN Lab: a small GAN on points in the plane."""

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ex3cli.lab.tables import results_table
from ex3cli.report.document import REFERRED, Formula, MissingResult, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import provenance_of
from ex3cli.report.source import ResultSource
from ex3cli.report.words import option
from ex3cli.tables import fixed
from ex3cli.training.attempts import tally

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

TRAIN = "lab train"
HISTORY, FILM = "history.csv", "film.safetensors"
LEAST_EPOCHS = 5000
"""The minimum number of epochs in the exercise."""


def chosen(archive: ResultSource) -> "Run":
    """The user's newest converged training of full length; if none has converged, the newest one."""
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


def answer(archive: ResultSource) -> str:
    """Whether the training has converged, and by which rule."""
    run = chosen(archive)
    epochs = run.manifest.summary["epochs"]
    return f"A GAN on points in the plane ({_name(run)}), {epochs:,} epochs: {_why(run)}."


def _name(run: "Run") -> str:
    name = str(run.manifest.config.get("distribution", run.manifest.category[-1]))
    return REFERRED.sub("", name)


def _why(run: "Run") -> str:
    """The recorded verdict, with the convergence rule."""
    return str(run.manifest.summary["why"]).replace("W -", "W −")


def explanation(archive: ResultSource) -> Part:
    """What the losses, the arrows and the distances mean."""
    run = chosen(archive)
    paragraphs: list[str | Formula] = []
    if run.manifest.config["loss"] == "log":
        paragraphs += [
            "Losses. The discriminator D and the generator G minimise",
            Formula(
                r"L_D = -\mathbb{E}\log D(x) - \mathbb{E}\log(1-D(G(z))), \quad L_G = -\mathbb{E}\log "
                r"D(G(z))."
            ),
            "Where generated points cannot be told from real ones, the best discriminator answers ½ "
            "everywhere, so that its loss is 2 log 2 = 1.386 and the generator's log 2 = 0.693. A "
            "discriminator's loss well "
            "below 1.386 means that it still sees a difference." + _last_losses(archive, run),
        ]
    paragraphs += [
        "Arrows. Each shows −∇ of the generator's loss at a generated point: where the point has to move. "
        "It is long where D changes steeply, so where it tells real from generated points, and short "
        "where D is flat. Arrows that shorten as the training goes on mean that little is left to correct."
        + _arrows(archive, run),
        "Distances. KL and JS compare densities cell by cell, W the distance that points would have to "
        "move. A generated shape that is a little thinner than the real one has empty cells beside full "
        "ones, which costs JS much, but its points are almost in place, which costs W little. So JS can "
        "stay above its floor while W has reached it. W settles to its floor, which two samples of real "
        "points have between them too.",
    ]
    return Part("Explanation", paragraphs)


def _last_losses(archive: ResultSource, run: "Run") -> str:
    if HISTORY not in run.manifest.files:
        return ""
    *_, last = csv.DictReader(archive.bytes(run, HISTORY).decode().splitlines())
    losses = [fixed(float(last[name]), 3) for name in ("discriminator_loss", "generator_loss")]
    return f" At the end they are {losses[0]} and {losses[1]}."


def _arrows(archive: ResultSource, run: "Run") -> str:
    if FILM not in run.manifest.files:
        return ""
    film = archive.tensors(run, FILM)
    means = np.linalg.norm(film["pull"], axis=-1).mean(axis=1)
    return (
        f" Their mean length is {fixed(float(means[0]), 3)} at epoch {film['epoch'][0]:,} and "
        f"{fixed(float(means[-1]), 3)} at epoch {film['epoch'][-1]:,}."
    )


def plane(archive: ResultSource) -> Part:
    """The training, measured."""
    run = chosen(archive)
    summary, config = run.manifest.summary, run.manifest.config
    floor = summary["floor"]
    table = replace(results_table(summary), label="lab-end")
    settings = Table(
        "Settings of the GAN in the plane",
        ["setting", "value"],
        [[name, option(value)] for name, value in config.items()],
        folded=True,
    )
    name = _name(run)
    figures = [
        figure(
            archive,
            run,
            "figures/panel",
            caption="Left: real and generated points, the discriminator as colour, and arrows "
            "along −∇ of the generator's loss. Right: losses, KL and JS, and W against the epoch.",
            label="lab",
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
                folded=True,
            )
        )
    attempts, runs, _ = archive.attempts(run.manifest.category, TRAIN)
    counted = tally(attempts)
    paragraphs = [
        f"The {_name(run)} ({config['loss']} loss, seed {run.manifest.seed}) was trained for "
        f"{summary['epochs']:,} epochs. Verdict and rule: {_why(run)}. {refer('lab')} shows the end, "
        f"{refer('lab-end')} its numbers.",
        f"Attempts at it in this folder: {counted.converged} converged, {counted.failed} failed.",
    ]
    by_name = run.manifest.category[-1] == name  # otherwise its points come from a file
    replay = (
        [("Watch it in a browser, offline", archive.command("ex3", "lab", "train", name, "--page"))]
        if by_name
        else []
    )
    others = [provenance_of(each) for each in runs if each.name != run.name]
    return Part(
        "Training",
        paragraphs,
        [table, settings],
        figures,
        commands=replay,
        provenances=[provenance_of(run), *others],
    )
