"""The metrics that decide convergence, measured during a training."""

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

CRITIC_BATCHES = 4  # batches of real and of generated images for the AUC
RECENT = 50  # iterations over which the score gap is averaged

Evaluation = dict[str, float]
"""The metrics of one evaluation, by name. `ex3cli.gan.convergence.criteria` interprets them."""


def load_evaluations(run: Run, attempt: int) -> list[Evaluation]:
    """The stored evaluations of an attempt, in order; empty if none are stored."""
    return [
        row["evaluation"]
        for row in run.read_history()
        if row.get("attempt") == attempt and "evaluation" in row
    ]


def evaluation_of(scores: GenerationMetrics) -> Evaluation:
    """The metrics of an evaluation, from the scores of its images."""
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
    """The mean Fréchet distance of (n, F) features, in chunks as large as the set of real features."""
    size = min(len(real.real.labels), len(features))
    starts = range(0, len(features) - size + 1, size)
    return float(
        np.mean(
            [frechet_distance(gaussian_of(features[start : start + size]), real.gaussian) for start in starts]
        )
    )


def training_diagnostics(trainer: GANTrainer) -> Evaluation:
    """Iteration, recent score gap, gradient norm of the generator, and norm of all weights and buffers."""
    networks = trainer.networks
    recent = trainer.history[max(0, trainer.iteration - RECENT) : trainer.iteration]
    gap = recent[:, LOSSES.index("score_gap")].abs().mean()
    gradients: list[torch.Tensor] = [
        weight.grad for weight in networks.generator.parameters() if weight.grad is not None
    ]
    models = (networks.generator, networks.critic, trainer.ema.model)
    weights: list[torch.Tensor] = [weight for model in models for weight in model.parameters()]
    weights += [buffer for model in models for buffer in model.buffers() if buffer.is_floating_point()]
    norms = [torch.stack(torch._foreach_norm(tensors)).norm() for tensors in (gradients, weights) if tensors]
    values = torch.stack([gap, *norms]).tolist()
    evaluation = {"iteration": float(trainer.iteration), "score_gap": values[0], "weights": values[-1]}
    return evaluation if len(norms) < 2 else {**evaluation, "generator_grad_norm": values[1]}


@torch.no_grad()
def critic_auc(trainer: GANTrainer) -> float:
    """Area under the ROC curve of the critic's scores: real images against images from the current weights.

    A conditional critic is evaluated within each class. Images pass in batches, as in training, because
    BatchNorm statistics there come from real or from generated images only.
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
            fakes = generator(z, labels).float()
            scores[0].append(critic(normalize(trainer.batches.images[chosen]), labels))
            scores[1].append(critic(fakes, labels))
        all_labels += [] if labels is None else [labels]
    real, fake = (torch.cat(batches).float().cpu().numpy() for batches in scores)
    return (
        within_class_roc_auc(real, fake, torch.cat(all_labels).cpu().numpy())
        if all_labels
        else roc_auc(real, fake)
    )


def pixel_std(images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> float:
    """Root mean variance of a pixel over (n, 28, 28) images; within each class if labels are given."""
    values = images.reshape(len(images), -1).astype(np.float32)
    groups = [values] if labels is None else [values[labels == label] for label in np.unique(labels)]
    return float(np.sqrt(np.mean([group.var(axis=0).mean() for group in groups])))
