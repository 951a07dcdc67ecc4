"""What tests of every floor share: a store in a temporary folder, the command line as a function, the real
data if here.
"""

import functools
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ex3cli.plotting  # noqa: F401  (Matplotlib without the settings of this machine, whoever imports it first)

import hypothesis
import numpy as np
import pytest
import typer
from matplotlib.figure import Figure
from PIL import Image
from typer.testing import CliRunner

from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

# no example fails for a slow machine, or by luck
hypothesis.settings.register_profile("ex3", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ex3")


ORDER = os.environ.get("EX3_TEST_ORDER", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffle the files and the tests in each by the seed EX3_TEST_ORDER, where it is set."""
    if ORDER:
        draws = random.Random(int(ORDER))
        files = draws.sample(sorted({item.path for item in items}), k=len({item.path for item in items}))
        place = {path: number for number, path in enumerate(files)}
        items.sort(key=lambda item: (place[item.path], draws.random()))


def pytest_report_header() -> str | None:
    """Name the order of the tests."""
    return f"order: EX3_TEST_ORDER={ORDER}" if ORDER else None


def _shown(figure: Figure) -> Iterator[Any]:
    """The curves, points, pictures and words of a figure."""
    yield from (text.get_text() for text in figure.texts)
    for axes in figure.axes:
        yield from (line.get_xydata() for line in axes.lines)
        yield from (points.get_offsets() for points in axes.collections)
        yield from (patch.get_path().vertices for patch in axes.patches)
        yield from (picture.get_array() for picture in axes.images)
        yield from (text.get_text() for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts))


def _save_few_pixels(self: Figure, file: Any, *, format: str, **_: Any) -> None:
    """In place of `Figure.savefig`: a tiny picture whose pixels follow from what the figure shows."""
    digest = hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in _shown(self))).digest()
    if format == "svg":
        file.write(b'<svg viewBox="0 0 16 2"><!-- ' + digest.hex().encode() + b" --></svg>")
    else:
        Image.frombytes("L", (16, 2), digest).save(file, format)


SAVE_FIGURE = Figure.savefig


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Draw figures in tests marked `draws` alone: drawing takes most of the time of a small training.

    Fixtures of modules and sessions draw as the test does that asks for them first.
    """
    Figure.savefig = SAVE_FIGURE if item.get_closest_marker("draws") else _save_few_pixels
    try:
        return (yield)
    finally:
        Figure.savefig = SAVE_FIGURE


@pytest.fixture(autouse=True, scope="session")
def _commands_are_built_once() -> Iterator[None]:
    """Typer's runner builds the tree of all commands, 30 ms, for every command that it runs."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("typer.testing._get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """Torch's global generator begins every test alike, whichever ran before."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test stands in its own folder, so that the default ./artifacts and ./data are its own too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EX3_ARTIFACTS", raising=False)
    monkeypatch.delenv("EX3_DATA", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power, and one that fails to write says so itself: thousands of files need not reach
    the disk.
    """
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(autouse=True)
def _heed_sigint() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where the suite was started in the background, which
    ignores it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty artifacts folder, and an empty reference beside it."""
    return Store(tmp_path / "artifacts", reference=tmp_path / "reference")


@pytest.fixture
def new_run(store: Store) -> Callable[..., Run]:
    """Claim a run with arguments that matter to the test and plain ones for the rest."""

    def make(**changes: Any) -> Run:
        given: dict[str, Any] = {
            "category": ("toy", "digits"),
            "label": "small",
            "command": "toy train",
            "config": {"width": 2},
            "seed": 0,
            "argv": ["ex3", "toy", "train"],
        }
        given |= changes
        return store.new_run(given.pop("category"), **given)

    return make


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout; constants that JSON lacks are refused."""

        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is not JSON")

        parsed: dict[str, Any] = json.loads(self.stdout, parse_constant=refuse)
        return parsed


@pytest.fixture
def ex3() -> Callable[..., Outcome]:
    """Run `ex3 WORDS…` in this process."""
    from ex3cli.cli import app

    def run(*words: object) -> Outcome:
        result = CliRunner().invoke(app, [str(word) for word in words], prog_name="ex3")
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def digits_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifacts folder that holds one thing: a small classifier of digits, trained in seconds and
    complete.
    """
    import torch

    from ex3cli.classifier.config import ClassifierConfig
    from ex3cli.classifier.training import train
    from ex3cli.datasets.registry import load
    from ex3cli.training.progress import NullProgress

    root = tmp_path_factory.mktemp("classifier") / "artifacts"
    config = ClassifierConfig.resolve(width=8, feature_size=16, epochs=6, batch_size=32, precision="float32")
    settings = {"dataset": "digits", "seed": 0, **config.to_dict()}
    run = Store(root, reference=root / "none").new_run(
        ("classifier", "digits"),
        label="tiny",
        command="classifier train",
        config=settings,
        seed=0,
        argv=["ex3"],
    )
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    done = train(
        config, load("digits"), run, NullProgress(), seed=0, device=torch.device("cpu"), resume_command=""
    )
    torch.set_num_threads(before)
    run.finish({"accuracy": done.test_accuracy, "held_out_accuracy": done.held_out_accuracy})
    return root


FILE_OPERATIONS = frozenset({"open", "os.mkdir", "os.remove", "os.rename", "os.truncate"})
"""Python's audit events of what changes a folder."""


def die_before_operation(number: int, folder: Path) -> None:
    """Kill this process with SIGKILL just before its operation of that number on a file in the folder."""
    left = [number]

    def count(event: str, given: tuple[Any, ...]) -> None:
        if event in FILE_OPERATIONS and str(given[0]).startswith(str(folder)):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


@pytest.fixture
def kill_and_repeat() -> Iterator[Callable[..., int]]:
    """Run a body in forked processes, each killed before some operation on a file in a folder, until one ends
    by itself.

    Which operation is drawn from a seed, at first 1 to `farthest`; each kill raises that limit by one, so
    that the body ends even where it needs more. No clock takes part. Returns how many processes were killed.

    The whole test uses one thread: a forked child must not wait for a thread pool that stayed with its
    parent, and a training to compare with must have as many threads.
    """
    if not hasattr(os, "fork"):
        pytest.skip("kills forked processes")
    from ex3cli.training.threads import torch_threads

    def run(body: Callable[[], object], folder: Path, farthest: int) -> int:
        draws, kills = random.Random(0), 0
        while True:
            operation = draws.randint(1, farthest + kills)
            if (child := os.fork()) == 0:
                code = 1
                try:
                    die_before_operation(operation, folder)
                    body()
                    code = 0
                except Exception:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            status = os.waitpid(child, 0)[1]
            if not os.WIFSIGNALED(status):
                assert status == 0
                return kills
            assert os.WTERMSIG(status) == signal.SIGKILL
            kills += 1

    with torch_threads(1):
        yield run


class Tape:
    """Records as a CUDA graph does, but on a CPU: each operation with the memory and the numbers that it was
    given.

    Playing it runs no Python of what was recorded, and leaves every result at the address that it had. Unlike
    a graph it
    takes effect while it is recorded; the first playing does nothing instead.
    """

    def __init__(self) -> None:
        self.ran, self.recordings, self.replays = 0, 0, 0
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def run(self, body: Callable[[], Any]) -> Any:
        self.ran += 1
        return body()

    def record(self, body: Callable[[], Any]) -> Any:
        import torch
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        from ex3cli.training.cuda_graphs import Recording

        operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

        class Recorder(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
                made = function(*args, **(kwargs or {}))
                operations.append((function, args, kwargs or {}, made))
                return made

        with Recorder():
            result = body()
        self.recordings, self.operations, fresh = self.recordings + 1, operations, [True]

        @torch.no_grad()
        def play() -> None:
            self.replays += 1
            if fresh:
                fresh.clear()
                return
            for function, given, named, made in operations:
                for old, new in zip(tree_leaves(made), tree_leaves(function(*given, **named)), strict=True):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)

        return Recording(play, result)


class Direct:
    """Records nothing: each playing calls the body."""

    def run(self, body: Callable[[], Any]) -> Any:
        return body()

    def record(self, body: Callable[[], Any]) -> Any:
        from ex3cli.training.cuda_graphs import Recording

        recording: list[Any] = []

        def play() -> None:
            if recording:
                recording[0].result.copy_(body())

        recording.append(Recording(play, body()))
        fresh = [True]
        return Recording(lambda: fresh.clear() if fresh else play(), recording[0].result)


@pytest.fixture
def tape() -> Tape:
    """A stand-in for CUDA graphs."""
    return Tape()


@pytest.fixture
def direct() -> Direct:
    """What a stand-in is compared with."""
    return Direct()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with driver.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


REAL_DATA = os.environ.get("EX3_DATA", "")


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real data sets' folder; the test is skipped where there is none."""
    root = Path(REAL_DATA) if REAL_DATA else None
    if root is None or not (root / "FashionMNIST" / "raw").is_dir():
        pytest.skip("needs the real Fashion-MNIST: set EX3_DATA to its folder")
    return root.resolve()
