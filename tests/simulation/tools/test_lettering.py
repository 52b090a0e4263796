from __future__ import annotations

import pytest
import torch

from monai_xray2mri.simulation.knee.film.film_options import TEXTS
from monai_xray2mri.simulation.tools.lettering import LETTERS, coverage, polygon_strokes, stroke_distance, word_strokes

PIXEL = 0.25
PLACES = (torch.arange(240) + 0.5) * PIXEL


def drawn(word: str, tilt: float = 0.0) -> torch.Tensor:
    return coverage(stroke_distance(word_strokes(word, 24.0, (30.0, 30.0), tilt), PLACES, PLACES), 1.5, PIXEL)


def extent(image: torch.Tensor) -> tuple[float, float]:
    rows, columns = image.any(1).nonzero().flatten(), image.any(0).nonzero().flatten()
    return float(rows[-1] - rows[0]) * PIXEL, float(columns[-1] - columns[0]) * PIXEL


def test_letter_has_the_height_that_was_asked_for():
    height, width = extent(drawn("R") > 0.5)
    assert height == pytest.approx(24.0 + 3.0, abs=0.6)
    assert width == pytest.approx(16.0 + 3.0, abs=0.6)


def test_r_is_no_mirror_image_and_l_has_its_foot_at_the_right():
    letter = drawn("L") > 0.5
    assert not torch.equal(letter, letter.flip(1))
    assert letter[150:].sum() > 3 * letter[:90].sum()
    assert letter[:, :120].sum() > letter[:, 120:].sum()


def test_tilt_turns_clockwise():
    upright, turned = drawn("L") > 0.5, drawn("L", 90.0) > 0.5
    assert (torch.rot90(upright, -1) ^ turned).sum() < 0.1 * upright.sum()


def test_every_text_can_be_written():
    assert {letter for text in TEXTS for letter in text} <= LETTERS


def test_polygon_is_closed():
    strokes = polygon_strokes([(-5.0, -5.0), (-5.0, 5.0), (5.0, 5.0), (5.0, -5.0)], (30.0, 30.0))
    assert len(strokes) == 4
    assert torch.equal(strokes[-1, 2:], strokes[0, :2])


def test_distance_to_a_stroke_is_euclidean():
    distance = stroke_distance(
        torch.tensor([[10.0, 10.0, 10.0, 20.0]]), torch.tensor([10.0, 14.0]), torch.tensor([15.0, 23.0])
    )
    assert torch.allclose(distance, torch.tensor([[0.0, 3.0], [4.0, 5.0]]))
