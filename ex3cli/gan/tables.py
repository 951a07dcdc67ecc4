"""Tables of images and attempts: `ex3 gan eval`, `ex3 gan train`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ex3cli.datasets.registry import spec
from ex3cli.gan.kinds import NAMES
from ex3cli.tables import Table, fixed, number
from ex3cli.training.attempts import Attempt, describe_verdict

SCORES = (
    ("FID (64 classifier features)", "fid", "fid_floor", 4),
    ("KID × 1,000", "kid", "kid_floor", 2),
    ("coverage", "coverage", "coverage_floor", 3),
    ("density", "density", "density_floor", 3),
    ("label agreement", "label_agreement", "classifier_accuracy", 3),
)
"""Each metric of `ex3 gan eval`: its name, its key, the key of the value of real images, its decimals."""
VALUES = {
    "label_agreement": ("label agreement", 3, ""),
    "min_class_agreement": ("of the worst class", 3, ""),
    "coverage": ("coverage", 3, ""),
    "density": ("density", 3, ""),
    "fid": ("FID", 4, ""),
    "fid_as_evaluated": ("FID in training", 4, "from 1,000 images, as during the training; biased upwards"),
    "best_fid": ("lowest FID before", 4, ""),
    "kid": ("KID × 1,000", 2, ""),
    "min_class_variety": (
        "least variety",
        3,
        "of the class with the most similar images, relative to real ones",
    ),
    "min_class_share": ("rarest class", 3, "its share of the generated images"),
    "class_kl": ("class KL", 4, "KL divergence of the class shares from equal shares, in nats"),
    "pixel_std": ("pixel spread", 3, "standard deviation over the noise, relative to real images"),
    "critic_auc": (
        "critic's AUC",
        3,
        "area under the ROC of the critic's scores within a class; 1 separates all",
    ),
    "score_gap": ("score gap", 4, "difference of the critic's mean scores of real and generated images"),
    "generator_grad_norm": ("generator's gradient", 3, "norm over all weights"),
    "weights": ("weight norm", 1, "norm of the weights of generator, critic and averaged generator"),
}
"""Each metric that can decide an attempt.

Its name, its decimals, and an explanation where the name needs one.
"""
CRITERIA = ("label_agreement", "min_class_share", "coverage", "fid")
"""Metrics that decide whether an attempt has converged.

