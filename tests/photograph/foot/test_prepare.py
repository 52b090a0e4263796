"""Feet of photographs: found, told apart, checked, brought into the frame."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from monai_xray2mri.errors import DoubtfulInput, InputRefused, UsageError
from monai_xray2mri.photograph import Photograph, prepare_feet
from monai_xray2mri.photograph.foot.checks import blur_of
from monai_xray2mri.photograph.foot.prepare import feet_of
from monai_xray2mri.photograph.foot.segmenter import KINDS
from monai_xray2mri.photograph.foot.training.limbs import covered, hand, side_view, sole
from monai_xray2mri.photograph.foot.training.scenes import foot_patch
from monai_xray2mri.simulation.foot.foot import photograph_whole_foot
from monai_xray2mri.simulation.foot.people import VALIDATION
from monai_xray2mri.simulation.tools.noise import blurred
from monai_xray2mri.types import Side

SIZE = 640
UNMET = pytest.mark.xfail(reason="not met with the shipped segmenter: docs/photograph.md, Limits", strict=True)


@cache
def foot(number: int = 0) -> np.ndarray:
    """A photograph [640,640,3] of a right foot, toes up."""
    whole = photograph_whole_foot(VALIDATION[number], size=128)
    pixels = np.rint(whole.photograph.transpose(1, 2, 0) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def beside(*feet: np.ndarray) -> np.ndarray:
    """A photograph of several feet, cropped to their middle."""
    return np.concatenate([pixels[:, 120:520] for pixels in feet], axis=1)


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
    both = taken(beside(foot()[:, ::-1], foot()))
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


def test_three_feet_and_two_of_one_side_are_refused() -> None:
    with pytest.raises(InputRefused, match="3 feet or other limbs"):
        feet_of(taken(beside(foot(), foot()[:, ::-1], foot())))
    with pytest.raises(InputRefused, match="two right feet"):
        feet_of(taken(beside(foot(), foot())), force=True)


@pytest.mark.parametrize("rows", [80, 100, 150])
def test_toes_that_are_cut_off_are_refused(rows: int) -> None:
    """The tips, half of the toes, all of them; then the ankle's end may be taken for toes."""
    for side in (None, Side.RIGHT):
        with pytest.raises(InputRefused, match="must show all toes and the ball"):
            feet_of(taken(foot()[rows:]), side=side)


def test_cut_toes_that_are_seen_cannot_be_forced_and_those_that_are_guessed_are_recorded() -> None:
    with pytest.raises(InputRefused, match="all toes"):
        feet_of(taken(foot()[80:]), side=Side.RIGHT, force=True)
    with pytest.raises(InputRefused, match="all toes"):
        feet_of(taken(foot()[150:]), force=True)
    (forced,) = feet_of(taken(foot()[150:]), side=Side.RIGHT, force=True)
    assert "all toes" in forced.doubts[0]
    with pytest.raises(InputRefused, match="all toes"):
        feet_of(taken(beside(foot()[:, ::-1], foot())[130:]))


def test_a_heel_beyond_the_border_is_no_matter() -> None:
    (found,) = feet_of(taken(foot()[:520]))
    assert (found.side, found.doubts) == (Side.RIGHT, ())


def test_a_foot_whose_hallux_may_be_either_end_needs_a_side() -> None:
    half = foot()[:, :315]
    symmetric = np.concatenate((half, half[:, ::-1]), axis=1)
    with pytest.raises(InputRefused, match=r"which foot it is.*Tell the side"):
        feet_of(taken(symmetric), force=True)
    (found,) = feet_of(taken(symmetric), side=Side.LEFT)
    assert (found.side, found.side_source) == (Side.LEFT, "given")


def test_faces_and_writing_beside_the_foot_are_left_behind() -> None:
    green, blue = (0, 255, 0), (40, 40, 255)
    picture = Image.fromarray(foot())
    draw = ImageDraw.Draw(picture)
    draw.text((20, 40), "Jane Doe 1960", fill=green, font_size=30)
    draw.text((440, 300), "Jane Doe", fill=green, font_size=40)
    draw.ellipse((500, 470, 600, 600), fill=(205, 160, 135))
    for eye in (525, 565):
        draw.ellipse((eye, 510, eye + 14, 524), fill=blue)
    (plain,) = feet_of(taken(foot()))
    (found,) = feet_of(taken(np.asarray(picture)))
    for seen in (found.color, plain.color):
        red, leaf, sky = (seen[..., channel].astype(int) for channel in range(3))
        assert not ((leaf > red + 60) | (sky > red + 60)).any()
    assert np.mean(found.mask != plain.mask) < 0.02


def test_a_picture_of_one_color_is_no_foot() -> None:
    for value in (0, 120, 255):
        with pytest.raises(InputRefused, match="a picture of one color"):
            feet_of(taken(np.full((300, 300, 3), value, np.uint8)), force=True)


def test_a_small_foot_is_refused() -> None:
    small = np.asarray(Image.fromarray(foot()).resize((200, 200)))
    with pytest.raises(InputRefused, match="256 pixels long"):
        feet_of(taken(small))


@pytest.mark.parametrize("part", [8, 16])
def test_a_dark_photograph_is_doubted_for_its_light_alone(part: int) -> None:
    dark = taken(foot() // part + 1)
    with pytest.raises(DoubtfulInput, match="needs light"):
        feet_of(dark)
    (forced,) = feet_of(dark, force=True)
    assert len(forced.doubts) == 1 and "needs light" in forced.doubts[0]
    assert forced.color.max() <= dark.pixels.max()


def test_a_blurred_photograph_is_doubted() -> None:
    tiny = Image.fromarray(foot()).resize((36, 36), Image.Resampling.BOX)
    with pytest.raises(DoubtfulInput, match="must be sharp"):
        feet_of(taken(np.asarray(tiny.resize((SIZE, SIZE), Image.Resampling.BICUBIC))))


@pytest.mark.parametrize("contrast", [0.1, 1.0])
@pytest.mark.parametrize("sigma", [2.0, 3.0, 5.0])
def test_blur_is_told_in_pixels_whatever_the_contrast(sigma: float, contrast: float) -> None:
    rows, columns = np.mgrid[0:256, 0:256]
    mask = np.hypot((rows - 120) / 90, (columns - 128) / 50) < 1
    step = torch.from_numpy(np.where(mask, 50 + 150 * contrast, 50).astype(np.float32))
    gray = blurred(step, sigma, sigma) + 0.5 * torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    assert blur_of(gray.numpy(), mask) == pytest.approx(sigma, rel=0.2)


def test_a_scale_that_cannot_be_is_doubted() -> None:
    with pytest.raises(DoubtfulInput, match="wide at its ball"):
        feet_of(taken(foot()), pixel_mm=3.0)
    with pytest.raises(UsageError, match=r"0\.02 to 5"):
        prepare_feet("a.png", pixel_mm=50.0)
