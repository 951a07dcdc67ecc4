from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ex3cli.datasets import image_files
from ex3cli.datasets.registry import load
from ex3cli.errors import DataError

DIGITS = load("digits").test_images.numpy()
SEVEN = DIGITS[9]


def saved(image: Image.Image, name: str = "image.png") -> Path:
    image.save(name)
    return Path(name)


def page(digit: np.ndarray, paper: int = 240, name: str = "page.png", mode: str = "L") -> Path:
    """A dark digit on light paper, ten times as large, not in the middle."""
    ink = Image.fromarray(255 - digit).resize((280, 280), Image.Resampling.BICUBIC)
    levels = np.full((420, 500), paper, np.uint8)
    levels[20:300, 40:320] = np.minimum(levels[20:300, 40:320], np.asarray(ink))
    return saved(Image.fromarray(levels).convert(mode), name)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def test_an_image_of_the_data_set_is_read_as_it_is() -> None:
    found = image_files.read(saved(Image.fromarray(SEVEN)), "digits")
    assert np.array_equal(found.pixels, SEVEN)
    assert found.changes == ()


def test_black_on_white_is_inverted_and_stated() -> None:
    found = image_files.read(saved(Image.fromarray(255 - SEVEN)), "digits")
    assert np.array_equal(found.pixels, SEVEN)
    assert found.changes == ("inverted: its background is bright",)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "1"])
def test_the_mode_of_a_grey_image_does_not_matter(mode: str) -> None:
    black_and_white = np.where(SEVEN > 100, 255, 0).astype(np.uint8)
    found = image_files.read(saved(Image.fromarray(black_and_white).convert(mode)), "digits")
    assert np.array_equal(found.pixels, black_and_white)
    assert found.changes == ()


def test_color_becomes_grey_and_is_stated() -> None:
    red = np.zeros((28, 28, 3), np.uint8)
    red[8:20, 8:20, 0] = 255
    found = image_files.read(saved(Image.fromarray(red)), "fashion-mnist")
    assert found.changes == ("color became grey",)
    assert found.pixels[14, 14] == 76, "ITU-R 601: 0.299 of red"


def test_transparent_pixels_are_white_as_a_viewer_shows_them() -> None:
    ink = np.zeros((28, 28, 4), np.uint8)  # black throughout; only the digit is opaque
    ink[..., 3] = SEVEN
    found = image_files.read(saved(Image.fromarray(ink)), "digits")
    assert distance(found.pixels, SEVEN) <= 1
    assert "inverted" in found.changes[0]


def test_sixteen_bits_a_level_become_eight() -> None:
    deep = Image.fromarray(SEVEN.astype(np.uint16) * 257)
    assert np.array_equal(image_files.read(saved(deep), "digits").pixels, SEVEN)


@pytest.mark.parametrize("times", [2, 8])
def test_an_enlarged_image_of_ex3_is_reduced_exactly(times: int) -> None:
    large = SEVEN.repeat(times, axis=0).repeat(times, axis=1)
    found = image_files.read(saved(Image.fromarray(large)), "digits")
    assert np.array_equal(found.pixels, SEVEN)
    assert found.changes == (f"reduced from {28 * times}×{28 * times}, where each pixel is repeated",)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_large_drawing_gets_the_place_and_size_of_its_data_set(mode: str) -> None:
    for digit in DIGITS[:20]:
        found = image_files.read(page(digit, mode=mode), "digits")
        assert distance(found.pixels, digit) < distance(found.pixels, np.roll(digit, 3, axis=1))
        assert found.pixels[:2].max() == 0, "the border of digits"
        rows = np.flatnonzero((found.pixels > 13).any(axis=1))
        assert rows[-1] - rows[0] + 1 >= 23
    assert found.changes == ("inverted: its background is bright", "cropped and scaled from 500×420")


def test_off_white_paper_becomes_black() -> None:
    grey = image_files.read(page(SEVEN, paper=200), "digits").pixels
    assert grey[0].max() == 0
    assert grey.max() > 240


