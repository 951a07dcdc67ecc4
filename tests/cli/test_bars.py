"""Commands that take over two seconds show how far they are."""

from collections.abc import Callable
from typing import Any

import pytest


class Recorder:
    """A progress listener that keeps each stretch: its description, its total, and how far it came."""

    def __init__(self) -> None:
        self.stretches: list[list[Any]] = []

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        self.stretches.append([description, total, done])

    def advance(self, amount: int = 1, **live: float) -> None:
        self.stretches[-1][2] += amount

    def stop(self) -> None:
        pass


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("gan", "eval", "--kind", "wgan", "-n", 1_100),
            {"generating": 1_100, "scoring": 2},
        ),
        (("gan", "compare", "--label", "dress"), {"drawing": 5}),
        (("gan", "overview", "reference/gan/fashion-mnist/wgan"), {"reading": 1}),
        (
            ("vae", "latent", "--dataset", "mnist", "--points", 30, "--steps", 2),
            {"features, t-SNE and traversal": 3},
        ),
        (("report", "--questions", "costs,decisions", "--missing"), {"reading": 2}),
        (("report", "--questions", "costs"), {"reading": 1, "writing": 2}),
    ],
    ids=lambda each: " ".join(map(str, each[:3])) if isinstance(each, tuple) else "",
)
def test_its_bars_end_full(
    ex3: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[object, ...],
    expected: dict[str, int],
) -> None:
    recorder = Recorder()
    monkeypatch.setattr("ex3cli.cli.progress.choose_progress", lambda *_: recorder)
    assert ex3(*words).exit_code == 0
    assert {name: total for name, total, _ in recorder.stretches} == expected
    assert all(total == done for _, total, done in recorder.stretches)
