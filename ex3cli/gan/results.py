"""Kinds of GAN and their shown names. Imports nothing heavy."""

NAMES = {"dcgan": "DCGAN", "wgan": "WGAN-GP", "wgan-clip": "WGAN (clipping)"}
KINDS = tuple(NAMES)
