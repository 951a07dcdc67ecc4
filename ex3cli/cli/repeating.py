"""Making a run once more: its command line with its settings, seed, threads and device; found, gone on with, or carried out."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import typer

from ex3cli.artifacts.manifest import PLACES, without
from ex3cli.cli.frame import Context
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

SHIPPED_FROM = "shipped from"  # the parent of a shipped run that is the same run, where it was made


def repeated(context: Context, original: "Run") -> "Run":
    """The finished repetition of a run: found, gone on with, or made.

    Raises
    ------
    ArtifactError : it is not finished, is damaged, or was computed from runs that are not here.
    Ex3Error : the command failed; with its exit code.
    """
    from ex3cli.report.words import duration

    _check_state(original)
    _check_sources(context, original)
    words = _command_line(original)
    found = max(_twins(context, original, words), key=_finished_then_newest, default=None)
    if found is not None and found.manifest.state == "finished":
        context.note(f"{found.name} repeats {original.name} already")
        return found
    there = {each.path for each in context.store.runs(original.manifest.shelf) if each.manifest.state == "finished"}
    begun = found if found is not None and found.has_checkpoint else None
    line = [*original.manifest.command.split(), "--resume", str(begun.path)] if begun else words
    where = ["--data", str(context.data)] if context.data and "data" in _options(original.manifest.command) else []
    line = [*line, "--artifacts", str(context.artifacts), *where]
    context.note(f"{shlex.join(['ex3', *line])} ({duration(seconds(original))} where it was made)")
    code = _carry_out([*line, *(["--quiet"] if context.quiet else [])], original.manifest.threads or 1)
    new = [each for each in _of_the_line(context, original, words) if begun is None or each.path == begun.path]
    made = [each for each in new if each.manifest.state == "finished" and each.path not in there]
    if made:  # also where it did not converge, and by whatever data and sources are here
        return max(made, key=_finished_then_newest)
    failed = Ex3Error(f"repeating {original.name} ended with exit code {code}", "see what it said above")
    failed.exit_code = code or failed.exit_code
    raise failed


def seconds(run: "Run") -> float:
    """How long it took where it was made."""
    from datetime import datetime

    began, ended = (datetime.fromisoformat(each) for each in (run.manifest.started, run.manifest.ended or run.manifest.started))
    return (ended - began).total_seconds()


def sources(run: "Run") -> dict[str, str]:
    """The runs that it was computed from, with their digests; what it was shipped from is itself."""
    return {name: digest for name, digest in run.manifest.parents.items() if name != SHIPPED_FROM}


def _check_state(original: "Run") -> None:
    """Refuse to hold a repetition against a part, or against what is damaged."""
    manifest = original.manifest
    if manifest.state != "finished":
        remedy = "repeat one that is: `ex3 runs list`"
        if original.has_checkpoint:
            remedy = f"go on with it: ex3 {manifest.command} --resume {original.name}"
        raise ArtifactError(f"{original.name} is {manifest.state}, not finished", remedy)
    for name in manifest.files:
        original.read_bytes(name)  # refuses what is damaged, before any work


def _check_sources(context: Context, original: "Run") -> None:
    """Refuse to compute a result from other runs than its own, before any work."""
    absent = [name for name, digest in sources(original).items() if _digest(context, name) != digest]
    if absent:
        told = absent[0] if len(absent) == 1 else f"{absent[0]} and {len(absent) - 1} more"
        raise ArtifactError(
            f"{original.name} was computed from {told}, which {'is' if len(absent) == 1 else 'are'} not here as it was then",
            f"make those again, and then: {shlex.join(original.manifest.argv)}",
        )


def _digest(context: Context, name: str) -> str | None:
    """That of the run of a name; None where it is not here, or damaged."""
    try:
        return context.store.open(name).manifest.digest
    except ArtifactError:
        return None


def _command_line(original: "Run") -> list[str]:
    """The words after `ex3` that make the run: its own, and of a training its device and what defaults have changed."""
    words = without(original.manifest.argv)[1:]
    if not original.manifest.command.endswith(" train"):
        return words
    options = _options(original.manifest.command)
    if "device" in options and "--device" not in words:
        words += ["--device", original.manifest.device.partition(":")[0]]
    today, unread = _dry_run(words), _unread(original)
    for name, value in original.manifest.config.items():
        if name in options and name in today and today[name] != value and name not in unread:
            words += _option(options[name], value)
    return words


def _unread(original: "Run") -> Collection[str]:
    """Settings that a training's others leave without effect, which a command line that gives them is refused for."""
    from ex3cli.gan.config import GANConfig  # of all settings the only ones with such

    if original.manifest.command != "gan train":
        return ()
    known = GANConfig().to_dict()
    return GANConfig.from_dict({name: value for name, value in original.manifest.config.items() if name in known}).unread()


