"""What every training loop shares: device, seeding, graceful stop, progress protocol, checkpoints."""
