"""Evidence of deleted runs, and impossible times, seeds and data digests."""

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ex3cli
from ex3cli.datasets import registry
from ex3cli.errors import UsageError
from ex3cli.grading.checks import RunCheck
from ex3cli.runs import files
from ex3cli.runs.folders import REFERENCE
from ex3cli.runs.manifest import Manifest, value_of
from ex3cli.runs.run import Run
from ex3cli.training.attempts import CONVERGENCE_FILE, tally_by_category

NUMBERED = re.compile(r"([0-9]{4,9})-.")
MOST_BYTES = 10_000_000  # of convergence.json
MOST_NAMED = 5  # missing run numbers in a message
FASTEST = 1e-5  # minimum seconds per training iteration
TRUSTED_CLOCK = timedelta(days=2)  # tolerated error of a student's clock
NEEDED = {
    "vae eval": ("vae train",),
    "vae compare": ("vae train",),
    "vae reconstruct": ("vae train",),
    "vae sample": ("vae train",),
    "gan eval": ("gan train", "classifier train"),
    "gan sample": ("gan train",),
}
"""For each command that computes from other runs, the commands of those that it always has."""
COUNTS = ("failed", "converged", "unjudged", "shortened")


def gaps_in_numbering(root: Path) -> Iterator[str]:
    """A line for each category whose run folders skip a number."""
    found: dict[Path, set[int]] = defaultdict(set)
    for path in root.rglob("*"):
        if path.is_dir() and (number := NUMBERED.match(path.name)):
            found[path.parent].add(int(number[1]))
    for category, numbers in sorted(found.items()):
        missing = [each for each in range(1, min(max(numbers), 10_000)) if each not in numbers]
        if missing:
            named = ", ".join(f"{each:04d}" for each in missing[:MOST_NAMED])
            more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
            yield f"{category.relative_to(root)}: there is no run {named}{more}: deleted?"


def lost_attempts(root: Path, runs: Sequence[Run]) -> Iterator[str]:
    """A line for each count of `convergence.json` that exceeds the count in the runs.

    The file counted every attempt when it was made, so a deleted failure is missing in the runs only.
    """
    path = root / CONVERGENCE_FILE
    if not path.exists():
        return
    try:
        recorded = json.loads(files.read(path, MOST_BYTES))["categories"]
        counts = {category: asdict(each) for category, each in tally_by_category(runs).items()}
        for category, stored in sorted(recorded.items()):
            for verdict in COUNTS:
                here = counts.get(category, {}).get(verdict, 0)
                if int(stored[verdict]) > here:
                    count = f"{stored[verdict]} {verdict} attempts of {category}"
                    yield f"{CONVERGENCE_FILE} counts {count}, the runs have {here}: deleted?"
    except Exception:  # whatever a hostile file breaks first
        yield f"{CONVERGENCE_FILE} cannot be compared with the runs"


def check_manifest(check: RunCheck, sources: Sequence[Run]) -> None:
    """Check command line, seed, times, data and sources of a run."""
    manifest = check.run.manifest
    words = manifest.argv[1:]
    named = manifest.command.split()
    check.expect(
        words[: len(named)] == named,
        f"its command line is `{shlex.join(manifest.argv)[:80]}`, not ex3 {manifest.command}",
    )
    seed = value_of("--seed", manifest.argv)
    check.expect(
        seed is None or seed == str(manifest.seed),
        f"its command line has seed {seed}, its manifest {manifest.seed}",
    )
    _check_times(check, manifest, sources)
    _check_data(check, manifest)
    _check_sources(check, manifest, sources)


def _check_sources(check: RunCheck, manifest: Manifest, sources: Sequence[Run]) -> None:
    """Check that the source runs are here, and that none is left out which the command needs."""
    here = {source.manifest.digest for source in sources}
    absent = [name for name, digest in manifest.sources.items() if digest not in here]
    for name in absent:
        if name.startswith(f"{REFERENCE}/") and manifest.versions.get("ex3") != ex3cli.__version__:
            other = manifest.versions.get("ex3")
            check.untested.append(f"{name}, which it was computed from: that of ex3 {other} is not here")
        else:
            check.wrong.append(f"it was computed from {name}, which is not here, or not as it was")
    if absent:
        return
    commands = {source.manifest.command for source in sources}
    for command in NEEDED.get(manifest.command, ()):
        check.expect(command in commands, f"it names no source by `ex3 {command}`, from which it is computed")


def _check_times(check: RunCheck, manifest: Manifest, sources: Sequence[Run]) -> None:
    began, ended = (_moment(time) for time in (manifest.started, manifest.ended))
    if began is None or (manifest.state == "finished" and ended is None):
        check.wrong.append(f"its times are {manifest.started} and {manifest.ended}")
        return
    check.expect(
        began < datetime.now(UTC) + TRUSTED_CLOCK, f"it started at {manifest.started}, in the future"
    )
    if ended is None:
        return
    check.expect(ended >= began, "it ended before it started")
    iterations = manifest.summary.get("iterations")
    if manifest.command.endswith(" train") and isinstance(iterations, int):
        seconds = (ended - began).total_seconds()
        check.expect(
            seconds >= FASTEST * iterations, f"it took {seconds:.3g} s for {iterations:,} iterations"
        )
    for source in sources:
        before = _moment(source.manifest.ended)
        check.expect(
            source.is_reference or before is None or before <= ended,
            f"it ended before {source.name}, from which it was computed",
        )


def _check_data(check: RunCheck, manifest: Manifest) -> None:
    """Compare the digests of the data with those of the data set that the category names."""
    if len(manifest.category) < 2 or not manifest.command.endswith(" train") or manifest.category[0] == "lab":
        return
    try:
        due = dict(registry.spec(manifest.category[1]).digests)
    except UsageError:
        return
    if due:
        check.expect(manifest.data == due, f"its data are not those of {manifest.category[1]}")


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
