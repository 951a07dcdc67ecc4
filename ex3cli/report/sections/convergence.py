"""Failed convergences: how many attempts failed before a good one, why, and how sure the rate is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ex3cli.gan.kinds import NAMES, PRIMARY_KINDS
from ex3cli.metrics.statistics import wilson_interval
from ex3cli.report.document import Figure, MissingResult, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.sections.gans import DATASET, TRAIN, kinds
from ex3cli.report.source import MissingError, ResultSource
from ex3cli.report.words import fixed, listed, number, percent
from ex3cli.training.attempts import Attempt, Tally, attempt_from_row, tally

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

HISTORY = ("gan", DATASET, "history")
HISTORY_FILE = "history.json"

DECIDED = {
    "label_agreement": ("label agreement", 3, ""),
    "min_class_agreement": ("of the worst class", 3, ""),
    "coverage": ("coverage", 3, ""),
    "density": ("density", 3, ""),
    "fid": ("Fréchet distance", 4, ""),
    "fid_as_evaluated": (
        "in looks",
        4,
        "“In looks”: Fréchet distance from 1,000 images, as during training; it is biased upwards.",
    ),
    "best_fid": ("the least before", 4, ""),
    "kid": ("KID × 1,000", 2, ""),
    "min_class_variety": (
        "least variety",
        3,
        "Least variety: of the class whose images differ least, beside real ones.",
    ),
    "min_class_share": ("rarest class", 3, "Rarest class: its share of the generated images."),
    "class_kl": (
        "class_kl",
        4,
        "Unevenness: how far the classes' shares are from equal ones, as KL in nats.",
    ),
    "pixel_std": (
        "spread of pixels",
        3,
        "Spread of pixels: across noise, as a share of that of real images.",
    ),
    "critic_auc": (
        "critic's area",
        3,
        "Critic's area: under the curve of its scores; 1 tells all of a class apart.",
    ),
    "score_gap": ("score gap", 4, "Score gap: between its mean scores of real and of generated images."),
    "generator_grad_norm": ("generator's gradient", 3, "Generator's gradient: its norm over all weights."),
    "weights": (
        "size of weights",
        1,
        "Size of weights: the norm of all of both players and of the averaged generator.",
    ),
}
"""What the judge of GANs looks at: its name here, its decimals, and what it means where the name does not
say.
"""
ON_THE_WAY = {"pixel_std", "critic_auc", "score_gap", "generator_grad_norm", "weights", "density", "kid"}
UNCONDITIONAL = {"min_class_share", "class_kl"}
"""Of these, what decides nothing where an attempt converged; the second, where a class was asked for."""


@dataclass(frozen=True)
class Count:
    """The attempts at one kind."""

    kind: str
    tally: Tally
    attempts: list[Attempt]
    runs: "list[Run]"
    shipped: bool


def counts(archive: ResultSource) -> tuple[list[Count], list[MissingResult]]:
    """The attempts at every kind; a damaged run leaves a gap and no count, which could only be too low."""
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
        told = (
            None
            if any(each.counts_toward_rate for each in attempts) and not shipped
            else _shipped(archive, kind)
        )
        if told:  # before those of the user's that are no evidence
            mine = ([], []) if shipped else (attempts, runs)
            attempts, runs, shipped = [*told[0], *mine[0]], [told[1], *mine[1]], True
        if attempts:
            found.append(Count(kind, tally(attempts), attempts, runs, shipped))
        elif kind in known:
            gaps.append(gap)
    return found, gaps


def _shipped(archive: ResultSource, kind: str) -> "tuple[list[Attempt], Run] | None":
    """All attempts behind what is shipped, where a history of them is shipped too: the shipped training knows
    its own alone.
    """
    history = archive.shipped(HISTORY, "gan history")
    rows = archive.json(history, HISTORY_FILE)["attempts"] if history else []
    told = [attempt_from_row(row) for row in rows if row["kind"] == kind]
    if history and told:
        return told, history
    run = archive.shipped(("gan", DATASET, kind), TRAIN)
    return (archive.attempts_in(run), run) if run else None


def counts_table(found: list[Count]) -> Table:
    """A row a kind: how many failed, why, and how sure the rate is."""
    rows = []
    for each in found:
        told = each.tally
        judged = told.failed + told.converged
        rate = "nothing judged"
        if judged:
            interval = wilson_interval(told.failed, judged)
            rate = (
                f"{percent(told.failed / judged, 0)} % ({percent(interval.low, 0)} to "
                f"{percent(interval.high, 0)} %)"
            )
        before = (
            "none converged"
            if told.failed_before_first_success is None
            else str(told.failed_before_first_success)
        )
        reasons = ", ".join(f"{times} {reason}" for reason, times in told.reasons.items())
        others = ", ".join(
            f"{times} {word}"
            for times, word in ((told.unjudged, "unjudged"), (told.shortened, "shortened"))
            if times
        )
        whose = "bundled" if each.shipped else "yours"
        rows.append(
            [
                NAMES[each.kind],
                whose,
                before,
                str(told.failed),
                str(told.converged),
                rate,
                reasons or "–",
                others or "–",
            ]
        )
    headings = [
        "kind",
        "attempts",
        "failed before the first that converged",
        "failed",
        "converged",
        "failure rate, 95 % interval",
    ]
    note = (
        "The intervals are Wilson's. Attempts that were not judged, or were stopped early, are not counted. "
        "Bundled attempts were made by the authors of ex3."
    )
    return Table("Failed convergences", [*headings, "reasons", "not counted"], rows, note, label="failures")


def answer(archive: ResultSource) -> str:
    """How many attempts failed before a good one, and how far the images are from real ones."""
    failed = [
        f"{each.tally.failed_before_first_success} of {NAMES[each.kind]}"
        for each in counts(archive)[0]
        if each.kind in PRIMARY_KINDS and each.tally.failed_before_first_success is not None
    ]
    return (
        f"Attempts that failed before the first that converged: {listed(failed)}. The losses are "
        "cross-entropies for DCGAN and a difference of scores for WGAN, and tell little of the images' "
        "quality."
        if failed
        else ""
    )


def failures(archive: ResultSource) -> Part:
    """How many convergences failed before a good one."""
    found, gaps = counts(archive)
    rows = [_row(each.kind, attempt) for each in found for attempt in each.attempts]
    seen = {name for each in found for attempt in each.attempts for name in _shown(attempt)}
    note = " ".join(meaning for name, (_, _, meaning) in DECIDED.items() if meaning and name in seen)
    headings = ["attempt", "seed", "verdict", "reason", "iteration", "what decided"]
    every = Table("Every attempt", headings, rows, note, folded=True)
    makings = [making(run) for each in found for run in each.runs]
    tables = [counts_table(found), every] if found else []
    figures = []
    words = []
    if found:
        words.append(
            f"An attempt is one training from one seed. {refer('failures')} counts those that failed "
            "before the first that converged. It failed if its images collapsed or got worse, or if at "
            "the end too few had the requested class (label agreement) or too few real images had a "
            "generated one near (coverage)."
        )
        try:
            run = _history_of(archive, found)
            figures.append(_rates(archive, run, found))
            words += _bars(archive.json(run, HISTORY_FILE).get("bars", {}))
        except MissingError as missing:
            gaps.append(missing.gap)
    return Part("Failed convergences", words, tables, figures=figures, makings=makings, gaps=gaps)


def _history_of(archive: ResultSource, found: list[Count]) -> "Run":
    """What `ex3 gan history` made of these very attempts."""
    gap = MissingResult(
        "the figure of failure rates",
        "it has not been drawn here of these attempts",
        archive.command("ex3", "gan", "history"),
    )
    counted = {each.kind: [_identity(attempt) for attempt in each.attempts] for each in found}

    def tells(run: "Run") -> bool:
        told: dict[str, list[Any]] = {}
        for row in archive.peek(run, HISTORY_FILE)["attempts"]:
            told.setdefault(row["kind"], []).append(_identity(attempt_from_row(row)))
        return told == counted

    return archive.newest(HISTORY, "gan history", gap, tells)


def _bars(bars: dict[str, dict[str, float]]) -> list[str]:
    """What an attempt has to reach, by kind."""
    held = [
        f"{number(bar['label_agreement'])} / {number(bar['coverage'])} for {NAMES[kind]}"
        for kind, bar in bars.items()
    ]
    return [f"The least label agreement / coverage is {listed(held)}."] if held else []


def _rates(archive: ResultSource, run: "Run", found: list[Count]) -> Figure:
    """The failure rates as `ex3 gan history` drew them."""
    rates = [
        f"{NAMES[each.kind]} {each.tally.failed} of {each.tally.failed + each.tally.converged}"
        for each in found
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


def _row(kind: str, attempt: Attempt) -> list[str]:
    verdict = attempt.verdict + (" (shortened)" if attempt.shortened else "")
    name = f"{NAMES[kind]} {attempt.attempt}"
    return [
        name,
        str(attempt.seed),
        verdict,
        attempt.reason or "–",
        f"{attempt.iteration:,}",
        _decided(attempt),
    ]


def _decided(attempt: Attempt) -> str:
    """The figures that the judge had at the end; the iteration has a column of its own."""
    order = list(DECIDED)
    told = [
        (name, value)
        for name, value in _shown(attempt).items()
        if isinstance(value, int | float) and name != "iteration"
    ]
    told.sort(key=lambda each: order.index(each[0]) if each[0] in DECIDED else len(order))
    return ", ".join(_figure(name, value) for name, value in told)


def _shown(attempt: Attempt) -> dict[str, Any]:
    idle = ON_THE_WAY | (UNCONDITIONAL if "label_agreement" in attempt.values else set())
    return {
        name: value
        for name, value in attempt.values.items()
        if attempt.verdict != "converged" or name not in idle
    }


def _figure(name: str, value: float) -> str:
    if name not in DECIDED:
        return f"{name.replace('_', ' ')} {number(value, 3)}"
    label, decimals, _ = DECIDED[name]
    return f"{label} {fixed(1000 * value if name == 'kid' else value, decimals)}"
