"""`ex3 runs reproduce`: a run's command line once more, and whether the same comes of it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.frame import Answer, Context, command

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

app = typer.Typer()  # its command is one of `ex3 runs`

SHIPPED_BY = {
    "classifier train": "ex3cli.classifier.shipping",
    "vae train": "ex3cli.vae.shipping",
    "vae compare": "ex3cli.vae.shipping",
    "gan train": "ex3cli.gan.shipping",
    "gan eval": "ex3cli.gan.shipping",
    "gan compare": "ex3cli.gan.shipping",
    "gan history": "ex3cli.gan.shipping",
    "gan overview": "ex3cli.gan.shipping",
}
"""For each command whose runs ship, the module whose `shipped_files(run)` says what of them."""

PLACES = ("--artifacts", "--data", "--resume")  # options that say where, which is somewhere else this time


@command(
    app,
    "reproduce",
    common=("data", "artifacts"),
    examples=("ex3 runs reproduce reference/gan/fashion-mnist/dcgan", "ex3 runs reproduce vae/digits/0001-paper --json"),
)
def reproduce(
    context: Context,
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="One run; if left out, every shipped training, the quickest first.")
    ] = None,
) -> Answer:
    """Repeat a run's command with its seed and threads, and say whether the result is the same or how far off.

    A repetition that is here already is not made again, and one that was interrupted goes on. On the same kind of machine,
    with the same versions, it is the same bit for bit.
    """
    from rich.table import Table
    from rich.text import Text

    originals = [context.store.open(run)] if run else _shipped_trainings(context)
    if not run:
        hours = sum(map(_seconds, originals)) / 3600
        context.note(
            f"{len(originals)} trainings, {hours:.1f} hours where they were made; Ctrl-C saves, the same command goes on"
        )
    table = Table("run", "made anew as", "the same?", "what differs")
    documents: list[dict[str, Any]] = []
    for original in originals:
        repeated = _repeated(context, original)
        differing = [each for each in compare(original, repeated) if each.condition != "same"]
        documents.append(
            {"run": original.name, "repeated": repeated.name, "same": not differing, "differing": differing}
        )  # fmt: skip
        told = ", ".join(_told(each) for each in differing) or _where(original, repeated)
        table.add_row(*(Text(cell) for cell in (original.name, repeated.name, "no" if differing else "yes", told)))
    return Answer(document={"runs": documents}, show=[table])


def compare(original: "Run", repeated: "Run") -> "list[Any]":
    """The files of a run against those of its repetition; of a shipped one, against what would be shipped of it."""
    from ex3cli.artifacts.likeness import likenesses

    old = {name: original.read_bytes(name) for name in original.manifest.files}
    if original.is_reference:
        new = import_module(SHIPPED_BY[original.manifest.command]).shipped_files(repeated)
    else:
        new = {name: repeated.read_bytes(name) for name in repeated.manifest.files}
    return likenesses(old, new)


def _shipped_trainings(context: Context) -> "list[Run]":
    store = context.store
    shipped = [store.open_folder(each) for each in store.folders() if each.is_relative_to(store.reference)]
    trainings = [each for each in shipped if each.manifest.command.endswith(" train")]
    return sorted(trainings, key=_seconds)


def _seconds(run: "Run") -> float:
    """How long it took where it was made."""
    from datetime import datetime

    began, ended = (datetime.fromisoformat(each) for each in (run.manifest.started, run.manifest.ended or run.manifest.started))
    return (ended - began).total_seconds()


def _repeated(context: Context, original: "Run") -> "Run":
    """The finished repetition of a run: found, gone on with, or made."""
    from ex3cli.errors import Ex3Error
    from ex3cli.report.words import duration

    found = _twin(context, original)
    if found is not None and found.manifest.state == "finished":
        context.note(f"{found.name} repeats {original.name} already")
        return found
    line = _command_line(context, original, found)
    context.note(f"{shlex.join(['ex3', *line])} ({duration(_seconds(original))} where it was made)")
    code = _carry_out([*line, *(["--quiet"] if context.quiet else [])], original.manifest.threads or 1)
    found = _twin(context, original)
    if found is not None and found.manifest.state == "finished":  # one that did not converge is finished too
        return found
    failed = Ex3Error(f"repeating {original.name} ended with exit code {code}", "see what it said above")
    failed.exit_code = code or failed.exit_code
    raise failed


def _carry_out(words: Sequence[str], threads: int) -> int:
    """Run `ex3 WORDS` in a process of its own, since the number of threads is settled at its start; return its exit code."""
    from ex3cli.errors import InterruptedTrainingError
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


def _twin(context: Context, original: "Run") -> "Run | None":
    """The newest other run of the user's with the same command line, a finished one first."""
    words = _without_places(original.manifest.argv)
    same = [
        each
        for each in context.store.runs(original.manifest.shelf)
        if _without_places(each.manifest.argv) == words and each.path != original.path
    ]
    return max(same, key=lambda each: (each.manifest.state == "finished", each.manifest.started), default=None)


def _command_line(context: Context, original: "Run", unfinished: "Run | None") -> list[str]:
    """The words after `ex3`: those of the original, or those that take up what was begun."""
    if unfinished is not None and unfinished.has_checkpoint:
        words = [*original.manifest.command.split(), "--resume", str(unfinished.path)]
    else:
        words = _without_places(original.manifest.argv)[1:]
    here = ["--artifacts", str(context.artifacts)]
    return [*words, *here, *(["--data", str(context.data)] if context.data else [])]


def _without_places(argv: Sequence[str]) -> list[str]:
    dropped = {place + step for place, word in enumerate(argv) if word in PLACES for step in (0, 1)}
    return [word for place, word in enumerate(argv) if place not in dropped]


def _told(each: Any) -> str:
    if each.largest_difference is None:
        return f"{each.file} {each.condition}"
    return f"{each.file} by at most {each.largest_difference:.2g} (values up to {each.largest_value:.2g})"


def _where(original: "Run", repeated: "Run") -> str:
    """What the two were made with, where that differs and made no difference."""
    one, other = original.manifest.versions, repeated.manifest.versions
    changed = [f"{name} {one[name]} → {other.get(name)}" for name in one if one[name] != other.get(name)]
    return f"nothing, in spite of {', '.join(changed)}" if changed else "nothing"
