"""The files of a lab run: weights, tables, figures, animation and page."""

from dataclasses import asdict
from typing import Any

from torch import Tensor

from ex3cli.lab import figures
from ex3cli.lab.animation import draw_frames, gif
from ex3cli.lab.config import LabConfig
from ex3cli.lab.page import render_replay
from ex3cli.lab.snapshots import SHOWN
from ex3cli.lab.training import Trained
from ex3cli.runs.run import Run

KINDS = ("weight", "bias")
HISTORY = ("epoch", "discriminator_loss", "generator_loss", "kl", "js", "w", "outside", "modes")


def write(run: Run, trained: Trained) -> None:
    """Weights (the generator's are the averaged ones), the snapshots and the curves."""
    trainer, snapshots = trained.trainer, trained.snapshots
    run.write_tensors("generator.safetensors", _named(trainer.ema.model.layers))
    run.write_tensors("discriminator.safetensors", _named(trainer.discriminator.layers))
    run.write_tensors("film.safetensors", snapshots.tensors())
    columns = [[_csv_value(value) for value in getattr(snapshots, name).tolist()] for name in HISTORY]
    run.write_csv("history.csv", HISTORY, zip(*columns, strict=True))


def draw(run: Run, trained: Trained, *, page: bool, animate: bool) -> None:
    """Write the figures, and on request the animation and the page."""
    snapshots, baseline, config = trained.snapshots, trained.reference.baseline, trained.trainer.config
    real = trained.reference.real[:SHOWN]
    title = f"{trained.reference.distribution.name}, {config.loss} loss, seed {run.manifest.seed}"
    run.write_figure("figures/panel", figures.panel(snapshots, real, baseline, title=title, loss=config.loss))
    if (drawn := figures.manifold(snapshots, title=title)) is not None:
        run.write_figure("figures/manifold", drawn)
    if animate:
        frames = draw_frames(
            snapshots, real, baseline, title=title, modes=trained.reference.distribution.modes
        )
        run.write_bytes("figures/training.gif", gif(frames))
    if page:
        text = render_replay(
            snapshots,
            real,
            baseline,
            title=title,
            verdict=trained.verdict.why,
            settings=_settings_text(config),
            modes=trained.reference.distribution.modes,
        )
        run.write_text("page.html", text)


def _settings_text(config: LabConfig) -> str:
    """The settings in a sentence."""
    return (
        f"Generator: {config.latent_dim}-D {config.noise} noise, {config.generator_layers} × "
        f"{config.generator_units} units; "
        f"discriminator: {config.discriminator_layers} × {config.discriminator_units} units. Batches of "
        f"{config.batch_size}, "
        f"{config.d_steps} + {config.g_steps} updates an epoch, {config.optimizer}, "
        f"learning rates {config.lr_d:g} and {config.lr_g:g}."
    )


def _csv_value(value: float) -> str:
    """A count as an integer, other numbers with the seven digits of single precision."""
    return str(value) if isinstance(value, int) else f"{value:.7g}"


def _named(layers: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {
        f"{index}.{kind}": each
        for index, pair in enumerate(layers)
        for kind, each in zip(KINDS, pair, strict=True)
    }


def summary(trained: Trained) -> dict[str, Any]:
    """The summary of the last attempt."""
    last = trained.snapshots
    newest = {name: float(getattr(last, name)[-1]) for name in ("kl", "js", "w", "outside")}
    return {
        "verdict": "converged" if trained.verdict.converged else "failed",
        "reason": trained.verdict.reason,
        "why": trained.verdict.why,
        "converged_at": trained.verdict.epoch if trained.verdict.converged else None,
        "epochs": int(last.epoch[-1]),
        **newest,
        "modes": int(last.modes[-1]),
        "of_modes": trained.reference.distribution.modes,
        "floor": asdict(trained.reference.baseline),
        "attempts": len(trained.attempts),
        "training_seconds": trained.training_seconds,
        "looking_seconds": trained.evaluation_seconds,
    }
