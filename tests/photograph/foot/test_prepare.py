"""Feet of photographs: found, told apart, checked, brought into the frame."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.errors import DoubtfulInput, InputRefused, UsageError
from monai_xray2mri.photograph import Photograph, prepare_feet
from monai_xray2mri.photograph.foot.prepare import feet_of
from monai_xray2mri.photograph.foot.segmenter import KINDS
from monai_xray2mri.photograph.foot.training.limbs import covered, hand, side_view, sole
from monai_xray2mri.photograph.foot.training.scenes import foot_patch
from monai_xray2mri.simulation.foot.foot import photograph_whole_foot
from monai_xray2mri.simulation.foot.people import VALIDATION
from monai_xray2mri.types import Side

SIZE = 640
UNMET = pytest.mark.xfail(reason="not met with the shipped segmenter: docs/photograph.md, Limits", strict=True)


@cache
def foot(number: int = 0) -> np.ndarray:
    """A photograph [640,640,3] of a right foot, toes up."""
    whole = photograph_whole_foot(VALIDATION[number], size=128)
    pixels = np.rint(whole.photograph.transpose(1, 2, 0) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def drawn(kind: str, number: int) -> np.ndarray:
    """A drawing [640,640,3] of another kind of limb on a grey floor."""
    random, place = np.random.default_rng([9, number]), KINDS.index(kind)
    if kind in ("hand", "foot from the side"):
        patch = (hand if kind == "hand" else side_view)(random, place)
    else:
        whole = photograph_whole_foot(VALIDATION[number])
        patch = (sole if kind == "sole" else covered)(foot_patch(whole), random, place)
    floor = random.uniform(0.3, 0.8) * patch.shade[..., None]
    picture = floor + (patch.color - floor) * patch.cover[..., None]
    pixels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def taken(pixels: np.ndarray, sides: tuple[Side, ...] = ()) -> Photograph:
    """A photograph that was read."""
    return Photograph(np.ascontiguousarray(pixels), "a.png", "0" * 64, sides=sides, sides_source="Laterality")


def test_a_right_foot_is_brought_into_the_frame() -> None:
    (found,) = feet_of(taken(foot()), pixel_mm=0.5)
    assert (found.side, found.side_source) == (Side.RIGHT, "hallux")
    assert found.grey.shape == found.mask.shape == (256, 256)
    assert found.color.shape == (256, 256, 3)
    assert not found.grey[~found.mask & (found.color.max(2) == 0)].any()
    rows, columns = np.nonzero(found.mask[:133])
    assert 0.40 * 256 < np.ptp(columns) < 0.52 * 256
    assert rows.min() < 24
    assert found.pixel_mm == pytest.approx(0.5 * np.sqrt(abs(np.linalg.det(found.matrix[:2, :2]))))


def test_a_left_foot_is_mirrored() -> None:
    (right,) = feet_of(taken(foot()))
    (left,) = feet_of(taken(foot()[:, ::-1]))
    assert left.side is Side.LEFT
    assert np.linalg.det(left.matrix[:2, :2]) < 0 < np.linalg.det(right.matrix[:2, :2])
    assert np.mean(left.mask != right.mask) < 0.05


def test_the_matrix_takes_the_grid_to_the_photograph() -> None:
    (found,) = feet_of(taken(foot()))
    place = found.matrix @ (60.0, 128.0, 1.0)
    row, column = (round(float(value)) for value in place[:2])
    assert np.abs(found.color[60, 128].astype(int) - foot()[row, column]).max() < 40


def test_a_foot_that_lies_anyhow_is_turned() -> None:
    (upright,) = feet_of(taken(foot()))
    (turned,) = feet_of(taken(np.rot90(foot())))
    assert turned.side is Side.RIGHT
    assert np.mean(turned.mask != upright.mask) < 0.05


def test_both_feet_are_taken_apart_and_a_side_selects_one() -> None:
    pixels = np.concatenate((foot()[:, 100:540][:, ::-1], foot()[:, 100:540]), axis=1)
    both = taken(pixels)
    assert [each.side for each in feet_of(both)] == [Side.RIGHT, Side.LEFT]
    assert [each.side for each in feet_of(both, side=Side.LEFT)] == [Side.LEFT]


def test_a_side_that_the_outline_contradicts_is_doubted_and_recorded() -> None:
    with pytest.raises(DoubtfulInput, match="hallux"):
        feet_of(taken(foot()), side=Side.LEFT)
    (forced,) = feet_of(taken(foot()), side=Side.LEFT, force=True)
    assert (forced.side, forced.side_source) == (Side.LEFT, "given")
    assert "must look like a left foot" in forced.doubts[0]


def test_a_side_that_the_header_contradicts_is_refused() -> None:
    with pytest.raises(InputRefused, match="Laterality says left"):
        feet_of(taken(foot(), (Side.LEFT,)), side=Side.RIGHT)


@UNMET
def test_what_shows_no_foot_is_refused() -> None:
    random = np.random.default_rng(0)
    floor = (120 + random.normal(0, 5, (300, 300, 3))).astype(np.uint8)
    with pytest.raises(InputRefused, match="bare foot from above"):
        feet_of(taken(floor))


@pytest.mark.parametrize(
    "kind",
    [pytest.param("hand", marks=UNMET), pytest.param("sole", marks=UNMET), "sock or shoe", "foot from the side"],
)
def test_what_is_no_bare_foot_from_above_is_refused(kind: str) -> None:
    """Drawings that no weight was trained on: three of four at least, since what is refused is stated in shares."""
    refused = 0
    for number in range(4):
        try:
            feet_of(taken(drawn(kind, number)))
        except InputRefused:
            refused += 1
    assert refused >= 3


def test_toes_that_are_cut_off_are_refused() -> None:
    with pytest.raises(InputRefused, match="must show"):
        feet_of(taken(foot()[150:]))


def test_a_small_foot_is_refused() -> None:
    small = np.asarray(Image.fromarray(foot()).resize((200, 200)))
    with pytest.raises(InputRefused, match="256 pixels long"):
        feet_of(taken(small))


@UNMET
def test_dark_and_blurred_photographs_are_doubted() -> None:
    with pytest.raises(DoubtfulInput, match="needs light"):
        feet_of(taken(foot() // 16 + 1))
    tiny = Image.fromarray(foot()).resize((36, 36), Image.Resampling.BOX)
    with pytest.raises(DoubtfulInput, match="must be sharp"):
        feet_of(taken(np.asarray(tiny.resize((SIZE, SIZE), Image.Resampling.BICUBIC))))


def test_a_scale_that_cannot_be_is_doubted() -> None:
    with pytest.raises(DoubtfulInput, match="wide at its ball"):
        feet_of(taken(foot()), pixel_mm=3.0)
    with pytest.raises(UsageError, match=r"0\.02 to 5"):
        prepare_feet("a.png", pixel_mm=50.0)
