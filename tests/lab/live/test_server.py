"""The server: what it serves, to whom, and what happens when a page goes."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs the extra live")
pytest.importorskip("starlette", reason="needs the extra live")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from ex3cli.errors import UsageError
from ex3cli.lab.live.process import END
from ex3cli.lab.live.server import ENDED, LONGEST_MESSAGE, OTHER_PAGE, LiveServer

PATIENCE = 60.0


class Echo:
    """A stand-in for a training: it returns every message, notes them, and ends when it is asked to."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self.got: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, args=(theirs,), daemon=True)
        self._thread.start()

    def _serve(self, connection: Connection) -> None:
        with connection:
            while (message := connection.recv_bytes()) not in (END, b"crash"):
                self.got.append(message)
                connection.send_bytes(message)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def finish(self) -> None:
        with suppress(OSError):
            self.connection.send_bytes(END)

    def terminate(self) -> None:
        if self.alive:
            self.finish()
        self._thread.join(PATIENCE)
        self.connection.close()


class Lab:
    """A running server, its trainings, and pages that connect to it."""

    def __init__(self, grace: float) -> None:
        self.trainings: list[Echo] = []
        self.server = LiveServer(lambda nonce: f"<script nonce={nonce}></script>", self._start, grace=grace)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        self.pages = ExitStack()
        self.origin = f"http://127.0.0.1:{self.server.port}"

    def _start(self) -> Echo:
        self.trainings.append(Echo())
        return self.trainings[-1]

    def get(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response

    def open(self, **changes: Any) -> ClientConnection:
        given: dict[str, Any] = {"origin": self.origin, "open_timeout": PATIENCE, "max_size": None} | changes
        address = given.pop("address", self.server.url.replace("http", "ws") + "live")
        return self.pages.enter_context(connect(address, **given))

    def page(self, name: str) -> tuple[ClientConnection, dict[str, Any]]:
        """A page that has presented itself, and the answer."""
        opened = self.open()
        opened.send(json.dumps({"page": name}))
        return opened, json.loads(opened.recv(PATIENCE))

    def ends(self) -> bool:
        self.thread.join(PATIENCE)
        return not self.thread.is_alive()


@pytest.fixture
def lab_that_waits() -> Iterator[Callable[..., Lab]]:
    made: list[Lab] = []

    def make(grace: float = 1_000.0) -> Lab:
        made.append(Lab(grace))
        return made[-1]

    yield make
    for lab in made:
        lab.server.stop()
        lab.pages.close()
        assert lab.ends()
        assert not any(each.alive for each in lab.trainings)


@pytest.fixture
def lab(lab_that_waits: Callable[..., Lab]) -> Lab:
    return lab_that_waits()


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_page_is_served_at_its_address_with_a_policy(lab: Lab) -> None:
    response = lab.get(f"/{lab.server.token}/")
    assert response.status == 200
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    other = lab.get(f"/{lab.server.token}/").headers["Content-Security-Policy"]
    assert other != policy  # another nonce
    assert lab.server.url == f"{lab.origin}/{lab.server.token}/"


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/", "GET", {}, 404),
        ("/wrong/", "GET", {}, 404),
        ("/wr%C3%B6ng/", "GET", {}, 404),
        ("/{token}/live", "GET", {}, 404),
        ("/{token}/../etc/passwd", "GET", {}, 404),
        ("/{token}/", "POST", {}, 405),
        ("/{token}/", "GET", {"Host": "evil.example"}, 421),
        ("/{token}/", "GET", {"Host": "evil.example:{port}"}, 421),
        ("/{token}/", "GET", {"Host": "127.0.0.1"}, 421),
        ("/{token}/", "GET", {"Host": "localhost:{port}"}, 200),
    ],
)
def test_everything_else_is_refused(
    lab: Lab, path: str, method: str, headers: dict[str, str], status: int
) -> None:
    known = {"token": lab.server.token, "port": lab.server.port}
    headers = {name: value.format(**known) for name, value in headers.items()}
    assert lab.get(path.format(**known), method, **headers).status == status


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "http://evil.example"},
        {"origin": None},
        {"origin": "null"},
        {"address": "ws://127.0.0.1:{port}/wrong/live"},
    ],
)
def test_no_other_page_can_connect(lab: Lab, changes: dict[str, Any]) -> None:
    if "address" in changes:
        changes = changes | {"address": changes["address"].format(port=lab.server.port)}
    with pytest.raises(InvalidStatus) as caught:
        lab.open(**changes)
    assert caught.value.response.status_code == 403
    assert not lab.trainings


