"""Loss against iterations: the figures, and in words made from the curves where each began, how far it came,
where it ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ex3cli.gan.kinds import NAMES
from ex3cli.report.document import Figure, Part
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.sections.gans import ASKED, kinds, trained
from ex3cli.report.source import MissingError, ResultSource
from ex3cli.report.words import fixed

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

JUDGES = {"dcgan": "discriminator", "wgan": "critic", "wgan-clip": "critic"}
LOSSES_FILE = "losses.safetensors"
PIECES = 8
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "last")
CLEAR = 0.1  # a rise or fall counts from this share of the whole range that the means cover


@dataclass(frozen=True)
class Course:
    """A curve as the means over eighths of the training."""

    means: tuple[float, ...]

    @property
    def lowest(self) -> float:
        """The smallest of the means."""
        return min(self.means)

    @property
    def falls(self) -> bool:
        """Whether it comes down clearly from where it began."""
        return self.means[0] - self.lowest > CLEAR * (max(self.means) - self.lowest)

    @property
    def rises(self) -> bool:
        """Whether it ends clearly above its lowest mean."""
        return self.means[-1] - self.lowest > CLEAR * (max(self.means) - self.lowest)

    def told(self) -> str:
        """`began at 0.445, was lowest, 0.207, in the second eighth, and ended at 0.351`."""
        where = self.means.index(self.lowest)
        return self._with(f"was lowest, {fixed(self.lowest, 3)}, in the {ORDINALS[where]} eighth")

    def told_without_place(self) -> str:
        """`began at 0.445, was 0.207 at its lowest, and ended at 0.351`."""
        return self._with(f"was {fixed(self.lowest, 3)} at its lowest")

    def _with(self, lowest: str) -> str:
        """Where it began and ended, and between them, unless it was lowest there, what is said of
        its lowest.
        """
        between = f", {lowest}," if 0 < self.means.index(self.lowest) < PIECES - 1 else ""
        return f"began at {fixed(self.means[0], 3)}{between} and ended at {fixed(self.means[-1], 3)}"


def course(values: NDArray[Any]) -> Course | None:
    """A curve's course; None where it is too short for eighths or holds what is no number."""
    if len(values) < PIECES or not np.isfinite(values).all():
        return None
    return Course(tuple(float(piece.mean(dtype=np.float64)) for piece in np.array_split(values, PIECES)))


def in_words(archive: "ResultSource", run: "Run") -> list[str]:
    """What the losses of a generator's training did; nothing where the run does not hold them."""
    if LOSSES_FILE not in run.manifest.files:
        return []
    courses = {name: course(values) for name, values in archive.tensors(run, LOSSES_FILE).items()}
    if (critic := courses.get("critic_loss")) is None or (generator := courses.get("generator_loss")) is None:
        return []
    kind = run.manifest.config["kind"]
    if kind == "dcgan":
        return [_cross_entropies(critic, generator)]
    gap = courses.get("score_gap")
    return [] if gap is None else [_estimate(gap, generator, run.manifest.config)]


def _cross_entropies(discriminator: Course, generator: Course) -> str:
    said = (
        f"In means over eighths of the training the discriminator's loss {discriminator.told()} (2 log 2 = "
        "1.386 is a "
        f"discriminator that cannot tell at all); the generator's {generator.told()}."
    )
    if discriminator.falls and not discriminator.rises and generator.rises:
        return (
            f"{said} The discriminator gets ahead: it learns to tell drawn images faster than they get "
            "better."
        )
    if discriminator.rises and not discriminator.falls and generator.falls:
        return f"{said} The generator gets ahead: its images are told from real ones less and less."
    return f"{said} Neither of the two gets ahead for good."


def _estimate(gap: Course, generator: Course, config: Mapping[str, Any]) -> str:
    # Where it is lowest is told, look by look, where losses are held beside distances; an eighth says it more
    # coarsely.
    course = gap.told_without_place()
    said = (
        "The critic's estimate of the distance, E[D(x)] − E[D(G(z))], in means over eighths of the "
        f"training, {course}."
    )
    sharper = "a critic that gets sharper estimates the same distance higher"
    if gap.falls and gap.rises:
        said += (
            " It falls first, as it should while the images come nearer to the real ones. Its later rise "
            "need not mean "
        )
        said += f"worse images: {sharper}."
    elif gap.falls:
        said += " It falls, as it should while the images come nearer to the real ones."
    elif gap.rises:
        said += f" It rises all the way, which need not mean worse images: {sharper}."
    else:
        said += " It neither falls nor rises clearly."
    if config["kind"] == "wgan-clip":
        said += (
            " Clipping bounds the critic's slope by a number that nobody knows, so the estimate's scale is "
            "arbitrary."
        )
    level = "a critic's scores have no zero, so its level says nothing"
    weight = float(config.get("aux_weight_g") or 0) if config.get("aux_weight") else 0.0
    formula = "−E[D(G(z))]" + (
        f" + {weight:g} × the cross-entropy of the critic's auxiliary classifier" if weight else ""
    )
    return f"{said} The generator's loss, {formula}, {generator.told()}; {level}."


def losses(archive: ResultSource) -> Part:
    """Loss as a function of iterations, for each kind."""
    words, figures, makings, gaps = [], [], [], []
    for kind in kinds(archive):
        try:
            run = trained(archive, kind)
        except MissingError as missing:
            gaps += [missing.gap] if kind in ASKED or missing.gap.damaged else []
            continue
        figures += curves_of(archive, run, kind)
        summary = run.manifest.summary
        words.append(
            f"{NAMES[kind]}, {run.name}: {summary['iterations']:,} iterations of the generator, "
            f"{summary['epochs']:.1f} passes "
            f"over the training images. At the very end: {JUDGES[kind]}'s loss "
            f"{fixed(summary['critic_loss'], 3)}, generator's "
            f"{fixed(summary['generator_loss'], 3)}. {' '.join(in_words(archive, run))}".rstrip()
        )
        makings.append(making(run))
    if len(makings) > 1:
        words.append(
            "The losses of the kinds are not comparable: DCGAN's are cross-entropies and say which of its "
            "players is ahead; "
            "a WGAN's are differences of scores, which estimate a distance as well as its critic can. How "
            "good the images are "
            "is told by the figures above; whether the losses go along with that is asked below."
        )
    return Part("Loss against iterations", words, figures=figures, makings=makings, gaps=gaps)


def curves_of(archive: ResultSource, run: "Run", kind: str) -> list[Figure]:
    """A training's losses and what it drew on its way."""
    summary, name = run.manifest.summary, NAMES[kind]
    return [
        figure(
            archive,
            run,
            "figures/losses",
            caption=f"{name}: loss against iteration.",
            alt=f"{name}: curves of the losses over {summary['iterations']:,} iterations; they end at "
            f"{JUDGES[kind]}'s loss "
            f"{fixed(summary['critic_loss'], 3)}, generator's {fixed(summary['generator_loss'], 3)}.",
        ),
        figure(
            archive,
            run,
            "figures/samples-through-training",
            caption=f"{name}: the same noise drawn as the training goes on.",
            alt=f"{name}: grids of images of clothes, side by side from the start to iteration "
            f"{summary['iterations']:,}.",
        ),
    ]
