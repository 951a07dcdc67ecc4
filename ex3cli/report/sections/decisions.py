"""Decisions that the exercise leaves open, each with the numbers that bear on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ex3cli.gan.kinds import NAMES
from ex3cli.report.document import MissingResult, Part, Table
from ex3cli.report.sections.few_labels import (
    BASELINES,
    LIKELIHOODS,
    RECIPES,
    Judged,
    comparison,
    judged,
    ordered,
    selection,
)
from ex3cli.report.sections.gans import DATASET, Scored, kinds, scored, trained
from ex3cli.report.sections.theory import lines
from ex3cli.report.source import MissingError, ResultSource
from ex3cli.report.words import count, fixed, listed, number, option, percent

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

LEAST_W = 0.05  # of lines of length 1: at less, what a critic reads by chance is no small share of W
PAPERS_STEPS = 5
WHY_ONE_STEP = (
    "On two processor cores the time buys more as steps of the generator: measured when the preset was "
    "chosen, seed 0, on "
    "training images held back, WGAN with gradient penalty came to label agreement .86 and coverage .59 "
    "with one step of the "
    "critic after 1,200 iterations, and in more time to .81 and .53 with two after 800."
)
"""Measured by this project's own code; the comment above `QUICK_TRAINING` in gan/presets.py tells the whole
search.
"""
SETTINGS = (
    ("network", "network"),
    ("width", "channels of the first layer"),
    ("latent_dim", "size of z"),
    ("conditional", "class-conditional"),
    ("critic_steps", "critic's steps an iteration"),
    ("optimizer", "optimizer"),
    ("learning_rate", "learning rate"),
    ("beta1", "β₁"),
    ("beta2", "β₂"),
    ("batch_size", "batch"),
    ("iterations", "iterations"),
    ("ema_decay", "decay of averaged weights"),
    ("gp_weight", "penalty's weight λ"),
    ("weight_clip", "clipping bound"),
)


def penalty(archive: ResultSource) -> Part:
    """How the critic is kept 1-Lipschitz."""
    run = trained(archive, "wgan")
    weight = run.manifest.config["gp_weight"]
    said = [
        f"WGAN's critic must not be steeper than 1. Here its loss carries λ = {weight:g} times the mean of "
        "(‖∇D(x̂)‖ − 1)², "
        "x̂ on the line between a real and a drawn image, the norm taken over each image (Gulrajani et al. "
        "2017)."
    ]
    gaps, tables = [], []
    gap = MissingResult(
        "what the penalty does where W is known",
        "no critic was trained there",
        archive.command("ex3", "divergence"),
    )
    try:
        _, document = lines(archive)
        readings = [_reading(each) for each in document["results"] if "critic" in each["w"]["estimates"]]
        if not readings:
            raise MissingError(gap)
        rows = [
            [number(each.theta), number(each.exact), fixed(each.said, 4), fixed(each.slope, 3)]
            for each in readings
        ]
        tables.append(
            Table(
                "A critic with this penalty where W is known", ["θ", "W", "critic says", "slope at Q"], rows
            )
        )
        said.append(_off_by(readings, document["settings"]["gp_weight"]))
    except MissingError as missing:
        gaps.append(missing.gap)
    return Part("Gradient penalty", said, tables, gaps=gaps)


@dataclass(frozen=True)
class Reading:
    """What a trained critic says of the two lines at one shift."""

    theta: float
    exact: float
    said: float
    slope: float | None


def _reading(each: dict[str, Any]) -> Reading:
    found = each["w"]["estimates"]["critic"]
    return Reading(each["theta"], each["w"]["exact"], found["value"], found["gradient"])


def _off_by(readings: list[Reading], weight: float) -> str:
    """How far the critic is off where W is known, over the shifts whose W stands well out of what it reads at
    θ = 0.
    """
    least = max([LEAST_W, *(10 * abs(each.said) for each in readings if each.exact == 0)])
    errors = [each.said / each.exact - 1 for each in readings if each.exact >= least]
    if not errors:
        return (
            f"How far it is off can be told only of W from {number(least, 2)} up, beyond chance; none is so "
            "large here."
        )
    low, high = min(errors), max(errors)
    said = (
        f"On the two lines, where W is known, a critic with this penalty (λ = {weight:g}) reads "
        f"{_range(low, high)} "
        f"at the {count(len(errors), 'shift')} whose W is at least {number(least, 2)}"
    )
    if high <= 0:
        return f"{said}."
    why = "the penalty discourages slopes above 1 but does not forbid them"
    return f"{said}: {why}." if low > 0 else f"{said}. Too high it reads since {why}."


def _range(low: float, high: float) -> str:
    """From one relative error to another, each with its side where they have not the same."""
    if fixed(100 * low, 1) == fixed(100 * high, 1):
        return _sided(high)
    if low < 0 < high:
        return f"{_sided(low)} to {_sided(high)}"
    near, far = sorted((low, high), key=abs)
    return f"{percent(abs(near), 1)} % to {_sided(far)}"


def _sided(error: float) -> str:
    return f"{percent(abs(error), 1)} % too {'high' if error > 0 else 'low'}"


def clipping(archive: ResultSource) -> Part:
    """The original way, and what it comes to here."""
    said = [
        "The first WGAN kept its critic from being steep by clipping each weight to a small interval. That "
        "bounds the slope, "
        "but loosely, and leaves a critic of little capacity; Gulrajani et al. replaced it by the penalty."
    ]
    try:
        run = trained(archive, "wgan-clip")
    except MissingError as missing:
        return Part("Clipping", said, gaps=[missing.gap])
    said.append(f"Here weights are clipped to ±{run.manifest.config['weight_clip']:g}.")
    found, gaps = [], []
    for kind in ("wgan", "wgan-clip"):
        try:
            found.append(scored(archive, kind))
        except MissingError as missing:
            gaps.append(missing.gap)
    if len(found) == 2:
        said.append(_against(*found))
    return Part("Clipping", said, gaps=gaps)


def _against(penalised: Scored, clipped: Scored) -> str:
    a, b = penalised.document, clipped.document
    order = "farther from" if b["fid"] > a["fid"] else "nearer to"
    return (
        f"Its images are {order} the real ones than those with the penalty: Fréchet distance "
        f"{fixed(b['fid'], 4)} against "
        f"{fixed(a['fid'], 4)}, coverage {percent(b['coverage'], 1)} % against {percent(a['coverage'], 1)} %."
    )


def architecture(archive: ResultSource) -> Part:
    """The GANs' networks and settings, side by side."""
    runs: dict[str, Run] = {}
    gaps = []
    for kind in kinds(archive):
        try:
            runs[kind] = trained(archive, kind)
        except MissingError as missing:
            gaps.append(missing.gap)
    configs = {kind: run.manifest.config for kind, run in runs.items()}
    rows = [
        [name, *(_value(config, key) for config in configs.values())]
        for key, name in SETTINGS
        if any(key in config for config in configs.values())
    ]
    said = [
        "Convolutions of stride 2 without residual blocks, as the paper's network for CIFAR-10, at 28 × 28. "
        "Under the gradient "
        "penalty the critic has no batch normalisation: the penalty is each image's own, and a batch would "
        "tie images together."
    ]
    used = [
        f"{NAMES[kind]}: {listed(_own(config))}" for kind, config in configs.items() if _own(config)
    ]  # what of the table is its own
    table = Table(
        "Settings of the GANs that were taken", ["setting", *(NAMES[kind] for kind in configs)], rows
    )
    note = [f"Its way of bounding the critic is each kind's own. {'; '.join(used)}."] if used else []
    return Part("Architecture", said + note + _steps(configs), [table] if configs else [], gaps=gaps)


