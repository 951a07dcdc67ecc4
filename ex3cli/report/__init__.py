"""The report of the run folders in artifacts/, as an HTML page and a PDF."""
