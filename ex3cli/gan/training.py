"""The training loop: an attempt from its first iteration, or from its checkpoint, to its end or its failure."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ex3cli.artifacts.canonical import to_json
from ex3cli.artifacts.run import Run
from ex3cli.datasets.registry import ImageDataset
from ex3cli.errors import NotConvergedError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.grids import Grids
from ex3cli.gan.outputs import write_outputs
from ex3cli.gan.session import LOSSES, Session, attempt_seed
from ex3cli.gan.watching import Finite, Observer, Sign
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.progress import Progress

BLOCK = 50  # iterations between two readings of the losses off the device
SECONDS_BETWEEN_SAVES = 60.0
ATTEMPTS_FILE = "attempts.jsonl"


@dataclass(frozen=True)
class Trained:
    """What a training came to."""

    run: Run
    iterations: int
    epochs: float
    losses: dict[str, float]  # mean of each over the last block
    seconds: float  # of this process; a resumed training's earlier part is not counted


def train(
    config: GANConfig,
    data: ImageDataset,
    run: Run,
    progress: Progress,
    *,
    device: torch.device,
    resume_command: str,
    observers: Sequence[Observer] = (),
) -> Trained:
    """Train one attempt in a claimed run folder, taking up the run's checkpoint if it has one.

    Raises
    ------
    InterruptedTrainingError : a signal asked to stop; the state is saved, and `resume_command` goes on.
    NotConvergedError : an observer gave the attempt up.
    """
    attempt = 1
    watch = (Finite(), *observers)
    session = Session(
        config, data.train_images, data.train_labels, len(data.class_names), attempt_seed(run.manifest.seed, attempt), device
    )
    grids = Grids(run, attempt, session, data.class_names)
    keeper = Checkpointer(run)
    restored = keeper.load()
    if restored is not None:
        session.restore(restored[1]["session"])
        for observer, state in zip(watch, restored[1]["observers"], strict=True):
            observer.restore(state)

    def save() -> None:
        keeper.save(session.iteration, {"session": session.state(), "observers": [each.state() for each in watch]})

    began = saved = time.monotonic()
    progress.start(f"training {config.kind}", config.iterations, "iterations", done=session.iteration)
    try:
        with GracefulStop() as stop:
            grids.draw_if_due()
            while session.iteration < config.iterations:
                session.step()
                grids.draw_if_due()
                if session.iteration % BLOCK == 0 or session.iteration == config.iterations:
                    run.metrics.append({"iteration": session.iteration, **(means := block_means(session))})
                    progress.advance(session.iteration % BLOCK or BLOCK, **means)
                if (sign := first_sign(watch, session)) is not None:
                    raise give_up(run, attempt, session, sign)
                if stop.requested or time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                    save()
                    saved = time.monotonic()
                if stop.requested:
                    run.mark("interrupted", f"at iteration {session.iteration:,}")
                    raise stop.error(resume_command)
    finally:
        progress.stop()
    seconds = time.monotonic() - began
    record_attempt(run, attempt, session, verdict="unjudged")
    means = block_means(session)
    write_outputs(run, session, grids)
    summary = {"kind": config.kind, "iterations": session.iteration, "epochs": session.epochs, "attempt": attempt, **means}
    summary["precision"] = "bfloat16" if session.players.half else "float32"  # what `auto` came to here
    run.finish(summary, partial=config.is_shortened)
    return Trained(run, session.iteration, session.epochs, means, seconds)


def block_means(session: Session) -> dict[str, float]:
    """The mean of each loss over the iterations since the last reading."""
    start = (session.iteration - 1) // BLOCK * BLOCK
    newest = session.history[start : session.iteration].mean(dim=0).cpu()
    return dict(zip(LOSSES, newest.tolist(), strict=True))


def first_sign(watch: Sequence[Observer], session: Session) -> Sign | None:
    """What the first observer that is due, and has something to say, says."""
    at_end = session.iteration == session.config.iterations
    for observer in watch:
        if (session.iteration % observer.every == 0 or at_end) and (sign := observer.look(session)) is not None:
            return sign
    return None


def give_up(run: Run, attempt: int, session: Session, sign: Sign) -> NotConvergedError:
    """Record a failed attempt; returns what to raise."""
    record_attempt(run, attempt, session, verdict="failed", sign=sign)
    run.mark("failed", f"attempt {attempt}: {sign.reason} at iteration {session.iteration:,}")
    return NotConvergedError(
        f"the training failed to converge: {sign.reason} at iteration {session.iteration:,}",
        "start it with another --seed, or with a smaller --learning-rate",
    )


def record_attempt(run: Run, attempt: int, session: Session, *, verdict: str, sign: Sign | None = None) -> None:
    """Add, or replace after a resume, this attempt's line in `attempts.jsonl`."""
    path = run.path / ATTEMPTS_FILE
    lines = path.read_text().splitlines() if path.exists() else []
    others = [line for line in lines if json.loads(line)["attempt"] != attempt]
    entry: dict[str, Any] = {
        "attempt": attempt,
        "seed": session.seed,
        "verdict": verdict,
        "reason": sign.reason if sign else None,
        "iteration": session.iteration,
        "values": sign.values if sign else {},
    }
    run.write_text(ATTEMPTS_FILE, "".join(line + "\n" for line in [*others, to_json(entry, indent=None)]))
