"""Tables of attempts and scores for the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ex3cli.errors import NotConvergedError
from ex3cli.tables import half_up

SIGNIFICANT = 0.05
SHORT = {"label_agreement": "agreement"}

if TYPE_CHECKING:
    from rich.table import Table

    from ex3cli.gan.analysis.failures import History
    from ex3cli.training.attempts import Attempt


def attempts_table(attempts: Sequence["Attempt"]) -> "Table":
    """Every attempt and its verdict."""
    from rich.table import Table
    from rich.text import Text

    colors = {"converged": "green", "failed": "red"}
    table = Table("attempt", "verdict", "reason", "iteration", "what decided")
    for each in attempts:
        verdict = Text(
            each.verdict + (" (shortened)" if each.shortened else ""), colors.get(each.verdict, "")
        )
        table.add_row(str(each.attempt), verdict, each.reason or "", f"{each.iteration:,}", decisive(each))
    return table


def decisive(attempt: "Attempt") -> str:
    """The values that decided, few enough for a line."""
    shown = (
        ("label_agreement", "coverage", "fid") if attempt.verdict == "converged" else tuple(attempt.values)
    )
    numbers = {name: value for name in shown if isinstance(value := attempt.values.get(name), int | float)}
    return ", ".join(
        f"{SHORT.get(name, name.replace('_', ' '))} {value:.3g}" for name, value in numbers.items()
    )


def not_converged(attempts: Sequence["Attempt"], run: str, iterations: int) -> NotConvergedError:
    """What to raise when every attempt failed, each of which was given so many iterations."""
    reasons = ", ".join(f"{each.reason} at iteration {each.iteration:,}" for each in attempts)
    count = f"{len(attempts)} attempts" if len(attempts) > 1 else "one attempt"
    last = attempts[-1]
    if last.shortened and last.reason in ("wrong labels", "low coverage", "critic wins"):
        remedy = "train it for its preset's whole length"
    elif last.iteration < iterations or last.reason not in ("wrong labels", "low coverage"):
        remedy = "start with another --seed or a smaller --learning-rate"
    else:
        remedy = f"train longer with --iterations above {last.iteration:,}, or start with another --seed"
    return NotConvergedError(f"no convergence in {count} ({reasons})", f"{remedy}; see `ex3 runs show {run}`")


def scores_table(document: dict[str, Any]) -> "Table":
    """Each figure beside what real images get."""
    from rich.table import Table

    table = Table("figure", "drawn", "real", "what it says")
    error = f" ± {document['kid_standard_error']:.2g}" if document["kid_standard_error"] is not None else ""
    rows = [
        (
            "FID",
            f"{document['fid']:.4g}",
            f"{document['fid_floor']:.4g}",
            "distance of the features, smaller is better",
        ),
        ("KID", f"{document['kid']:.3g}{error}", f"{document['kid_floor']:.2g}", "the same, unbiased"),
        (
            "coverage",
            f"{half_up(document['coverage'], 3)}",
            f"{half_up(document['coverage_floor'], 3)}",
            "real images with a drawn one near",
        ),
        (
            "density",
            f"{half_up(document['density'], 3)}",
            f"{half_up(document['density_floor'], 3)}",
            "how deep among real ones they lie",
        ),
    ]
    if document["label_agreement"] is not None:
        accuracy = f"{half_up(document['classifier_accuracy'], 3)}"
        rows.append(
            (
                "label agreement",
                f"{half_up(document['label_agreement'], 3)}",
                accuracy,
                "class asked for = class seen",
            )
        )
    for row in rows:
        table.add_row(*row)
    by_class = document["class_agreements"] or document["class_shares"]
    word = "agreement" if document["class_agreements"] else "share"
    for place, (name, value) in enumerate(by_class.items()):
        table.add_row(
            f"  {word}, {name}" if not place else f"  {name}", f"{half_up(float(value), 3)}", "", ""
        )
    return table


def counts_table(counted: "History") -> "Table":
    """A row a kind."""
    from rich.table import Table

    table = Table(
        "kind",
        "failed before the first success",
        "failed",
        "converged",
        "failure rate (95 %)",
        "reasons",
        "not counted",
    )
    for kind, each in counted.kinds.items():
        document = each.document()
        rate = document["failure_rate"]
        share = f"{rate['value']:.0%} ({rate['low']:.0%} to {rate['high']:.0%})" if rate else ""
        reasons = ", ".join(f"{count} {reason}" for reason, count in document["reasons"].items())
        before = (
            "none converged yet"
            if document["failed_before_first_success"] is None
            else str(document["failed_before_first_success"])
        )
        others = ", ".join(f"{document[name]} {name}" for name in ("unjudged", "shortened") if document[name])
        name = kind + (" (shipped)" if each.shipped else "")
        table.add_row(
            name, before, str(document["failed"]), str(document["converged"]), share, reasons, others
        )
    return table


def differences(counted: "History") -> list[str]:
    """In a line, whether DCGAN failed more often than WGAN; and what is counted together that differs."""
    lines = [
        f"{kind}: attempts with {count} different settings, counted together."
        for kind, count in counted.pooled().items()
    ]
    document = counted.difference()
    if document is None:
        return lines
    shares = " and ".join(
        f"{kind} {document[kind]['failed']} of {document[kind]['judged']}" for kind in document if kind != "p"
    )
    said = (
        "more than chance makes of one rate" if document["p"] < SIGNIFICANT else "which shows no difference"
    )
    lines += [
        f"Failed: {shares}, {said} (Fisher's exact test, p = {document['p']:.2g}). A training made "
        "again counts once."
    ]
    return lines


def bars(counted: "History") -> str:
    """What has to be reached to count as converged, in a line; kinds that are held to the same together."""
    kinds_at: dict[tuple[float, ...], list[str]] = {}
    for kind, bar in counted.bars().items():
        kinds_at.setdefault(tuple(bar.values()), []).append(kind)
    held = [
        f"{agreement:g} and {coverage:g} ({', '.join(kinds)})"
        for (agreement, coverage), kinds in kinds_at.items()
    ]
    return f"Converged takes a label agreement and a coverage of {', '.join(held)} at least."


def every_attempt_table(counted: "History") -> "Table":
    """A row an attempt: when, why, and what decided. Runs are named without what they have in common, the
    data set's folder.
    """
    from rich.table import Column, Table
    from rich.text import Text

    from ex3cli.training.attempts import attempt_from_row

    table = Table(
        Column("run", overflow="fold"),
        "attempt",
        "run started",
        "verdict",
        "reason",
        "iteration",
        "what decided",
    )
    beside = {each["kind"] for each in counted.attempts if each.get("shipped")}
    for each in counted.attempts:
        attempt = attempt_from_row(each)
        verdict = attempt.verdict + (" (shortened)" if attempt.shortened else "")
        started = each["started"][:16].replace("T", " ")
        name = each["run"].split("/", 2)[2] if each["run"].startswith("gan/") else each["run"]
        if each["kind"] in beside and not each.get("shipped"):
            name += " (yours)"  # whose number a shipped one may have too
        cells = (name, str(attempt.attempt), started, verdict, attempt.reason or "", f"{attempt.iteration:,}")
        table.add_row(*(Text(cell) for cell in cells), decisive(attempt))
    return table
