import os
import signal
import threading

import pytest

from ex3cli.training.interruption import GracefulStop


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_raises_the_flag_and_its_exit_code(number: int, code: int) -> None:
    previous = signal.getsignal(number)
    with GracefulStop() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        error = stop.error("ex3 toy train --resume 0001")
    assert error.exit_code == code
    assert "ex3 toy train --resume 0001" in error.remedy
    assert signal.getsignal(number) == previous


def test_a_second_interrupt_stops_at_once() -> None:
    with GracefulStop():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


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
