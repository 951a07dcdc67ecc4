import matplotlib.colors
import numpy as np
import pytest

from ex3cli.vae import figures, tables
from ex3cli.vae.few_labels import compare
from ex3cli.vae.few_labels.paper import paper_results

SIZES = (100, 600)


def entry(size: int, mean: float) -> dict[str, object]:
    return {
        "labels": size,
        "draws": 10,
        "accuracy_mean": mean,
        "accuracy_std": 0.01,
        "paper": paper_results(size),
        "baselines": {},
    }


def judged(dataset: str) -> dict[str, object]:
    return {"dataset": dataset, "features": "posterior mean", "results": [entry(size, 0.8) for size in SIZES]}


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("mnist", "M1+TSVM (Kingma et al. 2014)"), ("fashion-mnist", "M1+TSVM (Kingma et al. 2014, on MNIST)")],
)
def test_the_papers_lines_are_on_every_figure_dashed_where_they_are_of_another_data_set(
    dataset: str, name: str
) -> None:
    lines = {line.name: line for line in compare.lines_of(judged(dataset))}
    paper = lines[name]
    assert paper.labels == [100, 600]
    assert paper.means == pytest.approx([0.8818, 0.9428])
    axes = figures.accuracy_by_labels(list(lines.values())).axes[0]
    drawn = next(line for line in axes.containers if line.get_label() == name)[0]
    assert drawn.get_linestyle() == ("--" if dataset == "fashion-mnist" else "-")
    assert np.allclose(np.asarray(drawn.get_ydata(), float), [88.18, 94.28])
    assert len({matplotlib.colors.to_hex(line[0].get_color()) for line in axes.containers}) == len(lines)


def test_the_table_has_the_number_of_active_dimensions() -> None:
    seeds = [{"trainings": 1}]
    recipes = {
        name: {"features": "posterior mean", "results": [entry(100, 0.8)], "seeds": seeds, "summary": summary}
        for name, summary in (
            ("paper", {"active_dimensions": 23, "latent_dim": 50}),
            ("edges", {"active_dimensions": 64, "latent_dim": 64}),
        )
    }
    document = {"dataset": "fashion-mnist", "baselines": {}, "recipes": recipes}
    text = tables.accuracy_table(document).to_markdown()
    assert text.endswith("on the test images): preset edges 64 of 64, preset paper 23 of 50.\n")
    assert "| preset paper: posterior mean | 80.00 ± 1.00 |" in text
