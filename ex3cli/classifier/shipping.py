"""What of a classifier's training ex3 ships: all that `gan train`, `gan sample` and `gan eval` need without a data set."""

from ex3cli.artifacts.run import Run
from ex3cli.classifier.weights import REAL_FILE, WEIGHTS_FILE

RESULT_FILE = "result.json"
KEPT = (WEIGHTS_FILE, REAL_FILE, RESULT_FILE, "metrics.jsonl")


def shipped_files(run: Run) -> dict[str, bytes]:
    """Everything: the weights are in half precision and the real features in bytes already."""
    return {name: run.read_bytes(name) for name in KEPT}
