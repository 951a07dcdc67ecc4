"""Build a wheel, install it in an empty environment, and compare its bundled runs, numbers and images with
this checkout's.

`make wheel-check` runs it. It needs a package index, and a few minutes: torch is installed anew.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "artifacts/reference"
SAMPLE = ("gan", "sample", "--kind", "wgan", "--label", "dress", "-n", "2", "--json", "--quiet")
EVALUATE = ("vae", "eval", "--json", "--quiet")


def document_of(python: Path, folder: Path, *words: str) -> dict[str, Any]:
    """The JSON document of a command, run in a folder of its own without a data set."""
    folder.mkdir(parents=True, exist_ok=True)
    hidden = ("EX3_DATA", "EX3_ARTIFACTS", "PYTHONPATH", "VIRTUAL_ENV")
    quiet = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [python, "-m", "ex3cli", *words], cwd=folder, env=quiet, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed in {folder}:\n{done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def generated(document: dict[str, Any], folder: Path) -> list[str]:
    """SHA-256 of the images of `gan sample`."""
    return [hashlib.sha256((folder / each["path"]).read_bytes()).hexdigest() for each in document["images"]]


def bundled(wheel: Path) -> set[str]:
    """The files of the bundled runs in a wheel, by their paths in artifacts/reference."""
    inside = "ex3cli/_reference/"
    with zipfile.ZipFile(wheel) as archive:
        return {each.removeprefix(inside) for each in archive.namelist() if each.startswith(inside)}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="ex3-wheel-") as name:
        work = Path(name)
        subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", work, ROOT], check=True)
        (wheel,) = work.glob("*.whl")
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
        runs = {path.relative_to(REFERENCE).as_posix() for path in REFERENCE.glob("*/**/*") if path.is_file()}
        if differing := runs ^ bundled(wheel):
            sys.exit(f"the wheel and artifacts/reference differ in {', '.join(sorted(differing)[:5])}")
        here, there = work / "checkout", work / "wheel"
        # now: the checkout may change
        ours = [document_of(Path(sys.executable), here, *words) for words in (SAMPLE, EVALUATE)]
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
        theirs = [document_of(python, there, *words) for words in (SAMPLE, EVALUATE)]
        if generated(ours[0], here) != generated(theirs[0], there):
            sys.exit("`ex3 gan sample` generates other images from the wheel")
        if ours[1]["results"] != theirs[1]["results"]:
            differing = [
                pair
                for pair in zip(ours[1]["results"], theirs[1]["results"], strict=True)
                if pair[0] != pair[1]
            ]
            sys.exit(f"`ex3 vae eval` prints other numbers from the wheel: {differing[0]}")
        print("the same images and the same numbers, from the wheel and from the checkout")
    return 0


if __name__ == "__main__":
    sys.exit(main())
