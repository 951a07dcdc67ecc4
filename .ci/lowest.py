"""Make a virtual environment with the lowest versions that pyproject.toml allows: `python .ci/lowest.py
FOLDER`.

`make test-lowest` runs it. Torch and what comes with it, gigabytes, are taken from the environment that runs
this program.
"""

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# also torchvision and torch-fidelity; tools that no test imports; and what GANs alone use
LEFT_OUT = re.compile("torch|ruff|mypy|build|nbclient|ipykernel|dask|onnx|tensorboard")


def main(folder: Path) -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lowest = [bound.replace(">=", "==") for bound in bounds if not LEFT_OUT.match(bound)]
    print("\n".join(lowest))
    venv.create(folder, with_pip=True, clear=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *lowest], check=True)
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(
        subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    )
    beside = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "beside.pth").write_text("\n".join([str(ROOT), *beside]) + "\n")  # searched after its own
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
