from __future__ import annotations

from typing import get_args

import pytest
import torch

from monai_xray2mri.simulation.knee.film import film_parts
from monai_xray2mri.simulation.knee.film.film_frame import plate_shape
from monai_xray2mri.simulation.knee.film.film_options import Field, FilmOptions, Marker, MarkerStyle
from monai_xray2mri.types import Side

PIXEL = 0.3
SHAPE = plate_shape(PIXEL)
FIELD = Field((40.0, 30.0, 300.0, 400.0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mm(rows: tuple[float, float], columns: tuple[float, float]) -> tuple[slice, slice]:
    return slice(*(int(row / PIXEL) for row in rows)), slice(*(int(column / PIXEL) for column in columns))


@pytest.mark.parametrize("style", get_args(MarkerStyle))
@pytest.mark.parametrize("side", Side)
def test_marker_is_lead_at_its_place_and_nowhere_else(style, side):
    total = torch.zeros(SHAPE)
    film_parts.add_markers(total, FilmOptions(markers=(Marker(side, style, (100.0, 60.0)),)))
    near = mm((75.0, 125.0), (30.0, 90.0))
    assert 30 < (total[near] > film_parts.LEAD / 2).sum() * PIXEL**2 < 500
    total[near] = 0
    assert not total.any()


def test_markers_of_both_sides_differ():
    shadows = []
    for side in Side:
        total = torch.zeros(SHAPE)
        film_parts.add_markers(total, FilmOptions(markers=(Marker(side, "letter", (100.0, 60.0)),)))
        shadows.append(total)
    assert not torch.equal(*shadows)


def test_marker_beyond_the_plate_is_cut_off_without_harm():
    total = torch.zeros(SHAPE)
    film_parts.add_markers(total, FilmOptions(markers=(Marker(Side.RIGHT, "plate", (-100.0, 60.0)),)))
    assert not total.any()


def test_steel_ball_attenuates_by_its_thickness():
    total = torch.zeros(SHAPE)
    film_parts.add_beads(total, FilmOptions(beads="ball"), (180.0, 110.0), 62.0)
    assert float(total.max()) == pytest.approx(25.4 * film_parts.STEEL_PER_MM, rel=0.01)
    assert float(total.sum()) * PIXEL**2 == pytest.approx(film_parts.STEEL_PER_MM * 4 / 3 * 3.1416 * 12.7**3, rel=0.01)


def test_frame_beads_stand_between_the_knees():
    total = torch.zeros(SHAPE)
    film_parts.add_beads(total, FilmOptions(beads="frame"), (180.0, 110.0), 62.0)
    columns = (total.any(0).nonzero().flatten() + 0.5) * PIXEL
    assert columns.min() > 205 and columns.max() < 225


def test_collimator_takes_the_beam_outside_of_its_field_only():
    total = torch.zeros(SHAPE)
    film_parts.add_collimator(total, FilmOptions(fields=(FIELD,)))
    assert total[mm((42.0, 298.0), (32.0, 398.0))].abs().max() < 1e-4
    assert total[mm((0.0, 38.0), (0.0, 430.0))].min() == pytest.approx(film_parts.CLOSED, abs=1e-3)


def test_tilted_field_is_turned_clockwise():
    inside = film_parts.inside_fields(FilmOptions(fields=(Field(FIELD.edges, 4.0),)), SHAPE) > 0
    top = inside.int().argmax(0)
    assert top[int(380 / PIXEL)] > top[int(60 / PIXEL)]


def test_two_fields_leave_the_middle_closed():
    options = FilmOptions(fields=(Field((40, 20, 300, 200)), Field((40, 225, 300, 410))))
    inside = film_parts.inside_fields(options, SHAPE) > 0
    assert not inside[:, int(212 / PIXEL)].any()
    assert inside[int(150 / PIXEL), [int(100 / PIXEL), int(300 / PIXEL)]].all()


@pytest.mark.parametrize(("border", "value"), [("black", 0.0), ("white", 1.0), ("unexposed", 0.5)])
def test_shutter_covers_the_border(border, value):
    image = torch.full(SHAPE, 0.5)
    closed = film_parts.shuttered(image, FilmOptions(fields=(FIELD,), border=border), generator())
    assert (closed[mm((0.0, 36.0), (0.0, 430.0))] == value).all()
    assert (closed[mm((44.0, 296.0), (34.0, 396.0))] == 0.5).all()


def test_grid_lines_are_a_wave_of_the_given_amplitude():
    total = torch.zeros(SHAPE)
    film_parts.add_grid_lines(total, FilmOptions(grid=0.02), generator())
    assert float(total.max()) == pytest.approx(0.02, rel=0.01)
    assert float(total.mean()) == pytest.approx(0, abs=1e-3)
    still = torch.zeros(SHAPE)
    film_parts.add_grid_lines(still, FilmOptions(), generator())
    assert not still.any()


def test_dust_and_scratches_brighten_little_of_the_film():
    image = torch.full(SHAPE, 0.4)
    soiled = film_parts.soiled(image, FilmOptions(dust=10, scratches=2), generator())
    assert (image == 0.4).all()
    changed = soiled != image
    assert (soiled[changed] > 0.4).all()
    assert 0 < changed.float().mean() < 0.002


def test_text_is_white_at_the_lower_edge():
    image = torch.zeros(SHAPE)
    written = film_parts.with_text(image, FilmOptions(text="FIXED FLEXION"))
    rows = written.any(1).nonzero().flatten() * PIXEL
    assert rows.min() > 330 and rows.max() < 350
    assert set(written.unique().tolist()) == {0.0, 1.0}
    assert film_parts.with_text(image, FilmOptions()) is image
