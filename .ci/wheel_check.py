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
        here, there = work / "checkout", work / "wheel"
        ours = [said(Path(sys.executable), here, *words) for words in (SAMPLE, EVALUATE)]  # now: the checkout may change
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
        theirs = [said(python, there, *words) for words in (SAMPLE, EVALUATE)]
        if drawn(ours[0], here) != drawn(theirs[0], there):
            sys.exit("`ex3 gan sample` draws other images from the wheel")
        if ours[1]["results"] != theirs[1]["results"]:
            differing = [pair for pair in zip(ours[1]["results"], theirs[1]["results"], strict=True) if pair[0] != pair[1]]
            sys.exit(f"`ex3 vae eval` says other numbers from the wheel: {differing[0]}")
        print("the same images and the same numbers, from the wheel and from the checkout")
    return 0


if __name__ == "__main__":
    sys.exit(main())
