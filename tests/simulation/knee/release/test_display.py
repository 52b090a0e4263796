from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_xray2mri.simulation.knee.film.film_frame import FilmFrame
from monai_xray2mri.simulation.knee.film.film_options import FilmOptions
from monai_xray2mri.simulation.knee.release.display import displayed_box, displayed_point, displayed_shape

JOINT_MM = (181.0, 95.0)
TURNS = [(turns, mirrored) for turns in range(4) for mirrored in (False, True)]


@pytest.mark.parametrize(("turns", "mirrored"), TURNS)
def test_places_of_turned_films_are_those_of_the_upright_one(turns, mirrored):
    options = FilmOptions(quarter_turns=turns, mirrored=mirrored)
    upright, frame = FilmFrame(0.3), FilmFrame.of(options)
    stored = frame.stored(torch.zeros(frame.plate)).shape
    assert displayed_shape(stored, options) == upright.plate
    box, expected = displayed_box(frame.box(JOINT_MM), stored, options), upright.box(JOINT_MM)
    np.testing.assert_allclose(
        (box.top, box.left, box.rows, box.columns), (expected.top, expected.left, expected.rows, expected.columns)
    )
    point = displayed_point(frame.keypoint(JOINT_MM), stored, options)
    np.testing.assert_allclose(point, upright.keypoint(JOINT_MM))
