"""Tables of `ex3 divergence`, from its JSON document."""

from collections.abc import Mapping
from typing import Any

from ex3cli.tables import NONE, Table, between, fixed, number

ESTIMATORS = {
    "knn": "nearest neighbors",
    "normal_fit": "fitted normals",
    "classifier": "held-out classifier",
    "histogram": "histogram",
    "sorted_pairing": "sorted pairing",
    "assignment": "assignment",
    "witness": "dual, f = x",
    "entropic": "entropic transport",
    "critic": "dual, trained critic",
}
DISTANCES = ("kl", "js", "w")


def closed_forms_table(document: Mapping[str, Any]) -> Table:
    """A row for each θ: the exact distances and derivatives, and those of the trained networks."""
    rows = [
        [
            number(result["theta"]),
            *(number(result[name]["exact"]) for name in DISTANCES),
            *(number(result[name]["gradient"]).replace(NONE, "none") for name in DISTANCES),
            *(
                fixed(result[name]["estimates"].get(network, {}).get("gradient"), 3)
                for name, network in (("js", "classifier"), ("w", "critic"))
            ),
        ]
        for result in document["results"]
    ]
    derivatives = ("dKL/dθ", "dJS/dθ", "dW/dθ", "dJS/dθ, discriminator", "dW/dθ, critic")
    return Table(
        "Closed forms",
        ["θ", "KL, nats", "JS, nats", "W", *derivatives],
        rows,
        "The last two columns are the slopes that a trained discriminator and a trained critic give.",
    )


def estimates_table(document: Mapping[str, Any]) -> Table:
    """A row for each estimator of each distance at each θ."""
    rows = []
    for result in document["results"]:
        for name in DISTANCES:
            for estimator, estimate in result[name]["estimates"].items():
                low, high, decimals = between(*estimate["interval"]) if estimate["interval"] else ("", "", 4)
                rows.append(
                    [
                        number(result["theta"]),
                        name.upper(),
                        ESTIMATORS[estimator],
                        number(result[name]["exact"]),
                        fixed(estimate["value"], decimals),
                        f"{low} … {high}" if low else "",
                        _signed(estimate["bias"]),
                        f"{estimate['n']:,}",
                        estimate["note"],
                    ]
                )
    return Table(
        "Estimates from samples",
        ["θ", "distance", "estimator", "exact", "estimate", "95 % interval", "bias", "n", "note"],
        rows,
        "The interval is for the true value; only consistent estimators of finite values have one. "
        "The bias is the expected error, where it is known; it is not subtracted.",
        grouped=2,
    )


def _signed(bias: float | None) -> str:
    if bias is None:
        return ""
    return f"{'+' if bias > 0 else ''}{number(bias, 2)}"
