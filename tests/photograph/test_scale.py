"""A disc of 25 mm and a coded square tell the scale of a photograph; nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from monai_xray2mri.photograph.scale import CODE, coded_square, find_scale

BALL = 180.0
FINER = 4


def ground(shape: tuple[int, int] = (700, 600)) -> np.ndarray:
    """A floor with a little texture."""
    random = np.random.default_rng(0)
    noise = random.normal(0, 4, shape)
    return (np.array((120, 110, 100)) + noise[..., None]).clip(0, 255).astype(np.uint8)


def with_ellipse(
    pixels: np.ndarray, center: tuple[float, float], axes: tuple[float, float], color: tuple[int, int, int]
) -> np.ndarray:
    """A picture with an ellipse of these diameters (rows, columns)."""
    picture = Image.fromarray(pixels).resize((pixels.shape[1] * FINER, pixels.shape[0] * FINER))
    r, c = ((place + 0.5) * FINER for place in center)
    a, b = (axis * FINER / 2 for axis in axes)
    ImageDraw.Draw(picture).ellipse((c - b, r - a, c + b, r + a), fill=color)
    return np.asarray(picture.resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.BOX))


def with_square(pixels: np.ndarray, wide: int, angle: float, mirrored: bool = False) -> np.ndarray:
    """A picture with the coded square on white paper, turned."""
    square = np.pad(coded_square(wide * 6), wide, constant_values=255)
    square = square[:, ::-1] if mirrored else square
    paper = Image.fromarray(square).convert("RGBA").rotate(angle, Image.Resampling.BICUBIC, expand=True)
    picture = Image.fromarray(pixels).convert("RGBA")
    picture.alpha_composite(paper, (60, 80))
    return np.array(picture.convert("RGB"))


NOBODY = np.zeros((700, 600), bool)


@pytest.mark.parametrize("color", [(250, 250, 250), (10, 10, 10), (40, 60, 200), (200, 30, 30)])
def test_a_disc_of_any_distinct_color_tells_the_scale(color: tuple[int, int, int]) -> None:
    pixels = with_ellipse(ground(), (300.0, 200.0), (50.0, 50.0), color)
    found = find_scale(pixels, NOBODY, BALL)
    assert found is not None
    assert found.source == "disc"
    assert found.pixel_mm == pytest.approx(0.5, rel=0.02)
    assert found.center == pytest.approx((300.0, 200.0), abs=1.0)


def test_a_disc_is_found_in_a_large_photograph() -> None:
    pixels = np.asarray(
        Image.fromarray(with_ellipse(ground(), (300, 200), (50, 50), (250, 250, 250))).resize((2400, 2800))
    )
    found = find_scale(pixels, np.zeros(pixels.shape[:2], bool), 4 * BALL)
    assert found is not None
    assert found.pixel_mm == pytest.approx(0.125, rel=0.02)


def test_two_discs_and_a_long_ellipse_are_no_scale() -> None:
    one = with_ellipse(ground(), (300, 200), (50, 50), (250, 250, 250))
    assert find_scale(with_ellipse(one, (500, 400), (50, 50), (20, 20, 20)), NOBODY, BALL) is None
    assert find_scale(with_ellipse(ground(), (300, 200), (30, 50), (250, 250, 250)), NOBODY, BALL) is None


def test_a_disc_too_large_or_too_small_for_a_foot_is_no_scale() -> None:
    for wide in (12.0, 140.0):
        assert find_scale(with_ellipse(ground(), (300, 200), (wide, wide), (250, 250, 250)), NOBODY, BALL) is None


def test_a_plain_floor_and_a_plain_square_are_no_scale() -> None:
    assert find_scale(ground(), NOBODY, BALL) is None
    pixels = ground().copy()
    pixels[200:250, 300:350] = 250
    assert find_scale(pixels, NOBODY, BALL) is None


def test_nothing_is_looked_for_on_the_foot() -> None:
    pixels = with_ellipse(ground(), (300, 200), (50, 50), (250, 250, 250))
    covered = NOBODY.copy()
    covered[250:350, 150:250] = True
    assert find_scale(pixels, covered, BALL) is None


@pytest.mark.parametrize("angle", [0.0, 33.0, 90.0, 200.0])
def test_the_coded_square_tells_the_scale_in_any_turn(angle: float) -> None:
    found = find_scale(with_square(ground(), 14, angle), NOBODY, BALL)
    assert found is not None
    assert found.source == "coded square"
    assert found.pixel_mm == pytest.approx(40 / 84, rel=0.03)


def test_the_code_has_a_sense_of_turn() -> None:
    turns = [np.rot90(CODE, turn) for turn in range(1, 4)]
    assert all(np.count_nonzero(turn != CODE) >= 6 for turn in turns)
