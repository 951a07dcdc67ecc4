"""Where a run was made: versions of what it stood on, and the commit of the code."""

import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import ex3cli

RECORDED = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "safetensors",
    "skops",
    "matplotlib",
    "pillow",
)
CPUINFO = Path("/proc/cpuinfo")  # of Linux
VECTORS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "sve", "asimd")
"""Names of instructions in /proc/cpuinfo, the widest first."""


def versions() -> dict[str, str]:
    """Versions of ex3, Python and every library that can change a number; read without importing them."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    """Found once: what a process has loaded stays what it is, whatever is installed meanwhile."""
    found = {"ex3": ex3cli.__version__, "python": platform.python_version()}
    for name in RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """The kind of machine: operating system and processor. Bit-identical results are promised within one kind
    only.

    On Linux also the processor's model and the widest vectors that it knows, by which libraries choose how
    they compute.
    """
    return dict(_machine())


@cache
def _machine() -> dict[str, str]:
    found = {"system": sys.platform, "processor": platform.machine()}
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return found
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = told.get("flags", told.get("Features", "")).split()
    vectors = next((name for name in VECTORS if name in flags), None)
    return (
        found
        | ({"model": told["model name"]} if "model name" in told else {})
        | ({"vectors": vectors} if vectors else {})
    )


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that the package runs from and whether it has changes; None outside a
    checkout.
    """
    root = Path(ex3cli.__file__).resolve().parent.parent
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None
    try:
        commit = _git(git, root, "rev-parse", "HEAD")
        dirty = bool(_git(git, root, "status", "--porcelain", "--", "ex3cli", "pyproject.toml"))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": dirty}


def _git(git: str, root: Path, *arguments: str) -> str:
    # A hook of another repository sets GIT_DIR, GIT_INDEX_FILE and more, which would be asked instead of
    # ours.
    around = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    finished = subprocess.run(  # noqa: S603  (a fixed command on our own checkout)
        [git, "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10, env=around
    )
    return finished.stdout.strip()
