"""What a page can ask of its training, and what it gets."""

import base64
import io
import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Draw
from ex3cli.lab.drawings import PointCloud, parse
from ex3cli.lab.live.messages import MOST_POINTS, Message, Setup
from ex3cli.lab.live.session import SLICE, Session
from ex3cli.lab.training import LabAttempt, train
from ex3cli.runs.run import Run
from ex3cli.training.progress import NullProgress

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end, pytest.mark.usefixtures("fewer_points")]


class Clock:
    """Seconds that pass when a test lets them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def saved() -> list[Setup]:
    """The setups that were to be saved."""
    return []


@pytest.fixture
def session(clock: Clock, saved: list[Setup]) -> Session:
    def save(setup: Setup) -> Message:
        saved.append(setup)
        return {"kind": "saved"}

    return Session(save, clock)


def epoch(session: Session) -> int:
    assert session.attempt is not None
    return session.attempt.trainer.epoch


def test_the_pages_training_is_that_of_the_command(
    session: Session, page: Any, new_run: Callable[..., Run], clock: Clock
) -> None:
    given = {"max_epochs": 100, "min_epochs": 100}
    (ready,) = session.handle(page.setup(settings=given))
    assert ready["kind"] == "ready"
    session.handle(page.message("run"))
    while session.running:
        clock.now += 1
        session.work()
    assert session.attempt is not None
    config = LabConfig.resolve(**page.tiny, **given)
    run = new_run(category=("lab", "points"), seed=3)
    cloud = parse(page.ring.encode(), Path("points.csv"))
    done = train(config, cloud, run, NullProgress(), max_attempts=1)
    assert torch.equal(session.attempt.trainer.ema.model.flat, done.trainer.ema.model.flat)
    assert [each.measurement for each in session.attempt.evaluations][-1] == done.last
    assert session.attempt.verdict == done.verdict
    baseline = done.reference.baseline
    assert ready["baseline"] == {"kl": baseline.kl, "js": baseline.js, "w": baseline.w}


def test_a_state_holds_the_networks_and_the_new_evaluations(
    session: Session, page: Any, clock: Clock
) -> None:
    session.handle(page.setup())
    assert session.changed
    header, arrays = page.read_state(session.state())
    assert not session.changed
    assert (header["epoch"], header["evaluations"]["epoch"]) == (0, [0])
    assert header["evaluations"]["discriminator_loss"] == [None]  # there is none before the first epoch
    session.handle(page.message("run"))
    for _ in range(3):
        clock.now += 1
        session.work()
    header, arrays = page.read_state(session.state())
    assert (header["epoch"], header["evaluations"]["epoch"]) == (30, [20])
    assert header["running"]
    assert session.attempt is not None
    view = session.attempt.recorder.view()
    places = arrays["fake"] / 65535 * 2 - 0.5
    assert places == pytest.approx(view.fake.ravel().clip(-0.5, 1.5), abs=2e-5)
    assert arrays["pull"].tolist() == view.pull.ravel().tolist()
    shown = 0.5 + (arrays["heat"] / 255 * 2 - 1) * header["heat_reach"]
    assert shown == pytest.approx(view.heat.ravel(), abs=0.002)
    assert header["mesh"] == list(view.manifold.shape[:2])
    session.handle(page.message("resend"))
    assert page.read_state(session.state())[0]["evaluations"]["epoch"] == [0, 20]


def test_speed_bounds_the_epochs_by_the_clock(session: Session, page: Any, clock: Clock) -> None:
    session.handle(page.setup())
    session.handle(page.message("run", speed=5))
    session.work()
    assert epoch(session) == 1  # the first at once
    assert session.seconds_until_work == pytest.approx(0.2)
    for _ in range(20):
        clock.now += 0.1
        session.work()
    assert 10 <= epoch(session) <= 11
    session.handle(page.message("pause"))
    before = epoch(session)
    clock.now += 100
    session.work()
    assert epoch(session) == before
    assert session.seconds_until_work is None
    session.handle(page.message("run"))
    session.work()
    clock.now += 1
    session.work()
    assert epoch(session) > before
    assert epoch(session) <= before + 1 + SLICE  # a pause is not made up for


def test_slow_epochs_are_taken_one_by_one_so_that_a_command_is_heard(
    session: Session, page: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.handle(page.setup())
    assert session.attempt is not None
    plain, taken = LabAttempt.step, []

    def slow_step(attempt: LabAttempt, epochs: int) -> int:
        clock.now += 1
        taken.append(plain(attempt, epochs))
        return taken[-1]

    monkeypatch.setattr(LabAttempt, "step", slow_step)
    session.handle(page.message("run"))
    for _ in range(5):
        clock.now += 1
        session.work()
    assert taken == [10, 5, 2, 1, 1]


def test_single_steps(session: Session, page: Any) -> None:
    session.handle(page.setup())
    assert session.attempt is not None
    trainer = session.attempt.trainer
    before = trainer.generator.flat.clone(), trainer.discriminator.flat.clone()
    session.handle(page.message("step", part="discriminator"))
    assert torch.equal(trainer.generator.flat, before[0])
    assert not torch.equal(trainer.discriminator.flat, before[1])
    session.handle(page.message("step", part="generator"))
    assert not torch.equal(trainer.generator.flat, before[0])
    assert epoch(session) == 0
    session.handle(page.message("step", part="epoch"))
    assert epoch(session) == 1
    assert page.read_state(session.state())[0]["alone"] == {"discriminator": 1, "generator": 1}


def test_each_single_step_uses_another_batch(
    session: Session, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.handle(page.setup())
    assert session.attempt is not None
    trainer, real, noise = session.attempt.trainer, [], []
    cloud, make_noise = trainer.distribution, trainer.noise

    class Recorder:
        """The distribution, noting its draws."""

        name, modes = cloud.name, cloud.modes

        def draw(self, count: int, draws: np.random.Generator) -> Draw:
            drawn = cloud.draw(count, draws)
            real.append(drawn.points)
            return drawn

    def noting(count: int, draws: torch.Generator) -> torch.Tensor:
        noise.append(make_noise(count, draws))
        return noise[-1]

    monkeypatch.setattr(trainer, "distribution", Recorder())
    monkeypatch.setattr(trainer, "noise", noting)
    for part in ("discriminator", "discriminator", "generator", "generator"):
        session.handle(page.message("step", part=part))
    assert not np.array_equal(*real)
    assert len(noise) == 4
    assert not any(torch.equal(one, other) for one, other in combinations(noise, 2))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no command"),
        (b'{"do": 3}', "no command"),
        (b'{"do": "trian"}', "no command 'trian'"),
        (b'{"do": "__init__"}', "no command '__init__'"),
        (b'{"do": "setup"}', "source"),
        (b'{"do": "setup", "source": {"points": 3}}', "points is not text"),
        (b'{"do": "setup", "source": {"points": "x,y\\n1,2,3,4"}}', "points.csv, line 2"),
        (b'{"do": "setup", "source": {"points": " "}}', "the canvas is empty"),
        (b'{"do": "setup", "source": {"preset": "rign"}}', "no preset 'rign'"),
        (b'{"do": "setup", "source": {"preset": "ring"}, "settings": {"lr_g": "0"}}', "--lr-g 0.0"),
        (b'{"do": "setup", "source": {"preset": "ring"}, "settings": {"lr_g": "nan"}}', "out of range"),
        (b'{"do": "setup", "source": {"preset": "ring"}, "settings": {"d_steps": "1.5"}}', "--d-steps '1.5'"),
        (b'{"do": "setup", "source": {"preset": "ring"}, "settings": {"d_stpes": "1"}}', "d_stpes"),
        (b'{"do": "setup", "source": {"preset": "ring"}, "settings": 4}', "settings"),
        (b'{"do": "setup", "source": {"preset": "ring"}, "seed": "-1"}', "--seed '-1'"),
        (b'{"do": "setup", "source": {"preset": "ring"}, "seed": "9223372036854775808"}', "--seed"),
        (
            b'{"do": "setup", "source": {"preset": "ring"}, '
            b'"settings": {"max_epochs": 9, "eval_interval": 3}}',
            "fewer than 5 evaluations in 9 epochs",
        ),
        (b'{"do": "run", "speed": 0}', "speed"),
        (b'{"do": "run", "speed": true}', "speed"),
        (b'{"do": "run"}', "no training yet"),
        (b'{"do": "save"}', "no training yet"),
        (b'{"do": "load", "name": "a.png", "data": "???"}', "not base64"),
        (b'{"do": "load", "name": "a.png", "data": "AAAA"}', "a.png"),
        (b'{"do": "load", "name": "../../a.csv", "data": "AAAA"}', "a.csv"),
    ],
)
def test_a_mistake_gets_its_cause_and_its_remedy(
    session: Session, page: Any, text: bytes, cause: str
) -> None:
    (answer,) = session.handle(text)
    assert answer["kind"] == "error"
    assert cause in answer["cause"]
    assert answer["remedy"]
    assert ".." not in answer["cause"]
    (answer,) = session.handle(page.setup())  # the session goes on
    assert answer["kind"] == "ready"


def test_a_setting_out_of_range_has_the_commands_own_words(
    session: Session, page: Any, ex3: Callable[..., Any]
) -> None:
    (answer,) = session.handle(page.setup(settings={"latent_dim": 65}))
    assert answer["cause"] in ex3("lab", "train", "--latent-dim", "65").stderr


def points_of(answer: Message) -> Any:
    return np.frombuffer(base64.b64decode(answer["points"]), "<f4").reshape(-1, 2)


def test_a_preset_goes_to_the_canvas(session: Session, page: Any) -> None:
    (answer,) = session.handle(page.message("preset", name="ring"))
    points = points_of(answer)
    assert (answer["kind"], answer["name"], answer["file"]) == ("source", "ring", False)
    assert points.mean(axis=0) == pytest.approx([0.5, 0.45], abs=0.05)
    session.handle(page.setup(source={"preset": "ring"}))
    assert session.setup is not None
    assert session.setup.command_line()[:3] == ["lab", "train", "ring"]


@pytest.mark.parametrize("kind", ["png", "csv"])
def test_a_file_goes_to_the_canvas_and_is_learnt_as_the_command_learns_it(
    session: Session, page: Any, kind: str
) -> None:
    out = io.BytesIO(b"0,1\n0.1,0.2\n0.8,0.9\n")
    if kind == "png":
        pixels = np.full((40, 40), 255, np.uint8)
        pixels[10:14] = 0
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
    data = out.getvalue()
    text = base64.b64encode(data).decode()
    (answer,) = session.handle(page.message("load", name=f"folder/a.{kind}", data=text))
    points = points_of(answer)
    assert (answer["name"], answer["file"]) == (f"a.{kind}", True)
    if kind == "png":
        assert points[:, 1] == pytest.approx(0.7, abs=0.1)
    else:
        assert points == pytest.approx(np.array([[0.1, 0.2], [0.8, 0.9]]))
        assert "taken for a header" in answer["remarks"][0]
    session.handle(page.setup(source={"file": True}))
    assert session.setup is not None
    assert isinstance(session.setup.distribution, PointCloud)
    assert session.setup.distribution.data == data
    assert f"--points=a.{kind}" in session.setup.command_line()


def test_the_points_of_10_000_strokes_are_taken_and_more_are_refused(session: Session, page: Any) -> None:
    line = "0.5000,0.2500\n0.2500,0.5000\n"
    (answer,) = session.handle(page.setup(source={"points": "x,y\n" + line * 10_000}))
    assert answer["kind"] == "ready"
    (answer,) = session.handle(page.setup(source={"points": "x,y\n" + line * (MOST_POINTS // 2 + 1)}))
    assert "too many points" in answer["cause"]


@pytest.mark.draws
def test_the_panel_is_a_picture_of_the_epoch_now(session: Session, page: Any) -> None:
    session.handle(page.setup())
    for _ in range(3):
        session.handle(page.message("step", part="epoch"))
    (answer,) = session.handle(page.message("panel"))
    assert answer["name"] == "panel-log-seed-3-epoch-3.png"
    with Image.open(io.BytesIO(base64.b64decode(answer["png"]))) as picture:
        assert picture.size == (1920, 1080)


def test_saving_takes_the_points_the_settings_and_the_seed(
    session: Session, page: Any, saved: list[Setup]
) -> None:
    session.handle(page.setup(settings={"loss": "wgan-gp", "lr_g": "2e-4"}))
    session.handle(page.message("run"))
    assert session.handle(page.message("save")) == [{"kind": "saved"}]
    assert not session.running
    (setup,) = saved
    assert isinstance(setup.distribution, PointCloud)
    assert setup.distribution.data == page.ring.encode()
    words = setup.command_line()
    assert words[:4] == ["lab", "train", "--points=points.csv", "--seed"]
    assert words[words.index("--loss") + 1] == "wgan-gp"
    assert words[words.index("--lr-g") + 1] == "0.0002"
    assert "--noise" not in words  # what has its default is left out


def test_answers_are_json(session: Session, page: Any) -> None:
    for text in (page.message("preset", name="ring"), page.setup(), page.message("panel"), b"{"):
        for answer in session.handle(text):
            json.dumps(answer, allow_nan=False)
