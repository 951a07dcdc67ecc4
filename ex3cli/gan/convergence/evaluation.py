"""The numbers that convergence is judged by, measured during a training."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from ex3cli.gan.image_quality import GenerationMetrics, ReferenceStatistics
from ex3cli.gan.training.trainer import LOSSES, GANTrainer, normalize
from ex3cli.metrics.generative import frechet_distance, gaussian_of
from ex3cli.metrics.statistics import kl_from_uniform, roc_auc, within_class_roc_auc
from ex3cli.runs.run import Run
from ex3cli.seeding import torch_generator

CRITIC_BATCHES = 4  # of real and of drawn images each, that the area under the curve is computed from
RECENT = 50  # iterations whose score gap is averaged

Evaluation = dict[str, float]
"""The figures of one look by their names. `ex3cli.gan.convergence.criteria` decides what they say."""


def load_evaluations(run: Run, attempt: int) -> list[Evaluation]:
    """What the judge of an attempt measured, look by look and last its verdict's; none where nothing of it is
    stored.
    """
    return [
        row["evaluation"]
        for row in run.read_history()
        if row.get("attempt") == attempt and "evaluation" in row
    ]


def figures(scores: GenerationMetrics) -> Evaluation:
    """What a look keeps of scores."""
    values = {
        "fid": scores.fid,
        "kid": scores.kid.value,
        "coverage": scores.coverage,
        "density": scores.density,
        "min_class_variety": float(np.nanmin(scores.variety)) if np.isfinite(scores.variety).any() else 0.0,
        "min_class_share": float(scores.class_shares.min()),
        "class_kl": kl_from_uniform(scores.class_shares),
    }
    if scores.label_agreement is None or scores.class_agreements is None:
        return values
    worst = float(np.nanmin(scores.class_agreements))
    return {**values, "label_agreement": scores.label_agreement, "min_class_agreement": worst}


def mean_fid(features: NDArray[np.float32], real: ReferenceStatistics) -> float:
    """The mean Fréchet distance of (n, F) features, as many of them at a time as there are real ones."""
    size = min(len(real.real.labels), len(features))
    starts = range(0, len(features) - size + 1, size)
    return float(
        np.mean(
            [frechet_distance(gaussian_of(features[start : start + size]), real.gaussian) for start in starts]
        )
    )


def training_diagnostics(trainer: GANTrainer) -> Evaluation:
    """The iteration, the recent score gap, the norm of the generator's gradient, and that of all weights and
    statistics.
    """
    networks = trainer.networks
    recent = trainer.history[max(0, trainer.iteration - RECENT) : trainer.iteration]
    gap = recent[:, LOSSES.index("score_gap")].abs().mean()
    gradients: list[torch.Tensor] = [
        each.grad for each in networks.generator.parameters() if each.grad is not None
    ]
    models = (networks.generator, networks.critic, trainer.ema.model)
    weights: list[torch.Tensor] = [each for model in models for each in model.parameters()]
    weights += [
        each for model in models for each in model.buffers() if each.is_floating_point()
    ]  # BatchNorm's
    norms = [torch.stack(torch._foreach_norm(each)).norm() for each in (gradients, weights) if each]
    read = torch.stack([gap, *norms]).tolist()
    evaluation = {"iteration": float(trainer.iteration), "score_gap": read[0], "weights": read[-1]}
    return evaluation if len(norms) < 2 else {**evaluation, "generator_grad_norm": read[1]}


@torch.no_grad()
def critic_auc(trainer: GANTrainer) -> float:
    """The area under the curve of the critic's scores of real images and of the newest weights' images.

    Within each class where the critic is told it. Batch by batch, as in training, since a BatchNorm there
    sees only real or
    only drawn images at a time.
    """
    networks, config = trainer.networks, trainer.config
    critic, generator = copy.deepcopy(networks.critic).train(), copy.deepcopy(networks.generator).train()
    noise = torch_generator(trainer.seed, "judge", "critic", trainer.iteration)
    scores: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    all_labels: list[torch.Tensor] = []
    for _ in range(CRITIC_BATCHES):
        chosen = torch.randint(len(trainer.batches.images), (config.batch_size,), generator=noise).to(
            trainer.device
        )
        labels = trainer.batches.labels[chosen] if networks.classes else None
        z = torch.randn(config.batch_size, config.latent_dim, generator=noise).to(trainer.device)
        with networks.precision():
            drawn = generator(z, labels).float()
            scores[0].append(critic(normalize(trainer.batches.images[chosen]), labels))
            scores[1].append(critic(drawn, labels))
        all_labels += [] if labels is None else [labels]
    real, fake = (torch.cat(each).float().cpu().numpy() for each in scores)
    return (
        within_class_roc_auc(real, fake, torch.cat(all_labels).cpu().numpy())
        if all_labels
        else roc_auc(real, fake)
    )


def pixel_std(images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> float:
    """Root mean variance of a pixel over (n, 28, 28) images, within each class where labels are given."""
    values = images.reshape(len(images), -1).astype(np.float32)
    groups = [values] if labels is None else [values[labels == each] for each in np.unique(labels)]
    return float(np.sqrt(np.mean([group.var(axis=0).mean() for group in groups])))
