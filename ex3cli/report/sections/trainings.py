"""Trainings besides those that every command takes: with preset paper, and several side by side."""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ex3cli.gan.kinds import NAMES
from ex3cli.report.document import Figure, Making, MissingResult, Part, Table
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.sections.curves import curves_of
from ex3cli.report.sections.gans import DATASET, EVALUATE, TRAIN, Scored, scores_table, trained, untrained
from ex3cli.report.source import MissingError, ResultSource, derived_from
from ex3cli.report.words import fixed, listed, option
from ex3cli.runs.catalog import Catalog
from ex3cli.training.attempts import describe_verdict

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

PAPER = "paper"
OVERVIEW = "gan overview"
HEADINGS = (
    "training",
    "channels",
    "iterations",
    "failed before",
    "verdict",
    "label agreement",
    "rarest class",
    "coverage",
    "Fréchet distance",
)
COURSE = (
    "kind",
    "run",
    "channels",
    "class-conditional",
    "learning rate",
    "critic steps",
    "iterations",
    "failed before",
    "verdict",
)
NOTE = (
    "Measured at the end of each training. Rarest class: the smallest share of the images that the "
    "classifier assigns to a class; 0.1 is even."
)
SHORTENED = " A shortened training stopped before its preset's full length."


def papers(archive: ResultSource) -> Part:
    """What the paper's preset comes to, of each kind that was trained with it and is not shown above."""
    rows: list[list[str]] = []
    figures: list[Figure] = []
    makings: list[Making] = []
    scores: list[Scored] = []
    gaps: list[MissingResult] = []
    commands: list[tuple[str, str]] = []
    for kind in NAMES:
        try:
            run = with_the_papers_settings(archive, kind)
            if run is None:
                continue
            rows.append([NAMES[kind], run.name, *_course(archive, run)])
            commands.append((f"{NAMES[kind]} was trained by", shlex.join(run.manifest.argv)))
            figures += curves_of(archive, run, kind)
            makings.append(making(run))
            scores.append(_scored(archive, run, kind))
            makings.append(making(scores[-1].run))
        except MissingError as missing:
            gaps.append(missing.gap)
    tables = [Table("Trainings with the paper's settings", COURSE, rows)] if rows else []
    if scores:
        tables.append(scores_table(scores, "Images of the paper's settings beside real ones"))
    return Part(
        "The paper's settings" if rows else "", (), tables, figures, commands, makings, gaps, folded=True
    )


def side_by_side(archive: ResultSource) -> Part:
    """The newest overview of several trainings, such as all kinds in a wide and a narrow network."""
    category = ("gan", DATASET, "overview")
    archive.check(
        category,
        MissingResult("several trainings side by side", "", archive.command("ex3", *OVERVIEW.split())),
    )
    run = _newest(archive.of(category, OVERVIEW))
    if run is None:
        return Part("")
    rows = archive.json(run, "overview.json")["trainings"]
    names = listed([f"{NAMES[each['kind']]} {each['preset']}" for each in rows])
    shown = figure(
        archive,
        run,
        "figures/overview",
        caption="Losses and images of each training; a row a preset, a column a kind.",
        alt=f"For each of {names}: its loss curves and thirty images that it draws.",
    )
    note = NOTE + (SHORTENED if any(each["partial"] for each in rows) else "")
    table = _without_empty(Table("Trainings side by side", HEADINGS, [_row(each) for each in rows], note))
    lines = [[_name(each), each["command"]] for each in rows]
    how = Table("How each was trained", ("training", "command"), lines, folded=True)
    title = "Several trainings side by side"
    return Part(title, (), [table, how], [shown], makings=[making(run)], folded=True)


def _without_empty(table: Table) -> Table:
    """The table without columns that say nothing of any row, such as the label agreement where no class was
    asked for.
    """
    kept = [
        place
        for place in range(len(table.headings))
        if any(row[place] != fixed(None, 3) for row in table.rows)
    ]
    rows = [[row[place] for place in kept] for row in table.rows]
    return replace(table, headings=[table.headings[place] for place in kept], rows=rows)


def _name(each: dict[str, Any]) -> str:
    return f"{NAMES[each['kind']]}, {each['preset']}"


def _row(each: dict[str, Any]) -> list[str]:
    verdict = describe_verdict(each["verdict"], each["reason"])
    before = each["failed"] - (each["verdict"] == "failed")
    return [
        _name(each),
        str(each["width"]),
        f"{each['iterations']:,}" + (" (shortened)" if each["partial"] else ""),
        str(before),
        verdict,
        fixed(each["label_agreement"], 3),
        fixed(each["min_class_share"], 3),
        fixed(each["coverage"], 3),
        fixed(each["fid"], 4),
    ]


def with_the_papers_settings(archive: ResultSource, kind: str) -> "Run | None":
    """The finished training of preset paper that counts most: your newest complete one, else the longest.

    None where there is none, or where it is the one that every command takes, of which the page tells
    already.
    """
    category = ("gan", DATASET, kind)
    archive.check(category, untrained(archive, kind))
    archive.check((*category, PAPER), untrained(archive, kind))
    best = Catalog(tuple(archive.of(category, TRAIN)), {}).best(PAPER)
    return None if best is None or _is_told_already(archive, best, kind) else best


def _is_told_already(archive: ResultSource, run: "Run", kind: str) -> bool:
    try:
        return trained(archive, kind).name == run.name
    except MissingError:
        return False


def _scored(archive: ResultSource, run: "Run", kind: str) -> Scored:
    """The newest scores of a training, the user's or the shipped ones."""
    category = ("gan", DATASET, "eval")
    command = archive.command("ex3", "gan", "eval", "--kind", kind, "--run", run.name)
    gap = MissingResult(f"scores of {run.name}", "it has not been scored", command)
    archive.check(category, gap)
    archive.check((*category, kind, PAPER), gap)
    found = _newest([each for each in archive.of(category, EVALUATE) if derived_from(each, run)])
    if found is None:
        raise MissingError(gap)
    return Scored(kind, found, run, archive.json(found, "scores.json"))


def _newest(runs: "list[Run]") -> "Run | None":
    """Of finished runs the user's newest, else the shipped one."""
    finished = [each for each in runs if each.manifest.state == "finished"]
    return max(finished, key=lambda each: (not each.is_reference, each.manifest.started), default=None)


def _course(archive: ResultSource, run: "Run") -> list[str]:
    """Its settings, how long it was trained, how often it failed before, and the verdict."""
    manifest = run.manifest
    config, verdict = manifest.config, manifest.summary.get("verdict", "unjudged")
    failed = sum(each.verdict == "failed" for each in archive.attempts_in(run)) - (verdict == "failed")
    return [
        str(config["width"]),
        "yes" if config["conditional"] else "no",
        option(config["learning_rate"]),
        str(config["critic_steps"]),
        f"{manifest.summary['iterations']:,}" + (" (shortened)" if manifest.partial else ""),
        str(failed),
        describe_verdict(verdict, manifest.summary.get("reason")),
    ]
