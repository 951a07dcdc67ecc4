"""Images and labels: registry, download and verification of data sets, and balanced draws."""
