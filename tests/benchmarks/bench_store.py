"""What the runs in a folder cost: taking the newest, and opening each, beside parsing the JSON of their
manifests.

Run it with `python tests/benchmarks/bench_store.py`. It prints one JSON document.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from ex3cli.runs.manifest import FILE_NAME, Manifest, now
from ex3cli.runs.store import Store, reference_folder

SHELF = ("gan", "digits", "dcgan")


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        started = perf_counter()
        work()
        times.append(perf_counter() - started)
    return median(times)


def measure(runs: int) -> dict[str, float]:
    """Times in seconds with so many runs on a category, and opening them all in units of parsing
    their JSON.
    """
    manifest = Manifest.read(reference_folder() / "gan" / "fashion-mnist" / "dcgan")
    with TemporaryDirectory() as root:
        store = Store(Path(root), reference=Path(root, "none"))
        for number in range(1, runs + 1):
            folder = Path(root, *SHELF, f"{number:04d}-quick")
            folder.mkdir(parents=True)
            (folder / FILE_NAME).write_bytes(
                replace(manifest, category=list(SHELF), started=now()).to_bytes()
            )
        folders = store.folders()
        parse = seconds(lambda: [json.loads((folder / FILE_NAME).read_bytes()) for folder in folders])
        every = seconds(lambda: store.runs())
        newest = seconds(lambda: store.find(SHELF, command="gan train", must_converge=True))
    return {"runs": runs, "newest": newest, "all": every, "all / parse": every / parse}


if __name__ == "__main__":
    print(json.dumps([measure(runs) for runs in (100, 2_000)], indent=2))
