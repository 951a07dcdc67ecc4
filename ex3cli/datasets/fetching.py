"""Fetching a data set: torchvision knows the mirrors and the layout; what it brought is verified before it is believed."""

from pathlib import Path

from ex3cli.datasets.registry import DEFAULT_ROOT, DIGITS, spec, verify
from ex3cli.errors import DataError


def fetch(name: str, root: Path | None = None) -> Path:
    """Download a data set into `root` (None means ./data) unless it is already there and right; return its folder.

    A file that is not the published one is removed first, since torchvision would take it for downloaded.

    Raises
    ------
    DataError : torchvision cannot be imported, no mirror answered, or what came is not the published content.
    """
    chosen = spec(name)
    base = root or DEFAULT_ROOT
    if name == DIGITS:
        return base
    folder = base / chosen.folder
    wrong = [each.file for each in verify(name, base) if each.condition != "ok"]
    if not wrong:
        return folder
    _discard(folder, wrong)
    _download(name, base)
    still_wrong = [each for each in verify(name, base) if each.condition != "ok"]
    if still_wrong:
        _discard(folder, [each.file for each in still_wrong])
        raise DataError(
            f"{folder / still_wrong[0].file} came {still_wrong[0].condition} from the mirror",
            f"run `ex3 data fetch {name}` again, or copy the files from a machine that has them",
        )
    return folder


def _download(name: str, base: Path) -> None:
    by_hand = "copy the files from a machine that has them and point --data at their folder, or use --dataset digits"
    try:
        from torchvision import datasets
    except Exception as error:  # a torchvision built for another torch fails with a RuntimeError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"torchvision, which downloads, cannot be imported: {reason}", by_hand) from error
    try:
        {"fashion-mnist": datasets.FashionMNIST, "mnist": datasets.MNIST}[name](str(base), download=True)
    except Exception as error:  # urllib, sockets, disks and torchvision's own checks each raise their own
        raise DataError(
            f"{name} could not be downloaded: {error}", f"check the network and run it again, or {by_hand}"
        ) from error


def _discard(folder: Path, files: list[str]) -> None:
    for file in files:
        for path in (folder / file, folder / f"{file}.gz"):
            path.unlink(missing_ok=True)
