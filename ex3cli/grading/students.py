"""Runs that two folders share, and runs that are copies of the bundled ones."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ex3cli.runs.manifest import SHIPPED_FROM
from ex3cli.runs.run import Run

WEIGHTS = ("weights.safetensors", "generator.safetensors", "classifier.safetensors")
LOG = "metrics.jsonl"


Evidence = list[tuple[str, tuple[str, ...]]]


def identity_of(run: Run) -> Evidence:
    """What only a copy has in common with a run: in words, and the values."""
    manifest = run.manifest
    return [
        ("the same manifest: copied", (manifest.digest,)),
        ("the same start, to the microsecond: copied and edited", (manifest.command, manifest.started)),
    ]


def evidence_of(run: Run) -> Evidence:
    """Properties that are equal in a copy, the strongest evidence first: description and values."""
    manifest, found = run.manifest, identity_of(run)
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
) -> Iterator[tuple[str, str, str, str]]:
    """(folder, run, kind of flag, line) for each run that another folder has too, or that is bundled.

    A training by the default command has the log or the weights of a bundled run on a machine of the same
    kind, so these give a note only.
    """
    owners: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for folder, runs in folders.items():
        for run in runs:
            for _, key in evidence_of(run):
                owners[key].append((folder, run.name))
    shipped = {key: run.name for run in bundled for _, key in evidence_of(run)}
    copied = {key for run in bundled for _, key in identity_of(run)}
    originals = {
        digest for run in bundled for name, digest in run.manifest.sources.items() if name == SHIPPED_FROM
    }
    for folder, runs in folders.items():
        for run in runs:
            same = next((shipped[key] for _, key in evidence_of(run) if key in shipped), None)
            if (
                any(key in copied for _, key in identity_of(run))
                or SHIPPED_FROM in run.manifest.sources
                or run.manifest.digest in originals
            ):
                yield folder, run.name, "copy", f"it is a copy of a bundled run{f', {same}' if same else ''}"
                continue
            if same is not None:
                yield folder, run.name, "note", f"the same as {same}: copied, or the same command"
            others: dict[str, str] = {}
            for words, key in identity_of(run) if same is not None else evidence_of(run):
                for other, name in owners[key]:
                    if other != folder:
                        others.setdefault(other, f"{other} has {name} with {words}")
            for line in others.values():
                yield folder, run.name, "copy", line
