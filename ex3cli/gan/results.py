"""What the results of a GAN are called: kinds and files. Imports nothing heavy; the report reads it too."""

NAMES = {"dcgan": "DCGAN", "wgan": "WGAN-GP", "wgan-clip": "WGAN (clipping)"}
KINDS = tuple(NAMES)
