"""Table 1 of Kingma et al. 2014."""

TABLE = {
    "M1+TSVM": {100: (11.82, 0.25), 600: (5.72, 0.049), 1000: (4.24, 0.07), 3000: (3.49, 0.04)},
    "M1+M2": {100: (3.33, 0.14), 600: (2.59, 0.05), 1000: (2.40, 0.02), 3000: (2.18, 0.04)},
}


def paper_results(labels: int) -> dict[str, dict[str, float]]:
    """The paper's results on MNIST for a number of labels, by method; empty if it has none."""
    found = {method: rows[labels] for method, rows in TABLE.items() if labels in rows}
    return {method: {"error_percent": mean, "spread": spread} for method, (mean, spread) in found.items()}
