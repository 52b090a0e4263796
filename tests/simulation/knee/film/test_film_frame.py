from __future__ import annotations

import math

import pytest
import torch

from monai_xray2mri.simulation.knee.film.film_frame import CANVAS_PIXEL_MM, FilmFrame, plate_shape
from monai_xray2mri.simulation.knee.xray.radiography import JOINT_ROW, REGION_MM

PLACE = (100.0, 130.0)
TURNS = [(turns, mirrored) for turns in range(4) for mirrored in (False, True)]


def spot(frame: FilmFrame, place: tuple[float, float]) -> torch.Tensor:
    """Canvas with a Gaussian spot of 3 mm at a place given in mm of the plate."""
    rows, columns = plate_shape(CANVAS_PIXEL_MM)
    beyond = [math.ceil(length / CANVAS_PIXEL_MM) for length in frame.overlap_mm]
    height, width = (size * frame.pixel_mm for size in frame.plate)
    row = (torch.arange(rows + 2 * beyond[0]) + 0.5 - rows / 2 - beyond[0]) * CANVAS_PIXEL_MM + height / 2
    column = (torch.arange(columns + 2 * beyond[1]) + 0.5 - columns / 2 - beyond[1]) * CANVAS_PIXEL_MM + width / 2
    return torch.exp(-((row - place[0]).square()[:, None] + (column - place[1]).square()) / 18)


def middle(image: torch.Tensor) -> tuple[float, float]:
    rows, columns = torch.arange(image.shape[0]) + 0.5, torch.arange(image.shape[1]) + 0.5
    return float((image.sum(1) * rows).sum() / image.sum()), float((image.sum(0) * columns).sum() / image.sum())


@pytest.mark.parametrize(("turns", "mirrored"), TURNS)
@pytest.mark.parametrize("rotation", [0.0, 7.0])
@pytest.mark.parametrize("pixel", [0.3, 0.2])
def test_points_lie_where_the_image_shows_them(turns, mirrored, rotation, pixel):
    frame = FilmFrame(pixel, rotation, turns, mirrored)
    image = frame.stored(frame.on_plate(spot(frame, PLACE)))
    assert middle(image) == pytest.approx(frame.point(PLACE), abs=0.05)


def test_patient_turns_clockwise():
    upright, turned = FilmFrame(0.3).point((175.0, 400.0)), FilmFrame(0.3, 5.0).point((175.0, 400.0))
    assert turned[0] > upright[0] + 30  # what was at the right goes down


def test_plain_film_is_the_canvas_itself():
    canvas = torch.rand(plate_shape(CANVAS_PIXEL_MM))
    assert torch.equal(FilmFrame(CANVAS_PIXEL_MM).on_plate(canvas), canvas)


@pytest.mark.parametrize("rotation", [0.0, 3.0])
def test_sharp_steps_do_not_ring(rotation):
    frame = FilmFrame(0.2, rotation)
    canvas = (spot(frame, PLACE) > 0.5).float()
    assert frame.on_plate(canvas).min() < -0.01
    plate = frame.on_plate(canvas, sharp=True)
    assert plate.min() == 0 and plate.max() <= 1


@pytest.mark.parametrize(("turns", "mirrored"), TURNS)
def test_box_is_the_same_piece_of_the_picture_however_it_is_stored(turns, mirrored):
    frame, plain = FilmFrame(0.3, 0.0, turns, mirrored), FilmFrame(0.3)
    marks = torch.zeros(frame.plate)
    joint = (180.3, 120.3)
    box = plain.box(joint)
    marks[round(box.top) : round(box.top + box.rows), round(box.left) : round(box.left + box.columns)] = 1
    stored = frame.stored(marks)
    turned = frame.box(joint)
    inside = stored[
        round(turned.top) : round(turned.top + turned.rows), round(turned.left) : round(turned.left + turned.columns)
    ]
    assert inside.mean() > 0.98
    assert stored.sum() - inside.sum() < 0.02 * inside.numel()


def test_box_has_the_joint_where_regions_have_it():
    box = FilmFrame(0.2).box((150.0, 120.0))
    assert box.rows == box.columns == REGION_MM / 0.2
    assert (box.top + JOINT_ROW * box.rows, box.left + box.columns / 2) == pytest.approx((750.0, 600.0))


@pytest.mark.parametrize(
    ("turns", "mirrored", "expected"),
    [
        (0, False, ("L", "F")),
        (0, True, ("R", "F")),
        (1, False, ("F", "R")),
        (2, False, ("R", "H")),
        (3, False, ("H", "L")),
        (2, True, ("L", "H")),
    ],
)
def test_orientation_names_where_rows_and_columns_run(turns, mirrored, expected):
    assert FilmFrame(0.3, 0.0, turns, mirrored).orientation == expected


@pytest.mark.parametrize("pixel", [0.1, 0.143, 0.168, 0.2, 0.3])
def test_plate_has_the_size_of_a_film(pixel):
    rows, columns = plate_shape(pixel)
    assert columns % 2 == 0
    assert (rows * pixel, columns * pixel) == pytest.approx((350, 430), abs=2 * pixel)
