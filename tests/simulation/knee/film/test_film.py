from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.simulation.knee.anatomy.truth import KEYPOINTS
from monai_xray2mri.simulation.knee.film.film import develop, simulate_film
from monai_xray2mri.simulation.knee.film.film_frame import FilmFrame, plate_shape
from monai_xray2mri.simulation.knee.film.film_options import FilmOptions, Marker
from monai_xray2mri.simulation.knee.film.film_projection import project_legs
from monai_xray2mri.simulation.knee.film.pair import draw_pair
from monai_xray2mri.simulation.knee.film.random_options import plain_options
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES, patient_grades
from monai_xray2mri.simulation.knee.people.seeds import SHIFTED, knee_generator
from monai_xray2mri.simulation.knee.xray import radiography
from monai_xray2mri.types import Side

BARE = FilmOptions()
HEALTHY = dict.fromkeys(MAXIMAL_GRADES, 0)
NARROWED = {Side.RIGHT: HEALTHY, Side.LEFT: {**HEALTHY, "XRJSM": 3, "XROSTM": 3, "XRSCTM": 3, "XRKL": 4}}
SLANT_DEG = 4.0
METAL = {Side.RIGHT: "plate", Side.LEFT: "total prosthesis"}


@pytest.fixture(scope="module")
def legs(film):
    """Healthy legs of the example's patient, on a canvas that can be turned."""
    overlap = FilmFrame(0.3, SLANT_DEG).overlap_mm
    return project_legs(film.seed, {side: HEALTHY for side in Side}, overlap_mm=overlap)


@pytest.fixture(scope="module")
def narrowed(film):
    """The same with a diseased left knee."""
    return develop(project_legs(film.seed, NARROWED), BARE)


@pytest.fixture(scope="module")
def replaced(film):
    """The same patient with a plate in the right knee and a total prosthesis in the left one."""
    return develop(project_legs(film.seed, hardware=METAL), replace(BARE, hardware=METAL))


@pytest.fixture(scope="module")
def bare(legs):
    """Film of the healthy legs without marker and collimation."""
    return develop(legs, BARE)


def inside(film, side) -> np.ndarray:
    """Pixels of the box of one knee."""
    box = film.boxes[side]
    top, left = round(box.top), round(box.left)
    return film.pixels[max(top, 0) : top + round(box.rows), max(left, 0) : left + round(box.columns)]


def test_right_knee_is_at_the_left_and_both_fibulae_outside(film):
    right, left = film.boxes[Side.RIGHT], film.boxes[Side.LEFT]
    assert right.center[1] < film.pixels.shape[1] / 2 < left.center[1]
    for side, box in film.boxes.items():
        row, column = film.keypoints[side]["fibular head"]
        outwards = column - box.center[1]
        assert (outwards < 0) == (side is Side.RIGHT)
        rows = slice(int(row + 40), int(row + 80))
        bright, dark = (film.pixels[rows, int(c) - 10 : int(c) + 10].mean() for c in (column, column - 2 * outwards))
        assert bright > dark


def test_plain_film_is_a_plate_with_an_r_and_a_black_border(film):
    assert film.pixels.shape == plate_shape(0.3) == (1166, 1432)
    assert film.options == plain_options(film.seed)
    assert not film.pixels[:80].any() and not film.pixels[-80:].any()
    assert [(marker.side, marker.style) for marker in film.options.markers] == [(Side.RIGHT, "letter")]


def test_grades_are_those_of_the_patient(film):
    assert film.grades == {side: patient_grades(film.seed, side) for side in Side}


def test_grades_can_be_replaced_on_one_side(bare, narrowed):
    assert narrowed.grades == NARROWED
    right, left = (np.corrcoef(inside(narrowed, side).ravel(), inside(bare, side).ravel())[0, 1] for side in Side)
    assert left < right - 0.002


def test_kellgren_lawrence_follows_where_it_is_not_given(film):
    shown = draw_pair(film.seed, {Side.LEFT: {"XRJSM": 3}})[Side.LEFT].pathology.grades
    assert (shown["XRJSM"], shown["XRKL"]) == (3, 4)


def test_left_knee_resembles_the_right_one_without_being_its_mirror_image(bare):
    right, left = inside(bare, Side.RIGHT), inside(bare, Side.LEFT)[:, ::-1]
    rows, columns = (min(sizes) for sizes in zip(right.shape, left.shape, strict=True))
    likeness = np.corrcoef(right[:rows, :columns].ravel(), left[:rows, :columns].ravel())[0, 1]
    assert 0.8 < likeness < 0.995


def test_right_knee_stands_as_in_simulate_knee(film):
    knee = draw_pair(film.seed)[Side.RIGHT]
    shape, pathology = draw_patient_knee(film.seed)
    stream = knee_generator(film.seed, "film")
    radiography.draw_exposure(stream)
    assert knee.pose == radiography.draw_pose(shape, stream)
    assert knee.pathology.grades == pathology.grades
    assert torch.equal(knee.shape.deformation, shape.deformation)


