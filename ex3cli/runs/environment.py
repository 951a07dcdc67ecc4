"""The environment of a run: versions of libraries, kind of machine, commit of the code; its differences."""

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
from ex3cli.runs.jsonio import digest, to_json
from ex3cli.runs.manifest import Manifest

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
CPUINFO = Path("/proc/cpuinfo")  # Linux only
VECTORS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "sve", "asimd")
"""Vector instruction sets in /proc/cpuinfo, the widest first."""


def versions() -> dict[str, str]:
    """Versions of ex3, Python and the libraries that can change a result, without importing them."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    """Determined once per process, because later installations do not affect loaded libraries."""
    found = {"ex3": ex3cli.__version__, "python": platform.python_version()}
    for name in RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Operating system and processor; on Linux also the processor's model and widest vector instructions.

    Results are bit-identical only on the same kind of machine, because libraries choose algorithms by these.
    """
    return dict(_machine())


@cache
def _machine() -> dict[str, str]:
    found = {"system": sys.platform, "processor": platform.machine()}
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return found
    entries = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = entries.get("flags", entries.get("Features", "")).split()
    vectors = next((name for name in VECTORS if name in flags), None)
    return (
        found
        | ({"model": entries["model name"]} if "model name" in entries else {})
        | ({"vectors": vectors} if vectors else {})
    )


def git_state() -> dict[str, Any] | None:
    """The commit of the checkout that contains this package, and whether it has changes; else None."""
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
    # a hook of another repository sets GIT_DIR and GIT_INDEX_FILE, which would select that repository
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    finished = subprocess.run(  # noqa: S603  (a fixed command in this checkout)
        [git, "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
        env=env,
    )
    return finished.stdout.strip()


def differing_environment(original: Manifest, made: Manifest) -> dict[str, tuple[str, str]]:
    """Differences between two runs in versions, machine, precision, code, data and source runs."""
    pairs = [_environment_of(original), _environment_of(made)]
    machine = [manifest.machine for manifest in (original, made)]  # older manifests have fewer keys
    unknown = machine[0].keys() ^ machine[1].keys()
    names = dict.fromkeys(name for pair in pairs for name in pair if name not in unknown)
    both = {name: (pairs[0].get(name, "none"), pairs[1].get(name, "none")) for name in names}
    return {name: values for name, values in both.items() if values[0] != values[1]}


def _environment_of(manifest: Manifest) -> dict[str, str]:
    commit = str((manifest.git or {}).get("commit", ""))[:7]
    found = {
        **manifest.versions,
        **manifest.machine,
        "device": manifest.device,
        "threads": str(manifest.threads),
    }
    found |= {"precision": str(manifest.summary["precision"])} if "precision" in manifest.summary else {}
    found |= {"code": commit} if commit else {}
    found |= {"data": digest(to_json(manifest.data).encode())[:7]} if manifest.data else {}
    return found | {name: source[:7] for name, source in manifest.source_runs.items()}
