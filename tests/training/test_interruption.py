import os
import signal
import threading
from collections.abc import Iterator

import pytest

from ex3cli.training.interruption import GracefulStop, Terminated, end_on_signals, resumable, signal_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_raises_the_flag_and_its_exit_code(number: int, code: int) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:  # as nohup leaves SIGHUP
        signal.signal(number, signal.SIG_DFL)
    previous = signal.getsignal(number)
    with GracefulStop() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        error = stop.error("ex3 toy train --resume 0001")
    assert error.exit_code == code
    assert str(error) == str(resumable(number, "ex3 toy train --resume 0001"))
    assert error.remedy == "go on with: ex3 toy train --resume 0001"
    assert signal.getsignal(number) == previous


def test_a_second_interrupt_stops_at_once() -> None:
    with GracefulStop():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts every handler back."""
    before = {number: signal.getsignal(number) for number in GracefulStop.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", GracefulStop.SIGNALS)
def test_what_the_parent_had_ignored_stays_ignored(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)  # as nohup does with SIGHUP, and `trap '' INT` with SIGINT
    end_on_signals()
    with GracefulStop() as stop:
        os.kill(os.getpid(), number)
        assert not stop.requested
    os.kill(os.getpid(), number)
    assert signal.getsignal(number) is signal.SIG_IGN


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_outside_of_a_training_the_signal_ends_the_work_too(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    end_on_signals()
    with pytest.raises(Terminated) as caught:
        os.kill(os.getpid(), number)
    assert signal_of(caught.value) == number


def test_works_off_the_main_thread() -> None:
    seen = []

    def loop() -> None:
        with GracefulStop() as stop:
            stop.request(signal.SIGTERM)
            seen.append(stop.error("again").exit_code)

    thread = threading.Thread(target=loop)
    thread.start()
    thread.join()
    assert seen == [143]
