from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.film import simulate_film
from monai_xray2mri.simulation.film_frame import plate_shape
from monai_xray2mri.simulation.film_options import FilmOptions, Marker, plain_options
from monai_xray2mri.simulation.grades import patient_grades
from monai_xray2mri.simulation.seeds import SHIFTED
from monai_xray2mri.simulation.truth import KEYPOINTS
from monai_xray2mri.types import Side

BARE = FilmOptions()


@pytest.fixture(scope="session")
def bare(film):
    """The example's film without marker and collimation."""
    return simulate_film(film.seed, options=BARE)


def inside(film, side) -> np.ndarray:
    """Pixels of the box of one knee."""
    box = film.boxes[side]
    top, left = round(box.top), round(box.left)
    return film.pixels[max(top, 0) : top + round(box.rows), max(left, 0) : left + round(box.columns)]


def test_right_knee_is_at_the_left_and_both_fibulae_outside(film):
    right, left = film.boxes[Side.RIGHT], film.boxes[Side.LEFT]
    assert right.centre[1] < film.pixels.shape[1] / 2 < left.centre[1]
    rows = slice(int(right.centre[0] + 90), int(right.centre[0] + 150))
    for box, outwards in ((right, -1), (left, 1)):
        middle = box.centre[1]
        outside, within = (int(middle + sign * 42 / 0.3) for sign in (outwards, -outwards))
        bright, dark = (film.pixels[rows, c - 10 : c + 10].mean() for c in (outside, within))
        assert bright > dark


def test_plain_film_is_a_plate_with_an_r_and_a_black_border(film):
    assert film.pixels.shape == plate_shape(0.3) == (1166, 1432)
    assert film.options == plain_options(film.seed)
    assert not film.pixels[:80].any() and not film.pixels[-80:].any()
    row, column = (round(length / 0.3) for length in film.options.markers[0].place)
    assert film.pixels[row - 30 : row + 30, column - 20 : column + 20].max() > 0.9


def test_grades_are_those_of_the_patient(film):
    assert film.grades == {side: patient_grades(film.seed, side) for side in Side}
    assert film.grades[Side.LEFT] != film.grades[Side.RIGHT]


def test_grades_can_be_replaced_on_one_side(film, bare):
    lone = simulate_film(film.seed, {Side.LEFT: {"XRJSM": 3, "XRJSL": 0}}, options=BARE)
    assert (lone.grades[Side.LEFT]["XRJSM"], lone.grades[Side.LEFT]["XRKL"]) == (3, 4)
    assert lone.grades[Side.RIGHT] == film.grades[Side.RIGHT]
    same, other = (np.abs(inside(lone, side) - inside(bare, side)).mean() for side in Side)
    assert other > 5 * same


def test_same_arguments_give_the_same_film(film):
    again = simulate_film(film.seed)
    assert np.array_equal(again.pixels, film.pixels)
    assert (again.boxes, again.keypoints) == (film.boxes, film.keypoints)


def test_left_knee_resembles_the_right_one_without_being_its_mirror_image(bare):
    healthy = {stem: 0 for stem in bare.grades[Side.RIGHT]}
    film = simulate_film(bare.seed, {side: healthy for side in Side}, options=BARE)
    right, left = inside(film, Side.RIGHT), inside(film, Side.LEFT)[:, ::-1]
    rows, columns = (min(sizes) for sizes in zip(right.shape, left.shape, strict=True))
    likeness = np.corrcoef(right[:rows, :columns].ravel(), left[:rows, :columns].ravel())[0, 1]
    assert 0.8 < likeness < 0.995


def test_keypoints_are_named_and_lie_in_the_boxes(film):
    for side, box in film.boxes.items():
        assert set(film.keypoints[side]) == set(KEYPOINTS)
        for row, column in film.keypoints[side].values():
            assert box.top < row < box.top + box.rows
            assert box.left < column < box.left + box.columns
        assert film.keypoints[side]["medial condyle"][0] < film.keypoints[side]["medial plateau"][0] + 1
    right, left = (film.keypoints[side]["fibular head"][1] for side in Side)
    assert right < film.boxes[Side.RIGHT].centre[1] and left > film.boxes[Side.LEFT].centre[1]


