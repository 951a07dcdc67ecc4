"""Where the judge draws its lines, each with its reason. Imports nothing heavy.

The figures in the reasons are measured by `tests/benchmarks/calibrate_scores.py` (what images of known worth score) and
`tests/benchmarks/calibrate_judge.py` (what trainings, good and broken, come to on their way).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ex3cli.settings import Settings, setting


@dataclass(frozen=True)
class Thresholds(Settings):
    """When an attempt has failed, and when it has converged. `for_kind` gives a kind its own."""

    by_kind: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "dcgan": {},
        "wgan": {},
        "wgan-clip": {"least_agreement": 0.85},  # its critic heeds the class less: ten good trainings have .897 to .912
    }

    interval: int = setting(
        400, "Iterations between two looks: with 1,000 images each, about 3 % of the time of a dcgan, less of the others."
    )
    images: int = setting(
        1_000,
        "Images a look, of the averaged weights. As many real ones of all classes alike are at a Fréchet distance of .017 to "
        ".034, a shipped dcgan's at .039 to .063 from look to look: hence the factor of 2, several looks running.",
    )
    final_images: int = setting(
        10_000,
        "Images of the last look, as many as `ex3 gan eval` draws. Held against images that the classifier has not learned "
        "from but the GAN has: coverage comes out a point or two above that of the test images, which decide nothing.",
    )
    grace: int = setting(1_500, "Iterations before anything but a non-finite number counts: every generator begins with noise.")
    least_spread: float = setting(0.10, "Spread of pixels across z over that of real images; below it the output is constant.")
    least_variety: float = setting(
        0.30, "Mean feature distance within a class over that of real images; below it, collapsed, on the way or at the end."
    )
    least_density: float = setting(
        0.10,
        "Density below which images are like nothing real, so that their being alike is no collapse; after the grace good "
        "ones have .91 or more, those under shuffled labels .7.",
    )
    variety_looks: int = setting(2, "Looks running that a class must be collapsed: one can be bad luck.")
    most_divergence: float = setting(
        2.0,
        "Fréchet distance over its best so far; a training that fails leaves it for good. One that is so far off at its end "
        "has not converged, whatever its images are still worth.",
    )
    divergence_looks: int = setting(3, "Looks running that it must be so far off: good trainings jump too, and come back.")
    critic_area: float = setting(
        0.999, "Area under the curve of the critic's scores within a class: it tells every real image from a drawn one."
    )
    critic_looks: int = setting(5, "Looks running with such scores and no better Fréchet distance: early on both are normal.")
    critic_share: float = setting(
        0.10, "Share of the training that these looks must span: one of 200,000 iterations gains in 2,000 what noise hides."
    )
    critic_gain: float = setting(0.02, "Share by which the Fréchet distance must beat its best to count as better.")
    least_gap: float = setting(1e-6, "Mean size of E[D(x)] − E[D(G(z))]; below it the critic says nothing.")
    least_gradient: float = setting(1e-8, "Norm of the generator's gradient; below it nothing is learnt.")
    half_way_agreement: float = setting(
        0.30, "Label agreement from half-way on: three times chance, a third of what is needed."
    )
    half_way_looks: int = setting(
        2, "Looks running, the last at half-way or later, that images must be so far behind: one can be a jump."
    )
    least_agreement: float = setting(
        0.90, "Label agreement at the end, conditional: what the classifier grants real images is .93."
    )
    least_class_agreement: float = setting(
        0.50, "Label agreement of the worst class at the end: nine good classes do not make up for one that is another's."
    )
    least_coverage: float = setting(
        0.70,
        "Coverage at the end: real images have .97, a shipped dcgan .92 on this yardstick; with one class drawn as one image "
        ".84, with two .77, with three .68.",
    )
    rarest_class: float = setting(0.02, "Share of the rarest class at the end, unconditional: a fifth of what is fair.")
    most_uneven: float = setting(
        0.5, "KL of the classes drawn from uniform, in nats, unconditional: as with four of ten missing."
    )

    @property
    def bars(self) -> dict[str, float]:
        """What the images of a whole training must reach at its end, by the name of the figure."""
        return {"label_agreement": self.least_agreement, "coverage": self.least_coverage}

    @classmethod
    def for_kind(cls, kind: str, **given: Any) -> Self:
        """The thresholds of dcgan, wgan or wgan-clip, with every given value put over them."""
        return cls(**{**cls.by_kind[kind], **given})
