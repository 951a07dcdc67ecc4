"""How much faster `ex3 gan sweep --jobs 2` is than one training at a time, and what limits it.

Run it with `python tests/benchmarks/bench_sweep.py [TURNS]`. It prints one JSON document. The ways take
turns, so that other work on the machine slows all of them. CPU seconds stand beside the wall's: what two
jobs need more than one is what they take from each other (caches, memory, clock rate), and the start of a
second process.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

SWEEP = (
    "gan",
    "sweep",
    "--dataset",
    "digits",
    "--kind",
    "dcgan",
    "--seeds",
    "0-3",
    "--set",
    "iterations=150",
)
SETTINGS = ("--set", "precision=float32", "--quiet", "--json")
WAYS = {
    "1 job, 1 thread": ("1", {"OMP_NUM_THREADS": "1"}),
    "1 job, a thread a core": ("1", {}),
    "2 jobs, 1 thread each": ("2", {"OMP_NUM_THREADS": "1"}),
}


def sweep(jobs: str, variables: dict[str, str]) -> tuple[float, float, float]:
    """Seconds of a sweep of four trainings, CPU seconds of its processes, and seconds within trainings."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with TemporaryDirectory() as root:
        words = [sys.executable, "-m", "ex3cli", *SWEEP, *SETTINGS, "--artifacts", root, "--jobs", jobs]
        began = perf_counter()
        subprocess.run(words, env=environment | variables, check=True, stdout=subprocess.DEVNULL)
        seconds = perf_counter() - began
        manifests = [json.loads(path.read_bytes()) for path in Path(root).rglob("run.json")]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = sum(getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime"))
    return seconds, used, training_seconds(manifests)


def training_seconds(manifests: list[dict[str, str]]) -> float:
    """Seconds from the first start of a training to the last end."""
    from datetime import datetime

    times = [[datetime.fromisoformat(each[name]) for each in manifests] for name in ("started", "ended")]
    return (max(times[1]) - min(times[0])).total_seconds()


if __name__ == "__main__":
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    measured = [{way: sweep(*given) for way, given in WAYS.items()} for _ in range(turns)]
    names = ("seconds", "cpu seconds", "seconds within trainings")
    medians = {
        way: {name: median(turn[way][place] for turn in measured) for place, name in enumerate(names)}
        for way in WAYS
    }
    alone = medians["1 job, 1 thread"]
    for found in medians.values():
        found["speed-up"] = alone["seconds"] / found["seconds"]
        found["speed-up within trainings"] = (
            alone["seconds within trainings"] / found["seconds within trainings"]
        )
        found["cpu seconds / those of 1 job, 1 thread"] = found["cpu seconds"] / alone["cpu seconds"]
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0], "ways": medians}, indent=2))
