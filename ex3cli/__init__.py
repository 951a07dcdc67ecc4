"""ex3: distances between distributions, M1 with few labels, DCGAN and WGAN, from one command line.

From Python: `import ex3cli as ex3`, then `ex3.load_generator("wgan").sample("dress", 2)`; see `ex3cli.api`.
Importing this package imports nothing heavy: each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from ex3cli.api import (
        Comparison,
        Generator,
        ImageClassifier,
        SampleSet,
        TrainedVAE,
        evaluate,
        list_runs,
        load_classifier,
        load_generator,
        load_vae,
        train_gan,
    )

__all__ = [
    "Comparison",
    "Generator",
    "ImageClassifier",
    "SampleSet",
    "TrainedVAE",
    "evaluate",
    "list_runs",
    "load_classifier",
    "load_generator",
    "load_vae",
    "train_gan",
]


def __getattr__(name: str) -> Any:
    """Load a name of `ex3cli.api`."""
    if name in __all__:
        return getattr(import_module("ex3cli.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
