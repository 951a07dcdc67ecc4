"""What a training leaves in its run folder."""

from dataclasses import asdict
from typing import Any

from torch import Tensor

from ex3cli.artifacts.run import Run
from ex3cli.lab.training import Trained

KINDS = ("weight", "bias")
HISTORY = ("epoch", "discriminator_loss", "generator_loss", "kl", "js", "w", "outside", "modes")


def write(run: Run, trained: Trained, *, page: bool, animation: bool) -> None:
    """Weights (the generator's are the averaged ones), the film, the curves and what was asked for of the pictures."""
    game, film = trained.game, trained.film
    run.write_tensors("generator.safetensors", _named(game.generator.views(game.average)))
    run.write_tensors("discriminator.safetensors", _named(game.discriminator.layers))
    run.write_tensors("film.safetensors", film.tensors())
    columns = [getattr(film, name).tolist() for name in HISTORY]
    run.write_csv("history.csv", HISTORY, zip(*columns, strict=True))


def _named(layers: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {f"{index}.{kind}": each for index, pair in enumerate(layers) for kind, each in zip(KINDS, pair, strict=True)}


def summary(trained: Trained) -> dict[str, Any]:
    """The numbers that sum the last attempt up."""
    last = trained.film
    newest = {name: float(getattr(last, name)[-1]) for name in ("kl", "js", "w", "outside")}
    return {
        "verdict": "converged" if trained.verdict.converged else "failed", "reason": trained.verdict.reason,
        "why": trained.verdict.why, "converged_at": trained.verdict.epoch if trained.verdict.converged else None,
        "epochs": int(last.epoch[-1]), **newest, "modes": int(last.modes[-1]), "of_modes": trained.ruler.distribution.modes,
        "floor": asdict(trained.ruler.floor), "attempts": len(trained.attempts),
        "training_seconds": trained.training_seconds, "looking_seconds": trained.looking_seconds,
    }  # fmt: skip
