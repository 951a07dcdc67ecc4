"""`ex3 lab draw`: what it saves, and the command as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ex3cli.cli.lab_draw import save_run
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import PRESETS
from ex3cli.lab.drawings import parse
from ex3cli.lab.live.messages import Setup
from ex3cli.runs.store import Store

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

SHORT = {"min_epochs": 40, "max_epochs": 40, "eval_interval": 8, "batch_size": 20, "loss": "wgan-gp"}
EX3 = Callable[..., Any]


@pytest.fixture(autouse=True)
def _fewer_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ex3cli.lab.evaluation.REAL", 5_000)
    monkeypatch.setattr("ex3cli.lab.evaluation.GENERATED", 2_000)
    monkeypatch.setattr("ex3cli.lab.training.GENERATED", 2_000)
    monkeypatch.setattr("ex3cli.lab.evaluation.TRANSPORTED", 100)


def options(settings: dict[str, Any]) -> list[str]:
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.mark.parametrize("source", ["points.csv", "ring"])
def test_a_saved_run_is_bit_for_bit_that_of_the_command(ex3: EX3, tmp_path: Path, source: str) -> None:
    points = np.random.default_rng(0).random((200, 2))
    data = "x,y\n" + "".join(f"{x:.4f},{y:.4f}\n" for x, y in points)
    distribution = parse(data.encode(), Path(source)) if source.endswith("csv") else PRESETS[source]
    epochs: list[int] = []
    setup = Setup(LabConfig.resolve(**SHORT), distribution, 7)
    answer = save_run(tmp_path / "live", setup, lambda epoch: epochs.append(epoch) is None)
    assert answer["kind"] == "saved"
    assert "not converged" in answer["verdict"]
    assert epochs == [8, 16, 24, 32, 40] * 3  # attempts
    saved = Store(tmp_path / "live").open(answer["run"])
    assert saved.path == Path(answer["folder"])
    given = [source]
    if source.endswith("csv"):
        copy = tmp_path / source
        copy.write_bytes(saved.read_bytes("points.csv"))
        given = ["--points", str(copy)]
    outcome = ex3(
        "lab",
        "train",
        *given,
        "--seed",
        7,
        "--page",
        *options(SHORT),
        "--artifacts",
        tmp_path / "command",
        "--json",
    )
    assert outcome.exit_code == 5
    trained = Store(tmp_path / "command").open(outcome.document["run"])
    assert saved.manifest.files.keys() == trained.manifest.files.keys()
    assert {"figures/panel.png", "figures/training.gif", "page.html"} <= saved.manifest.files.keys()
    for name, entry in saved.manifest.files.items():
        assert entry["sha256"] == trained.manifest.files[name]["sha256"], name
    for each in ("config", "seed", "category", "data", "threads", "command", "state", "converged"):
        assert getattr(saved.manifest, each) == getattr(trained.manifest, each), each
    assert set(saved.verify().values()) == {"ok"}
    assert (tmp_path / "live" / "convergence.json").is_file()


def test_a_saved_run_can_be_reproduced(ex3: EX3, tmp_path: Path) -> None:
    cloud = parse(b"0.1,0.2\n0.8,0.9\n", Path("points.csv"))
    answer = save_run(tmp_path / "artifacts", Setup(LabConfig.resolve(**SHORT), cloud, 1), lambda epoch: True)
    outcome = ex3("runs", "reproduce", answer["run"])
    assert outcome.exit_code == 0, outcome.stderr


def test_a_canceled_run_is_marked_interrupted(tmp_path: Path) -> None:
    setup = Setup(LabConfig.resolve(**SHORT), PRESETS["ring"], 0)
    answer = save_run(tmp_path / "artifacts", setup, lambda epoch: epoch < 16)
    assert answer["cause"] == "the run was not saved: stopped in attempt 1, at epoch 16"
    (run,) = Store(tmp_path / "artifacts").runs(("lab", "ring"))
    assert run.manifest.state == "interrupted"


def test_a_run_that_cannot_be_saved_has_its_cause(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where a folder belongs")
    setup = Setup(LabConfig.resolve(**SHORT), PRESETS["ring"], 0)
    answer = save_run(tmp_path / "artifacts", setup, lambda epoch: True)
    assert answer["kind"] == "error"
    assert "was not saved" in answer["cause"]
    assert answer["remedy"]


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_a_missing_library_gets_a_clear_line(ex3: EX3, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "ex3cli.lab.live.server", raising=False)
    outcome = ex3("lab", "draw", "--no-browser")
    assert outcome.exit_code == 2
    assert f"needs {library}" in outcome.stderr
    assert "pip install 'ex3cli[live]'" in outcome.stderr


@pytest.mark.parametrize(
    ("words", "code", "cause"),
    [
        (("rign",), 2, "did you mean 'ring'"),
        (("ring", "--points", "a.png"), 2, "are given"),
        (("--points", "none.csv"), 3, "cannot be read"),
        (("--loss", "hinge"), 2, "--loss"),
        (("--port", "70000"), 2, "--port"),
    ],
)
def test_a_mistake_gets_its_cause(ex3: EX3, words: tuple[str, ...], code: int, cause: str) -> None:
    outcome = ex3("lab", "draw", "--no-browser", *words)
    assert outcome.exit_code == code
    assert cause in outcome.stderr


def test_a_port_in_use_gets_its_cause(ex3: EX3) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra live")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = ex3("lab", "draw", "--no-browser", "--port", port)
    assert outcome.exit_code == 2
    assert f"port {port} cannot be used" in outcome.stderr


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(
    ("number", "code", "trains"), [(signal.SIGINT, 0, False), (signal.SIGTERM, 143, True)]
)
def test_the_command_trains_for_a_page_and_ends_with_a_signal(
    tmp_path: Path, number: signal.Signals, code: int, trains: bool
) -> None:
    client = pytest.importorskip("websockets.sync.client", reason="needs the extra live")
    pytest.importorskip("uvicorn", reason="needs the extra live")
    command = [sys.executable, "-m", "ex3cli", "lab", "draw", "--no-browser", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        url = process.stderr.readline().removeprefix("open ").strip()
        port = url.split(":")[2].split("/")[0]
        address = url.replace("http", "ws") + "live"
        with client.connect(address, origin=f"http://127.0.0.1:{port}") as page:
            page.send('{"page": "a"}')
            assert json.loads(page.recv(120))["kind"] == "welcome"
            if trains:
                page.send('{"do": "setup", "source": {"preset": "line"}}')
                assert json.loads(page.recv(120))["kind"] == "ready"
                page.send('{"do": "run"}')
                page.send('{"do":"picture"}')
                assert isinstance(page.recv(120), bytes)
            children = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False
            ).stdout.split()
            process.send_signal(number)
            out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "Traceback" not in err
    if code == 0:
        assert json.loads(out) == {"address": url}
    end = time.monotonic() + 120
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < end
        time.sleep(0.05)