def _options(command: str) -> dict[str, Any]:
    """What a command of ex3 can be given, by name."""
    from ex3cli.cli import app

    found: Any = typer.main.get_command(app)
    for word in command.split():
        found = found.commands[word]
    return {str(each.name): each for each in found.params}


def _option(parameter: Any, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [(parameter.opts if value else parameter.secondary_opts)[0]]
    return [word for each in (value if isinstance(value, list) else [value]) for word in (parameter.opts[0], str(each))]


def _dry_run(words: Sequence[str]) -> dict[str, Any]:
    """The settings that a command line comes to today; none where it is refused, which carrying it out says better."""
    line = [sys.executable, "-m", "ex3cli", *words, "--dry-run", "--json"]
    finished = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - this program, without a shell
    return dict(json.loads(finished.stdout)["settings"]) if finished.returncode == 0 else {}


def _twins(context: Context, original: "Run", words: Sequence[str]) -> "list[Run]":
    """The user's other runs that were made in the same way; not the one that it was shipped from, which is itself."""
    return [
        each
        for each in _of_the_line(context, original, words)
        if each.manifest.digest != original.manifest.parents.get(SHIPPED_FROM) and _made_alike(original, each)
    ]


def _of_the_line(context: Context, original: "Run", words: Sequence[str]) -> "list[Run]":
    """The user's other runs by the words of the original, or by those that make it today."""
    lines = [_essence(original.manifest.argv), _essence(["ex3", *words])]
    runs = context.store.runs(original.manifest.shelf)
    return [each for each in runs if each.name != original.name and _essence(each.manifest.argv) in lines]


def _essence(argv: Sequence[str]) -> list[str]:
    """A command line without where, and without the device, which the manifest tells; in one order."""
    return sorted(without(argv, (*PLACES, "--device")))


def _finished_then_newest(run: "Run") -> tuple[bool, str]:
    return run.manifest.state == "finished", run.manifest.started


def _made_alike(one: "Run", other: "Run") -> bool:
    """Whether neither's settings or data contradict the other's, and threads, device and sources are the same."""
    before, now, unread = one.manifest, other.manifest, _unread(one)
    for first, second in ((before.config, now.config), (before.data, now.data)):
        if any(first[name] != second[name] for name in (first.keys() & second.keys()) - set(unread)):
            return False
    return (before.threads or 1, before.device, sources(one)) == (now.threads or 1, now.device, sources(other))


def _carry_out(words: Sequence[str], threads: int) -> int:
    """Run `ex3 WORDS` in a process of its own, since the number of threads is settled at its start; return its exit code."""
    from ex3cli.training.interruption import signal_of

    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    line = [sys.executable, "-m", "ex3cli", *words, "--json"]
    child = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - this program, without a shell
    try:
        return child.wait()
    except KeyboardInterrupt as error:
        child.terminate()  # a training saves its state and ends
        child.wait()
        number = signal_of(error)
        raise InterruptedTrainingError(f"stopped by {number.name}", "the same command goes on", number) from None
