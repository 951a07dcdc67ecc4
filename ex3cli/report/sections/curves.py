"""Loss against iterations: figures, a table of the first and last values, and an explanation."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ex3cli.gan.kinds import KINDS, NAMES, PRIMARY_KINDS
from ex3cli.report.document import Figure, Formula, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import provenance_of
from ex3cli.report.sections.gans import kinds, trained
from ex3cli.report.source import MissingError, ResultSource
from ex3cli.tables import fixed

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

LOSSES_FILE = "losses.safetensors"
PIECES = 8
EXPLANATION: list[str | Formula] = [
    "DCGAN's discriminator and generator minimize cross-entropies; WGAN's critic D gives unbounded scores:",
    Formula(
        r"\text{DCGAN: } L_D = -\mathbb{E}\log D(x) - \mathbb{E}\log(1-D(G(z))), \quad "
        r"L_G = -\mathbb{E}\log D(G(z))"
    ),
    Formula(r"\text{WGAN: } L_D = \mathbb{E} D(G(z)) - \mathbb{E} D(x), \quad L_G = -\mathbb{E} D(G(z))"),
    "A DCGAN discriminator that can only guess has a loss of 2 log 2 = 1.386; one well below that is "
    "ahead of its generator. For WGAN, −L (without penalties) estimates the distance of generated and "
    "real images. Scores are defined only up to a constant, so the level of the generator's loss has no "
    "meaning. The estimate falls while the images improve, but a sharper critic gives a higher estimate of "
    "the same distance, so a rise need not mean worse images; with clipping its scale is arbitrary too. "
    "Losses of different kinds cannot be compared.",
]


def losses(archive: ResultSource) -> Part:
    """Loss as a function of iterations, for each kind."""
    rows: list[list[str]] = []
    figures, provenances, gaps = [], [], []
    for kind in kinds(archive):
        try:
            run = trained(archive, kind)
        except MissingError as missing:
            gaps += [missing.gap] if kind in PRIMARY_KINDS or missing.gap.damaged else []
            continue
        figures += curves_of(archive, run, kind)
        rows.append([NAMES[kind], *_row(archive, run)])
        provenances.append(provenance_of(run))
    if not rows:
        return Part("Loss against iterations", gaps=gaps)
    headings = ["", "iterations", "passes over the data", "D: first", "D: last", "G: first", "G: last"]
    table = Table(
        "Losses of discriminator or critic (D) and generator (G)",
        headings,
        rows,
        "First and last: mean over the first and the last eighth of the training.",
        label="losses",
    )
    text = [*EXPLANATION, f"{refer('losses')} gives the numbers of the curves."]
    return Part("Loss against iterations", text, [table], figures, provenances=provenances, gaps=gaps)


def _row(archive: ResultSource, run: "Run") -> list[str]:
    summary = run.manifest.summary
    curves = archive.tensors(run, LOSSES_FILE) if LOSSES_FILE in run.manifest.files else {}
    ends = [ends_of(curves.get(name)) for name in ("critic_loss", "generator_loss")]
    cells = [fixed(value, 3) for pair in ends for value in pair]
    return [f"{summary['iterations']:,}", f"{summary['epochs']:.1f}", *cells]


def ends_of(values: NDArray[Any] | None) -> tuple[float | None, float | None]:
    """The means over the first and the last eighth of a curve; None for fewer than eight values."""
    if values is None or len(values) < PIECES:
        return None, None
    pieces = np.array_split(values, PIECES)
    return float(pieces[0].mean(dtype=np.float64)), float(pieces[-1].mean(dtype=np.float64))


def curves_of(archive: ResultSource, run: "Run", kind: str) -> list[Figure]:
    """The figures of a training: its losses and, folded, its images during the training."""
    summary, name = run.manifest.summary, NAMES[kind]
    return [
        figure(
            archive,
            run,
            "figures/losses",
            caption=f"{name}: loss against iteration.",
            alt=f"{name}: curves of the losses over {summary['iterations']:,} iterations; they end at "
            f"{KINDS[kind].critic_title}'s loss "
            f"{fixed(summary['critic_loss'], 3)}, generator's {fixed(summary['generator_loss'], 3)}.",
        ),
        figure(
            archive,
            run,
            "figures/samples-through-training",
            caption=f"{name}: images from the same noise during the training.",
            alt=f"{name}: grids of images of clothes from the start to iteration {summary['iterations']:,}.",
            folded=True,
        ),
    ]
