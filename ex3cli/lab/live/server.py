"""The local server of `ex3 lab draw`: one page and one WebSocket.

The server listens on 127.0.0.1 only. Every path begins with a random token. The Host header must match the
server, against DNS rebinding. The Origin of a WebSocket must match too, against connections from other sites.
The server reads no request body, and no message longer than `LONGEST_MESSAGE`.
"""

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ex3cli.errors import UsageError

ADDRESS = "127.0.0.1"
LONGEST_MESSAGE = 8_000_000
"""Maximum bytes of a message: a file of 5.9 million bytes in base64."""
GRACE = 15.0
"""Seconds that the server waits for a disconnected page to reload or reconnect."""
OTHER_PAGE, ENDED = 4001, 4002
"""Codes with which the server closes a WebSocket."""


class Trainer(Protocol):
    """A training behind a pipe; see `TrainerProcess`."""

    connection: Connection

    @property
    def alive(self) -> bool:
        """Whether the training is running."""
        ...

    def finish(self) -> None:
        """Ask the training to end."""
        ...

    def terminate(self) -> None:
        """End the training at once."""
        ...


class LiveServer:
    """Serves the page, and relays messages between the page and its training.

    Parameters
    ----------
    render : returns the page, given a nonce for its script and styles.
    start_trainer : starts a training; each page that is loaded gets its own, and it ends with the page.
    port : 0 for a free one.

    Raises
    ------
    UsageError : the port is in use.
    """

    def __init__(
        self,
        render: Callable[[str], str],
        start_trainer: Callable[[], Trainer],
        *,
        port: int = 0,
        grace: float = GRACE,
    ) -> None:
        self._render, self._start_trainer, self._grace = render, start_trainer, grace
        self.token = secrets.token_urlsafe(24)
        self._socket = _listen(port)
        self.address: tuple[str, int] = self._socket.getsockname()
        self.port = self.address[1]
        self._hosts = {f"{ADDRESS}:{self.port}", f"localhost:{self.port}"}
        self._page: str | None = None  # the random name of the newest page
        self._websocket: WebSocket | None = None
        self._trainer: Trainer | None = None
        self._trainers: set[Trainer] = set()  # all running trainings
        self._departure: asyncio.Task[None] | None = None
        self._replacing = asyncio.Lock()
        app = Starlette(
            routes=[
                Route("/{token}/", self._show),
                WebSocketRoute("/{token}/live", self._connect),
            ],
            exception_handlers={HTTPException: _plain_error},
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=LONGEST_MESSAGE,
            ws_per_message_deflate=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{ADDRESS}:{self.port}/{self.token}/"

    def run(self) -> None:
        """Serve until the page is closed or a signal arrives; then end the training."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            for trainer in self._trainers:
                trainer.terminate()

    def stop(self) -> None:
        """End `run`."""
        self._server.should_exit = True

    def _check(self, connection: HTTPConnection) -> None:
        """Refuse a request that does not come from the page.

        Raises
        ------
        HTTPException : its host or its token is not the server's.
        """
        if connection.headers.get("host") not in self._hosts:
            raise HTTPException(421, "This server has another name.")
        if not secrets.compare_digest(connection.path_params["token"].encode(), self.token.encode()):
            raise HTTPException(404, "There is nothing here. Open the address that `ex3 lab draw` printed.")

    async def _show(self, request: Request) -> Response:
        self._check(request)
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return HTMLResponse(self._render(nonce), headers=headers)

    async def _connect(self, websocket: WebSocket) -> None:
        try:
            self._check(websocket)
        except HTTPException:
            await websocket.close()  # before it is accepted: the answer is 403
            return
        if websocket.headers.get("origin") not in {f"http://{host}" for host in self._hosts}:
            await websocket.close()
            return
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            page = _page_of(await _receive(websocket))
            if page is None:
                await _refuse(websocket, ENDED, "the page sent a malformed message", "reload the page")
            elif self._websocket is not None and page != self._page:
                await _refuse(
                    websocket,
                    OTHER_PAGE,
                    "the lab is open in another page",
                    "close that page, then reload this one",
                )
            else:
                await self._serve(websocket, page)

    async def _serve(self, websocket: WebSocket, page: str) -> None:
        """Relay messages until the page disconnects; a page that reconnects continues its training."""
        if (earlier := self._websocket) is not None:  # the same page, whose connection broke unnoticed
            with suppress(RuntimeError):
                await earlier.close(ENDED)
        self._websocket = websocket
        if self._departure is not None:
            self._departure.cancel()
        known, self._page = page == self._page, page
        async with self._replacing:
            known = known and self._trainer is not None
            if not known:
                await self._replace_trainer()
        await websocket.send_text(json.dumps({"kind": "welcome", "known": known}))
        try:
            while True:
                await self._to_trainer(await _receive(websocket))
        except WebSocketDisconnect:
            if self._websocket is websocket:
                self._websocket = None
                await self._to_trainer(b'{"do":"pause"}')
                self._departure = asyncio.create_task(self._depart())

    async def _depart(self) -> None:
        """Stop the server unless the page reconnects; a run that is being saved is finished first."""
        await asyncio.sleep(self._grace)
        if self._trainer is not None:
            await self._finish(self._trainer, None)
        self._server.should_exit = True

    async def _replace_trainer(self) -> None:
        if self._trainer is not None:
            await self._finish(self._trainer, 5)
        trainer = await asyncio.to_thread(self._start_trainer)
        self._trainer = trainer
        self._trainers.add(trainer)
        messages: asyncio.Queue[bytes | None] = asyncio.Queue()  # answers, and one state at most
        loop = asyncio.get_running_loop()

        def read() -> None:
            message: bytes | None = b""
            while message is not None:
                try:
                    message = trainer.connection.recv_bytes()
                except (EOFError, OSError):
                    message = None
                try:
                    loop.call_soon_threadsafe(messages.put_nowait, message)
                except RuntimeError:  # the server has ended
                    return

        threading.Thread(target=read, name="messages of the training", daemon=True).start()
        self._carrier = asyncio.create_task(self._carry(trainer, messages))

    async def _carry(self, trainer: Trainer, messages: "asyncio.Queue[bytes | None]") -> None:
        """Relay messages to the page until the training ends."""
        while (message := await messages.get()) is not None:
            if (websocket := self._websocket) is not None:
                with suppress(WebSocketDisconnect, RuntimeError):  # the page has disconnected
                    if message.startswith(b"{"):  # a state begins with a multiple of four, and "{" is 123
                        await websocket.send_text(message.decode())
                    else:
                        await websocket.send_bytes(message)
        if trainer is self._trainer:  # it has ended by itself
            await self._finish(trainer, 5)
            if self._websocket is not None:
                await _refuse(
                    self._websocket, ENDED, "the training process ended unexpectedly", "reload the page"
                )

    async def _finish(self, trainer: Trainer, seconds: float | None) -> None:
        """Wait for a training to end by itself; terminate it after `seconds`."""
        self._trainer = None
        await asyncio.to_thread(trainer.finish)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while trainer.alive:
                    await asyncio.sleep(0.02)
        await asyncio.to_thread(trainer.terminate)
        self._trainers.discard(trainer)

    async def _to_trainer(self, message: bytes) -> None:
        if self._trainer is not None:
            with suppress(OSError):  # it has ended, which `_carry` reports
                await asyncio.to_thread(self._trainer.connection.send_bytes, message)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows, reuse would share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(
            f"port {port} cannot be used ({error.strerror})", "give another --port, or 0 for a free one"
        ) from None
    return listener


async def _receive(websocket: WebSocket) -> bytes:
    """The next message, text or binary."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text: str | None = message.get("text")
    return text.encode() if text is not None else message["bytes"]


def _page_of(message: bytes) -> str | None:
    """The random name in a page's first message, or None."""
    try:
        name: Any = json.loads(message)["page"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return name if isinstance(name, str) and 0 < len(name) <= 100 else None


async def _refuse(websocket: WebSocket, code: int, cause: str, remedy: str) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await websocket.send_text(json.dumps({"kind": "error", "cause": cause, "remedy": remedy}))
        await websocket.close(code)


async def _plain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(error.detail, error.status_code)
