"""ex3: distances between distributions, M1 with few labels, DCGAN and WGAN, reproducible from one command
line.

Imports nothing heavy: `ex3 --help` must be instant, so every feature is imported by the command that needs
it.
"""

__version__ = "0.2.0"
