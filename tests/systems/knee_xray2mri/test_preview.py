"""The picture of a result: where the film's box is drawn."""

from __future__ import annotations

import numpy as np
import pytest

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
