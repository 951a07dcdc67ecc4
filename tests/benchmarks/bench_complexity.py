"""How long `ex3 complexity` takes, and whether the profiler's peak memory is what the system sees, in one
run.

Run it with `python tests/benchmarks/bench_complexity.py` on a quiet machine. It prints one JSON document.
"""

import json
import subprocess
import sys
import tempfile
from time import perf_counter

LENGTH, WIDTH = 4096, 64

# In a process of its own: how far one call of the layer raises the resident set, watched from a second
# thread.
RESIDENT = """
import os, sys, threading, torch
from ex3cli.complexity.memory import LAYERS
torch.set_num_threads(1)
network = LAYERS[sys.argv[1]]({width})
run = lambda n: network(torch.zeros(1, n, {width}, requires_grad=True)).sum().backward()
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
run(64)
before = most = resident()
done = threading.Event()
def watch():
    global most
    while not done.is_set():
        most = max(most, resident())
watcher = threading.Thread(target=watch)
watcher.start()
run({length})
done.set()
watcher.join()
print(most - before)
"""


def resident(layer: str) -> int:
    """Bytes by which the resident set grew, as the system counts them (Linux)."""
    script = RESIDENT.format(width=WIDTH, length=LENGTH)
    done = subprocess.run([sys.executable, "-c", script, layer], capture_output=True, text=True, check=True)
    return int(done.stdout)


def main() -> None:
    from ex3cli.complexity.memory import LAYERS, measure_peak

    memory = [
        {
            "layer": layer,
            "length": LENGTH,
            "profiler_bytes": measure_peak(layer, "training", LENGTH, WIDTH).bytes,
            "resident_bytes": resident(layer),
        }
        for layer in LAYERS
    ]
    with tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        command = [sys.executable, "-m", "ex3cli", "complexity", "--quiet", "--json", "--artifacts", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        taken = perf_counter() - started
    document = json.loads(done.stdout)
    slopes = [
        {key: each[key] for key in ("layer", "direction", "against", "measured", "law")}
        for each in document["slopes"]
    ]
    print(
        json.dumps(
            {"default_run_s": taken, "memory": memory, "slopes": slopes, "crossover": document["crossover"]},
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
