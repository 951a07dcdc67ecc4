"""Run folders: manifests, verified files, and the store. Knows no model."""
