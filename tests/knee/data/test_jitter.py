"""Boxes that err as a detector's do."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.knee.data.arrays import WIDE_SIZE
from monai_xray2mri.knee.data.jitter import NO_JITTER, BoxJitter, network_view, region_with_margin
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.radiograph.resampling import REGION_SIZE, cut_box, resize
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.types import Box

MM = REGION_SIZE / 110
"""Pixels per mm at the detector."""


def dot(row: float, column: float, size: int = WIDE_SIZE) -> np.ndarray:
    """A blurred dot on black: [size,size] in [0,1]; pixel centres at whole numbers and a half."""
    centers = np.arange(size) + 0.5
    return np.exp(-((centers[:, None] - row) ** 2 + (centers - column) ** 2) / (2 * 4.0**2))


def center_of_mass(image: np.ndarray) -> tuple[float, float]:
    weight = np.clip(image + 1, 0, None) ** 2
    rows, columns = np.indices(image.shape) + 0.5
    return float((rows * weight).sum() / weight.sum()), float((columns * weight).sum() / weight.sum())


def test_boxes_err_as_much_as_they_should_and_stay_on_what_is_stored() -> None:
    boxes = [BoxJitter().draw(draw_generator("box", 0, knee)) for knee in range(4000)]
    middle = np.array([box.center for box in boxes]) - WIDE_SIZE / 2
    scale = np.array([box.rows for box in boxes]) / REGION_SIZE - 1
    clipped = 0.959  # standard deviation of a normal variable clipped at two of its own
    np.testing.assert_allclose(middle.std(axis=0) / MM, 4.0 * clipped, rtol=0.04)
    assert scale.std() == pytest.approx(0.04 * clipped, rel=0.04)
    np.testing.assert_allclose(middle.mean(axis=0) / MM, 0, atol=0.25)
    assert abs(scale.mean()) < 0.0025
    independent = np.corrcoef([*middle.T, scale])
    assert np.abs(independent - np.eye(3)).max() < 0.06
    edges = [(box.top, box.left, box.top + box.rows, box.left + box.columns) for box in boxes]
    assert np.min(edges) >= 0
    assert np.max(edges) <= WIDE_SIZE
    assert np.abs(middle).max() / MM > 7.9  # the bound is met: nothing else keeps the boxes inside


def test_a_draw_follows_from_its_numbers_alone() -> None:
    first = BoxJitter().draw(draw_generator("box", 1, 2, 3))
    assert BoxJitter().draw(draw_generator("box", 1, 2, 3)) == first
    others = {
        BoxJitter().draw(draw_generator("box", *look)) for look in [(0, 2, 3), (1, 0, 3), (1, 2, 0), (3, 2, 1), (1, 2)]
    }
    others.add(BoxJitter().draw(draw_generator("crop", 1, 2, 3)))
    assert len(others | {first}) == 7


def test_a_perfect_detector_sees_the_region_as_a_film_gives_it() -> None:
    """A margin that is cut off again leaves what the inference path makes of the same film."""
    film = resize(np.random.default_rng(0).random((60, 60)), (900, 900))
    box = Box(200.0, 260.0, 450.0, 450.0)
    expected = normalize_region(cut_box(film, box), mirrored=False)
    stored = np.rint(region_with_margin(film, box, mirrored=False) * 65535).astype(np.uint16)
    view = network_view(stored, NO_JITTER.draw(draw_generator("box", 0)))
    assert view.shape == (256, 256)
    assert np.abs(view - expected).mean() < 0.01
    mirrored = np.rint(region_with_margin(film, box, mirrored=True) * 65535).astype(np.uint16)
    np.testing.assert_allclose(
        network_view(mirrored, NO_JITTER.draw(draw_generator("box", 0)))[:, ::-1], view, atol=0.02
    )


def test_a_shifted_box_shifts_the_picture_the_other_way() -> None:
    stored = np.rint(dot(WIDE_SIZE / 2, WIDE_SIZE / 2) * 65535).astype(np.uint16)
    box = Box((WIDE_SIZE - 320) / 2 + 12, (WIDE_SIZE - 320) / 2 - 20, 320.0, 320.0)
    row, column = center_of_mass(network_view(stored, box))
    assert row == pytest.approx(128 - 12 * 256 / 320, abs=0.3)
    assert column == pytest.approx(128 + 20 * 256 / 320, abs=0.3)


@pytest.mark.parametrize(("top", "left"), [(-40.0, 300.0), (500.0, -25.0), (480.0, 620.0)])
def test_what_lies_beyond_the_film_is_black(top: float, left: float) -> None:
    film = np.ones((700, 800))
    region = region_with_margin(film, Box(top, left, 299.0, 299.0), mirrored=False)
    assert region.shape == (WIDE_SIZE, WIDE_SIZE)
    margin = (WIDE_SIZE - REGION_SIZE) / 2
    rows = np.arange(WIDE_SIZE) + 0.5 + top - margin
    columns = np.arange(WIDE_SIZE) + 0.5 + left - margin
    inside = ((rows > 0) & (rows < 700))[:, None] & ((columns > 0) & (columns < 800))
    assert inside.any() and not inside.all()
    # Pixels of box and film coincide, so even the border is exact.
    np.testing.assert_allclose(region, inside, atol=1e-6)


def test_the_simulator_gives_the_region_with_its_margin(simulated_knees: list[SimulatedKnee]) -> None:
    for knee in simulated_knees:
        assert knee.radiograph.shape == (WIDE_SIZE, WIDE_SIZE)
