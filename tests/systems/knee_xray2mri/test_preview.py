"""The picture of a result: where the film's box is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.core.pictures import picture
from monai_xray2mri.systems.knee_xray2mri.preview import film_with_box
from monai_xray2mri.types import Box, Radiograph, Side


@pytest.mark.parametrize(
    ("box", "drawn"), [(Box(40, 60, 100, 100), (40, 60, 139, 159)), (Box(-17, -15, 230, 230), (0, 0, 199, 199))]
)
def test_the_region_is_marked_or_the_border_of_the_film_where_it_ends(box: Box, drawn: tuple[int, ...]) -> None:
    film = Radiograph(np.zeros((200, 200), np.float32), (0.5, 0.5), "given", (Side.RIGHT,), "none", "film.png")
    marked = np.asarray(film_with_box(film, box)).max(axis=2) > 100
    rows, columns = np.nonzero(marked)
    scale = marked.shape[0] / 200
    corners = (rows.min(), columns.min(), rows.max(), columns.max())
    assert np.abs(np.array(corners) / scale - drawn).max() < 2


@pytest.mark.parametrize("shape", [(3498, 2501), (560, 700)])
def test_a_large_film_is_drawn_as_from_all_of_its_pixels(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / shape[0]
    pixels = 0.5 + 0.3 * np.sin(9 * rows) * np.cos(13 * columns) + 0.02 * rng.standard_normal(shape, np.float32)
    film = Radiograph(pixels.astype(np.float32), (0.1, 0.1), "given", (Side.RIGHT,), "none", "film.png")
    low, high = np.percentile(pixels, (1, 99))
    whole = picture((film.pixels - low) / (high - low))
    expected = np.asarray(whole.resize((round(shape[1] * 560 / shape[0]), 560), Image.Resampling.LANCZOS), float)
    found = np.asarray(film_with_box(film, Box(-9, -9, shape[0] + 99, shape[1] + 99)), float)
    inner = np.s_[4:-4, 4:-4]  # without the frame
    difference = np.abs(found[inner].mean(axis=2) - expected[inner])
    assert difference.mean() < 0.5 and difference.max() <= 6, (difference.mean(), difference.max())  # of 255
