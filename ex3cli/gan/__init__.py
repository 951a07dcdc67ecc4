"""DCGAN, WGAN and their kin: train until converged, sample, evaluate, compare. `register` adds a kind."""

from ex3cli.gan.kinds import Kind, register

__all__ = ["Kind", "register"]
