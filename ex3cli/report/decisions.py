"""Decisions that the exercise leaves open, each with the numbers that bear on it."""

from typing import TYPE_CHECKING, Any

from ex3cli.adversarial.kinds import NAMES
from ex3cli.report.archive import Archive, MissingError
from ex3cli.report.blocks import Gap, Part, Table
from ex3cli.report.few_labels import BASELINES, LIKELIHOODS, RECIPES, Judged, comparison, judged, ordered, selection
from ex3cli.report.gans import DATASET, Scored, kinds, scored, trained
from ex3cli.report.words import listed, number, percent, setting

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

SETTINGS = (
    ("network", "network"), ("width", "channels of the first layer"), ("latent_size", "size of z"),
    ("conditional", "class-conditional"), ("critic_steps", "critic's steps an iteration"), ("optimiser", "optimiser"),
    ("learning_rate", "learning rate"), ("beta1", "β₁"), ("beta2", "β₂"), ("batch_size", "batch"),
    ("iterations", "iterations"), ("average_decay", "decay of averaged weights"), ("penalty_weight", "penalty's weight λ"),
    ("clip", "clipping bound"),
)  # fmt: skip


def penalty(archive: Archive) -> Part:
    """How the critic is kept 1-Lipschitz."""
    run = trained(archive, "wgan")
    weight = run.manifest.config["penalty_weight"]
    said = [
        f"WGAN's critic must not be steeper than 1. Here its loss carries λ = {weight:g} times the mean of (‖∇D(x̂)‖ − 1)², "
        "x̂ on the line between a real and a drawn image, the norm taken over each image (Gulrajani et al. 2017)."
    ]
    gaps, tables = [], []
    gap = Gap("what the penalty does where W is known", "no run has a trained critic", archive.command("ex3", "divergence"))
    try:
        found = archive.newest(("divergence",), "divergence", gap, suits=_has_critic)
        document = archive.json(found, "results.json")
        rows = [row for each in document["results"] if (row := _critic(each))]
        tables.append(Table("A critic with this penalty where W is known", ["θ", "W", "critic says", "slope at Q"], rows))
        said.append(_off_by(document))
    except MissingError as missing:
        gaps.append(missing.gap)
    return Part("Gradient penalty", said, tables, gaps=gaps)


def _off_by(document: dict[str, Any]) -> str:
    """How far the critic is off where W is known."""
    pairs = [(each["w"]["exact"], each["w"]["estimates"]["critic"]["value"]) for each in document["results"] if each["theta"]]
    errors = [said / exact - 1 for exact, said in pairs if exact]
    worst = max(errors, key=abs, default=0.0)
    return (
        f"On the two lines, where W is known, a critic with this penalty (λ = {document['settings']['penalty']:g}) reads "
        f"at most {percent(abs(worst), 1)} % too {'high' if worst > 0 else 'low'}: the penalty discourages slopes above 1 but "
        "does not forbid them."
    )


def _has_critic(run: "Run") -> bool:
    return bool(run.manifest.config.get("critic_steps"))


def _critic(each: dict[str, Any]) -> list[str]:
    found = each["w"]["estimates"].get("critic")
    if found is None:
        return []
    return [number(each["theta"]), number(each["w"]["exact"]), number(found["value"]), number(found["gradient"])]


def clipping(archive: Archive) -> Part:
    """The original way, and what it comes to here."""
    said = [
        "The first WGAN kept its critic from being steep by clipping each weight to a small interval. That bounds the slope, "
        "but loosely, and leaves a critic of little capacity; Gulrajani et al. replaced it by the penalty."
    ]
    try:
        run = trained(archive, "wgan-clip")
    except MissingError as missing:
        return Part("Clipping", said, gaps=[missing.gap])
    said.append(f"Here weights are clipped to ±{run.manifest.config['clip']:g}.")
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
        f"Its images are {order} the real ones than those with the penalty: Fréchet distance {number(b['fid'], 3)} against "
        f"{number(a['fid'], 3)}, coverage {percent(b['coverage'], 1)} % against {percent(a['coverage'], 1)} %."
    )


