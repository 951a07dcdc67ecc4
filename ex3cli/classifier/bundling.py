"""The files of a classifier run that `ex3 runs ship` copies."""

from ex3cli.classifier.inference import REAL_FILE, WEIGHTS_FILE
from ex3cli.runs.run import Run

RESULT_FILE = "result.json"
KEPT = (WEIGHTS_FILE, REAL_FILE, RESULT_FILE, "metrics.jsonl")


def bundled_files(run: Run) -> dict[str, bytes]:
    """The files by name, unchanged: weights and features are compact already."""
    return {name: run.read_bytes(name) for name in KEPT}
