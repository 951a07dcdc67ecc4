"""Failed attempts: their number before the first converged one, reasons, and the failure rate."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ex3cli.gan.analysis.tables import failures_table
from ex3cli.gan.kinds import NAMES, PRIMARY_KINDS
from ex3cli.gan.results import Count as AttemptCount
from ex3cli.gan.tables import attempts_table, criteria_text
from ex3cli.report.document import Figure, MissingResult, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import provenance_of
from ex3cli.report.sections.gans import DATASET, TRAIN, kinds
from ex3cli.report.source import MissingError, ResultSource
from ex3cli.report.words import listed
from ex3cli.training.attempts import HISTORY_FILE, Attempt, Tally, attempt_from_row, tally

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

HISTORY = ("gan", DATASET, "history")


@dataclass(frozen=True)
class Count:
    """The attempts of one kind of GAN."""

    kind: str
    tally: Tally
    attempts: list[Attempt]
    runs: "list[Run]"
    shipped: bool


def counts(archive: ResultSource) -> tuple[list[Count], list[MissingResult]]:
    """The attempts of every kind. A damaged run gives a gap instead of a count, which would be too low."""
    found, gaps = [], []
    known = kinds(archive)
    for kind in NAMES:
        command = archive.command("ex3", "gan", "train", "--kind", kind)
        gap = MissingResult(f"attempts at {NAMES[kind]}", "none was made", command, quick=False)
        try:
            archive.check(("gan", DATASET, kind), gap)
        except MissingError as missing:
            gaps.append(missing.gap)
            continue
        attempts, runs, shipped = archive.attempts(("gan", DATASET, kind), TRAIN)
        bundled = (
            None
            if any(attempt.counts_toward_rate for attempt in attempts) and not shipped
            else _shipped(archive, kind)
        )
        if bundled:  # the user's attempts do not count toward the rate
            mine = ([], []) if shipped else (attempts, runs)
            attempts, runs, shipped = [*bundled[0], *mine[0]], [bundled[1], *mine[1]], True
        if attempts:
            found.append(Count(kind, tally(attempts), attempts, runs, shipped))
        elif kind in known:
            gaps.append(gap)
    return found, gaps


def _shipped(archive: ResultSource, kind: str) -> "tuple[list[Attempt], Run] | None":
    """The attempts of the bundled history, or else those of the bundled training, which has only its own."""
    history = archive.shipped(HISTORY, "gan history")
    rows = archive.json(history, HISTORY_FILE)["attempts"] if history else []
    attempts = [attempt_from_row(row) for row in rows if row["kind"] == kind]
    if history and attempts:
        return attempts, history
    run = archive.shipped(("gan", DATASET, kind), TRAIN)
    return (archive.attempts_in(run), run) if run else None


def answer(archive: ResultSource) -> str:
    """The number of failed attempts before the first converged one, and a sentence on the losses."""
    failed = [
        f"{count.tally.failed_before_first_success} of {NAMES[count.kind]}"
        for count in counts(archive)[0]
        if count.kind in PRIMARY_KINDS and count.tally.failed_before_first_success is not None
    ]
    return (
        f"Attempts that failed before the first that converged: {listed(failed)}. The losses are "
        "cross-entropies for DCGAN and a difference of scores for WGAN, and tell little of the images' "
        "quality."
        if failed
        else ""
    )


def failures(archive: ResultSource) -> Part:
    """Failed attempts: counts, failure rates and criteria."""
    found, gaps = counts(archive)
    provenances = [provenance_of(run) for count in found for run in count.runs]
    tables: list[Table] = []
    figures = []
    words = []
    if found:
        failed = {count.kind: AttemptCount(count.tally, count.shipped).document() for count in found}
        attempts = [attempt for count in found for attempt in count.attempts]
        kinds_of_attempts = [NAMES[count.kind] for count in found for _ in count.attempts]
        every = attempts_table(attempts, kinds_of_attempts)
        tables = [replace(failures_table(failed), label="failures"), replace(every, folded=True)]
        words.append(
            f"An attempt is one training from one seed. {refer('failures')} counts those that failed "
            "before the first that converged. It failed if its images collapsed or got worse, or if at "
            "the end too few had the requested class (label agreement) or too few real images had a "
            "generated one near (coverage)."
        )
        try:
            run = _history_of(archive, found)
            figures.append(_rates(archive, run, found))
            words.append(criteria_text(archive.json(run, HISTORY_FILE)["bars"]))
        except MissingError as missing:
            gaps.append(missing.gap)
    return Part("Failed convergences", words, tables, figures=figures, provenances=provenances, gaps=gaps)


def _history_of(archive: ResultSource, found: list[Count]) -> "Run":
    """The `ex3 gan history` run of exactly these attempts."""
    gap = MissingResult(
        "the figure of failure rates",
        "it has not been drawn here of these attempts",
        archive.command("ex3", "gan", "history"),
    )
    counted = {count.kind: [_identity(attempt) for attempt in count.attempts] for count in found}

    def has_these(run: "Run") -> bool:
        recorded: dict[str, list[Any]] = {}
        for row in archive.peek(run, HISTORY_FILE)["attempts"]:
            recorded.setdefault(row["kind"], []).append(_identity(attempt_from_row(row)))
        return recorded == counted

    return archive.newest(HISTORY, "gan history", gap, has_these)


def _rates(archive: ResultSource, run: "Run", found: list[Count]) -> Figure:
    """The failure rates as `ex3 gan history` drew them."""
    rates = [
        f"{NAMES[count.kind]} {count.tally.failed} of {count.tally.failed + count.tally.converged}"
        for count in found
    ]
    return figure(
        archive,
        run,
        "figures/failures",
        caption="How often a training failed to converge, with 95 % intervals (Wilson).",
        alt=f"Failed attempts of those judged, each with its interval: {listed(rates)}.",
        folded=True,
    )


def _identity(attempt: Attempt) -> tuple[Any, ...]:
    return (
        attempt.attempt,
        attempt.seed,
        attempt.verdict,
        attempt.reason,
        attempt.iteration,
        attempt.shortened,
    )
