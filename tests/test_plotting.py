"""Figures are the same whatever Matplotlib's settings on the machine are, and whatever a user's
text holds.
"""

import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from ex3cli.plotting import LONGEST, plain_text, style

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from ex3cli.runs.formats import figure_to_bytes

pytestmark = pytest.mark.draws

ROOT = Path(__file__).parents[1]
PROGRAM = """
import hashlib
from ex3cli.plotting import style
from matplotlib.figure import Figure
from ex3cli.runs.formats import figure_to_bytes
with style():
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.plot([1, 1000], [1, 1000], label="a line")
    axes.set(xscale="log", title="Title")
    axes.legend()
print([hashlib.sha256(figure_to_bytes(figure, kind)).hexdigest() for kind in ("png", "svg")])
"""
LATIN_1 = b"# gr\xfc\xdfe\n"  # which Matplotlib refuses to read
BAD_STYLE = b"""text.usetex: True
font.size: 30
no.key: 3
figure.dpi: abc
font.family: No Such Font
lines.linewidth: 9
"""


def drawn(folder: Path, **environment: str) -> str:
    """The digests of a figure that is drawn in a folder with these variables; nothing is printed
    beside them.
    """
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    return drawn(tmp_path_factory.mktemp("usual"))


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "svg"])
def test_any_backend_in_the_environment_gives_the_same_figures(
    tmp_path: Path, usual: str, backend: str
) -> None:
    assert drawn(tmp_path / "here", MPLBACKEND=backend) == usual


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("MATPLOTLIBRC", LATIN_1),
        ("MPLCONFIGDIR", LATIN_1),
        ("working folder", LATIN_1),
        ("MATPLOTLIBRC", BAD_STYLE),
        ("working folder", b"backend: nonsense\n"),
    ],
    ids=["variable", "configuration", "here", "style", "backend"],
)
def test_any_matplotlibrc_gives_the_same_figures(
    tmp_path: Path, usual: str, place: str, content: bytes
) -> None:
    (tmp_path / "matplotlibrc").write_bytes(content)
    if place == "working folder":
        assert drawn(tmp_path) == usual
    else:
        assert drawn(tmp_path / "here", **{place: str(tmp_path)}) == usual


def test_a_configuration_folder_that_cannot_be_written_is_no_matter(tmp_path: Path, usual: str) -> None:
    (tmp_path / "file").touch()
    assert drawn(tmp_path / "here", MPLCONFIGDIR=str(tmp_path / "file")) == usual


def test_settings_of_the_session_give_the_same_figures_and_are_kept() -> None:
    def digest() -> str:
        with style():
            figure = Figure()
            figure.subplots().plot([0, 1])
        return hashlib.sha256(figure_to_bytes(figure, "png")).hexdigest()

    before = digest()
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "savefig.facecolor": "red"}):
        assert digest() == before
        assert mpl.rcParams["font.size"] == 30


def test_no_module_imports_matplotlib_before_the_style_and_none_imports_pyplot() -> None:
    for path in sorted((ROOT / "ex3cli").rglob("*.py")):
        nodes = [
            node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = [
            str(node.module) if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes
        ]
        first = next((place for place, name in enumerate(names) if name.split(".")[0] == "matplotlib"), None)
        if first is not None and path.name != "plotting.py":
            assert "ex3cli.plotting" in names[:first], path
        assert "pyplot" not in path.read_text() or path.name == "plotting.py", path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a$$b.csv", "a$$b.csv"),
        ("x_{1$.csv", "x_{1$.csv"),
        (r"a\$b$.csv", r"a\$b$.csv"),
        ("\udce4.csv", r"\xe4.csv"),
        ("笑.png", "?.png"),
        ("a\x1b\n", r"a\x1b\n"),
        ("$x^2$", "$x^2$"),
        ("θ.csv", "θ.csv"),
    ],
)
def test_a_users_text_is_drawn_as_it_is_and_never_as_mathematics(text: str, shown: str) -> None:
    assert (
        hashlib.sha256(picture(plain_text(text), None)).digest()
        == hashlib.sha256(picture(shown, False)).digest()
    )


def picture(words: str, parse_math: bool | None) -> bytes:
    with style():
        figure = Figure(figsize=(3, 1))
        figure.text(0, 0.5, words, **({} if parse_math is None else {"parse_math": parse_math}))
    return figure_to_bytes(figure, "png")


def test_a_long_text_loses_its_middle() -> None:
    assert plain_text("a" * 200 + ".png") == "a" * (LONGEST // 2) + "…" + "a" * (LONGEST // 2 - 4) + ".png"
