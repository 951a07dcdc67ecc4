"""Common parts of all trainings: loop, checkpoints, device, interruption, progress, attempts, EMA."""