@pytest.mark.parametrize("noise", [0, 4])
@pytest.mark.parametrize("darkest", [140, 205])
@pytest.mark.parametrize(
    "shade", [lambda x, y: x, lambda x, y: y, lambda x, y: (x - 0.5) ** 2 + (y - 0.5) ** 2]
)
def test_shaded_paper_gives_what_plain_paper_gives(
    shade: Callable[[np.ndarray, np.ndarray], np.ndarray], darkest: int, noise: int
) -> None:
    y, x = np.meshgrid(np.linspace(0, 1, 420), np.linspace(0, 1, 500), indexing="ij")
    depth = shade(x, y)
    paper = 240 - (240 - darkest) * depth / depth.max()
    ink = np.zeros((420, 500))
    ink[20:300, 40:320] = (
        np.asarray(Image.fromarray(SEVEN).resize((280, 280), Image.Resampling.BICUBIC)) / 255
    )
    grain = np.random.default_rng(0).normal(0, noise, ink.shape)
    levels = (paper * (1 - ink) + grain).clip(0, 255).astype(np.uint8)
    found = image_files.read(saved(Image.fromarray(levels)), "digits")
    plain = image_files.read(page(SEVEN), "digits")
    assert distance(found.pixels, plain.pixels) < 10
    assert found.changes == (plain.changes[0], "a shaded background was subtracted", plain.changes[1])


def test_an_object_over_most_of_the_frame_is_no_background_and_stated() -> None:
    coat = np.full((300, 300), 250, np.uint8)
    coat[:, 20:280] = 90
    coat[20:, 12:288] = 90
    found = image_files.read(saved(Image.fromarray(coat)), "fashion-mnist")
    assert (found.pixels > 100).mean() > 0.8
    assert found.changes == (
        "inverted: its background is bright",
        "cropped and scaled from 300×300",
        "the object reaches the border: check that the image shows it alone",
    )


def test_mnist_centers_its_mass_in_a_box_of_20() -> None:
    heavy = np.zeros((400, 400), np.uint8)
    heavy[50:350, 100:120] = 255  # a stroke, with a foot to the right
    heavy[330:350, 100:250] = 255
    pixels = image_files.read(saved(Image.fromarray(heavy)), "mnist").pixels.astype(float)
    rows, columns = (np.flatnonzero((pixels > 13).any(axis=axis)) for axis in (1, 0))
    assert rows[-1] - rows[0] + 1 == 20
    for axis in (0, 1):
        mass = pixels.sum(axis=1 - axis)
        assert abs((mass * np.arange(28)).sum() / mass.sum() - 14) <= 0.5, f"center of mass along {axis}"
    assert abs((columns[0] + columns[-1]) / 2 - 13.5) > 1, "the middle of the box is elsewhere"


def test_images_of_a_data_set_of_ones_own_are_scaled_whole() -> None:
    small = np.zeros((280, 280), np.uint8)
    small[130:150, 120:163] = 255
    pixels = image_files.read(saved(Image.fromarray(small)), "flowers").pixels
    assert (pixels > 13).sum() < 30, "not cropped"


def test_an_empty_page_stays_empty() -> None:
    assert image_files.read(saved(Image.new("L", (100, 60), 255)), "mnist").pixels.max() == 0


def test_a_photograph_is_turned_as_its_camera_says() -> None:
    picture, exif = Image.fromarray(np.rot90(SEVEN).copy()), Image.Exif()
    exif[0x0112] = 6  # rotate by 90° clockwise to show
    picture.save("turned.png", exif=exif)
    assert np.array_equal(image_files.read(Path("turned.png"), "digits").pixels, SEVEN)


def _text() -> Path:
    Path("notes.png").write_text("no image")
    return Path("notes.png")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Path("nowhere.png"), "there is no file nowhere.png"),
        (Path, "is no image that can be read"),
        (_text, "notes.png is no image that can be read"),
        (lambda: saved(Image.new("L", (27, 300))), "27×300 pixels"),
        (lambda: saved(Image.new("1", (10_000, 5_001))), "10,000 × 5,001 pixels"),
    ],
)
def test_what_is_no_suitable_image_is_refused(make: Callable[[], Path], words: str) -> None:
    with pytest.raises(DataError, match=words):
        image_files.read(make(), "digits")


def test_no_image_of_the_real_data_sets_has_a_bright_background(real_data: Path) -> None:
    for name in ("fashion-mnist", "mnist"):
        images = load(name, real_data).test_images.numpy()
        corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
        assert np.median(corners, axis=1).max() <= 127
