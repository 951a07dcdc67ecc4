"""What a training leaves in its run folder."""

from dataclasses import asdict
from typing import Any

from torch import Tensor

from ex3cli.artifacts.run import Run
from ex3cli.lab import animation, figures
from ex3cli.lab.config import LabConfig
from ex3cli.lab.frames import SHOWN
from ex3cli.lab.page import render
from ex3cli.lab.training import Trained

KINDS = ("weight", "bias")
HISTORY = ("epoch", "discriminator_loss", "generator_loss", "kl", "js", "w", "outside", "modes")


def write(run: Run, trained: Trained) -> None:
    """Weights (the generator's are the averaged ones), the film and the curves."""
    game, film = trained.game, trained.film
    run.write_tensors("generator.safetensors", _named(game.generator.views(game.average)))
    run.write_tensors("discriminator.safetensors", _named(game.discriminator.layers))
    run.write_tensors("film.safetensors", film.tensors())
    columns = [[_spelt(value) for value in getattr(film, name).tolist()] for name in HISTORY]
    run.write_csv("history.csv", HISTORY, zip(*columns, strict=True))


def draw(run: Run, trained: Trained, *, page: bool, animate: bool) -> None:
    """The figures, and the animation and the page if they are asked for."""
    film, floor, config = trained.film, trained.ruler.floor, trained.game.config
    real = trained.ruler.real[:SHOWN]
    title = f"{trained.ruler.distribution.name}, {config.loss} loss, seed {run.manifest.seed}"
    run.write_figure("figures/panel", figures.panel(film, real, floor, title=title, loss=config.loss))
    if (drawn := figures.manifold(film, title=title)) is not None:
        run.write_figure("figures/manifold", drawn)
    if animate:
        frames = animation.draw_frames(film, real, floor, title=title, modes=trained.ruler.distribution.modes)
        run.write_bytes("figures/training.gif", animation.gif(frames))
    if page:
        text = render(
            film, real, floor, title=title, verdict=trained.verdict.why, settings=_told(config),
            modes=trained.ruler.distribution.modes,
        )  # fmt: skip
        run.write_text("page.html", text)


def _told(config: LabConfig) -> str:
    """The settings in a sentence."""
    return (
        f"Generator: {config.noise_size}-D {config.noise} noise, {config.generator_layers} × {config.generator_units} units; "
        f"discriminator: {config.discriminator_layers} × {config.discriminator_units} units. Batches of {config.batch_size}, "
        f"{config.discriminator_updates} + {config.generator_updates} updates an epoch, {config.optimiser}, "
        f"learning rates {config.discriminator_rate:g} and {config.generator_rate:g}."
    )


def _spelt(value: float) -> str:
    """Counts whole; the rest to the seven digits that single precision has."""
    return str(value) if isinstance(value, int) else f"{value:.7g}"


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
