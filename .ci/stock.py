"""Write the sheets of real test images in ex3cli/datasets/stock from the verified data sets in EX3_DATA.

`make stock` calls it, and tests/datasets/test_stock.py compares the sheets with the data sets.
"""

import json
import os
import sys
from pathlib import Path

from PIL.PngImagePlugin import PngInfo

from ex3cli.datasets import registry, stock

LICENCES = {
    "fashion-mnist": "MIT, copyright 2017 Zalando SE",
    "mnist": "CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
}


def main() -> int:
    root = Path(os.environ.get("EX3_DATA", "data"))
    for name, licence in LICENCES.items():
        sheet, positions = stock.sheet_of(registry.load(name, root))
        text = PngInfo()
        text.add_text("positions", json.dumps(positions))
        text.add_itxt("Source", registry.spec(name).source)
        text.add_itxt("Copyright", f"{licence}; see LICENCES.md beside this file")
        path = stock.FOLDER / f"{name}.png"
        sheet.save(path, "PNG", optimize=True, pnginfo=text)
        print(f"wrote {path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