@pytest.mark.parametrize(("turns", "mirrored"), [(1, False), (2, False), (3, True), (0, True)])
def test_turned_film_is_the_plain_one_turned(bare, turns, mirrored):
    turned = simulate_film(bare.seed, options=replace(BARE, quarter_turns=turns, mirrored=mirrored))
    plain = bare.pixels[:, ::-1] if mirrored else bare.pixels
    assert np.array_equal(turned.pixels, np.rot90(plain, turns))
    for side in Side:
        rolled = np.rot90(inside(bare, side)[:, ::-1] if mirrored else inside(bare, side), turns)
        rows, columns = (min(sizes) for sizes in zip(rolled.shape, inside(turned, side).shape, strict=True))
        one, other = (piece[:rows, :columns].ravel() for piece in (rolled, inside(turned, side)))
        assert np.corrcoef(one, other)[0, 1] > 0.98


def test_slanting_patient_keeps_the_knees_in_their_boxes(bare):
    slanting = simulate_film(bare.seed, options=replace(BARE, rotation_deg=4.0))
    assert slanting.boxes[Side.LEFT].top > bare.boxes[Side.LEFT].top + 20
    for side in Side:
        rows, columns = (min(a, b) for a, b in zip(inside(bare, side).shape, inside(slanting, side).shape, strict=True))
        pieces = [inside(film, side)[:rows, :columns].ravel() for film in (bare, slanting)]
        assert np.corrcoef(*pieces)[0, 1] > 0.85


def test_finer_pixels_show_the_same_picture(bare):
    fine = simulate_film(bare.seed, options=replace(BARE, pixel_mm=0.15))
    assert fine.pixels.shape == plate_shape(0.15)
    rows, columns = fine.pixels.shape[0] // 2, fine.pixels.shape[1] // 2
    coarse = fine.pixels[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean((1, 3))
    rows, columns = min(rows, bare.pixels.shape[0]), min(columns, bare.pixels.shape[1])
    assert np.corrcoef(coarse[:rows, :columns].ravel(), bare.pixels[:rows, :columns].ravel())[0, 1] > 0.995
    assert fine.boxes[Side.LEFT].left == pytest.approx(2 * bare.boxes[Side.LEFT].left, abs=2)


@pytest.mark.parametrize("fault", ["under", "over", "saturated", "flat"])
def test_bad_exposures_are_bad_in_their_own_way(bare, fault):
    bad = simulate_film(bare.seed, options=replace(BARE, fault=fault))
    box, good = inside(bad, Side.RIGHT), inside(bare, Side.RIGHT)
    spread, level = box.std() / good.std(), box.mean() - good.mean()
    grain = np.abs(np.diff(box)).mean() / np.abs(np.diff(good)).mean()
    assert {
        "under": grain > 1.5,
        "over": level < -0.1,
        "saturated": (box > 0.95).mean() > (good > 0.95).mean() + 0.05,
        "flat": spread < 0.7,
    }[fault]


def test_total_prosthesis_is_white_on_its_side_alone_and_has_no_gradings(bare):
    options = replace(BARE, hardware={Side.LEFT: "total prosthesis"})
    film = simulate_film(bare.seed, options=options)
    assert film.hardware == {Side.LEFT: "total prosthesis"}
    assert film.grades[Side.LEFT] == {}
    assert film.grades[Side.RIGHT] == bare.grades[Side.RIGHT]
    white = [(inside(film, side) > 0.97).mean() - (inside(bare, side) > 0.97).mean() for side in Side]
    assert abs(white[0]) < 0.02 and white[1] > 0.1


def test_screws_leave_the_gradings(bare):
    film = simulate_film(bare.seed, options=replace(BARE, hardware={Side.LEFT: "screws"}))
    assert film.grades[Side.LEFT] == bare.grades[Side.LEFT]
    assert np.abs(inside(film, Side.LEFT) - inside(bare, Side.LEFT)).max() > 0.1


def test_markers_are_white_beside_the_legs(bare):
    marked = simulate_film(bare.seed, options=replace(BARE, markers=(Marker(Side.LEFT, "letter", (60.0, 405.0)),)))
    place = slice(170, 230), slice(1320, 1380)
    assert marked.pixels[place].max() > 0.9 > bare.pixels[place].max()


def test_seed_of_no_range_and_bad_visibility_are_refused():
    with pytest.raises(InputRefused, match="simulator seed"):
        simulate_film(SHIFTED.stop)
    with pytest.raises(InputRefused, match="visibility"):
        simulate_film(0, visibility=1.5)
