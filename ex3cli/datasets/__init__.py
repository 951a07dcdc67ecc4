"""Images and labels: which data sets there are, fetching, verifying, balanced draws."""
