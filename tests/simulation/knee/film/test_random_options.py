from __future__ import annotations

from collections import Counter
from dataclasses import fields

import pytest

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.knee.film.film_options import FILM_MM, HARDWARE, FilmOptions
from monai_xray2mri.simulation.knee.film.random_options import draw_film_options, plain_options
from monai_xray2mri.simulation.knee.people.seeds import SHIFTED, TRAINING
from monai_xray2mri.types import Side


@pytest.fixture(scope="module")
def many() -> list[FilmOptions]:
    return [draw_film_options(seed) for seed in TRAINING[:3000]]


def test_drawn_again_they_are_the_same():
    assert draw_film_options(7) == draw_film_options(7)
    assert len({draw_film_options(seed).fields for seed in range(20)}) == 20


def test_most_films_are_ordinary(many):
    faults = Counter(options.fault for options in many)
    assert faults["none"] > 0.8 * len(many)
    assert sum(bool(options.hardware) for options in many) == pytest.approx(0.05 * len(many), rel=0.3)
    assert sum(options.mirrored or options.quarter_turns > 0 for options in many) < 0.07 * len(many)


@pytest.mark.parametrize(
    "name", ["pixel_mm", "bits", "photometric", "modality", "border", "fault", "beads", "mirrored", "orientation_told"]
)
def test_every_kind_occurs(many, name):
    met = {getattr(options, name) for options in many}
    assert len(met) == {"pixel_mm": 3, "border": 3, "fault": 5, "beads": 3}.get(name, 2)


def test_every_metal_occurs_and_only_in_left_knees(many):
    metal = [item for options in many for item in options.hardware.items()]
    assert {side for side, _ in metal} == {Side.LEFT}
    assert {kind for _, kind in metal} == set(HARDWARE)


def test_metal_may_be_forbidden_or_allowed_on_either_side():
    assert not any(draw_film_options(seed, hardware_sides=()).hardware for seed in range(300))
    either = [draw_film_options(seed, hardware_sides=tuple(Side)).hardware for seed in range(600)]
    assert {side for metal in either for side in metal} == set(Side)


def test_turned_film_always_tells(many):
    assert all(options.orientation_told for options in many if options.mirrored or options.quarter_turns)
    assert all(options.orientation_told for options in many if options.modality == "DX")


def test_markers_and_fields_lie_on_the_plate(many):
    for options in many:
        for field in options.fields:
            top, left, bottom, right = field.edges
            assert 0 <= top < bottom <= FILM_MM[0] and 0 <= left < right <= FILM_MM[1]
        for marker in options.markers:
            assert 0 < marker.place[0] < FILM_MM[0]
            assert (marker.place[1] < 60) == (marker.side is Side.RIGHT)
            assert (marker.place[1] > FILM_MM[1] - 60) == (marker.side is Side.LEFT)


def test_pixel_size_can_be_chosen_without_changing_the_rest():
    drawn, chosen = draw_film_options(5), draw_film_options(5, pixel_mm=0.3)
    different = [item.name for item in fields(drawn) if getattr(drawn, item.name) != getattr(chosen, item.name)]
    assert different == ["pixel_mm"]


def test_plain_film_is_plain():
    plain = plain_options(3)
    assert (plain.pixel_mm, plain.fault, plain.hardware, plain.rotation_deg) == (0.3, "none", {}, 0.0)
    assert [marker.side for marker in plain.markers] == [Side.RIGHT]


@pytest.mark.parametrize("draw", [draw_film_options, plain_options])
def test_seed_of_no_range_is_refused(draw):
    with pytest.raises(InputRefused, match="simulator seed"):
        draw(SHIFTED.stop)
