"""Configuration of `ex3 divergence`: the lines, the samples and the critic."""

from dataclasses import dataclass

from ex3cli.config import Config, option
from ex3cli.errors import UsageError

THINNEST = 1e-6
"""Minimum thickness: at the largest θ it spans thousands of floating-point numbers."""


@dataclass(frozen=True)
class DivergenceConfig(Config):
    """P = {x = 0, y ~ U(0,1)} and Q = {x = θ, y ~ U(0,1)}, optionally thickened."""

    theta: tuple[float, ...] = option(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "Shifts θ of the second line.",
        minimum=-1e6,
        maximum=1e6,
    )
    sigma: float | None = option(
        None,
        "Thicken the lines: Gaussian noise in x with this standard deviation.",
        minimum=THINNEST,
        maximum=1e6,
    )
    interval: float | None = option(
        None,
        "Thicken the lines: uniform noise in x over an interval of this width.",
        minimum=THINNEST,
        maximum=1e6,
    )
    # Slow estimators use the first of them.
    samples: int = option(
        10_000,
        "Points sampled from each distribution.",
        panel="Training",
        minimum=2,
        maximum=100_000_000,
    )
    # More bins have a larger sampling bias.
    bins: int = option(
        32,
        "Histogram bins per axis (JS estimate).",
        panel="Advanced",
        minimum=2,
        maximum=1_000_000,
    )
    critic_steps: int = option(
        400, "Training steps of the Wasserstein critic; 0 omits the critic.", panel="Training", minimum=0
    )
    critic_width: int = option(
        64, "Units in each of the critic's two hidden layers.", panel="Advanced", minimum=1, maximum=4096
    )
    gp_weight: float = option(
        10.0,
        "Gradient penalty weight λ of the critic.",
        panel="Advanced",
        minimum=0,
        exclusive=True,
    )

    def __post_init__(self) -> None:
        """Check the ranges and exclusive options.

        Raises
        ------
        UsageError : a value is out of range, θ is missing, or both --sigma and --interval are given.
        """
        super().__post_init__()
        if self.sigma is not None and self.interval is not None:
            raise UsageError("--sigma and --interval exclude each other", "thicken the lines in one way")
        if not self.theta:
            raise UsageError("--theta is missing", "give at least one finite number")
