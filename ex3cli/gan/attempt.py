"""One attempt at a training: from its first iteration, or its checkpoint, to its verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from ex3cli.artifacts.attempts import Attempt
from ex3cli.artifacts.run import Run
from ex3cli.datasets.registry import ImageDataset
from ex3cli.gan.config import GANConfig
from ex3cli.gan.figures import loss_figure
from ex3cli.gan.grids import Grids
from ex3cli.gan.judge import Bench, Judge
from ex3cli.gan.session import LOSSES, Session, attempt_seed
from ex3cli.gan.watching import Finite, Observer, Sign
from ex3cli.training.progress import Progress

BLOCK = 50  # iterations between two readings of the losses off the device


class Course:
    """The session of one attempt, its sample grids, and who watches it.

    Parameters
    ----------
    number : of the attempt, 1 the first; with the run's seed it gives the attempt's.
    bench : what a judge judges with; None where there is no classifier, so that nothing but numbers can be watched.
    observers : further ones.
    decided : the attempts before it.
    """

    def __init__(
        self, config: GANConfig, data: ImageDataset, run: Run, number: int, device: torch.device,
        bench: Bench | None, observers: Sequence[Observer], progress: Progress, decided: Sequence[Attempt] = (),
    ) -> None:  # fmt: skip
        self.run, self.number, self.progress, self.decided = run, number, progress, tuple(decided)
        seed = attempt_seed(run.manifest.seed, number)
        self.session = Session(config, data.train_images, data.train_labels, len(data.class_names), seed, device)
        self.grids = Grids(run, number, self.session, data.class_names)
        self.judge: Judge | None = bench.judge(self.session, self._report) if bench else None
        self.watch: tuple[Observer, ...] = (Finite(), *([self.judge] if self.judge else []), *observers)
        self.over, self.sign = False, None  # once it is over, a sign says why it failed
        self.told = 0  # the iteration that progress was last told of

    sign: Sign | None
    ended_epoch = False  # checkpoints go by time alone

    @property
    def done(self) -> int:
        """Iterations over all attempts, by which checkpoints are told apart."""
        return (self.number - 1) * self.session.config.iterations + self.session.iteration

    @property
    def where(self) -> str:
        """How far it has come."""
        return f"attempt {self.number}, at iteration {self.session.iteration:,}"

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, for a checkpoint."""
        return {
            "attempt": self.number, "session": self.session.state(), "observers": [each.state() for each in self.watch],
            "over": self.over, "sign": asdict(self.sign) if self.sign else None,
            "decided": [asdict(each) for each in self.decided],
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.session.restore(state["session"])
        self.told = self.session.iteration
        for observer, kept in zip(self.watch, state["observers"], strict=True):
            observer.restore(kept)
        self.over, self.sign = state["over"], Sign(**state["sign"]) if state["sign"] else None

    def step(self) -> None:
        """One iteration, with all that is due after it."""
        session, run = self.session, self.run
        session.step()
        self.grids.draw_if_due()
        if session.iteration % BLOCK == 0 or session.iteration == session.config.iterations:
            means = self.block_means()
            run.metrics.append({"attempt": self.number, "iteration": session.iteration, **means})
            self.progress.advance(session.iteration - self.told, **means)
            self.told = session.iteration
        self.sign = self._first_sign()
        self.over = self.sign is not None or session.iteration == session.config.iterations

    def block_means(self) -> dict[str, float]:
        """The mean of each loss over the iterations since the last reading."""
        start = (self.session.iteration - 1) // BLOCK * BLOCK
        newest = self.session.history[start : self.session.iteration].mean(dim=0).cpu()
        return dict(zip(LOSSES, newest.tolist(), strict=True))

    def entry(self) -> Attempt:
        """The line of this attempt once it is over."""
        sign = self.sign
        verdict = "failed" if sign else "converged" if self.judge else "unjudged"
        values = sign.values if sign else self.judge.values if self.judge else {}
        return Attempt(
            self.number, self.session.seed, verdict, sign.reason if sign else None, self.session.iteration, dict(values),
            shortened=self.session.config.is_shortened,
        )  # fmt: skip

    def leave_traces(self) -> None:
        """Write what is worth keeping of an attempt that failed: its losses so far."""
        folder, losses = f"attempt-{self.number:02d}", dict(zip(LOSSES, self.session.losses.unbind(dim=1), strict=True))
        self.run.write_tensors(f"{folder}/losses.safetensors", losses)
        figure = loss_figure(self.session.config, {name: each.numpy() for name, each in losses.items()})
        self.run.write_figure(f"{folder}/losses", figure)

    def _report(self, look: Mapping[str, float]) -> None:
        self.run.metrics.append({"attempt": self.number, "judged": look})
        named = {"fid": "fid", "coverage": "coverage", "agreement": "label_agreement"}
        self.progress.advance(0, **{short: look[name] for short, name in named.items() if name in look})

    def _first_sign(self) -> Sign | None:
        """What the first observer that is due, and has something to say, says."""
        session = self.session
        at_end = session.iteration == session.config.iterations
        for observer in self.watch:
            if (session.iteration % observer.every == 0 or at_end) and (sign := observer.look(session)) is not None:
                return sign
        return None
