"""Trainings that are not taken unasked: with the paper's own settings, and several side by side."""

from typing import TYPE_CHECKING, Any

from ex3cli.adversarial.kinds import NAMES
from ex3cli.report.archive import Archive, made_from
from ex3cli.report.blocks import Figure, Gap, Making, Part, Table
from ex3cli.report.gans import DATASET, EVALUATE, TRAIN, Scored, curves_of, scores_table
from ex3cli.report.making import making
from ex3cli.report.pictures import figure
from ex3cli.report.words import count, fixed, listed

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

PAPER = "paper"
OVERVIEW = "gan overview"


def papers(archive: Archive) -> Part:
    """What the settings of Gulrajani et al. 2017 come to, of each kind that was trained with them."""
    words: list[str] = []
    figures: list[Figure] = []
    makings: list[Making] = []
    scores: list[Scored] = []
    gaps: list[Gap] = []
    for kind in NAMES:
        run = _with_the_papers_settings(archive, kind)
        if run is None:
            continue
        words.append(_course(archive, run, kind))
        figures += curves_of(archive, run, kind)
        makings.append(making(run))
        found = _newest([each for each in archive.of(("gan", DATASET, "eval"), EVALUATE) if made_from(each, run)])
        if found is None:
            command = archive.command("ex3", "gan", "eval", "--kind", kind, "--run", run.name)
            gaps.append(Gap(f"scores of {run.name}", "it has not been scored", command))
            continue
        scores.append(Scored(kind, found, run, archive.json(found, "scores.json")))
        makings.append(making(found))
    tables = [scores_table(scores)] if scores else []
    return Part("With the paper's own settings" if words else "", words, tables, figures, makings=makings, gaps=gaps)


def side_by_side(archive: Archive) -> Part:
    """The newest overview of several trainings, such as all kinds in a wide and a narrow network."""
    shelf = ("gan", DATASET, "overview")
    archive.check(shelf, Gap("several trainings side by side", "", archive.command("ex3", *OVERVIEW.split())))
    run = _newest(archive.of(shelf, OVERVIEW))
    if run is None:
        return Part("")
    rows = archive.json(run, "overview.json")["trainings"]
    names = listed([f"{NAMES[each['kind']]} {each['preset']}" for each in rows])
    shown = figure(
        archive, run, "figures/overview", caption="Losses and images of each training; a row a preset, a column a kind.",
        alt=f"For each of {names}: its loss curves and thirty images that it draws.",
    )  # fmt: skip
    table = Table("Several trainings", HEADINGS, [_row(each) for each in rows], NOTE)
    lines = [[_name(each), each["command"]] for each in rows]
    how = Table("How each was trained", ("training", "command"), lines, folded=True)
    return Part("Several trainings side by side", (), [table, how], [shown], makings=[making(run)])


HEADINGS = (
    "training", "channels", "told the class", "iterations", "failed before", "verdict", "label agreement", "rarest class",
    "coverage", "Fréchet distance",
)  # fmt: skip
NOTE = (
    "What each one's judge measured at its end. A shortened training stopped before its preset's full length: that it does not "
    "pass says no more than that. Rarest class: its share of the images, where no class is asked for; a tenth is fair."
)


def _name(each: dict[str, Any]) -> str:
    return f"{NAMES[each['kind']]}, {each['preset']}"


def _row(each: dict[str, Any]) -> list[str]:
    verdict = each["verdict"] if each["reason"] is None else f"{each['verdict']}: {each['reason']}"
    before = each["failed"] - (each["verdict"] == "failed")
    return [
        _name(each), str(each["width"]), "yes" if each["conditional"] else "no",
        f"{each['iterations']:,}" + (" (shortened)" if each["partial"] else ""), str(before), verdict,
        fixed(each["label_agreement"], 3), fixed(each["rarest_class"], 3), fixed(each["coverage"], 3), fixed(each["fid"], 4),
    ]  # fmt: skip


def _with_the_papers_settings(archive: Archive, kind: str) -> "Run | None":
    """The newest finished training of preset paper, shortened or not, converged or not."""
    shelf = ("gan", DATASET, kind)
    archive.check((*shelf, PAPER), Gap(f"{NAMES[kind]} with the paper's settings", "", ""))
    found = archive.of(shelf, TRAIN)
    return _newest([each for each in found if each.manifest.config.get("preset") == PAPER])


def _newest(runs: "list[Run]") -> "Run | None":
    """Of finished runs the user's newest, else the shipped one."""
    finished = [each for each in runs if each.manifest.state == "finished"]
    return max(finished, key=lambda each: (not each.is_reference, each.manifest.started), default=None)


def _course(archive: Archive, run: "Run", kind: str) -> str:
    """How long it was trained, how often it failed before, and what its judge said."""
    attempts, summary, config = archive.attempts_in(run), run.manifest.summary, run.manifest.config
    last = attempts[-1]
    length = f"{'fewer than ' if run.manifest.partial else ''}the preset's full length"
    told = "told the class" if config.get("conditional") else "not told the class"
    verdict = last.verdict if last.reason is None else f"{last.verdict} ({last.reason})"
    before = count(sum(each.verdict == "failed" for each in attempts[:-1]), "attempt")
    return (
        f"{NAMES[kind]}, {run.name}: {summary['iterations']:,} iterations ({length}), {config.get('width')} channels, {told}; "
        f"{before} failed before it. Its judge's verdict: {verdict}."
    )
