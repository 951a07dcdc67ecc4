"""The kinds of adversarial training, and how they are called where people read. Imports nothing heavy."""

NAMES = {"dcgan": "DCGAN", "wgan": "WGAN-GP", "wgan-clip": "WGAN (clipping)"}
KINDS = tuple(NAMES)
