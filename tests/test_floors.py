"""The house's floors: imports run downward, features never import each other, and the command line starts light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEATURES = ("divergence", "complexity", "lab", "vae", "gan")
FLOORS = [
    {"__main__"},
    {"cli"},
    {"report"},
    set(FEATURES),
    {"classifier"},
    {"adversarial"},
    {"metrics"},
    {"training"},
    {"datasets"},
    {"artifacts"},
    {"settings", "streams", "figure_style", "markdown", "rounding"},
    {"escaping"},
    {"errors"},
]
HEIGHT = {name: len(FLOORS) - index for index, names in enumerate(FLOORS) for name in names}


def modules() -> list[Path]:
    return sorted((ROOT / "ex3cli").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """First components below ex3cli that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
        found |= {name.split(".")[1] for name in names if name.startswith("ex3cli.")}
    return found & set(HEIGHT)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downward_only(path: Path) -> None:
    parts = path.relative_to(ROOT / "ex3cli").parts
    if parts == ("__init__.py",):
        assert not imported(path)
        return
    own = parts[0].removesuffix(".py")
    assert own in HEIGHT, f"{own} has no floor: give it one in FLOORS"
    for other in imported(path) - {own}:
        if own == "cli" and other == "report":
            continue
        assert HEIGHT[other] < HEIGHT[own], f"{path.relative_to(ROOT)} imports {other}, which is not below {own}"
        assert not (own == "report" and other in FEATURES), "the report reads artifacts, never feature code"


HEAVY = ("torch", "torchvision", "sklearn", "matplotlib", "scipy", "joblib", "PIL")


@pytest.mark.parametrize("words", [["--help"], ["vae", "train", "--help"], ["runs", "list"]], ids=" ".join)
def test_the_command_line_starts_without_heavy_libraries(words: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['ex3', *{words!r}]\n"
        "from ex3cli.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"loaded = sorted(set({HEAVY!r}) & set(sys.modules))\n"
        "assert not loaded, loaded\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr


def test_features_are_built_alike() -> None:
    for feature in FEATURES:
        folder = ROOT / "ex3cli" / feature
        if folder.is_dir():
            assert (folder / "config.py").is_file(), f"{feature} keeps its defaults in config.py"
            assert (ROOT / "tests" / feature).is_dir(), f"tests/ mirrors {feature}"
