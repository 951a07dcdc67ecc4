"""Decisions that the exercise leaves open, each with the relevant measurements."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ex3cli.gan.kinds import KINDS, NAMES
from ex3cli.report.document import Formula, MissingResult, Part, Table, refer
from ex3cli.report.sections.distances import lines
from ex3cli.report.sections.few_label_rows import BASELINES, FeatureRow, feature_rows
from ex3cli.report.sections.few_label_runs import SIZES, comparison
from ex3cli.report.sections.few_label_runs import TRAIN as VAE_TRAIN
from ex3cli.report.sections.gans import DATASET, kinds, scores_of, trained
from ex3cli.report.source import MissingError, ResultSource
from ex3cli.report.words import option
from ex3cli.tables import fixed, number, percent

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

IN_SHORT = (
    "The bound on the critic, the networks and their settings, and the VAE's likelihood, with the "
    "measurements behind them."
)
ONE_STEP = (
    "The papers take 5 steps of the critic to one of the generator. On two processor cores one step is "
    "worth more: measured on held-out training images with seed 0, WGAN-GP reached label agreement 0.86 "
    "and coverage 0.59 with one step after 1,200 iterations, and, in more time, 0.81 and 0.53 with two "
    "steps after 800."
)

LIKELIHOODS = {
    "paper": "Bernoulli",
    "relu": "Bernoulli of grey levels",
    "pixels": "Gaussian, learned variance",
    "edges": "Gaussian, learned variance; pixels and HOG",
}
"""The likelihood of each preset."""
SETTINGS = (
    ("network", "network"),
    ("width", "channels of the first layer"),
    ("latent_dim", "size of z"),
    ("conditional", "class in batch normalisation of G and projection in D"),
    ("critic_norm", "normalisation in D"),
    ("critic_steps", "steps of D an iteration"),
    ("optimizer", "optimizer"),
    ("learning_rate", "learning rate of G"),
    ("critic_lr_ratio", "learning rate of D"),
    ("lr_decay_fraction", "share of the training with a falling rate"),
    ("beta1", "β₁"),
    ("beta2", "β₂"),
    ("batch_size", "batch"),
    ("iterations", "iterations"),
    ("precision", "precision"),
    ("ema_decay", "decay of averaged weights"),
    ("gp_weight", "penalty's weight λ"),
    ("weight_clip", "clipping bound"),
    ("class_weight_clip", "clipping bound of class weights"),
    ("aux_weight", "auxiliary classifier: weight in D's loss"),
    ("aux_weight_g", "auxiliary classifier: weight in G's loss"),
)
VAE_SETTINGS = (
    ("architecture", "network"),
    ("inputs", "encodes and reconstructs"),
    ("width", "channels of the first layer"),
    ("hidden", "units of the fully connected layers"),
    ("latent_dim", "size of z"),
    ("likelihood", "likelihood of the pixels"),
    ("beta", "weight of the KL term"),
    ("augmentation", "strength of the random warps"),
    ("epochs", "epochs"),
    ("batch_size", "batch"),
    ("learning_rate", "learning rate (Adam)"),
    ("schedule", "schedule of the learning rate"),
    ("weight_decay", "weight decay"),
    ("features", "features of the SVM"),
    ("pca_components", "principal components kept of them"),
)


def penalty(archive: ResultSource) -> Part:
    """The Lipschitz constraint of WGAN-GP, and its effect for distributions with known W."""
    weight = trained(archive, "wgan").manifest.config["gp_weight"]
    paragraphs: list[str | Formula] = [
        "The dual of W needs a 1-Lipschitz critic. WGAN-GP (Gulrajani et al. 2017) adds to the critic's loss",
        Formula(r"\lambda\, \mathbb{E} \left( \lVert\nabla D(\hat{x})\rVert - 1 \right)^2,"),
        f"with x̂ on the line between a real and a generated image, the norm taken for each image, and λ = "
        f"{weight:g}. The penalty discourages slopes above 1 but does not forbid them, so that the estimate "
        "tends to be a little too high.",
    ]
    gap = MissingResult(
        "what the penalty does where W is known",
        "no critic was trained there",
        archive.command("ex3", "divergence"),
    )
    try:
        _, document = lines(archive)
        rows = [_reading(result) for result in document["results"] if "critic" in result["w"]["estimates"]]
        if not rows:
            raise MissingError(gap)
    except MissingError as missing:
        return Part("Gradient penalty", paragraphs, gaps=[missing.gap])
    headings = ["θ", "W", "the critic's estimate", "slope at Q"]
    caption = f"A critic with penalty λ = {document['settings']['gp_weight']:g} on the two shifted lines"
    paragraphs.append(f"{refer('critic')} shows it on the two shifted lines, where W is known.")
    return Part("Gradient penalty", paragraphs, [Table(caption, headings, rows, label="critic")])


def _reading(each: dict[str, Any]) -> list[str]:
    found = each["w"]["estimates"]["critic"]
    values = [fixed(found["value"], 4), fixed(found["gradient"], 3)]
    return [number(each["theta"]), number(each["w"]["exact"]), *values]


def clipping(archive: ResultSource) -> Part:
    """Weight clipping, the original constraint, and its results here."""
    gaps, rows = [], []
    bound = ""
    try:
        bound = f", here to ±{trained(archive, 'wgan-clip').manifest.config['weight_clip']:g}"
    except MissingError as missing:
        gaps.append(missing.gap)
    for kind in ("wgan", "wgan-clip") if bound else ():
        try:
            document = scores_of(archive, kind).document
            rows.append([NAMES[kind], fixed(document["fid"], 4), fixed(document["coverage"], 3)])
        except MissingError as missing:
            gaps.append(missing.gap)
    text = (
        "The first WGAN (Arjovsky et al. 2017) clips each weight of its critic to a small "
        f"interval{bound}. That bounds the slope only loosely and leaves a critic of little capacity; the "
        "penalty replaced it."
    )
    tables = (
        [Table("Penalty and clipping", ["", "Fréchet distance", "coverage"], rows)] if len(rows) > 1 else []
    )
    return Part("Clipping", [text], tables, gaps=gaps)


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
    if not configs:
        return Part("Networks and settings", gaps=gaps)
    rows = [
        [name, *(_value(config, key) for config in configs.values())]
        for key, name in SETTINGS
        if any(key in config for config in configs.values())
    ]
    paragraphs = [
        "The networks are convolutions of stride 2 without residual blocks, as the paper's network for "
        "CIFAR-10, at 28 × 28. With the gradient penalty the critic has layer normalisation or none, not "
        "batch normalisation: the penalty is of each image, and a batch would tie images together. The "
        "class enters the generator by conditional batch normalisation and the critic by projection. An "
        f"auxiliary classifier on the critic's features, where it has a weight in {refer('settings')}, "
        "helps the WGANs to draw the requested class."
    ]
    config = configs.get("wgan", {})
    if (config.get("preset"), config.get("critic_steps")) == ("quick", 1):
        paragraphs.append(ONE_STEP)
    headings = ["D: discriminator or critic, G: generator", *(NAMES[kind] for kind in configs)]
    table = Table("Settings of the GANs", headings, rows, label="settings")
    return Part("Networks and settings", paragraphs, [table], gaps=gaps)


def _value(config: dict[str, Any], key: str) -> str:
    """The value of a setting; a dash if the training ignores it."""
    kind = KINDS.get(str(config.get("kind")))
    constraint = None if kind is None else kind.constraint
    is_read = {
        "gp_weight": constraint == "gradient penalty",
        "weight_clip": constraint == "weight clipping",
        "class_weight_clip": constraint == "weight clipping",
        "beta1": config.get("optimizer") == "adam",
        "beta2": config.get("optimizer") == "adam",
    }
    if not is_read.get(key, True):
        return "–"
    if key == "critic_lr_ratio" and key in config:
        return option(config["learning_rate"] * config[key])
    value = config.get(key)
    return f"{value:,}" if type(value) is int else option(value)


def likelihood(archive: ResultSource) -> Part:
    """The VAE's likelihood, and how many latent dimensions it keeps active."""
    comparison(archive, DATASET)  # without one the table is a gap
    found = feature_rows(archive, DATASET)
    models = [row for row in found if row.active_dimensions is not None]
    baselines = [row for row in found if row.name in BASELINES.values()]
    ends = (SIZES[0], SIZES[-1])
    rows = [
        [row.name, LIKELIHOODS.get(row.preset, ""), str(row.active_dimensions), *_accuracies(row, ends)]
        for row in models
    ]
    rows += [[row.name, "no model", "–", *_accuracies(row, ends)] for row in baselines]
    headings = ["features", "likelihood", "active dimensions", *(f"{size:,} labels, %" for size in ends)]
    text = (
        "The choice of likelihood determines how many latent dimensions repay their KL cost: with "
        "Bernoulli pixels, as in the paper, few stay active, with Gaussian pixels of learned variance "
        "more do."
    )
    table = Table("Likelihood, active latent dimensions and accuracy on Fashion-MNIST", headings, rows)
    return Part("Likelihood", [text], [table])


def autoencoder(archive: ResultSource) -> Part:
    """The settings of the VAE that computes the SVM's features, and the choice of C and γ."""
    gap = MissingResult(
        f"a VAE of {DATASET}", "there is none", archive.command("ex3", "vae", "train"), quick=False
    )
    config = archive.taken(("vae", DATASET), VAE_TRAIN, gap).manifest.config
    rows = [[name, option(config[key])] for key, name in VAE_SETTINGS if key in config]
    text = (
        f"{refer('vae-settings')} gives the settings of the VAE. Each block of features is scaled to unit "
        "total variance without labels. The SVM's C and γ are the best of a grid on the last sixth of the "
        "training images, from which no draw takes a label; the test images decide nothing."
    )
    table = Table("Settings of the VAE", ["setting", "value"], rows, label="vae-settings")
    return Part("The VAE and the SVM", [text], [table])


def _accuracies(row: FeatureRow, sizes: Sequence[int]) -> list[str]:
    """The mean accuracy in percent for each number of labels."""
    return [percent(row.scores[size][0], 1) if size in row.scores else "–" for size in sizes]


PARTS = (penalty, clipping, architecture, likelihood, autoencoder)
