"""Several trainings compared: failures, overview, loss against quality."""
