"""Whether a training's loss tells how good its images are."""

from typing import TYPE_CHECKING, Any

from ex3cli.adversarial.kinds import NAMES
from ex3cli.report.archive import Archive, made_from
from ex3cli.report.blocks import Gap, Part, Table
from ex3cli.report.gans import ASKED, DATASET, TRAIN, kinds, trained
from ex3cli.report.making import making
from ex3cli.report.pictures import figure
from ex3cli.report.trainings import with_the_papers_settings
from ex3cli.report.words import count, fixed, listed

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

CORRELATE = "gan correlate"
CLOSE, AGAINST = 0.8, -0.5
"""From where on the estimate is said to follow the distance, and below what it is said to go the other way."""
FINDINGS = (
    "The estimate falls as the images get better, so that the loss tells how good they are",
    "The estimate says little of how good the images are",
    "The estimate rises as the images get better: it tells how sharp the critic has become, and not how good they are",
    "Too few looks to say, or figures that never change",
)
NOTE = (
    "ρ: Spearman's rank correlation over the looks of the training's judge, each at the mean of the critic's estimate since "
    "the look before and the Fréchet distance of 1,000 images. Looks follow one another, so it has no p-value. At full step "
    "size: over the looks before the step size begins to fall."
)
QUESTION = (
    "A WGAN's loss is said to tell how good its images are, and a GAN's not (Arjovsky et al. 2017). Here each critic's "
    "estimate of the distance is held beside the images' own, look by look, as the training went on."
)
OPTIMUM = (
    "Only a critic near its optimum estimates the distance; preset paper gives it {paper} to each of the generator, preset "
    "quick, which is made for speed, {quick}."
)


def meaning(archive: Archive) -> Part:
    """Estimate and distance through each training, and how they go together."""
    sources = [trained(archive, kind) for kind in ASKED]
    command = archive.command("ex3", *CORRELATE.split(), *_names(archive, sources))
    gap = Gap("whether the loss tells how good the images are", "it was not asked of the generators taken now", command)
    run = archive.newest(
        ("gan", DATASET, "correlation"), CORRELATE, gap, lambda each: all(made_from(each, source) for source in sources)
    )
    document = archive.json(run, "correlation.json")
    rows = document["trainings"]
    told = listed([f"{_name(each)} {_rho(each['correlation'])}" for each in rows])
    shown = figure(
        archive, run, "figures/correlation",
        caption="The critic's estimate above, the images' Fréchet distance below; dashed where the step size begins to fall.",
        alt=f"Curves of the critic's estimate and of the images' distance for each training; rank correlations: {told}.",
    )  # fmt: skip
    headings = ("training", "critic steps", "looks", "ρ", "ρ at full step size")
    table = Table("Estimate and distance through the training", headings, [_row(each) for each in rows], NOTE)
    words = [QUESTION, *_in_words(rows), *_steps(rows), *_left_out(document["left_out"])]
    return Part("Does the loss tell how good the images are?", words, [table], [shown], makings=[making(run)])


def _names(archive: Archive, sources: "list[Run]") -> list[str]:
    """What to name so that these trainings are among those told of: nothing where they are the newest of their kind."""
    found = [_taken_unasked(archive, run) for run in sources]
    if all(found):
        return []
    papers = [with_the_papers_settings(archive, kind) for kind in kinds(archive)]
    return [run.name for run in [*sources, *papers] if run is not None]


def _taken_unasked(archive: Archive, run: "Run") -> bool:
    """Whether `ex3 gan correlate` takes it: the user's newest finished training of its preset, or the shipped one."""
    preset = run.manifest.config.get("preset")
    mine = [
        each for each in archive.of(run.manifest.shelf, TRAIN)
        if not each.is_reference and each.manifest.state == "finished" and each.manifest.config.get("preset") == preset
    ]  # fmt: skip
    return mine[-1].name == run.name if mine else run.is_reference


def _name(row: dict[str, Any]) -> str:
    return f"{NAMES[row['kind']]}, preset {row['preset']}"


def _rho(value: float | None) -> str:
    return fixed(value, 2)


def _row(row: dict[str, Any]) -> list[str]:
    full, looks = row["looks_at_full_step_size"], row["looks"]
    at_full = "the same" if full == looks else f"{_rho(row['correlation_at_full_step_size'])} ({count(full, 'look')})"
    return [_name(row), str(row["critic_steps"]), str(looks), _rho(row["correlation"]), at_full]


def _in_words(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence for each of the findings, with the trainings that it is of."""
    grouped: dict[str, list[str]] = {}
    for row in rows:
        looks = count(row["looks"], "look")
        told = looks if row["correlation"] is None else f"ρ = {_rho(row['correlation'])} over {looks}"
        grouped.setdefault(_finding(row["correlation"]), []).append(f"{_name(row)} ({told})")
    return [f"{finding}: {listed(grouped[finding])}." for finding in FINDINGS if finding in grouped]


def _finding(value: float | None) -> str:
    follows, silent, against, few = FINDINGS
    if value is None:
        return few
    return follows if value >= CLOSE else against if value <= AGAINST else silent


def _steps(rows: list[dict[str, Any]]) -> list[str]:
    """What sets the two presets' critics apart, where WGANs of both are told of."""
    steps = {row["preset"]: row["critic_steps"] for row in rows if row["kind"] == "wgan"}
    if not {"paper", "quick"} <= steps.keys() or steps["paper"] <= steps["quick"]:
        return []
    return [OPTIMUM.format(paper=count(steps["paper"], "step"), quick=str(steps["quick"]))]


def _left_out(causes: dict[str, str]) -> list[str]:
    return [f"Left out: {listed(list(causes.values()))}."] if causes else []
