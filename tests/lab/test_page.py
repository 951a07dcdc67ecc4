"""The page: self-contained, safe, and alive in a real browser."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ex3cli.lab.evaluation import RealBaseline
from ex3cli.lab.page import FRAMES, render_replay
from ex3cli.lab.snapshots import HEAT, Snapshots

FLOOR = RealBaseline(0, 0.001, 0.02, 0, 0.002, 0.03)


def snapshots(frames: int = 30, mesh: tuple[int, ...] = (4, 4, 2)) -> Snapshots:
    draws = np.random.default_rng(0)
    curve = np.linspace(1, 0.1, frames, dtype=np.float32)
    first = np.where(np.arange(frames) == 0, np.nan, curve).astype(np.float32)
    points = draws.random((frames, 20, 2)).astype(np.float32)
    return Snapshots(
        epoch=np.arange(frames, dtype=np.float32) * 100,
        fake=points,
        pull=points[:, :5] - 0.5,
        heat=np.full((frames, HEAT, HEAT), 0.6, np.float32),
        manifold=draws.random((frames, *mesh)).astype(np.float32),
        discriminator_loss=first,
        generator_loss=first,
        kl=curve * 2,
        js=curve,
        w=curve / 2,
        outside=curve * 0,
        modes=np.full(frames, 3, np.float32),
    )


def page(made: Snapshots, title: str = "ring") -> str:
    real = np.random.default_rng(1).random((20, 2))
    return render_replay(made, real, FLOOR, title=title, verdict="converged", settings="small", modes=3)


def data_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_nothing_is_fetched_from_anywhere() -> None:
    text = page(snapshots())
    assert not re.search(r"https?://|<link|src=|@import|url\(", text)
    assert "default-src 'none'" in text


def test_a_title_cannot_be_markup() -> None:
    text = page(snapshots(), "<script>alert(1)</script>.png")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_control_characters_of_a_title_are_seen() -> None:
    text = page(snapshots(), "a\x1b[31m\nb\udce4.png")
    assert r"a\x1b[31m\nb\xe4.png" in text
    assert "\x1b" not in text


def test_the_data_are_those_of_the_film() -> None:
    made = snapshots()
    data = data_of(page(made))
    assert data["epoch"] == made.epoch.astype(int).tolist()
    assert data["discriminator_loss"][0] is None  # there is none before the first epoch
    assert data["js"] == pytest.approx(made.js.tolist(), abs=1e-5)
    places = np.frombuffer(base64.b64decode(data["fake"]), "<u2") / 65535 * 2 - 0.5
    assert places == pytest.approx(made.fake.ravel(), abs=2e-5)
    heat = np.frombuffer(base64.b64decode(data["heat"]), np.uint8)
    assert 0.5 + (heat[0] / 255 * 2 - 1) * data["heat_reach"][0] == pytest.approx(0.6, abs=0.002)


def test_a_long_training_is_thinned_and_keeps_its_end() -> None:
    epochs = data_of(page(snapshots(700)))["epoch"]
    assert len(epochs) == FRAMES
    assert (epochs[0], epochs[-1]) == (0, 69_900)


@pytest.mark.parametrize(("mesh", "written"), [((17, 2), [1, 17]), ((0, 2), None), ((4, 4, 2), [4, 4])])
def test_the_manifold_of_any_noise(mesh: tuple[int, ...], written: list[int] | None) -> None:
    assert data_of(page(snapshots(3, mesh)))["mesh"] == written


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """The page in a tab of its own, which must not complain."""
    (tmp_path / "page.html").write_text(page(snapshots()), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 1000, "height": 900}, color_scheme="dark")
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto((tmp_path / "page.html").as_uri())
    yield tab
    tab.close()
    assert not [
        each for each in complaints if "getImageData" not in each
    ]  # measurement pixels is the tests' doing


def shown_epoch(tab: Any) -> int:
    return int(tab.inner_text("#numbers").split(":")[0].removeprefix("Epoch ").replace(",", ""))


def test_it_plays_pauses_scrubs_and_takes_keys(opened: Any) -> None:
    assert shown_epoch(opened) == 2900
    opened.keyboard.press("Home")
    assert shown_epoch(opened) == 0
    opened.keyboard.press("ArrowRight")
    assert shown_epoch(opened) == 100
    opened.keyboard.press("+")
    assert opened.input_value("#speed") == "20"
    for _ in range(5):
        opened.keyboard.press("-")
    assert opened.input_value("#speed") == "2"
    opened.keyboard.press("Space")
    assert opened.inner_text("#play") == "Pause"
    for _ in range(600):  # the page's own policy forbids Playwright's waiting for a function
        if shown_epoch(opened) > 100:
            break
        opened.wait_for_timeout(100)
    assert shown_epoch(opened) > 100
    opened.keyboard.press("Space")
    assert opened.inner_text("#play") == "Play"
    opened.evaluate("s = document.getElementById('scrub'); s.value = 7; s.dispatchEvent(new Event('input'))")
    assert shown_epoch(opened) == 700
    opened.keyboard.press("End")
    assert shown_epoch(opened) == 2900


def test_it_reads_values_under_the_pointer(opened: Any) -> None:
    opened.hover("#square", position={"x": 50, "y": 50})
    assert "discriminator 0.600" in opened.inner_text("#value")
    opened.hover("#transport", position={"x": 44, "y": 30})
    assert opened.inner_text("#value") == "Epoch 0: W 0.5000"
    opened.hover("#losses", position={"x": 44, "y": 30})
    assert opened.inner_text("#value") == "Epoch 0: discriminator not a number, generator not a number"


def test_it_is_drawn_dark_and_light(opened: Any) -> None:
    def brightness() -> float:
        script = (
            "c = document.getElementById('square'); [...c.getContext('2d').getImageData(3, 3, 1, 1).data]"
        )
        return float(np.mean(opened.evaluate(script)[:3]))

    assert opened.evaluate("document.documentElement.dataset.theme") == "dark"
    before = brightness()
    opened.click("#theme")
    assert brightness() > before + 80


def test_what_is_switched_off_is_not_drawn(opened: Any) -> None:
    script = (
        "c = document.getElementById('square'); c.getContext('2d').getImageData(0, 0, c.width, "
        "c.height).data.some(v => v)"
    )
    for name in ("heat", "real", "fake", "pull"):
        assert opened.evaluate(script)
        opened.uncheck(f"#{name}")
    assert not opened.evaluate(script)
    opened.check("#manifold")
    assert opened.evaluate(script)


def test_ticks_are_round_numbers(opened: Any) -> None:
    script = """written = []; plain = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
          written.push(this.canvas.id + " " + text);
          plain.call(this, text, ...place);
        };
        window.dispatchEvent(new Event("resize")); written"""
    written = opened.evaluate(script)
    heights = ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert [each.split()[1] for each in written if each.startswith("nats")] == [
        *heights,
        "0",
        "1,000",
        "2,000",
    ]
    assert [each.split()[1] for each in written if each.startswith("losses")][:5] == [
        "0.2",
        "0.4",
        "0.6",
        "0.8",
        "1.0",
    ]
