""" "How this was made": what a run's manifest says, in lines."""

import shlex
from typing import TYPE_CHECKING

from ex3cli.report.blocks import Making
from ex3cli.report.words import duration, seconds_between, setting

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run
    from ex3cli.report.archive import Archive


def making(archive: "Archive", run: "Run") -> Making:
    """Command, seed, versions, digests and time of a run, and the files of it that the page was made from."""
    manifest = run.manifest
    seconds = seconds_between(manifest.started, manifest.ended)
    git = manifest.git or {}
    commit = f"{git.get('commit', 'unknown')}{' with changes' if git.get('dirty') else ''}"
    lines = [
        ("command", shlex.join(manifest.argv)),
        ("seed", str(manifest.seed)),
        ("when", f"{manifest.started[:19].replace('T', ' ')} UTC" + (f", {duration(seconds)}" if seconds is not None else "")),
        ("where", f"{manifest.device}, {manifest.threads} thread{'' if manifest.threads == 1 else 's'}, "
                  f"{manifest.machine.get('system', '?')} {manifest.machine.get('processor', '?')}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
        ("commit", commit),
        ("settings", ", ".join(f"{name} = {setting(value)}" for name, value in manifest.config.items())),
    ]  # fmt: skip
    lines += [("data, SHA-256", f"{name}: {digest}") for name, digest in manifest.data.items()]
    lines += [("made from", f"{name}: {digest}") for name, digest in manifest.parents.items()]
    lines.append(("manifest", manifest.digest))
    return Making(run.name, lines, sorted(archive.read.get(run.name, {}).items()))
