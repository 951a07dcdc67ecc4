"""What the check of a training in the plane keeps for other folders."""

from collections.abc import Callable

from ex3cli.grading.lab import _points_digest
from ex3cli.runs.run import Run


def test_drawings_of_one_name_are_told_apart_by_their_content(new_run: Callable[..., Run]) -> None:
    """A manifest's digest of the data may be forged: it stays the same here."""
    found = []
    for points in ("0 0", "1 1"):
        run = new_run(
            config={"distribution": "mine.csv", "points": "points.csv"}, data={"mine.csv": "0" * 64}
        )
        run.write_text("points.csv", points)
        run.finish({})
        found.append(_points_digest(run))
    assert len(set(found)) == 2
    preset = new_run(config={"distribution": "ring"})
    assert _points_digest(preset) is None
