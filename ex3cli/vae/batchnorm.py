"""BatchNorm statistics computed anew over clean images."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ex3cli.seeding import torch_generator
from ex3cli.training.progress import NullProgress, Progress
from ex3cli.vae.likelihoods import Gaussian
from ex3cli.vae.networks import VAE

NORMALISED = (nn.BatchNorm1d, nn.BatchNorm2d)


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
    """Measure running statistics and learned variances anew, in one pass over clean training images; no
    weight changes.

    Batch normalisation's running statistics become the averages over the pass's minibatches, a learned
    variance the mean
    squared error over all its images: with other weights kept, its most likely value. Labels have no part in
    it, nor do test
    images, and the noise is a stream of its own: done again from the same weights, the result is the same to
    the bit. A model
    that has neither (the paper's) is left as it is.

    Parameters
    ----------
    images : uint8 (N, 28, 28).
    starts, size : where each minibatch starts, in an order that is drawn here, and how many images it has.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, NORMALISED)]
    learned = {
        view: each for view, each in model.likelihoods.items() if isinstance(each, Gaussian) and each.learned
    }
    if not layers and not learned:
        return
    listener = progress if progress is not None else NullProgress()
    listener.start("measuring statistics on clean images", len(images), "images")
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
