"""Recomputation of BatchNorm statistics on clean images."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ex3cli.seeding import torch_generator
from ex3cli.training.progress import NullProgress, Progress
from ex3cli.vae.likelihoods import Gaussian
from ex3cli.vae.networks import VAE

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@torch.no_grad()
def recompute_batchnorm_statistics(
    model: VAE,
    images: Tensor,
    starts: Sequence[int],
    size: int,
    *,
    seed: int,
    progress: Progress | None = None,
) -> None:
    """Recompute running statistics and learned variances in one pass over clean training images.

    The running statistics of BatchNorm become averages over the minibatches. A learned variance becomes the
    mean squared error over all images, its maximum-likelihood value. Labels and test images are not used. The
    noise has its own stream, so repeated calls give bit-identical results. Weights, and models with neither
    statistics nor learned variances (the paper's), do not change.

    Parameters
    ----------
    images : uint8 (N, 28, 28).
    starts, size : start of each minibatch in a random order, and batch size.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, BATCH_NORMS)]
    learned = {
        view: likelihood
        for view, likelihood in model.likelihoods.items()
        if isinstance(likelihood, Gaussian) and likelihood.learned
    }
    if not layers and not learned:
        return
    listener = progress if progress is not None else NullProgress()
    listener.start("recomputing BatchNorm statistics", len(images), "images")
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain average over all minibatches
        layer.train()
    device = next(model.parameters()).device
    squared = {view: torch.zeros((), dtype=torch.float64, device=device) for view in learned}
    noise = torch_generator(seed, "vae", "calibration")
    order = torch.randperm(len(images), generator=noise)
    for start in starts:
        grey = images[order[start : start + size]]
        x = model.observe(grey, noise)
        outputs = model.decoder(model.encoder(x).sample(noise))
        for view in learned:
            squared[view] += (outputs[view] - x[view]).square().mean(1).sum()
        listener.advance(len(grey))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    seen = sum(len(order[start : start + size]) for start in starts)
    for view, likelihood in learned.items():
        likelihood.remember(squared[view] / seen)
    model.eval()
    listener.stop()
