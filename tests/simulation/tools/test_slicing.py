"""Fields and noise that are read slice by slice."""

from __future__ import annotations

import pytest
import torch

from monai_xray2mri.simulation.tools.lattice import CPU, Field, Grid, Lattice
from monai_xray2mri.simulation.tools.noise import noise_knots, smooth_noise
from monai_xray2mri.simulation.tools.slicing import SlicedField, Slicer

GRID = Grid(torch.arange(20.0, -20.0, -1.5), torch.arange(30.0, -30.0, -0.7), torch.arange(-25.0, 25.0, 0.7))
LATTICE = Lattice.covering((-14.0, 12.0), (-10.0, 14.0), (-16.0, 8.0), 2.0)


@pytest.fixture(scope="module")
def ball() -> Field:
    points = LATTICE.points()
    return Field(LATTICE, ((points.x + 2).square() + points.y.square() + points.z.square()).sqrt() - 5)


@pytest.fixture(scope="module")
def sliced(ball: Field) -> SlicedField:
    return Slicer(GRID, CPU).field(ball)


def test_a_field_has_the_values_of_the_whole(ball: Field, sliced: SlicedField) -> None:
    depth, rows, columns = ball.window(GRID)
    whole = ball.at(GRID.crop((depth, rows, columns)))
    for number in range(depth.start, depth.stop):
        box = sliced.box(number, slice(0, len(GRID.x)))
        assert box == (rows, columns)
        assert torch.allclose(sliced.read(number, box)[0], whole[number - depth.start], atol=1e-5)
    assert sliced.box(depth.start - 1, columns) is None


def test_noise_has_the_values_of_the_whole() -> None:
    knots = noise_knots(torch.Generator().manual_seed(1), 24)
    noise, whole = Slicer(GRID, CPU).noise(knots, (3.0, 3.0, 3.0)), smooth_noise(knots, GRID, 3.0)
    everything = slice(0, len(GRID.z)), slice(0, len(GRID.x))
    for number in (0, 11, len(GRID.y) - 1):
        assert torch.allclose(noise.read(number, everything)[0], whole[number], atol=1e-5)


def test_near_keeps_all_that_lies_below(sliced: SlicedField) -> None:
    """No point below the limit lies outside of the box that is left, and much else does."""
    everywhere = sliced.box(13, slice(0, len(GRID.x)))
    assert everywhere is not None
    plane = sliced.plane(13)
    box = sliced.near(plane, everywhere, 0.0)
    assert box is not None
    inside = torch.nonzero(sliced.shown(plane, everywhere)[0] < 0)
    assert len(inside) > 50
    rows, columns = (part.start + inside[:, axis] for axis, part in enumerate(everywhere))
    assert box[0].start <= int(rows.min()) and int(rows.max()) < box[0].stop
    assert box[1].start <= int(columns.min()) and int(columns.max()) < box[1].stop
    size = [(part.stop - part.start) for part in (*box, *everywhere)]
    assert size[0] * size[1] < 0.7 * size[2] * size[3]
    assert sliced.near(plane, everywhere, -20.0) is None


def test_slope_is_one_along_the_slices_and_nothing_across(sliced: SlicedField) -> None:
    number = int((GRID.y - 10).abs().argmin())  # behind the ball, whose surface there faces the slices
    row, column = round((0 - LATTICE.low[2]) / 2), round((-2 - LATTICE.low[0]) / 2)
    assert float(sliced.slope(number)[row, column]) == pytest.approx(2.0, abs=0.1)
    middle = int(GRID.y.abs().argmin())
    assert float(sliced.slope(middle)[row, 0]) < 0.6
