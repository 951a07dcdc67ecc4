"""Terminal tables of attempts and metrics."""

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
    """A row per attempt, with its verdict."""
    from rich.table import Table
    from rich.text import Text

    colors = {"converged": "green", "failed": "red"}
    table = Table("attempt", "verdict", "reason", "iteration", "deciding values")
    for attempt in attempts:
        text = attempt.verdict + (" (shortened)" if attempt.shortened else "")
        verdict = Text(text, colors.get(attempt.verdict, ""))
        cells = (attempt.reason or "", f"{attempt.iteration:,}", decisive(attempt))
        table.add_row(str(attempt.attempt), verdict, *cells)
    return table


def decisive(attempt: "Attempt") -> str:
    """The deciding metrics, short enough for one line."""
    shown = (
        ("label_agreement", "coverage", "fid") if attempt.verdict == "converged" else tuple(attempt.values)
    )
    numbers = {name: value for name in shown if isinstance(value := attempt.values.get(name), int | float)}
    return ", ".join(
        f"{SHORT.get(name, name.replace('_', ' '))} {value:.3g}" for name, value in numbers.items()
    )


def not_converged(attempts: Sequence["Attempt"], run: str, iterations: int) -> NotConvergedError:
    """The error for a training whose attempts all failed."""
    reasons = ", ".join(f"{attempt.reason} at iteration {attempt.iteration:,}" for attempt in attempts)
    count = f"{len(attempts)} attempts" if len(attempts) > 1 else "one attempt"
    last = attempts[-1]
    if last.shortened and last.reason in ("wrong labels", "low coverage", "critic wins"):
        remedy = "train for the full length of the preset"
    elif last.iteration < iterations or last.reason not in ("wrong labels", "low coverage"):
        remedy = "try another --seed or a smaller --learning-rate"
    else:
        remedy = f"train longer (--iterations above {last.iteration:,}), or try another --seed"
    return NotConvergedError(f"no convergence in {count} ({reasons})", f"{remedy}; see `ex3 runs show {run}`")


def scores_table(document: dict[str, Any]) -> "Table":
    """A row per metric, with the value of real images."""
    from rich.table import Table

    table = Table("metric", "generated", "real", "meaning")
    error = f" ± {document['kid_standard_error']:.2g}" if document["kid_standard_error"] is not None else ""
    rows = [
        (
            "FID",
            f"{document['fid']:.4g}",
            f"{document['fid_floor']:.4g}",
            "Fréchet distance of the features; lower is better",
        ),
        (
            "KID",
            f"{document['kid']:.3g}{error}",
            f"{document['kid_floor']:.2g}",
            "kernel distance, unbiased; lower is better",
        ),
        (
            "coverage",
            f"{half_up(document['coverage'], 3)}",
            f"{half_up(document['coverage_floor'], 3)}",
            "real images with a generated neighbor",
        ),
        (
            "density",
            f"{half_up(document['density'], 3)}",
            f"{half_up(document['density_floor'], 3)}",
            "density of real images around generated ones",
        ),
    ]
    if document["label_agreement"] is not None:
        accuracy = f"{half_up(document['classifier_accuracy'], 3)}"
        rows.append(
            (
                "label agreement",
                f"{half_up(document['label_agreement'], 3)}",
                accuracy,
                "predicted class = requested class",
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
    """A row per kind."""
    from rich.table import Table

    table = Table(
        "kind",
        "failed before first success",
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
        name = kind + (" (bundled)" if each.shipped else "")
        table.add_row(
            name, before, str(document["failed"]), str(document["converged"]), share, reasons, others
        )
    return table


def differences(counted: "History") -> list[str]:
    """Lines about pooled settings and about the difference between DCGAN and WGAN."""
    lines = [
        f"{kind}: the counts pool attempts with {count} different settings."
        for kind, count in counted.pooled().items()
    ]
    document = counted.difference()
    if document is None:
        return lines
    shares = " and ".join(
        f"{kind} {document[kind]['failed']} of {document[kind]['judged']}" for kind in document if kind != "p"
    )
    difference = "significantly different" if document["p"] < SIGNIFICANT else "not significantly different"
    test = f"Fisher's exact test, p = {document['p']:.2g}"
    return [*lines, f"Failed: {shares}; {difference} ({test}). Repeated runs are counted once."]


def bars(counted: "History") -> str:
    """The convergence criteria in one line; kinds with equal criteria are grouped."""
    kinds_at: dict[tuple[float, ...], list[str]] = {}
    for kind, bar in counted.bars().items():
        kinds_at.setdefault(tuple(bar.values()), []).append(kind)
    criteria = [
        f"label agreement ≥ {agreement:.2f} and coverage ≥ {coverage:.2f} ({', '.join(kinds)})"
        for (agreement, coverage), kinds in kinds_at.items()
    ]
    return f"Convergence requires {'; '.join(criteria)}."


def every_attempt_table(counted: "History") -> "Table":
    """A row per attempt. Run names omit the common folder."""
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
        "deciding values",
    )
    beside = {each["kind"] for each in counted.attempts if each.get("shipped")}
    for each in counted.attempts:
        attempt = attempt_from_row(each)
        verdict = attempt.verdict + (" (shortened)" if attempt.shortened else "")
        started = each["started"][:16].replace("T", " ")
        name = each["run"].split("/", 2)[2] if each["run"].startswith("gan/") else each["run"]
        if each["kind"] in beside and not each.get("shipped"):
            name += " (yours)"  # a bundled run may have the same number
        cells = (name, str(attempt.attempt), started, verdict, attempt.reason or "", f"{attempt.iteration:,}")
        table.add_row(*(Text(cell) for cell in cells), decisive(attempt))
    return table
