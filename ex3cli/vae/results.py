"""The results of a VAE training: files and summary."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ex3cli.datasets.registry import ImageDataset
from ex3cli.runs.run import Run
from ex3cli.training.loop import check_finite
from ex3cli.training.progress import Progress
from ex3cli.vae import elbo as bound
from ex3cli.vae import encoding, features, figures
from ex3cli.vae.config import EvaluationConfig, VAEConfig
from ex3cli.vae.few_labels import svm
from ex3cli.vae.training import TrainedVAE


def write(
    run: Run, trained: TrainedVAE, data: ImageDataset, config: VAEConfig, *, seed: int, progress: Progress
) -> dict[str, Any]:
    """Write all results but the figure; returns the summary.

    Labels are used to select C and gamma on the validation images only.
    """
    model = trained.model.eval()
    stored = encoding.save_features(run, model, data, config, seed)
    largest = max(float(np.abs(half).max()) for half in (stored.train, stored.test))
    check_finite({"a feature": largest}, "after the last epoch", config.learning_rate)
    choices = svm.select_params(stored, EvaluationConfig().labels, seed, progress=progress)
    measured = bound.measure(
        model,
        data.test_images,
        weighted_images=config.iwae_images,
        samples=config.iwae_samples,
        seed=seed,
        progress=progress,
    )
    check_finite(
        {"the bound of the test images": measured.elbo}, "after the last epoch", config.learning_rate
    )
    run.write_json("bound.json", asdict(measured))
    return {
        "epochs": trained.epochs,
        "elbo": trained.elbo,
        "reconstruction": trained.reconstruction,
        "kl": trained.kl,
        "active_dimensions": encoding.active_dimensions(model, data.test_images),
        "latent_dim": config.latent_dim,
        "test_images": len(data.test_images),
        "test_elbo": measured.elbo,
        "iwae_images": measured.images,
        "iwae_samples": measured.samples,
        "test_elbo_of_these": measured.elbo_of_these,
        "test_importance_weighted_bound": measured.iwae_bound,
        "features": features.describe(config.features),
        "dimensions": stored.train.shape[1],
        "svm": svm.to_json(choices),
    }


def draw(run: Run) -> None:
    """Write the figure of the bound against the epoch."""
    run.write_figure("figures/bound", figures.bound_by_epoch(run.metrics.rows()), svg=True)
