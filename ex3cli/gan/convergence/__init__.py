"""Whether a training has converged."""
