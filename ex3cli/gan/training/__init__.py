"""Training a GAN: the step, attempts, sample grids."""
