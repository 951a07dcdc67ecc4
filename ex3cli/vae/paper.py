"""Table 1 of Kingma et al. 2014 (arXiv 1406.5298): error on MNIST in percent, mean and what the paper gives as its spread."""

M1_TSVM = {100: (11.82, 0.25), 600: (5.72, 0.049), 1000: (4.24, 0.07), 3000: (3.49, 0.04)}


def published(labels: int) -> dict[str, dict[str, float]]:
    """The paper's row for a number of labels, by method; empty where the paper has none."""
    if labels not in M1_TSVM:
        return {}
    mean, spread = M1_TSVM[labels]
    return {"M1+TSVM": {"error_percent": mean, "spread": spread}}
