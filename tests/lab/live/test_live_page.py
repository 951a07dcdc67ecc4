"""The live page in a real browser: draw, train, converge, save."""

import base64
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="needs the extra live")

from ex3cli.cli.lab_draw import save_run
from ex3cli.lab.config import LabConfig
from ex3cli.lab.live.process import END, serve_page
from ex3cli.lab.live.server import LiveServer
from ex3cli.lab.page import render_live
from ex3cli.runs.store import Store

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end, pytest.mark.usefixtures("fewer_points")]

PATIENCE = 30_000  # milliseconds
CONFIG = LabConfig.resolve(min_epochs=60, max_epochs=60, eval_interval=12, batch_size=20)


class ThreadTrainer:
    """A training in a thread of this process, where a test can change what it measures."""

    def __init__(self, artifacts: Path) -> None:
        self.connection, theirs = Pipe()
        arguments = (theirs, partial(save_run, artifacts))
        self._thread = threading.Thread(target=serve_page, args=arguments, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def finish(self) -> None:
        self.connection.send_bytes(END)

    def terminate(self) -> None:
        if self.alive:
            self.finish()
        self._thread.join(60)
        self.connection.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Start a server."""
    made: list[tuple[LiveServer, threading.Thread]] = []

    def start(config: LabConfig = CONFIG, canvas: dict[str, str] | None = None) -> LiveServer:
        render = partial(render_live, config, 3, canvas)
        server = LiveServer(render, lambda: ThreadTrainer(tmp_path / "artifacts"), grace=1_000)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        made.append((server, thread))
        return server

    yield start
    for server, thread in made:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def visit(browser: Any, serve: Callable[..., LiveServer]) -> Iterator[Callable[..., Any]]:
    """Open the page of a new server; neither may it complain, nor ask anything of another address."""
    tabs: list[Any] = []
    complaints: list[str] = []
    requests: list[str] = []

    def open_page(
        server: LiveServer | None = None, prepare: Callable[[Any], object] | None = None, **options: Any
    ) -> Any:
        server = server or serve()
        tab = browser.new_page(**({"viewport": {"width": 1200, "height": 1000}} | options))
        tab.set_default_timeout(PATIENCE)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        if prepare is not None:
            prepare(tab)
        tab.goto(server.url)
        tabs.append(tab)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert not complaints
    assert all(re.match(r"(http|ws)://127\.0\.0\.1:\d+/|data:", each) for each in requests)


def shows(tab: Any, selector: str, text: str) -> None:
    """Wait until an element holds a text."""
    tab.locator(selector).filter(has_text=re.compile(text)).wait_for(timeout=PATIENCE)


def ready(tab: Any) -> None:
    tab.wait_for_selector("#train:enabled")


def stroke(tab: Any, *places: tuple[float, float]) -> None:
    """Draw through places of the unit square."""
    box = tab.locator("#square").bounding_box()
    for index, (x, y) in enumerate(places):
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"], steps=5)
        if index == 0:
            tab.mouse.down()
    tab.mouse.up()


def points(tab: Any) -> int:
    return int(tab.inner_text("#counted").split()[0].replace(",", ""))


def test_draw_train_converge_save(
    visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # whatever the points are like
    monkeypatch.setattr("ex3cli.lab.training.converged_at", lambda evaluations, *_: 24)
    tab = visit()
    ready(tab)
    stroke(tab, (0.2, 0.2), (0.5, 0.8), (0.8, 0.2))
    assert points(tab) > 100
    tab.click("#train")
    shows(tab, "#status", "Converged")
    shows(tab, "#verdict", "every evaluation since epoch 24 meets the rule")
    shows(tab, "#numbers", "Epoch 60.* modes")
    assert tab.inner_text("#train") == "Train"
    with tab.expect_download() as download:
        tab.click("#panel")
    assert download.value.suggested_filename == "panel-log-seed-3-epoch-60.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    tab.click("#save")
    shows(tab, "#status", "Saved as .*0001-log")
    run = Store(tmp_path / "artifacts").open("lab/points/0001-log")
    assert run.manifest.converged
    assert run.manifest.seed == 3
    drawn = np.loadtxt(run.path / "points.csv", delimiter=",", skiprows=1)
    assert len(drawn) == points(tab)
    assert drawn[abs(drawn[:, 0] - 0.5) < 0.03, 1].mean() > 0.6  # the tip of the stroke is up
    assert run.manifest.config["max_epochs"] == 60
    assert "--max-epochs 60" in tab.inner_text("#command")


def test_what_is_drawn_erased_and_cleared(visit: Callable[..., Any]) -> None:
    tab = visit()
    ready(tab)
    tab.click("#train")
    shows(tab, "#error", "The canvas is empty")
    stroke(tab, (0.2, 0.5), (0.8, 0.5))
    before = points(tab)
    tab.check("#eraser")
    tab.locator("#size").fill("10")
    stroke(tab, (0.1, 0.5), (0.5, 0.5))
    assert 0 < points(tab) < before
    tab.click("#clear")
    assert points(tab) == 0


def test_it_is_drawn_on_and_trained_by_keys(visit: Callable[..., Any]) -> None:
    tab = visit()
    ready(tab)
    tab.focus("#square")
    tab.keyboard.press("Enter")
    for _ in range(5):
        tab.keyboard.press("Shift+ArrowUp")
    tab.keyboard.press("Enter")
    assert points(tab) == 16
    assert tab.inner_text("#value") == "cursor at x 0.50, y 0.75"
    tab.keyboard.press("n")
    shows(tab, "#numbers", r"Epoch 1\.")
    tab.keyboard.press("d")
    tab.keyboard.press("g")
    shows(tab, "#numbers", "Single steps outside of the epochs: 2")
    tab.select_option("#speed", "1")
    tab.focus("#square")
    tab.keyboard.press("Space")
    shows(tab, "#train", "Pause")
    tab.keyboard.press("Space")
    shows(tab, "#train", "Train")
    tab.keyboard.press("e")
    assert tab.is_checked("#eraser")


def test_it_is_drawn_on_by_touch_on_a_phone(visit: Callable[..., Any]) -> None:
    tab = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    ready(tab)
    tab.locator("#square").scroll_into_view_if_needed()
    tab.locator("#square").tap()
    assert points(tab) == 8
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    tab.click("summary")
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_10_000_strokes_are_thinned_and_trained_on(visit: Callable[..., Any]) -> None:
    tab = visit()
    ready(tab)
    tab.evaluate("""() => {
        const square = document.getElementById("square"), box = square.getBoundingClientRect();
        for (let i = 0; i < 10000; i++) {
            const place = {
                pointerId: 1, clientX: box.x + ((i % 100) / 100) * box.width, clientY: box.y + box.height / 2,
            };
            square.setPointerCapture = () => {};
            square.dispatchEvent(new PointerEvent("pointerdown", place));
            square.dispatchEvent(new PointerEvent("pointerup", place));
        }
    }""")
    assert 5_000 < points(tab) <= 20_000
    tab.click("#step-epoch")
    shows(tab, "#numbers", r"Epoch 1\.")


def test_a_preset_a_file_and_the_settings(visit: Callable[..., Any], tmp_path: Path) -> None:
    tab = visit()
    ready(tab)
    tab.select_option("#preset", "moons")
    shows(tab, "#status", "moons is on the canvas")
    assert tab.input_value("#preset") == "moons"
    tab.click("summary")
    tab.select_option("[data-setting=loss]", "wgan-gp")
    tab.fill("#seed", "11")
    tab.click("#step-epoch")
    shows(tab, "#command", "ex3 lab train moons --seed 11 --loss wgan-gp")
    tab.fill("[data-setting=lr_g]", "-1")
    tab.click("#step-epoch")
    shows(tab, "#error", "--lr-g -1.0 is out of range. Remedy: give a number above 0")
    tab.fill("[data-setting=lr_g]", "0.001")
    (tmp_path / "cloud.csv").write_text("x,y\n0.1,0.2\n0.8,0.9\n0.5,0.5\n")
    tab.set_input_files("#file", tmp_path / "cloud.csv")
    shows(tab, "#status", "cloud.csv is on the canvas")
    assert points(tab) == 3
    tab.click("#reset")
    shows(tab, "#command", "--points=cloud.csv")
    (tmp_path / "bad.csv").write_text("x,y\n0.1,abc\n")
    tab.set_input_files("#file", tmp_path / "bad.csv")
    shows(tab, "#error", "Bad.csv, line 2 is no pair of numbers")
    assert points(tab) == 3
    stroke(tab, (0.2, 0.2), (0.4, 0.2))  # edited, it is a drawing of its own
    assert tab.input_value("#preset") == ""
    tab.click("#reset")
    shows(tab, "#command", "--points=points.csv")
    before = tab.input_value("#seed")
    tab.click("#new-seed")
    assert tab.input_value("#seed") != before
    shows(tab, "#command", f"--seed {tab.input_value('#seed')}")


def test_the_canvas_of_the_command_line(visit: Callable[..., Any], serve: Callable[..., LiveServer]) -> None:
    text = base64.b64encode(b"0.1,0.2\n0.8,0.9\n").decode()
    tab = visit(serve(canvas={"do": "load", "name": "</script><b>.csv", "data": text}))
    ready(tab)  # only once the canvas is filled
    assert tab.inner_text("#status") == "script><b>.csv is on the canvas."
    assert points(tab) == 2


def test_a_second_page_says_so(visit: Callable[..., Any], serve: Callable[..., LiveServer]) -> None:
    server = serve()
    ready(visit(server))
    second = visit(server)
    shows(second, "#error", "The lab is open in another page. Remedy: close that page")
    assert second.is_disabled("#train")


def test_a_page_comes_back_after_a_lost_connection(visit: Callable[..., Any]) -> None:
    sockets: list[Any] = []

    def connect(socket: Any) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    tab = visit(prepare=lambda tab: tab.route_web_socket("**/live", connect))
    ready(tab)
    stroke(tab, (0.2, 0.2), (0.5, 0.8))
    tab.click("#step-epoch")
    shows(tab, "#numbers", r"Epoch 1\.")
    sockets[0].close(code=1011)
    shows(tab, "#status", "Ready")
    assert len(sockets) == 2
    tab.click("#step-epoch")
    shows(tab, "#numbers", r"Epoch 2\.")


def test_a_reader_who_wants_little_motion_gets_a_picture_a_second(visit: Callable[..., Any]) -> None:
    tab = visit(reduced_motion="reduce")
    ready(tab)
    stroke(tab, (0.2, 0.2), (0.5, 0.8))
    tab.click("#step-epoch")
    shows(tab, "#numbers", r"Epoch 1\.")


def test_every_control_has_a_name(visit: Callable[..., Any]) -> None:
    tab = visit()
    tab.click("summary")
    names = tab.evaluate("""() =>
        [...document.querySelectorAll("button, input, select, canvas")].map((each) => [
            each.id || each.dataset.setting,
            (each.getAttribute("aria-label") || each.labels?.[0]?.textContent || each.textContent).trim(),
        ])""")
    assert len(names) > 40
    assert not [control for control, name in names if not name]


def test_it_is_light_and_dark(visit: Callable[..., Any]) -> None:
    tab = visit(color_scheme="dark")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    tab.click("#theme")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
