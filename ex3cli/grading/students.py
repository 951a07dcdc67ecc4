"""Runs that two folders share, and runs that are copies of the bundled ones."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ex3cli.runs.run import Run

WEIGHTS = ("weights.safetensors", "generator.safetensors", "classifier.safetensors")
LOG = "metrics.jsonl"
SHIPPED_FROM = "shipped from"  # a source that only bundled runs have


def evidence_of(run: Run) -> list[tuple[str, tuple[str, ...]]]:
    """What would be the same in a copy, the strongest first: in words, and the values."""
    manifest = run.manifest
    found: list[tuple[str, tuple[str, ...]]] = [
        ("the same manifest: copied", (manifest.digest,)),
        ("the same start, to the microsecond: copied and edited", (manifest.command, manifest.started)),
    ]
    if manifest.command.endswith(" train") and manifest.state == "finished":
        weights = [manifest.files[name]["sha256"] for name in WEIGHTS if name in manifest.files]
        same = "copied, or the same command on a machine of that kind"
        if weights:
            found.append((f"the same weights (seed {manifest.seed}): {same}", ("weights", *weights)))
        if LOG in manifest.files:
            log = manifest.files[LOG]["sha256"]
            found.append(
                (f"the same losses at seed {manifest.seed}, other weights", ("log", str(manifest.seed), log))
            )
    return found


def shared_runs(
    folders: Mapping[str, Sequence[Run]], bundled: Sequence[Run]
) -> Iterator[tuple[str, str, str]]:
    """(folder, run, line) for each run that another folder has too, or that is a copy of a bundled one."""
    owners: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for folder, runs in folders.items():
        for run in runs:
            for _, key in evidence_of(run):
                owners[key].append((folder, run.name))
    shipped = {key: run.name for run in bundled for _, key in evidence_of(run)}
    originals = {
        digest for run in bundled for name, digest in run.manifest.sources.items() if name == SHIPPED_FROM
    }
    for folder, runs in folders.items():
        for run in runs:
            copy = next((shipped[key] for _, key in evidence_of(run) if key in shipped), None)
            if copy is not None or SHIPPED_FROM in run.manifest.sources or run.manifest.digest in originals:
                yield folder, run.name, f"it is a copy of a bundled run{f', {copy}' if copy else ''}"
                continue
            others: dict[str, str] = {}
            for words, key in evidence_of(run):
                for other, name in owners[key]:
                    if other != folder:
                        others.setdefault(other, f"{other} has {name} with {words}")
            for line in others.values():
                yield folder, run.name, line