def test_keypoints_are_named_and_lie_in_the_boxes(film):
    for side, box in film.boxes.items():
        assert set(film.keypoints[side]) == set(KEYPOINTS)
        for row, column in film.keypoints[side].values():
            assert box.top < row < box.top + box.rows
            assert box.left < column < box.left + box.columns
        assert film.keypoints[side]["medial condyle"][0] < film.keypoints[side]["medial plateau"][0] + 1
    right, left = (film.keypoints[side]["fibular head"][1] for side in Side)
    assert right < film.boxes[Side.RIGHT].center[1] and left > film.boxes[Side.LEFT].center[1]


@pytest.mark.parametrize(("turns", "mirrored"), [(1, False), (2, False), (3, True), (0, True)])
def test_turned_film_is_the_plain_one_turned(legs, bare, turns, mirrored):
    turned = develop(legs, replace(BARE, quarter_turns=turns, mirrored=mirrored))
    plain = bare.pixels[:, ::-1] if mirrored else bare.pixels
    assert np.array_equal(turned.pixels, np.rot90(plain, turns))
    for side in Side:
        rolled = np.rot90(inside(bare, side)[:, ::-1] if mirrored else inside(bare, side), turns)
        rows, columns = (min(sizes) for sizes in zip(rolled.shape, inside(turned, side).shape, strict=True))
        one, other = (piece[:rows, :columns].ravel() for piece in (rolled, inside(turned, side)))
        assert np.corrcoef(one, other)[0, 1] > 0.97


def test_slanting_patient_keeps_the_knees_in_their_boxes(legs, bare):
    slanting = develop(legs, replace(BARE, rotation_deg=SLANT_DEG))
    assert slanting.boxes[Side.LEFT].top > bare.boxes[Side.LEFT].top + 20
    for side in Side:
        rows, columns = (min(a, b) for a, b in zip(inside(bare, side).shape, inside(slanting, side).shape, strict=True))
        pieces = [inside(film, side)[:rows, :columns].ravel() for film in (bare, slanting)]
        assert np.corrcoef(*pieces)[0, 1] > 0.85
    # No streaks of the canvas's border at the upper corners: neighbouring rows differ by noise as elsewhere.
    assert (
        np.diff(slanting.pixels[:3, :200], axis=0).std() > 0.5 * np.diff(slanting.pixels[600:603, :200], axis=0).std()
    )


def test_canvas_must_reach_far_enough(legs):
    with pytest.raises(UsageError, match="larger canvas"):
        develop(legs, replace(BARE, rotation_deg=12.0))


def test_metal_must_have_been_projected(legs):
    with pytest.raises(UsageError, match="hardware"):
        develop(legs, replace(BARE, hardware=METAL))


def test_finer_pixels_show_the_same_picture(legs, bare):
    fine = develop(legs, replace(BARE, pixel_mm=0.15))
    assert fine.pixels.shape == plate_shape(0.15)
    rows, columns = fine.pixels.shape[0] // 2, fine.pixels.shape[1] // 2
    coarse = fine.pixels[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean((1, 3))
    rows, columns = min(rows, bare.pixels.shape[0]), min(columns, bare.pixels.shape[1])
    assert np.corrcoef(coarse[:rows, :columns].ravel(), bare.pixels[:rows, :columns].ravel())[0, 1] > 0.99
    assert fine.boxes[Side.LEFT].left == pytest.approx(2 * bare.boxes[Side.LEFT].left, abs=2)


@pytest.mark.parametrize("fault", ["under", "over", "saturated", "flat"])
def test_bad_exposures_are_bad_in_their_own_way(legs, bare, fault):
    bad = develop(legs, replace(BARE, fault=fault))
    box, good = inside(bad, Side.RIGHT), inside(bare, Side.RIGHT)
    grain = np.abs(np.diff(box)).mean() / np.abs(np.diff(good)).mean()
    assert {
        "under": grain > 1.5,
        "over": box.mean() < good.mean() - 0.1,
        "saturated": (box > 0.99).mean() > 0.25,
        "flat": np.ptp(np.percentile(box, (25, 75))) < 0.6 * np.ptp(np.percentile(good, (25, 75))),
    }[fault]


def test_plate_leaves_the_gradings_and_a_prosthesis_does_not(film, replaced):
    assert replaced.hardware == METAL
    assert replaced.grades == {Side.RIGHT: film.grades[Side.RIGHT], Side.LEFT: {}}


def test_metal_is_the_brightest_there_is(replaced, bare):
    for side, share in ((Side.RIGHT, 0.01), (Side.LEFT, 0.15)):
        brightest = np.percentile(inside(bare, side), 99.9)
        assert (inside(bare, side) > brightest).mean() < share < (inside(replaced, side) > brightest).mean()


def test_markers_are_bright_beside_the_legs(legs, bare):
    marked = develop(legs, replace(BARE, markers=(Marker(Side.LEFT, "letter", (60.0, 405.0)),)))
    place = slice(170, 230), slice(1320, 1380)
    assert marked.pixels[place].max() > bare.pixels[place].mean() + 0.3


def test_seed_of_no_range_and_bad_visibility_are_refused():
    with pytest.raises(InputRefused, match="simulator seed"):
        simulate_film(SHIFTED.stop)
    with pytest.raises(InputRefused, match="visibility"):
        simulate_film(0, visibility=1.5)
