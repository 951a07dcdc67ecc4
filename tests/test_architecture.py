"""The structure: imports run downward without circles, features never import each other, `--help` loads
nothing heavy.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEATURES = ("divergence", "complexity", "lab", "vae", "gan")
LAYERS = [
    {"__main__", "api"},
    {"cli"},
    {"grading"},
    {"report"},
    set(FEATURES),
    {"classifier"},
    {"adversarial", "metrics", "training", "datasets"},
    {"runs"},
    {"config", "seeding", "tables", "plotting"},
    {"escaping"},
    {"errors"},
]
SHOWN = ("results", "tables", "kinds")
LEVEL = {name: len(LAYERS) - index for index, names in enumerate(LAYERS) for name in names}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "ex3cli").rglob("*.py"))
}


def imports(module: str) -> set[str]:
    """Modules of ex3cli that a module imports, anywhere in it: a function's imports and those for types count
    too.
    """
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in MODULES}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found |= {name if name in MODULES else str(node.module)} & MODULES.keys()
    return found - {module}


def top(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", [name for name in MODULES if name != "ex3cli"])
def test_imports_run_downward_only(module: str) -> None:
    assert top(module) in LEVEL, f"{top(module)} has no layer: add it to LAYERS"
    for other in imports(module) - {"ex3cli"}:
        if top(other) == top(module):
            continue
        assert top(other) in LEVEL
        beside = {top(module), top(other)} <= LAYERS[6]  # shared packages may use each other, without circles
        assert beside or LEVEL[top(other)] < LEVEL[top(module)], (
            f"{module} imports {other}, which is not below it"
        )
        if top(module) == "report" and top(other) in FEATURES:
            assert other.rpartition(".")[2] in SHOWN, (
                "of a feature the report knows only its results and its tables"
            )


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A circle of imports, or an empty list."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in done:
            for other in sorted(graph.get(module, ())):
                if found := visit(other, [*path, module]):
                    return found
            done.add(module)
        return []

    return next((found for module in graph if (found := visit(module, []))), [])


def test_there_is_no_circle_of_imports() -> None:
    # A package's own __init__ imports its modules, and they import nothing from it.
    graph = {module: imports(module) - {"ex3cli"} for module in MODULES}
    assert not circle(graph), " -> ".join(circle(graph))


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


HEAVY = ("torch", "torchvision", "sklearn", "matplotlib", "scipy", "joblib", "PIL")


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], HEAVY),
        (["vae", "train", "--help"], HEAVY),
        (["runs", "list"], HEAVY),
        # of stored features; skops would import torch to write the SVM
        (["vae", "eval", "--labels", "100", "--draws", "1"], ("torch", "torchvision")),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_command_starts_without_libraries_that_it_does_not_use(
    words: list[str], heavy: tuple[str, ...], tmp_path: Path
) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['ex3', *{words!r}]\n"
        "from ex3cli.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"loaded = sorted(set({heavy!r}) & set(sys.modules))\n"
        "assert not loaded, loaded\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert finished.returncode == 0, finished.stderr


def test_features_are_built_alike() -> None:
    for feature in FEATURES:
        assert (ROOT / "ex3cli" / feature / "config.py").is_file(), (
            f"{feature} keeps its defaults in config.py"
        )
        assert (ROOT / "tests" / feature).is_dir(), f"tests/ mirrors {feature}"


def test_every_trained_number_with_a_bound_is_compared_on_other_processors() -> None:
    """Tests listed in tests/README.md are marked `numbers` in files that make test-portable leaves out."""
    rows = (ROOT / "tests/README.md").read_text(encoding="utf-8").splitlines()
    first_cells = [row.split(" | ")[0] for row in rows if row.startswith("| `")]
    listed = [re.findall(r"`(\w[\w/]*\.py|[a-z_0-9]+)`", cell) for cell in first_cells if ".py`" in cell]
    assert len(listed) > 40
    for file, *names in listed:
        if not names or names[0].endswith(".py"):  # whole files
            continue
        module = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        marks = [ast.unparse(node) for node in module.body if isinstance(node, ast.Assign)]
        whole_commands = any("pytestmark" in mark and "end_to_end" in mark for mark in marks)
        tests = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
        for name in names:
            decorators = [ast.unparse(each) for each in tests[f"test_{name}"].decorator_list]
            assert not whole_commands or "pytest.mark.numbers" in decorators, (file, name)
