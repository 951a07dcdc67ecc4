"""The panels of `ex3 gan compare`: real images, and each kind's; one that cannot be drawn says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ex3cli.cli.frame import Context
from ex3cli.errors import ArtifactError, Ex3Error, MissingRunError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Panel:
    """Images under a title, or why there are none."""

    title: str
    run: str | None = None
    pixels: "NDArray[np.uint8] | None" = None
    indices: tuple[int, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)  # digests of the data set's files that they are from
    problem: Ex3Error | None = None  # where there are no images
    untrained: bool = False  # for there is no generator of that kind

    @property
    def is_damaged(self) -> bool:
        """Whether something that was found could not be read, which is more than that it is missing."""
        return isinstance(self.problem, ArtifactError) and not isinstance(self.problem, MissingRunError)


def raised(panels: Sequence[Panel]) -> Ex3Error | None:
    """What a comparison of these panels ends with: damage; of one in which nothing could be drawn else the first cause."""
    problems = [each.problem for each in panels if each.problem is not None]
    damaged = {each.problem.cause: each.problem for each in panels if each.problem is not None and each.is_damaged}
    if len(damaged) > 1:
        return ArtifactError("; ".join(damaged), "see `ex3 runs verify`")
    return next(iter(damaged.values()), problems[0] if len(problems) == len(panels) else None)


def real_panel(context: Context, label: int, count: int) -> Panel:
    """Real test images of a class, drawn by the seed."""
    import numpy as np

    from ex3cli.datasets.registry import load
    from ex3cli.streams import numpy_stream

    try:
        data = load(context.dataset, context.data)
    except Ex3Error as error:
        return Panel("real", problem=error)
    members = np.flatnonzero(data.test_labels.numpy() == label)
    chosen = numpy_stream(context.seed, "compare", label).permutation(members)[:count]
    return Panel("real", None, data.test_images.numpy()[chosen], tuple(int(place) for place in chosen), data.digests)


def generated_panel(context: Context, kind: str, label: int, name: str, count: int) -> Panel:
    """Images of a class by a kind's generator; of an unconditional one those that the classifier gives the class."""
    from ex3cli.cli.classifier import find_classifier
    from ex3cli.cli.gan_generators import find_generator
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.sampling import sample
    from ex3cli.gan.weights import load_generator

    try:
        run = find_generator(context, kind)
    except MissingRunError as error:
        return Panel(kind, problem=error, untrained=True)
    except ArtifactError as error:
        return Panel(kind, problem=error)
    try:
        generator = load_generator(run, len(spec(context.dataset).class_names))
        if generator.classes:
            pixels = sample(generator, context.seed, [label] * count, count)
            return Panel(kind, run.name, pixels, tuple(range(count)))
        from ex3cli.classifier.weights import load_classifier
        from ex3cli.gan.choosing import choose

        classifier = load_classifier(find_classifier(context))
        chosen = choose(generator, classifier, label, name, count=count, seed=context.seed)
        return Panel(kind, run.name, chosen.pixels, tuple(chosen.indices))
    except Ex3Error as error:
        return Panel(kind, problem=error)
