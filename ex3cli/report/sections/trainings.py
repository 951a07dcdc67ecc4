"""Further trainings: with preset paper, and several side by side."""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from ex3cli.gan.analysis.tables import overview_table, training_names
from ex3cli.gan.kinds import NAMES
from ex3cli.gan.results import OVERVIEW_FILE, SCORES_FILE
from ex3cli.gan.tables import scores_table
from ex3cli.report.document import Figure, MissingResult, Part, Provenance, Table
from ex3cli.report.images import figure
from ex3cli.report.provenance import provenance_of
from ex3cli.report.sections.curves import curves_of
from ex3cli.report.sections.gans import DATASET, EVALUATE, TRAIN, GeneratorScores, trained, untrained
from ex3cli.report.source import MissingError, ResultSource, derived_from
from ex3cli.report.words import listed, option
from ex3cli.runs.catalog import Catalog
from ex3cli.training.attempts import describe_verdict

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

PAPER = "paper"
OVERVIEW = "gan overview"
SETTINGS = ("channels", "class-conditional", "learning rate", "critic steps")
RESULTS = ("iterations", "failed before", "verdict")


def papers(archive: ResultSource) -> Part:
    """The trainings with preset paper, unless they are the default generators, and their scores."""
    rows: list[list[str]] = []
    figures: list[Figure] = []
    provenances: list[Provenance] = []
    scores: list[GeneratorScores] = []
    gaps: list[MissingResult] = []
    commands: list[tuple[str, str]] = []
    for kind in NAMES:
        try:
            run = with_the_papers_settings(archive, kind)
            if run is None:
                continue
            rows.append([NAMES[kind], run.name, *_row(archive, run)])
            commands.append((f"{NAMES[kind]} was trained by", shlex.join(run.manifest.argv)))
            figures += curves_of(archive, run, kind)
            provenances.append(provenance_of(run))
            scores.append(_scores_of(archive, run, kind))
            provenances.append(provenance_of(scores[-1].run))
        except MissingError as missing:
            gaps.append(missing.gap)
    headings = ("kind", "run", *SETTINGS, *RESULTS)
    tables = [Table("Trainings with the paper's settings", headings, rows)] if rows else []
    if scores:
        table = scores_table([score.document for score in scores])
        tables.append(replace(table, caption="Images generated with the paper's settings, and real ones"))
    title = "The paper's settings" if rows else ""
    return Part(title, (), tables, figures, commands, provenances, gaps, folded=True)


def side_by_side(archive: ResultSource) -> Part:
    """The newest overview of several trainings, such as all kinds with a wide and a narrow network."""
    category = ("gan", DATASET, "overview")
    archive.check(
        category,
        MissingResult("several trainings side by side", "", archive.command("ex3", *OVERVIEW.split())),
    )
    run = _newest(archive.of(category, OVERVIEW))
    if run is None:
        return Part("")
    trainings = archive.json(run, OVERVIEW_FILE)["trainings"]
    names = training_names(trainings)
    shown = figure(
        archive,
        run,
        "figures/overview",
        caption="Losses and images of each training; a row a preset, a column a kind.",
        alt=f"For each of {listed(names)}: its loss curves and thirty generated images.",
    )
    commands = [
        [name, training["run"], training["command"]] for name, training in zip(names, trainings, strict=True)
    ]
    how = Table("How each was trained", ("training", "run", "command"), commands, folded=True)
    tables = [overview_table(trainings), how]
    title = "Several trainings side by side"
    return Part(title, (), tables, [shown], provenances=[provenance_of(run)], folded=True)


def with_the_papers_settings(archive: ResultSource, kind: str) -> "Run | None":
    """The best finished training with preset paper: your newest complete one, otherwise the longest.

    None if there is none, or if it is the default generator, which the report shows already.
    """
    category = ("gan", DATASET, kind)
    archive.check(category, untrained(archive, kind))
    archive.check((*category, PAPER), untrained(archive, kind))
    best = Catalog(tuple(archive.of(category, TRAIN)), {}).best(PAPER)
    try:
        return None if best is None or best.name == trained(archive, kind).name else best
    except MissingError:
        return best


def _scores_of(archive: ResultSource, run: "Run", kind: str) -> GeneratorScores:
    """The newest scores of a training, your own or bundled ones."""
    category = ("gan", DATASET, "eval")
    command = archive.command("ex3", "gan", "eval", "--kind", kind, "--run", run.name)
    gap = MissingResult(f"scores of {run.name}", "it has not been scored", command)
    archive.check(category, gap)
    archive.check((*category, kind, PAPER), gap)
    found = _newest([scores for scores in archive.of(category, EVALUATE) if derived_from(scores, run)])
    if found is None:
        raise MissingError(gap)
    return GeneratorScores(kind, found, run, archive.json(found, SCORES_FILE))


def _newest(runs: "list[Run]") -> "Run | None":
    """Your newest finished run, otherwise the newest bundled one."""
    finished = [run for run in runs if run.manifest.state == "finished"]
    return max(finished, key=lambda run: (not run.is_reference, run.manifest.started), default=None)


def _row(archive: ResultSource, run: "Run") -> list[str]:
    """The cells of SETTINGS and RESULTS."""
    manifest = run.manifest
    config, verdict = manifest.config, manifest.summary.get("verdict", "unjudged")
    failed = sum(attempt.verdict == "failed" for attempt in archive.attempts_in(run))
    return [
        str(config["width"]),
        option(config["conditional"]),
        option(config["learning_rate"]),
        str(config["critic_steps"]),
        f"{manifest.summary['iterations']:,}" + (" (shortened)" if manifest.partial else ""),
        str(failed - (verdict == "failed")),
        describe_verdict(verdict, manifest.summary.get("reason")),
    ]
