import io

from ex3cli.cli.progress import Bars, Lines, choose_progress
from ex3cli.training.progress import Silent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_lines_a_terminal_a_bar_and_quiet_nothing() -> None:
    assert isinstance(choose_progress(False, io.StringIO()), Lines)
    assert isinstance(choose_progress(False, Terminal()), Bars)
    assert isinstance(choose_progress(True, Terminal()), Silent)


def test_lines_say_position_rate_time_left_and_the_live_numbers() -> None:
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


def test_the_end_is_told_once_also_where_the_last_step_took_long() -> None:
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
