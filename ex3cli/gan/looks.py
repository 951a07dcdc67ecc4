"""What a look at a training measures: figures of its networks, and of images drawn from them."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from ex3cli.artifacts.run import Run
from ex3cli.gan.batches import to_range
from ex3cli.gan.scoring import Scores, Yardstick
from ex3cli.gan.session import LOSSES, Session
from ex3cli.metrics.agreement import area_under_curve, area_within_classes, divergence_from_uniform
from ex3cli.metrics.frechet import frechet_distance, gaussian_of
from ex3cli.training.seeding import torch_generator

CRITIC_BATCHES = 4  # of real and of drawn images each, that the area under the curve is computed from
RECENT = 50  # iterations whose score gap is averaged

Look = dict[str, float]
"""The figures of one look by their names. `ex3cli.gan.rules` decides what they say."""


def looks_of(run: Run, attempt: int) -> list[Look]:
    """What the judge of an attempt measured, look by look and last its verdict's; none where nothing of it is stored."""
    return [row["judged"] for row in run.read_history() if row.get("attempt") == attempt and "judged" in row]


def figures(scores: Scores) -> Look:
    """What a look keeps of scores."""
    told = {
        "fid": scores.fid,
        "kid": scores.kid.value,
        "coverage": scores.coverage,
        "density": scores.density,
        "least_variety": float(np.nanmin(scores.variety)) if np.isfinite(scores.variety).any() else 0.0,
        "rarest_class": float(scores.class_shares.min()),
        "unevenness": divergence_from_uniform(scores.class_shares),
    }
    if scores.label_agreement is None or scores.class_agreements is None:
        return told
    worst = float(np.nanmin(scores.class_agreements))
    return {**told, "label_agreement": scores.label_agreement, "least_class_agreement": worst}


def mean_distance(features: NDArray[np.float32], real: Yardstick) -> float:
    """The mean Fréchet distance of (n, F) features, as many of them at a time as there are real ones."""
    size = min(len(real.real.labels), len(features))
    starts = range(0, len(features) - size + 1, size)
    return float(np.mean([frechet_distance(gaussian_of(features[start : start + size]), real.gaussian) for start in starts]))


def training_figures(session: Session) -> Look:
    """The iteration, the recent score gap, the norm of the generator's gradient, and that of all weights and statistics."""
    players = session.players
    recent = session.history[max(0, session.iteration - RECENT) : session.iteration]
    gap = recent[:, LOSSES.index("score_gap")].abs().mean()
    gradients: list[torch.Tensor] = [each.grad for each in players.generator.parameters() if each.grad is not None]
    networks = (players.generator, players.critic, session.average.generator)
    weights: list[torch.Tensor] = [each for network in networks for each in network.parameters()]
    weights += [each for network in networks for each in network.buffers() if each.is_floating_point()]  # BatchNorm's
    norms = [torch.stack(torch._foreach_norm(each)).norm() for each in (gradients, weights) if each]
    read = torch.stack([gap, *norms]).tolist()
    look = {"iteration": float(session.iteration), "score_gap": read[0], "weights": read[-1]}
    return look if len(norms) < 2 else {**look, "generator_gradient": read[1]}


@torch.no_grad()
def critic_area(session: Session) -> float:
    """The area under the curve of the critic's scores of real images and of the newest weights' images.

    Within each class where the critic is told it. Batch by batch, as in training, since a BatchNorm there sees only real or
    only drawn images at a time.
    """
    players, config = session.players, session.config
    critic, generator = copy.deepcopy(players.critic).train(), copy.deepcopy(players.generator).train()
    noise = torch_generator(session.seed, "judge", "critic", session.iteration)
    scores: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    told: list[torch.Tensor] = []
    for _ in range(CRITIC_BATCHES):
        chosen = torch.randint(len(session.batches.images), (config.batch_size,), generator=noise).to(session.device)
        labels = session.batches.labels[chosen] if players.classes else None
        z = torch.randn(config.batch_size, config.latent_size, generator=noise).to(session.device)
        with players.precision():
            drawn = generator(z, labels).float()
            scores[0].append(critic(to_range(session.batches.images[chosen]), labels))
            scores[1].append(critic(drawn, labels))
        told += [] if labels is None else [labels]
    real, fake = (torch.cat(each).float().cpu().numpy() for each in scores)
    return area_within_classes(real, fake, torch.cat(told).cpu().numpy()) if told else area_under_curve(real, fake)


def pixel_spread(images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> float:
    """Root mean variance of a pixel over (n, 28, 28) images, within each class where labels are given."""
    values = images.reshape(len(images), -1).astype(np.float32)
    groups = [values] if labels is None else [values[labels == each] for each in np.unique(labels)]
    return float(np.sqrt(np.mean([group.var(axis=0).mean() for group in groups])))
