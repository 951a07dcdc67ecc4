"""Tables of many trainings: `ex3 gan history`, `ex3 gan overview`, `ex3 gan correlate`."""

from collections.abc import Mapping, Sequence
from typing import Any

from ex3cli.gan.kinds import NAMES
from ex3cli.gan.tables import attempts_table
from ex3cli.tables import NONE, Table, fixed, percent
from ex3cli.training.attempts import attempt_from_row, describe_verdict

SIGNIFICANT = 0.05
FINDINGS = {
    "falls": "falls as the images improve",
    "turns": "rises while the images still improve",
    "ends": "rises once the images no longer improve",
}


def failures_table(counts: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row for each kind: failed and converged attempts, and the failure rate.

    Parameters
    ----------
    counts : `results.Count.document` by kind.
    """
    rows = []
    for kind, count in counts.items():
        before, rate = count["failed_before_first_success"], count["failure_rate"]
        share = ""
        if rate:
            low, high = (percent(rate[end], 0) for end in ("low", "high"))
            share = f"{percent(rate['value'], 0)} ({low} to {high})"
        others = ", ".join(f"{count[name]} {name}" for name in ("unjudged", "shortened") if count[name])
        rows.append(
            [
                NAMES[kind],
                "bundled" if count["shipped"] else "yours",
                "none converged" if before is None else str(before),
                str(count["failed"]),
                str(count["converged"]),
                share,
                ", ".join(f"{times} {reason}" for reason, times in count["reasons"].items()) or NONE,
                others or NONE,
            ]
        )
    headings = ["kind", "attempts", "failed before first success", "failed", "converged"]
    return Table(
        "Failed convergences",
        [*headings, "failure rate, % (95 % interval)", "reasons", "not counted"],
        rows,
        "The intervals are Wilson's. Unjudged and shortened attempts are not counted. Bundled attempts were "
        "made by the authors of ex3.",
    )


def difference_text(difference: Mapping[str, Any] | None, pooled: Mapping[str, int]) -> list[str]:
    """Sentences on pooled settings and on the difference between DCGAN and WGAN.

    Parameters
    ----------
    difference : by kind, the numbers of failed and of evaluated attempts, and the p-value of Fisher's test.
    pooled : by kind, the number of different settings among its attempts.
    """
    text = [
        f"{NAMES[kind]}: the counts pool attempts with {settings} different settings."
        for kind, settings in pooled.items()
    ]
    if difference is None:
        return text
    shares = " and ".join(
        f"{NAMES[kind]} {count['failed']} of {count['judged']}"
        for kind, count in difference.items()
        if kind != "p"
    )
    verdict = "significantly different" if difference["p"] < SIGNIFICANT else "not significantly different"
    test = f"Fisher's exact test, p = {difference['p']:.2g}"
    return [*text, f"Failed: {shares}; {verdict} ({test}). Repeated runs are counted once."]


def history_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each attempt of `ex3 gan history`; its run is named without the folder of the data set."""
    bundled = {row["kind"] for row in rows if row.get("shipped")}
    names = []
    for row in rows:
        name = row["run"].split("/", 2)[2] if row["run"].startswith("gan/") else row["run"]
        is_own = row["kind"] in bundled and not row.get("shipped")
        names.append(f"{name} (yours)" if is_own else name)  # a bundled run may have the same number
    return attempts_table([attempt_from_row(row) for row in rows], names)


def overview_table(trainings: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each training of `ex3 gan overview`; columns without any value are omitted."""
    rows = []
    for name, training in zip(training_names(trainings), trainings, strict=True):
        verdict = describe_verdict(training["verdict"], training["reason"])
        if before := training["failed"] - (training["verdict"] == "failed"):
            verdict += f", after {before} failed"
        metrics = [fixed(training[key], 3) for key in ("label_agreement", "min_class_share", "coverage")]
        rows.append(
            [name, str(training["width"]), _length(training), verdict, *metrics, fixed(training["fid"], 4)]
        )
    note = "Metrics of the last evaluation. Rarest class: its share of the generated images; at most 0.1."
    if any(training["partial"] for training in trainings):
        note += " A shortened training ended before the full length of its preset."
    settings = ["training", "channels", "iterations", "verdict"]
    metrics = ["label agreement", "rarest class", "coverage", "FID"]
    return Table("Trainings", [*settings, *metrics], rows, note).without_empty_columns()


def correlation_table(document: Mapping[str, Any]) -> Table:
    """A row for each training of `ex3 gan correlate`: how the critic's estimate is related to FID."""
    rows = []
    for name, training in zip(training_names(document["trainings"]), document["trainings"], strict=True):
        lowest, end = training["lowest"], training["end"]
        estimate, fid = fixed(end["estimate"], 3), fixed(end["fid"], 3)
        if training["finding"] != "falls":
            estimate = f"{fixed(lowest['estimate'], 3)} at {lowest['iteration']:,} to {estimate}"
            fid = f"{fixed(lowest['fid'], 3)} to {fid}"
        correlations = [fixed(training[key], 2) for key in ("correlation", "correlation_of_changes")]
        finding = FINDINGS.get(training["finding"], "too few or constant evaluations")
        rows.append([name, _length(training), *correlations, estimate, fid, finding])
    headings = ["training", "iterations", "ρ", "ρ of changes", "estimate, lowest to last", "FID meanwhile"]
    return Table(
        "Critic's estimate and image quality during training",
        [*headings, "the estimate"],
        rows,
        "ρ: Spearman's rank correlation of the estimate with FID over the evaluations; of changes: of their "
        "changes between evaluations. Any two decreasing curves have ρ ≈ 1; the informative case is an "
        "estimate that rises while FID still falls. FID is of 1,000 images from the averaged weights, with "
        f"noise of up to a factor of {document['scatter']}. Compare trainings of equal length only.",
    )


def training_names(trainings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of trainings by kind and preset, with the run's folder where these are equal."""
    names = [f"{NAMES[training['kind']]}, {training['preset']}" for training in trainings]
    return [
        name if names.count(name) == 1 else f"{name} ({training['run'].rpartition('/')[2]})"
        for name, training in zip(names, trainings, strict=True)
    ]


def runs_text(trainings: Sequence[Mapping[str, Any]]) -> str:
    """The run of each training, a line each."""
    names = training_names(trainings)
    return "\n".join(f"{name}: {training['run']}" for name, training in zip(names, trainings, strict=True))


def _length(training: Mapping[str, Any]) -> str:
    return f"{training['iterations']:,}" + (", shortened" if training["partial"] else "")