def test_no_other_name_of_the_server_can_connect(lab: Lab) -> None:
    refused = lab.get(
        f"/{lab.server.token}/live",
        Connection="Upgrade",
        Upgrade="websocket",
        Origin=lab.origin,
        Host=f"evil.example:{lab.server.port}",
        **{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"},
    )
    assert refused.status == 403


def test_messages_go_both_ways_text_as_text_and_states_as_bytes(lab: Lab) -> None:
    page, welcome = lab.page("a")
    assert welcome == {"kind": "welcome", "known": False}
    page.send('{"do": "x"}')
    assert page.recv(PATIENCE) == '{"do": "x"}'
    page.send(b"\x04\x00\x00\x00null")
    assert page.recv(PATIENCE) == b"\x04\x00\x00\x00null"


def test_a_second_page_is_refused_and_the_first_goes_on(lab: Lab) -> None:
    first, _ = lab.page("a")
    second, answer = lab.page("b")
    assert answer["kind"] == "error"
    assert "another page" in answer["cause"]
    with pytest.raises(ConnectionClosed) as caught:
        second.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == OTHER_PAGE
    first.send("{}")
    assert first.recv(PATIENCE) == "{}"
    assert len(lab.trainings) == 1


def test_a_page_that_lost_its_connection_finds_its_training_paused(lab: Lab) -> None:
    page, _ = lab.page("a")
    page.socket.shutdown(socket.SHUT_RDWR)  # no good-bye
    until(lambda: b'{"do":"pause"}' in lab.trainings[0].got)
    page, welcome = lab.page("a")
    assert welcome["known"]
    page.send("{}")
    assert page.recv(PATIENCE) == "{}"
    assert len(lab.trainings) == 1


def test_a_page_replaces_its_own_broken_connection(lab: Lab) -> None:
    broken, _ = lab.page("a")
    page, welcome = lab.page("a")  # the server has not noticed the break
    assert welcome["known"]
    with pytest.raises(ConnectionClosed):
        broken.recv(PATIENCE)
    page.send("{}")
    assert page.recv(PATIENCE) == "{}"


def test_a_page_that_is_loaded_again_gets_a_new_training(lab: Lab) -> None:
    page, _ = lab.page("a")
    page.close()
    until(lambda: b'{"do":"pause"}' in lab.trainings[0].got)  # the server has noticed
    _, welcome = lab.page("b")
    assert not welcome["known"]
    assert [each.alive for each in lab.trainings] == [False, True]


def test_the_server_and_the_training_end_with_the_page(lab_that_waits: Callable[..., Lab]) -> None:
    lab = lab_that_waits(0.05)
    page, _ = lab.page("a")
    page.close()
    assert lab.ends()
    assert not lab.trainings[0].alive


@pytest.mark.parametrize("first", [b"", b"\xff", b"{}", b"[]", b'{"page": 3}', b'{"page": ""}'])
def test_a_page_that_does_not_present_itself_is_refused(lab: Lab, first: bytes) -> None:
    page = lab.open()
    page.send(first)
    assert "malformed" in json.loads(page.recv(PATIENCE))["cause"]
    with pytest.raises(ConnectionClosed) as caught:
        page.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == ENDED
    assert not lab.trainings


def test_a_message_that_is_too_long_ends_the_connection_and_not_the_training(lab: Lab) -> None:
    page, _ = lab.page("a")
    page.send("x" * LONGEST_MESSAGE)
    assert len(page.recv(PATIENCE)) == LONGEST_MESSAGE
    header = b"\x81\xff" + (LONGEST_MESSAGE + 1).to_bytes(8, "big") + bytes(4)  # text, masked by zeros
    page.socket.sendall(header)
    with pytest.raises(ConnectionClosed) as caught:
        page.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009
    _, welcome = lab.page("a")
    assert welcome["known"]


def test_a_training_that_ends_by_itself_is_reported(lab: Lab) -> None:
    page, _ = lab.page("a")
    page.send(b"crash")
    assert "ended unexpectedly" in json.loads(page.recv(PATIENCE))["cause"]
    with pytest.raises(ConnectionClosed) as caught:
        page.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == ENDED
    _, welcome = lab.page("b")
    assert not welcome["known"]


def test_a_port_in_use_is_named(lab: Lab) -> None:
    with pytest.raises(UsageError, match=f"port {lab.server.port} cannot be used"):
        LiveServer(lambda nonce: "", Echo, port=lab.server.port)


def test_only_this_computer_can_connect(lab: Lab) -> None:
    assert lab.server.url.startswith("http://127.0.0.1:")
    assert lab.server.address == ("127.0.0.1", lab.server.port)
