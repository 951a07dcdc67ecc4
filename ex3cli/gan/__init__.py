"""DCGAN and WGAN on small grey images: the paper's networks, trained, resumed, sampled by class name."""
