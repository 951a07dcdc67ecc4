"""Run folders, manifests, atomic writes and digests; the only floor that opens a run's files, and it knows no model."""
