"""Weight clipping: how Arjovsky et al. 2017 (arXiv 1701.07875), algorithm 1, keep the critic Lipschitz."""

from collections.abc import Iterable

import torch
from torch import Tensor


@torch.no_grad()
def clip_weights(parameters: Iterable[Tensor], bound: float) -> None:
    """Move every weight into [−bound, bound], in place.

    Raises
    ------
    ValueError : the bound is not positive, which would leave a constant critic.
    """
    if not bound > 0:
        raise ValueError(f"the bound must be above 0, not {bound}")
    for parameter in parameters:
        parameter.clamp_(-bound, bound)
