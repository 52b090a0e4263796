"""What a detector finds becomes the right knee's region, on the right side, of one physical size, or is refused.

The films are drawn and the detector is told the truth about them; tests/detection judges the real one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from monai_xray2mri.errors import ExitCode, InputRefused
from monai_xray2mri.radiograph.knee.joint import JOINT_ROW, REGION_MM
from monai_xray2mri.radiograph.knee.region import find_knees, network_input, normalize_region
from monai_xray2mri.radiograph.knee.roi import FoundJoint, KneeROI, Locator
from monai_xray2mri.radiograph.laterality import sides_to_use
from monai_xray2mri.radiograph.resampling import REGION_SIZE, cut_box, resize
from monai_xray2mri.types import Box, Radiograph, Side

BOTH = (Side.RIGHT, Side.LEFT)


def film_of(pixels: np.ndarray, sides: tuple[Side, ...], mm: float | None = 0.5) -> Radiograph:
    spacing = None if mm is None else (mm, mm)
    return Radiograph(pixels, spacing, "ImagerPixelSpacing" if mm else "none", sides, "ImageLaterality", "film.dcm")


def joint_at(row: float, column: float, confidence: float = 0.9, **other: float) -> FoundJoint:
    """What a perfect detector says of a joint line at (row, column) in mm."""
    values = {"side_mm": REGION_MM, "confidence": confidence, "prosthesis": 0.0} | other
    return FoundJoint(row - (JOINT_ROW - 0.5) * REGION_MM, column, **values)


def seen(*joints: FoundJoint) -> Locator:
    return lambda pixels, spacing: joints


def joint_mm(roi: KneeROI, mm: float = 0.5) -> tuple[float, float]:
    """Where a region says that the joint lies: (row, column) in mm."""
    return (roi.box.top + JOINT_ROW * roi.box.rows) * mm, roi.box.center[1] * mm


BILATERAL = seen(joint_at(170, 120), joint_at(185, 315, 0.8))


def knees(radiograph: Radiograph, locate: Locator, side: Side | None = None, **options: Any) -> tuple[KneeROI, ...]:
    """The knees of a film, or the one asked for."""
    return find_knees(radiograph, locate, sides_to_use(radiograph, side), **{"width_mm": 110.0} | options)


def assert_refused(radiograph: Radiograph, locate: Locator, *parts: str, **options: Any) -> None:
    with pytest.raises(InputRefused) as refusal:
        knees(radiograph, locate, **options)
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED
    for part in ("film.dcm", *parts):
        assert part in str(refusal.value)


@pytest.fixture(scope="module")
def bilateral(draw_film) -> Radiograph:
    return film_of(draw_film(350, 430, (170, 120, "R"), (185, 315, "L")), BOTH)


def test_bilateral_film_gives_both_knees_right_first(bilateral):
    right, left = knees(bilateral, BILATERAL)
    assert (right.side, left.side) == BOTH
    assert joint_mm(right) == pytest.approx((170, 120))
    assert joint_mm(left) == pytest.approx((185, 315))
    assert right.width_mm == left.width_mm == 110
    assert right.box.rows == right.box.columns == pytest.approx(220)
    assert (right.method, right.confidence, left.confidence) == ("detector", 0.9, 0.8)
    assert right.pixels.shape == (REGION_SIZE, REGION_SIZE) and right.pixels.dtype == np.float32


def test_joint_line_keeps_its_place_in_a_region_of_another_width(bilateral):
    right, _ = knees(bilateral, BILATERAL, width_mm=130.0)
    assert joint_mm(right) == pytest.approx((170, 120))
    assert right.box.rows == pytest.approx(260)


def test_region_shows_what_lies_in_its_box_as_on_the_film(bilateral):
    _, left = knees(bilateral, BILATERAL)
    # the drawn fibula of a left leg lies at the image's right, and the region is not mirrored
    band = left.pixels[round(0.9 * REGION_SIZE) :]
    assert band[:, round(0.86 * REGION_SIZE)].mean() > band[:, round(0.14 * REGION_SIZE)].mean() + 0.1


@pytest.mark.parametrize("side", list(Side))
def test_one_side_of_a_bilateral_film_is_the_same_as_in_both(bilateral, side):
    (one,) = knees(bilateral, BILATERAL, side=side)
    same = next(roi for roi in knees(bilateral, BILATERAL) if roi.side is side)
    assert one.box == same.box and np.array_equal(one.pixels, same.pixels)


def test_boxes_are_in_pixels_of_any_size(draw_film):
    fine = film_of(draw_film(350, 430, (170, 120, "R"), (185, 315, "L"), mm=0.2), BOTH, 0.2)
    right, left = knees(fine, BILATERAL)
    assert joint_mm(right, 0.2) == pytest.approx((170, 120))
    assert joint_mm(left, 0.2) == pytest.approx((185, 315))


def test_missing_knee_of_a_bilateral_film_is_named_and_the_other_still_found(draw_film):
    film, locate = film_of(draw_film(350, 430, (170, 120, "R")), BOTH), seen(joint_at(170, 120))
    assert_refused(film, locate, "left knee")
    (right,) = knees(film, locate, side=Side.RIGHT)
    assert joint_mm(right) == pytest.approx((170, 120))
    assert_refused(film, locate, "left knee", side=Side.LEFT)


def test_a_joint_of_low_confidence_is_none_and_its_value_is_told(bilateral):
    locate = seen(joint_at(170, 120), joint_at(185, 315, 0.34))
    assert_refused(bilateral, locate, "left knee", "confidence of 0.34", "0.5 or more")
    assert_refused(bilateral, seen(joint_at(170, 120, 0.41)), "right and the left knee", "0.41")
    assert_refused(bilateral, seen(), "right and the left knee", "no knee joint")


@pytest.mark.parametrize(("width", "column"), [(430, 210), (240, 120), (240, 90), (240, 158)])
def test_a_lone_knee_on_a_film_of_both_needs_its_side(bilateral, width, column):
    film = replace(bilateral, pixels=bilateral.pixels[:, : 2 * width])
    assert_refused(
        film, seen(joint_at(170, column)), "both sides by ImageLaterality, one knee in the picture", "--side"
    )
    (left,) = knees(film, seen(joint_at(170, column)), side=Side.LEFT, chosen=True)
    assert left.side is Side.LEFT and joint_mm(left) == pytest.approx((170, column))
    assert left.remarks[0].endswith("the picture shows one knee: taken as the left one, as asked")


def test_a_lone_knee_where_one_of_two_stands_is_that_one(bilateral):
    film = replace(bilateral, pixels=bilateral.pixels[:, :480])
    (right,) = knees(film, seen(joint_at(170, 75)), side=Side.RIGHT, chosen=True)
    assert right.remarks == ()
    assert_refused(film, seen(joint_at(170, 75)), "left knee", side=Side.LEFT, chosen=True)


def test_unilateral_film(draw_film):
    film = film_of(draw_film(240, 180, (110, 95, "L")), (Side.LEFT,))
    (left,) = knees(film, seen(joint_at(110, 95), joint_at(112, 99, 0.6)))
    assert left.side is Side.LEFT
    assert joint_mm(left) == pytest.approx((110, 95))


def test_two_knees_on_a_film_of_one_side_are_a_contradiction(bilateral):
    picture = "Cut the picture to the left knee, or give both knees as DICOM"
    assert_refused(replace(bilateral, sides=()), BILATERAL, "two knees", picture, side=Side.LEFT)
    headed = replace(bilateral, sides=(Side.RIGHT,), dataset=Dataset())
    assert_refused(headed, BILATERAL, "two knees", "set Image Laterality (0020,0062) to B")


@pytest.mark.parametrize(
    ("side", "column", "refused"), [("R", 315, True), ("R", 120, False), ("L", 120, True), ("L", 250, False)]
)
def test_a_knee_in_the_other_ones_half_of_a_wide_film_is_a_contradiction(bilateral, side, column, refused):
    film, locate = replace(bilateral, sides=(Side(side),)), seen(joint_at(170, column))
    if refused:
        assert_refused(film, locate, "mm from the middle in the other half", "Patient Orientation")
    else:
        assert len(knees(film, locate)) == 1


def test_a_knee_of_odd_size_is_remarked(bilateral):
    small = seen(joint_at(170, 120, side_mm=80.0), joint_at(185, 315))
    right, left = knees(bilateral, small)
    assert "73 % of the usual size" in right.remarks[0] and left.remarks == ()


def test_what_the_detector_says_of_a_prosthesis_is_kept(bilateral):
    right, left = knees(bilateral, seen(joint_at(170, 120), joint_at(185, 315, prosthesis=0.97)))
    assert (right.prosthesis, left.prosthesis) == (0.0, 0.97)


def test_absurd_pixel_spacing_is_refused(bilateral):
    assert_refused(replace(bilateral, spacing=(4.0, 4.0)), BILATERAL, "at most 1500 mm", "3440 mm")


def test_region_slightly_beyond_the_film_is_remarked_and_far_beyond_refused(draw_film):
    near = film_of(draw_film(240, 180, (55, 95, "R")), (Side.RIGHT,))
    (roi,) = knees(near, seen(joint_at(55, 95)))
    assert "beyond the film" in roi.remarks[0]
    assert np.all(roi.pixels[: int(0.06 * REGION_SIZE)] == 0)
    far = film_of(draw_film(240, 180, (32, 95, "R")), (Side.RIGHT,))
    assert_refused(far, seen(joint_at(32, 95)), "right knee", "beyond the film")


def test_single_knee_crop_is_taken_whole(knee_crop):
    (roi,) = knees(film_of(knee_crop, (Side.RIGHT,)), seen(joint_at(60, 50, 0.7, prosthesis=0.6)))
    assert roi.method == "whole image" and roi.box == Box(0, 0, 220, 220)
    assert roi.width_mm == 110 and roi.remarks == ()
    assert (roi.confidence, roi.prosthesis) == (0.7, 0.6)
    assert roi.pixels.tobytes() == cut_box(knee_crop, roi.box).tobytes()
    (as_good_as,) = knees(film_of(knee_crop, (Side.RIGHT,), 0.502), seen())
    assert as_good_as.box == roi.box and as_good_as.remarks == () and as_good_as.confidence is None


def test_a_crop_of_another_size_is_placed_at_its_true_size(knee_crop):
    """The joint line stays where the crop has it; a larger crop is cut, a smaller one lies in a margin."""
    (wide,) = knees(film_of(knee_crop, (Side.RIGHT,), 0.6), seen())
    assert wide.width_mm == 110 and wide.remarks == ("the image shows 132 mm: its middle 110 mm are used",)
    assert wide.box.columns == pytest.approx(110 / 0.6) and wide.box.top > 0
    (public,) = knees(film_of(knee_crop, (Side.RIGHT,), 95 / 220), seen())
    assert public.width_mm == 110 and "95 mm of the region of 110 mm" in public.remarks[0]
    assert "repeats the values at its border" in public.remarks[0]
    for roi in (wide, public):
        assert roi.box.top + JOINT_ROW * roi.box.rows == pytest.approx(JOINT_ROW * 220)
        assert roi.box.center[1] == pytest.approx(110)
    margin = round(7.5 / 110 * REGION_SIZE) - 2
    assert np.ptp(public.pixels[:, :margin], axis=1).max() == 0 and public.pixels[:, 0].max() > 0
    middle = public.pixels[:, margin + 2 : -margin - 2]
    assert np.ptp(middle, axis=1).min() > 0


def test_nearly_square_crop_is_placed_by_its_central_square(knee_crop):
    (roi,) = knees(film_of(knee_crop[:200], (Side.RIGHT,)), seen())
    assert roi.width_mm == 110 and roi.box.left == 0 and roi.box.rows == 220
    assert roi.box.top == pytest.approx(-JOINT_ROW * 20) and "100 mm" in roi.remarks[0]


def test_crop_that_claims_both_sides_needs_its_side(knee_crop):
    assert_refused(film_of(knee_crop, BOTH), seen(), "needs the side of its only knee", "both sides")
    assert_refused(film_of(knee_crop, BOTH), seen(), "needs the side of its only knee", side=Side.RIGHT)
    (right,) = knees(film_of(knee_crop, BOTH), seen(), side=Side.RIGHT, chosen=True)
    assert right.side is Side.RIGHT and "ImageLaterality says both sides" in right.remarks[0]


def test_tiny_film_is_refused(knee_crop):
    assert_refused(film_of(knee_crop, (Side.RIGHT,), 0.3), seen(), "66 mm")


def test_no_spacing_is_refused_unless_assumed(knee_crop):
    crop = film_of(knee_crop, (Side.LEFT,), None)
    assert_refused(crop, seen(), "pixel spacing", "--assume-spacing")
    spacings = []

    def locate(pixels: np.ndarray, spacing: tuple[float, float]) -> list[FoundJoint]:
        spacings.append(spacing)
        return []

    (roi,) = knees(crop, locate, assume_spacing=True)
    assert roi.width_mm == 110 and "assumed" in roi.remarks[0] and roi.side is Side.LEFT
    assert spacings == [(0.5, 0.5)]


def test_spacing_is_not_assumed_for_a_film(bilateral):
    assert_refused(replace(bilateral, spacing=None), BILATERAL, "roughly square", assume_spacing=True)
    square = replace(bilateral, spacing=None, pixels=bilateral.pixels[:, :700])
    assert_refused(square, BILATERAL, "both", assume_spacing=True)


def test_left_knees_reach_the_network_mirrored():
    pixels = np.random.default_rng(0).random((REGION_SIZE, REGION_SIZE)).astype(np.float32)
    box = Box(0, 0, 299, 299)
    right = network_input(KneeROI(Side.RIGHT, box, pixels, 110, "whole image"))
    left = network_input(KneeROI(Side.LEFT, box, np.ascontiguousarray(pixels[:, ::-1]), 110, "whole image"))
    assert right.shape == (1, 1, 256, 256) and right.dtype == np.float32
    assert np.allclose(right, left, atol=1e-5)
    assert not np.allclose(right, right[..., ::-1], atol=0.1)


def test_normalisation_does_not_depend_on_exposure(knee_crop):
    usual = normalize_region(knee_crop, mirrored=False)
    assert np.allclose(usual, normalize_region(0.3 * knee_crop + 0.5, mirrored=False), atol=1e-4)
    assert usual.min() == -1 and usual.max() == 1
    assert np.mean(usual == -1) == pytest.approx(0.005, abs=0.002)


def test_normalisation_of_a_constant_region_is_finite():
    assert np.isfinite(normalize_region(np.full((299, 299), 0.4, np.float32), mirrored=True)).all()


def test_resampling_does_not_alias():
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (600, 300))  # one pixel wide
    assert np.ptp(resize(stripes, (100, 100))) < 0.05


def test_cut_box_keeps_places_and_is_dark_beyond_the_film():
    film = np.ones((100, 100), np.float32)
    film[50:, :] = 0.5
    cut = cut_box(film, Box(-50, -25, 150, 150))
    edge = round(REGION_SIZE / 3)
    assert cut[: edge - 3].max() == 0
    assert cut[:, : REGION_SIZE // 6 - 3].max() == 0
    assert cut[edge + 3 : 2 * edge - 3, 150].min() == 1
    assert np.all(cut[2 * edge + 3 :, 150] == 0.5)
    assert cut_box(film, Box(500, 500, 50, 50)).max() == 0
    assert cut_box(film, Box(0, 0, 100, 100)).min() == 0.5


def test_cut_box_with_fractions_shifts_by_fractions():
    ramp = np.tile(np.arange(400, dtype=np.float32), (400, 1))
    whole, shifted = cut_box(ramp, Box(50, 50, 299, 299)), cut_box(ramp, Box(50, 50.25, 299, 299))
    assert np.allclose(shifted - whole, 0.25, atol=0.01)