The rarest class only for unconditional generators.
"""


def scores_table(documents: Sequence[Mapping[str, Any]]) -> Table:
    """A column for each document of `ex3 gan eval`, and a column for real images."""
    rows = []
    for name, key, real, decimals in SCORES:
        if all(document[key] is None for document in documents):
            continue
        scale = 1000 if key == "kid" else 1
        cells = [_scaled(document[key], scale, decimals) for document in documents]
        if key == "kid":
            errors = [document["kid_standard_error"] for document in documents]
            cells = [
                cell if error is None else f"{cell} ± {_scaled(error, scale, decimals)}"
                for cell, error in zip(cells, errors, strict=True)
            ]
        rows.append(
            [name, *cells, _unique(_scaled(document[real], scale, decimals) for document in documents)]
        )
    if all(document["label_agreement"] is None for document in documents):
        shares = [document["class_shares"].values() for document in documents]
        equal = _unique(fixed(1 / len(share), 3) for share in shares)
        rows.append(["share of the rarest class", *(fixed(min(share), 3) for share in shares), equal])
    rows.append(["meets the convergence criteria", *map(_verdict, documents), ""])
    images = _unique(f"{document['n']:,}" for document in documents)
    classifiers = _unique(document["classifier"] for document in documents)
    note = (
        f"{images} generated images, evaluated with {classifiers}. Real images: training images, compared "
        "with the test images. Lower FID and KID are better; coverage, density and label agreement should "
        "be close to those of real images."
    )
    headings = ["", *(NAMES[document["kind"]] for document in documents), "real images"]
    return Table("Generated images and real ones", headings, rows, note)


def _scaled(value: float | None, scale: int, decimals: int) -> str:
    return fixed(None if value is None else scale * value, decimals)


def _unique(cells: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(cells))


def _verdict(document: Mapping[str, Any]) -> str:
    if document["verdict"] is None:
        return "too few images"
    return "yes" if document["verdict"] == "converged" else f"no: {document['reason']}"


def classes_table(documents: Sequence[Mapping[str, Any]], real: Mapping[str, float] | None = None) -> Table:
    """A row for each class: label agreement, or the class's share of the images of unconditional generators.

    Parameters
    ----------
    documents : documents of `ex3 gan eval`.
    real : the classifier's accuracy on real images by class.
    """
    conditional = any(document["class_agreements"] for document in documents)
    key = "class_agreements" if conditional else "class_shares"
    rows = [
        [name, *(fixed((document[key] or {}).get(name), 3) for document in documents)]
        + ([fixed(real[name], 3)] if real else [])
        for name in spec(documents[0]["dataset"]).class_names
        if name in documents[0]["class_shares"]
    ]
    headings = [
        "class",
        *(NAMES[document["kind"]] for document in documents),
        *(["real images"] if real else []),
    ]
    return Table(
        "Label agreement by class" if conditional else "Share of the images by class", headings, rows
    )


def criteria_text(bars: Mapping[str, Mapping[str, float]]) -> str:
    """The convergence criteria by kind in a sentence; kinds with equal criteria are grouped."""
    kinds: dict[tuple[float, ...], list[str]] = {}
    for kind, bar in bars.items():
        kinds.setdefault((bar["label_agreement"], bar["coverage"]), []).append(NAMES[kind])
    criteria = "; ".join(
        f"label agreement ≥ {agreement:.2f} and coverage ≥ {coverage:.2f} ({', '.join(names)})"
        for (agreement, coverage), names in kinds.items()
    )
    return f"Convergence requires {criteria}."


def attempts_table(attempts: Sequence[Attempt], trainings: Sequence[str] = ()) -> Table:
    """A row for each attempt: its verdict and the metrics that decided it.

    Parameters
    ----------
    trainings : the training of each attempt, as text.
    """
    values = [_deciding_values(attempt) for attempt in attempts]
    rows = [
        [
            str(attempt.attempt),
            str(attempt.seed),
            describe_verdict(attempt.verdict, attempt.reason) + (" (shortened)" if attempt.shortened else ""),
            f"{attempt.iteration:,}",
            ", ".join(shown.values()),
        ]
        for attempt, shown in zip(attempts, values, strict=True)
    ]
    headings = ["attempt", "seed", "verdict", "iteration", "deciding metrics"]
    if trainings:
        rows = [[training, *row] for training, row in zip(trainings, rows, strict=True)]
        headings = ["training", *headings]
    names = dict.fromkeys(name for shown in values for name in shown if name in VALUES)
    meanings = [f"{VALUES[name][0]}: {VALUES[name][2]}" for name in names if VALUES[name][2]]
    note = f"{'; '.join(meanings)}." if meanings else ""
    return Table("Every attempt", headings, rows, note[:1].upper() + note[1:])


def _deciding_values(attempt: Attempt) -> dict[str, str]:
    """The metrics that decided an attempt, as text by name."""
    names = sorted(
        attempt.values.keys() - {"iteration"}, key=lambda name: ([*VALUES, name].index(name), name)
    )
    if attempt.verdict == "converged":
        hidden = {"min_class_share"} if "label_agreement" in attempt.values else set()
        names = [name for name in names if name in CRITERIA and name not in hidden]
    shown = {}
    for name in names:
        value = attempt.values[name]
        if not isinstance(value, int | float):
            continue
        if name in VALUES:
            title, decimals, _ = VALUES[name]
            shown[name] = f"{title} {fixed(1000 * value if name == 'kid' else value, decimals)}"
        else:
            shown[name] = f"{name.replace('_', ' ')} {number(value, 3)}"
    return shown
