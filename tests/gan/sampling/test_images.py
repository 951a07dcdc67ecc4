"""Pictures keep every pixel where it belongs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ex3cli.gan.sampling import export


def image(value: int, side: int = 28) -> export.Pixels:
    return np.full((side, side), value, dtype=np.uint8)


@given(
    rows=st.lists(st.lists(st.integers(0, 254), min_size=1, max_size=5), min_size=1, max_size=4),
    gap=st.integers(0, 3),
)
@settings(max_examples=30)
def test_each_tile_stands_in_its_row_and_column(rows: list[list[int]], gap: int) -> None:
    made = export.make_grid([[image(value, 4) for value in row] for row in rows], gap)
    for down, row in enumerate(rows):
        for across, value in enumerate(row):
            top, left = down * (4 + gap), across * (4 + gap)
            assert (made[top : top + 4, left : left + 4] == value).all()
    covered = sum(len(row) for row in rows) * 16
    assert (made == export.PAPER).sum() == made.size - covered


def test_names_stand_left_of_their_rows_and_touch_no_image() -> None:
    rows = [[image(10), image(20)], [image(30), image(40)]]
    made = export.labelled_grid(rows, ["Ankle boot", ""])
    assert np.array_equal(made[:, -58:], export.make_grid(rows))
    margin = made[:, :-58]
    assert (margin[:28] < 128).any()
    assert (margin[30:] == export.PAPER).all()


def test_png_keeps_every_pixel() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (28, 31), dtype=np.uint8)
    assert np.array_equal(export.from_png(export.to_png(noise)), noise)


def test_an_animation_has_every_frame_and_never_ends() -> None:
    import io

    with Image.open(io.BytesIO(export.to_gif([image(0), image(120), image(250)], 90))) as made:
        assert made.n_frames == 3
        assert made.info["duration"] == 90
        assert made.info["loop"] == 0


@given(st.integers(1, 6))
@settings(max_examples=6)
def test_enlarging_makes_each_pixel_a_square(scale: int) -> None:
    noise = np.random.default_rng(scale).integers(0, 256, (2, 5, 7), dtype=np.uint8)
    for before, after in zip(noise, export.upscale(noise, scale), strict=True):
        assert np.array_equal(after, np.kron(before, np.ones((scale, scale), dtype=np.uint8)))
