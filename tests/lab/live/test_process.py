"""The loop between a page and its training: pictures on request, and ends."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from typing import Any

import pytest

from ex3cli.lab.live import process
from ex3cli.lab.live.messages import Message, Setup
from ex3cli.lab.live.process import CANCEL, END, PICTURE, TrainerProcess, serve_page

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end, pytest.mark.usefixtures("fewer_points")]

PATIENCE = 120.0


class Lab:
    """A training in a thread, and the page's end of its pipe."""

    def __init__(self, save: Callable[[Setup, Callable[[int], bool]], Message]) -> None:
        self.pipe, theirs = Pipe()
        self.thread = threading.Thread(target=serve_page, args=(theirs, save), daemon=True)
        self.thread.start()

    def receive(self) -> Any:
        """The next answer, decoded, or the next state as bytes."""
        assert self.pipe.poll(PATIENCE), "nothing came"
        data = self.pipe.recv_bytes()
        return json.loads(data) if data.startswith(b"{") else data

    def ends(self) -> bool:
        self.thread.join(PATIENCE)
        return not self.thread.is_alive()


@pytest.fixture
def saves() -> list[list[int]]:
    """For each run to save, the epochs to report."""
    return []


@pytest.fixture
def lab(saves: list[list[int]]) -> Iterator[Lab]:
    def save(setup: Setup, report: Callable[[int], bool]) -> Message:
        for epoch in saves.pop():
            time.sleep(0.07)
            if not report(epoch):
                return {"kind": "canceled"}
        return {"kind": "saved"}

    made = Lab(save)
    yield made
    made.pipe.close()
    assert made.ends()


def test_a_state_is_sent_for_each_request_and_never_otherwise(lab: Lab, page: Any) -> None:
    lab.pipe.send_bytes(page.setup(settings={"max_epochs": 10**6}))
    assert lab.receive()["kind"] == "ready"
    lab.pipe.send_bytes(page.message("run"))
    assert not lab.pipe.poll(0.5)  # it trains, and nobody has asked
    lab.pipe.send_bytes(PICTURE)
    first, _ = page.read_state(lab.receive())
    assert not lab.pipe.poll(0.3)
    lab.pipe.send_bytes(PICTURE)
    second, _ = page.read_state(lab.receive())
    assert first["evaluations"]["epoch"][0] == 0
    assert 0 < first["epoch"] < second["epoch"]


def test_pictures_come_15_times_a_second_and_a_late_one_does_not_delay_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(process.time, "monotonic", lambda: now[0])
    ours, theirs = Pipe()
    channel = process.PageChannel(theirs)
    assert channel.seconds_until_state() is None
    waits = []
    for late in (0.0, 0.0, 0.05, 0.0, 10.0, 0.0, 0.0):
        ours.send_bytes(PICTURE)
        assert channel.receive(1) is None
        waits.append(channel.seconds_until_state())
        now[0] += waits[-1] + late
        channel.send_state(lambda: b"state")
    due = 1 / 15
    assert waits == pytest.approx([0, 0, due, due - 0.05, due, 0, due])


def test_a_paused_training_sends_no_picture_twice(lab: Lab, page: Any) -> None:
    lab.pipe.send_bytes(page.setup())
    lab.receive()
    lab.pipe.send_bytes(PICTURE)
    lab.receive()
    lab.pipe.send_bytes(PICTURE)
    assert not lab.pipe.poll(0.3)
    lab.pipe.send_bytes(page.message("step", part="epoch"))
    assert page.read_state(lab.receive())[0]["epoch"] == 1


def test_a_malformed_message_is_answered_and_the_training_goes_on(lab: Lab, page: Any) -> None:
    lab.pipe.send_bytes(b"\x00\x01")
    assert "malformed" in lab.receive()["cause"]
    lab.pipe.send_bytes(page.setup())
    assert lab.receive()["kind"] == "ready"


def test_saving_reports_its_epoch_on_request_refuses_commands_and_can_be_canceled(
    lab: Lab, page: Any, saves: list[list[int]]
) -> None:
    saves += [[1, 2, 3], list(range(1, 1_000))]
    lab.pipe.send_bytes(page.setup())
    lab.receive()
    lab.pipe.send_bytes(page.message("save"))
    lab.pipe.send_bytes(PICTURE)
    assert lab.receive() == {"kind": "saving", "epoch": 1}
    lab.pipe.send_bytes(page.message("run"))
    assert lab.receive()["cause"] == "a run is being saved"
    lab.pipe.send_bytes(CANCEL)
    assert lab.receive() == {"kind": "canceled"}
    lab.pipe.send_bytes(page.message("save"))
    assert lab.receive() == {"kind": "saved"}


def test_a_run_is_saved_to_its_end_though_the_page_is_gone(
    lab: Lab, page: Any, saves: list[list[int]]
) -> None:
    reported: list[int] = []
    saves.append([1, 2, 3])
    lab.pipe.send_bytes(page.setup())
    lab.receive()
    lab.pipe.send_bytes(page.message("save"))
    lab.pipe.send_bytes(END)
    assert lab.receive() == {"kind": "saved"}
    assert lab.ends()
    assert not reported


def test_a_process_of_its_own_ends_when_it_is_asked() -> None:
    made = TrainerProcess(serve_page, print)
    made.connection.send_bytes(b"hello")
    assert b"malformed" in made.connection.recv_bytes()
    assert made.alive
    made.finish()
    with pytest.raises(EOFError):
        made.connection.recv_bytes()
    made.terminate()
    assert not made.alive