def architecture(archive: Archive) -> Part:
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
        "Convolutions of stride 2 without residual blocks, as the paper's network for CIFAR-10, at 28 × 28. Under the gradient "
        "penalty the critic has no batch normalisation: the penalty is each image's own, and a batch would tie images together."
    ]
    used = [
        f"{NAMES[kind]}: {listed(_own(config))}" for kind, config in configs.items() if _own(config)
    ]  # what of the table is its own
    table = Table("Settings of the GANs that were taken", ["setting", *(NAMES[kind] for kind in configs)], rows)
    note = [f"Its way of bounding the critic is each kind's own. {'; '.join(used)}."] if used else []
    return Part("Architecture", said + note, [table] if configs else [], gaps=gaps)


def _value(config: dict[str, Any], key: str) -> str:
    """A setting; a dash where the kind has no use for it."""
    used = {"penalty_weight": "wgan", "clip": "wgan-clip"}
    return setting(config.get(key)) if used.get(key, config.get("kind")) == config.get("kind") else "–"


def _own(config: dict[str, Any]) -> list[str]:
    """What a kind holds its critic by."""
    if config.get("kind") == "wgan":
        return [f"λ = {config['penalty_weight']:g}"]
    return [f"weights within ±{config['clip']:g}"] if config.get("kind") == "wgan-clip" else []


def kernel(archive: Archive) -> Part:
    """The SVM's kernel."""
    found = judged(archive, DATASET)
    kernels = list(dict.fromkeys(row["kernel"].upper() for row in found.rows))
    said = (
        f"{listed(kernels)}. The features are points in a space where near means alike, so a kernel of distance fits. "
        f"{selection(found)} {_chosen(found)}"
    )
    return Part("Kernel", [said])


def _chosen(found: Judged) -> str:
    rows = [row for row in found.rows if row["penalty"] is not None]
    told = [f"C = {row['penalty']:g}, γ = {row['gamma']:g} with {row['labels']:,} labels" for row in rows]
    return f"These are {listed(told)}." if told else ""


def likelihood(archive: Archive) -> Part:
    """The VAE's likelihood, and how many latent dimensions it keeps alive."""
    _, document = comparison(archive, DATASET)
    recipes = ordered(document["recipes"])
    rows = []
    for name, entry in recipes:
        first, last = entry["results"][0], entry["results"][-1]
        shares = [percent(first["accuracy_mean"], 1), percent(last["accuracy_mean"], 1)]
        rows.append([RECIPES.get(name, name), LIKELIHOODS.get(name, ""), str(entry["summary"]["active_dimensions"]), *shares])
    pixels = document["baselines"].get("raw_pixels")
    said = [_likelihood_in_words(dict(recipes), pixels)]
    first, last = recipes[0][1]["results"][0], recipes[0][1]["results"][-1]
    headings = ["recipe", "likelihood", "active dimensions", f"{first['labels']:,} labels, %", f"{last['labels']:,} labels, %"]
    if pixels:
        shares = [percent(pixels[0]["accuracy_mean"], 1), percent(pixels[-1]["accuracy_mean"], 1)]
        rows.append([BASELINES["raw_pixels"], "no model", "–", *shares])
    return Part("Likelihood", said, [Table("Likelihood, active latent dimensions, accuracy", headings, rows)])


def _likelihood_in_words(recipes: dict[str, Any], pixels: list[dict[str, Any]] | None) -> str:
    said = "What the decoder takes an image to be decides how many latent dimensions are worth their cost."
    active = {name: entry["summary"]["active_dimensions"] for name, entry in recipes.items() if name in LIKELIHOODS}
    if "paper" in active and len(active) > 1:
        others = [f"{count} in {RECIPES[name]}" for name, count in active.items() if name != "paper"]
        said += f" Bernoulli pixels, as in the paper, keep {active['paper']} of them active; Gaussian ones {listed(others)}."
    if "paper" in recipes and pixels:
        pairs = zip(recipes["paper"]["results"], pixels, strict=False)
        lost = [f"{a['labels']:,}" for a, b in pairs if a["accuracy_mean"] < b["accuracy_mean"]]
        if lost:
            said += f" With {listed(lost)} labels raw pixels beat the paper's recipe on this data set."
        else:
            said += " The paper's recipe beats raw pixels at every number of labels."
    return said


PARTS = (penalty, clipping, architecture, kernel, likelihood)