def _steps(configs: dict[str, dict[str, Any]]) -> list[str]:
    """How often the critic moves, beside the papers."""
    told = {
        kind: config["critic_steps"]
        for kind, config in configs.items()
        if kind != "dcgan" and "critic_steps" in config
    }
    if not told:
        return []
    steps = listed([f"{times} in {NAMES[kind]}" for kind, times in told.items()])
    said = (
        f"Steps of the critic to one of the generator: {steps}; the papers take {PAPERS_STEPS} for both "
        "WGANs."
    )
    config = configs.get("wgan", {})
    if (config.get("preset"), told.get("wgan")) == ("quick", 1):
        said += f" {WHY_ONE_STEP}"
    return [said]


def _value(config: dict[str, Any], key: str) -> str:
    """A setting; a dash where the training does not read it."""
    needed = {
        "gp_weight": ("kind", "wgan"),
        "weight_clip": ("kind", "wgan-clip"),
        "beta1": ("optimizer", "adam"),
        "beta2": ("optimizer", "adam"),
    }
    if key in needed:
        name, wanted = needed[key]
        if config.get(name) != wanted:
            return "–"
    value = config.get(key)
    return f"{value:,}" if type(value) is int else option(value)


def _own(config: dict[str, Any]) -> list[str]:
    """What a kind holds its critic by."""
    if config.get("kind") == "wgan":
        return [f"λ = {config['gp_weight']:g}"]
    return [f"weights within ±{config['weight_clip']:g}"] if config.get("kind") == "wgan-clip" else []


