"""How a result was made: command, seed, versions, sources."""

import shlex
from typing import TYPE_CHECKING, Any

import ex3cli
from ex3cli.report.document import Provenance
from ex3cli.report.words import duration, option, seconds_between

if TYPE_CHECKING:
    from ex3cli.report.source import ResultSource
    from ex3cli.runs.run import Run

LEFT_OPEN = {
    ("vae", "features"): "the training's own",
    ("vae", "svm_c"): "chosen",
    ("vae", "svm_gamma"): "chosen",
    ("vae", "jobs"): "every processor",
}
"""What 0 or an empty value of a setting means, by feature and setting."""


def made_with(archive: "ResultSource") -> str:
    """The dates of the runs that were read, and the version of ex3."""
    runs = [run for run in archive.runs if run.name in archive.read]
    days = sorted((run.manifest.ended or run.manifest.started)[:10] for run in runs)
    made = f"made from runs of {' to '.join(dict.fromkeys([days[0], days[-1]]))}, " if days else ""
    return f"{made}ex3 {ex3cli.__version__}"


def provenance_of(run: "Run") -> Provenance:
    """Command, seed, versions, digests and time of a run."""
    manifest = run.manifest
    seconds = seconds_between(manifest.started, manifest.ended)
    git = manifest.git or {}
    commit = f"{git.get('commit', 'unknown')}{' with changes' if git.get('dirty') else ''}"
    lines = [
        ("command", shlex.join(manifest.argv)),
        ("seed", str(manifest.seed)),
        (
            "when",
            f"{manifest.started[:19].replace('T', ' ')} UTC"
            + (f", {duration(seconds)}" if seconds is not None else ""),
        ),
        (
            "where",
            f"{manifest.device}, {manifest.threads} thread{'' if manifest.threads == 1 else 's'}, "
            f"{manifest.machine.get('system', '?')} {manifest.machine.get('processor', '?')}",
        ),
        ("versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
        ("commit", commit),
        ("settings", ", ".join(_setting(manifest.command, *setting) for setting in manifest.config.items())),
    ]
    lines += [("data, SHA-256", f"{name}: {digest}") for name, digest in manifest.data.items()]
    lines += [("made from", f"{name}: {digest}") for name, digest in manifest.sources.items()]
    lines.append(("manifest", manifest.digest))
    return Provenance(run.name, lines)


def _setting(command: str, name: str, value: Any) -> str:
    text = option(value) if value else LEFT_OPEN.get((command.split()[0], name), option(value))
    return f"{name} = {text}"
