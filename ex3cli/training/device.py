"""Which processor a training runs on."""

import torch

from ex3cli.errors import UsageError, did_you_mean

CHOICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `mps` into a device; `auto` takes a GPU where there is one.

    Raises
    ------
    UsageError : an unknown name, or a device that this machine does not have.
    """
    if name not in CHOICES:
        raise UsageError(f"--device {name!r} is not known", did_you_mean(name, CHOICES))
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available[name]:
        here = ", ".join(kind for kind, present in available.items() if present)
        raise UsageError(f"--device {name}: this machine or this build of torch has none", f"available here: {here}")
    return torch.device(name)


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether convolutions run in bfloat16: on request, or (`auto`) where the processor computes with it."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())