def kernel(archive: ResultSource) -> Part:
    """The SVM's kernel."""
    found = judged(archive, DATASET)
    kernels = list(dict.fromkeys(row["kernel"].upper() for row in found.rows))
    said = (
        f"{listed(kernels)}. The features are points in a space where near means alike, so a kernel of "
        "distance fits. "
        f"{selection(found)} {_chosen(found)}"
    )
    return Part("Kernel", [said])


def _chosen(found: Judged) -> str:
    rows = [row for row in found.rows if row["penalty"] is not None]
    told: dict[str, list[str]] = {}
    for row in rows:
        told.setdefault(f"C = {row['penalty']:g}, γ = {row['gamma']:g}", []).append(f"{row['labels']:,}")
    return (
        f"These are {'; '.join(f'{values} with {listed(sizes)} labels' for values, sizes in told.items())}."
        if told
        else ""
    )


def likelihood(archive: ResultSource) -> Part:
    """The VAE's likelihood, and how many latent dimensions it keeps alive."""
    _, document = comparison(archive, DATASET)
    recipes = ordered(document["recipes"])
    rows = []
    for name, entry in recipes:
        first, last = entry["results"][0], entry["results"][-1]
        shares = [percent(first["accuracy_mean"], 1), percent(last["accuracy_mean"], 1)]
        rows.append(
            [
                RECIPES.get(name, name),
                LIKELIHOODS.get(name, ""),
                str(entry["summary"]["active_dimensions"]),
                *shares,
            ]
        )
    pixels = document["baselines"].get("raw_pixels")
    said = [_likelihood_in_words(dict(recipes), pixels)]
    first, last = recipes[0][1]["results"][0], recipes[0][1]["results"][-1]
    headings = [
        "recipe",
        "likelihood",
        "active dimensions",
        f"{first['labels']:,} labels, %",
        f"{last['labels']:,} labels, %",
    ]
    if pixels:
        shares = [percent(pixels[0]["accuracy_mean"], 1), percent(pixels[-1]["accuracy_mean"], 1)]
        rows.append([BASELINES["raw_pixels"], "no model", "–", *shares])
    return Part("Likelihood", said, [Table("Likelihood, active latent dimensions, accuracy", headings, rows)])


def _likelihood_in_words(recipes: dict[str, Any], pixels: list[dict[str, Any]] | None) -> str:
    said = "What the decoder takes an image to be decides how many latent dimensions are worth their cost."
    active = {
        name: entry["summary"]["active_dimensions"] for name, entry in recipes.items() if name in LIKELIHOODS
    }
    if "paper" in active and len(active) > 1:
        others = [f"{count} in {RECIPES[name]}" for name, count in active.items() if name != "paper"]
        said += (
            f" Bernoulli pixels, as in the paper, keep {active['paper']} of them active; Gaussian ones "
            f"{listed(others)}."
        )
    if "paper" in recipes and pixels:
        pairs = zip(recipes["paper"]["results"], pixels, strict=False)
        lost = [f"{a['labels']:,}" for a, b in pairs if a["accuracy_mean"] < b["accuracy_mean"]]
        if lost:
            said += f" With {listed(lost)} labels raw pixels beat the paper's recipe on this data set."
        else:
            said += " The paper's recipe beats raw pixels at every number of labels."
    return said


PARTS = (penalty, clipping, architecture, kernel, likelihood)
