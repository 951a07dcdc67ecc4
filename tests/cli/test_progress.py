import io
import re

import pytest

from ex3cli.cli.progress import Bars, Lines, choose_progress, fitted
from ex3cli.training.progress import NullProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_lines_a_terminal_a_bar_and_quiet_nothing() -> None:
    assert isinstance(choose_progress(False, io.StringIO()), Lines)
    assert isinstance(choose_progress(False, Terminal()), Bars)
    assert isinstance(choose_progress(True, Terminal()), NullProgress)


def test_lines_show_position_rate_time_left_and_the_live_numbers() -> None:
    stream = io.StringIO()
    progress = Lines(stream, seconds_between=0.0)
    progress.start("training", 1000, "images", done=200)
    progress.advance(300, ELBO=-230.25, active_dimensions=7)
    progress.stop()
    first, second, last = stream.getvalue().splitlines()
    assert first == "training: 1,000 images, 200 done before"
    assert second.startswith("training: 500/1,000 images, ")
    assert "images/s" in second
    assert "left" in second
    assert second.endswith("ELBO -230.2, active dimensions 7")
    assert last.startswith("training: 500/1,000")


def test_lines_are_not_printed_at_every_step() -> None:
    stream = io.StringIO()
    progress = Lines(stream, seconds_between=3600.0)
    progress.start("training", 100, "steps")
    for _ in range(100):
        progress.advance()
    progress.stop()
    assert len(stream.getvalue().splitlines()) == 2


def test_the_end_is_shown_once_also_where_the_last_step_took_long() -> None:
    stream = io.StringIO()
    progress = Lines(stream, seconds_between=0.0)
    progress.start("training", 2, "steps")
    progress.advance(1)
    progress.advance(1)
    progress.stop()
    assert [line.split(",")[0] for line in stream.getvalue().splitlines()] == [
        "training: 2 steps",
        "training: 1/2 steps",
        "training: 2/2 steps",
    ]


def test_the_bar_can_be_stopped_early() -> None:
    bars = Bars()
    bars.start("training", 10, "steps")
    bars.advance(1, loss=0.5)
    bars.stop()


def test_lines_end_once() -> None:
    stream = io.StringIO()
    progress = Lines(stream)
    progress.stop()
    progress.start("training", 10, "steps")
    progress.stop()
    progress.stop()
    assert len(stream.getvalue().splitlines()) == 2


def test_a_reader_who_left_does_not_cost_the_training() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    progress = Lines(Closed(), seconds_between=0.0)
    progress.start("training", 10, "steps")
    progress.advance(1)
    progress.stop()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_bar_percent_and_time_left_are_there_at_every_width(
    capsys: pytest.CaptureFixture[str], width: int
) -> None:
    bars = Bars(width)
    bars.start("training wgan-clip, attempt 2", 1_000, "iterations")
    for _ in range(5):
        bars.advance(100, critic_loss=0.07877, generator_loss=0.001321, score_gap=-0.01234)
    bars.stop()
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert len(line) <= width
    assert "…" not in line
    assert " 50% " in line
    assert "━" in line
    assert re.search(r"\d:\d\d:\d\d|-:--:--", line)
    assert line.startswith("training wgan-clip")


def test_live_numbers_give_way_before_the_rate_and_the_bar() -> None:
    numbers = ["critic loss 0.07877", "generator loss 0.001321"]
    wide = fitted(120, "training", "6.5 iterations/s", numbers)
    assert wide == ("training", 24, "6.5 iterations/s", "critic loss 0.07877, generator loss 0.001321")
    assert fitted(90, "training", "6.5 iterations/s", numbers) == (
        "training",
        24,
        "6.5 iterations/s",
        "critic loss 0.07877",
    )
    assert fitted(70, "training", "6.5 iterations/s", numbers) == ("training", 24, "6.5 iterations/s", "")
    assert fitted(50, "training", "6.5 iterations/s", numbers) == ("training", 24, "", "")
    assert fitted(30, "training", "6.5 iterations/s", numbers) == ("training", 6, "", "")
    assert fitted(26, "training", "6.5 iterations/s", numbers) == ("trai", 6, "", "")


def test_a_closed_terminal_costs_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    bars = Bars()
    for method in ("start", "stop"):
        monkeypatch.setattr(bars._progress, method, closed)
    bars.start("training", 10, "steps")
    bars.advance(1, loss=0.5)
    bars.stop()
