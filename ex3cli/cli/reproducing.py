"""`ex3 runs reproduce`: a run's command line once more, and whether the same comes of it."""

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.frame import Answer, Context, command
from ex3cli.cli.repeating import repeated, seconds, sources
from ex3cli.errors import ArtifactError, Ex3Error

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
    """Repeat a run with its settings, seed, threads and device, and say whether the result is the same or how far off.

    A repetition that is here already is not made again, and one that was interrupted goes on. With the same versions on the
    same kind of machine (processor and precision) a training is the same bit for bit; of a shipped one, what is shipped of it:
    weights as float16, losses to three digits. Exit code 0 means that it was repeated, not that it was the same; "same" in
    the document says that. What was computed from runs that are not here is refused.
    """
    from rich.table import Table
    from rich.text import Text

    originals, damaged = ([context.store.open(run)], {}) if run else _shipped_trainings(context)
    if not run:
        hours = sum(map(seconds, originals)) / 3600
        context.note(
            f"{len(originals)} trainings, {hours:.1f} hours where they were made; Ctrl-C saves, the same command goes on"
        )
    table = Table("run", "made anew as", "the same?", "what differs", "made with, then → now")
    documents: list[dict[str, Any]] = []
    problem: Ex3Error | None = None
    for name, error in damaged.items():
        problem = problem or error
        documents.append(_not_made(table, name, error))
    for original in originals:
        try:
            made = repeated(context, original)
            differing = [each for each in compare(original, made) if each.condition != "same"]
        except Ex3Error as error:
            if run:
                raise
            context.note(f"{original.name}: {error.cause}")
            problem = problem or error
            documents.append(_not_made(table, original.name, error))
            continue
        changed = circumstances(original, made)
        documents.append(
            {"run": original.name, "repeated": made.name, "same": not differing, "differing": differing, "made_with": changed}
        )  # fmt: skip
        told = ", ".join(_told(each) for each in differing) or "nothing"
        apart = ", ".join(f"{name} {one} → {other}" for name, (one, other) in changed.items()) or "the same"
        table.add_row(*(Text(cell) for cell in (original.name, made.name, "no" if differing else "yes", told, apart)))
    return Answer(document={"runs": documents}, show=[table], problem=problem)


def compare(original: "Run", repeated: "Run") -> "list[Any]":
    """The files of a run against those of its repetition; of a shipped one, against what would be shipped of it."""
    from ex3cli.artifacts.likeness import likenesses

    old = {name: original.read_bytes(name) for name in original.manifest.files}
    if original.is_reference:
        new = import_module(SHIPPED_BY[original.manifest.command]).shipped_files(repeated)
    else:
        new = {name: repeated.read_bytes(name) for name in repeated.manifest.files}
    return likenesses(old, new)


def _not_made(table: Any, name: str, error: Ex3Error) -> dict[str, Any]:
    """Its row of the table, and of the document."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in (name, "", "not made", error.cause, "")))
    return {"run": name, "repeated": None, "same": None, "error": error.cause}


def _shipped_trainings(context: Context) -> "tuple[list[Run], dict[str, Ex3Error]]":
    """The shipped trainings, the quickest first, and shipped runs that cannot be read, with the reason.

    Raises
    ------
    ArtifactError : there are none of either.
    """
    from ex3cli.artifacts.run import reference_name

    store = context.store
    found: list[Run] = []
    damaged: dict[str, Ex3Error] = {}
    for folder in store.folders():
        if folder.is_relative_to(store.reference):
            try:
                found.append(store.open_folder(folder))
            except ArtifactError as error:
                damaged[reference_name(folder.relative_to(store.reference).parts)] = error
    trainings = [each for each in found if each.manifest.command.endswith(" train")]
    if not trainings and not damaged:
        raise ArtifactError("there is no shipped training", "name one of `ex3 runs list`, or check out ex3's artifacts")
    return sorted(trainings, key=seconds), damaged


def _told(each: Any) -> str:
    if each.largest_difference is None:
        return f"{each.file} {each.condition}"
    if each.file.endswith((".json", ".jsonl")):
        return f"{each.file} most by {each.largest_difference:.2g} of {each.largest_value:.2g}"
    return f"{each.file} by at most {each.largest_difference:.2g} (values up to {each.largest_value:.2g})"


def circumstances(original: "Run", made: "Run") -> dict[str, tuple[str, str]]:
    """What two runs were made with, where that differs: versions, machine, precision, code, and their sources."""
    pairs = [_circumstances(original), _circumstances(made)]
    machine = [each.manifest.machine for each in (original, made)]  # of which manifests of before tell less
    unknown = machine[0].keys() ^ machine[1].keys()
    names = dict.fromkeys(name for pair in pairs for name in pair if name not in unknown)
    told = {name: (pairs[0].get(name, "none"), pairs[1].get(name, "none")) for name in names}
    return {name: each for name, each in told.items() if each[0] != each[1]}


def _circumstances(run: "Run") -> dict[str, str]:
    from ex3cli.artifacts.canonical import digest, to_json

    manifest = run.manifest
    commit = str((manifest.git or {}).get("commit", ""))[:7]
    found = {**manifest.versions, **manifest.machine, "device": manifest.device, "threads": str(manifest.threads)}
    found |= {"precision": str(manifest.summary["precision"])} if "precision" in manifest.summary else {}
    found |= {"code": commit} if commit else {}
    found |= {"data": digest(to_json(manifest.data).encode())[:7]} if manifest.data else {}
    return found | {name: digest[:7] for name, digest in sources(run).items()}
