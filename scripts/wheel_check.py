"""Build a wheel, install it in an empty environment, and in an empty folder compare what it says and draws with this checkout.

`make wheel-check` runs it. It needs a package index, and a few minutes: torch is installed anew.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ("gan", "sample", "--kind", "wgan", "--label", "dress", "-n", "2", "--json", "--quiet")
EVALUATE = ("vae", "eval", "--json", "--quiet")


def said(python: Path, folder: Path, *words: str) -> dict[str, Any]:
    """The JSON document of a command, run in a folder of its own without a data set."""
    folder.mkdir(parents=True, exist_ok=True)
    hidden = ("EX3_DATA", "EX3_ARTIFACTS", "PYTHONPATH", "VIRTUAL_ENV")
    quiet = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run([python, "-m", "ex3cli", *words], cwd=folder, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed in {folder}:\n{done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def drawn(document: dict[str, Any], folder: Path) -> list[str]:
    """SHA-256 of the images of `gan sample`."""
    return [hashlib.sha256((folder / each["path"]).read_bytes()).hexdigest() for each in document["images"]]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="ex3-wheel-") as name:
        work = Path(name)
        subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", work, ROOT], check=True)
        (wheel,) = work.glob("*.whl")
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
        here, there = work / "checkout", work / "wheel"
        pairs = []
        for words in (SAMPLE, EVALUATE):
            pairs.append((said(Path(sys.executable), here, *words), said(python, there, *words)))
        if drawn(pairs[0][0], here) != drawn(pairs[0][1], there):
            sys.exit("`ex3 gan sample` draws other images from the wheel")
        if pairs[1][0]["results"] != pairs[1][1]["results"]:
            sys.exit("`ex3 vae eval` says other numbers from the wheel")
        print("the same images and the same numbers, from the wheel and from the checkout")
    return 0


if __name__ == "__main__":
    sys.exit(main())
