"""The square region around each knee joint, and what the networks see of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from monai_xray2mri.errors import InputRefused, NotAKnee
from monai_xray2mri.radiograph.knee.joint import JOINT_ROW, REGION_MM
from monai_xray2mri.radiograph.knee.one_knee import KNEES_APART_MM, WIDE_FILM_MM, require_one_knee, show_one
from monai_xray2mri.radiograph.knee.roi import FoundJoint, KneeROI, Locator
from monai_xray2mri.radiograph.knee.single_crop import WHOLE_IMAGE_WIDTHS, assumed_crop, roughly_square, single_crop
from monai_xray2mri.radiograph.resampling import cut_box, resize
from monai_xray2mri.radiograph.side_words import BOTH, Sides
from monai_xray2mri.types import Box, Radiograph, Side

NETWORK_SIZE = 256
"""Pixels per side of what the networks see."""
OVERHANG_REMARKED, OVERHANG_REFUSED = 0.05, 0.25
"""Fractions of the region's side by which it may reach beyond the film."""
LEAST_CONFIDENCE = 0.5
"""Confidence of the detector below which nothing is taken for a joint."""
LARGEST_MM = 1500.0
"""A film of a whole leg is at most 1.3 m long; what is larger has a wrong pixel spacing."""
OFF_MIDDLE_MM = 50.0
"""On a wide film, a single knee this far from the middle stands where one of two would."""
SIZES = (0.8, 1.25)
"""A knee that looks smaller or larger than that, relative to the usual one, is remarked."""


def find_knees(
    radiograph: Radiograph,
    locate: Locator,
    sides: Sides,
    width_mm: float,
    *,
    assume_spacing: bool = False,
    chosen: bool = False,
) -> tuple[KneeROI, ...]:
    """Find the region around each knee joint (Wang 2024a and 2024b, section III-B.1 and Fig. 3b).

    1. The detector finds joints; those of low confidence do not count.
    2. On a film of both knees the two best at least 80 mm apart are the knees, the patient's right one at the left of
       the image. If only one is found, the half of the film in which it lies tells its side; the other knee is
       refused by name. A film of both that is too narrow for two and shows one is a film of one: its side has to be
       told. On a film of one knee a second one is a contradiction and refused, and so is a knee that stands in the
       other one's half of a wide film.
    3. The region is the square of ``width_mm`` whose joint line lies where it does in the crops that the networks
       are trained on: in the middle column, 58 % from the top.

    An image that is a single-knee crop already (roughly square, 0.75 to 1.35 regions wide) is taken as the region.

    To treat the knees of a film independently, call once per side.

    Args:
        radiograph: the film.
        locate: the detector, :func:`monai_xray2mri.knee.detection.joints.find_joints`.
        sides: the knees that are wanted, right before left: one or both of those that the film shows, as
            :func:`~monai_xray2mri.radiograph.laterality.sides_to_use` decides.
        width_mm: side of the region at the detector in mm; belongs to the weights.
        assume_spacing: for research: take a single-knee crop without pixel spacing as ``width_mm`` wide.
        chosen: the user asks for this side, which tells it where a film of both sides shows one knee.

    Returns:
        One region per knee, right before left.

    Raises:
        OneKneeShown: a film of both sides shows one knee, and nobody has told which.
        NotAKnee: a film on which no knee is found.
        InputRefused: unknown spacing, one of two knees not found, or a region that reaches too far beyond the film.
    """
    if radiograph.spacing is None:
        return (assumed_crop(radiograph, locate, sides, width_mm, assume_spacing, chosen),)
    height = radiograph.pixels.shape[0] * radiograph.spacing[0]
    width = radiograph.pixels.shape[1] * radiograph.spacing[1]
    low, high = WHOLE_IMAGE_WIDTHS
    if roughly_square(height, width) and low * width_mm <= width <= high * width_mm:
        return (single_crop(radiograph, locate, radiograph.spacing, sides, width_mm, chosen),)
    if width < low * width_mm:
        raise InputRefused(
            f"radiograph {radiograph.name}",
            f"must be at least {low * width_mm:.0f} mm wide",
            f"{width:.0f} mm",
            "Give the whole film, or correct its pixel spacing.",
        )
    if max(height, width) > LARGEST_MM:
        raise InputRefused(
            f"radiograph {radiograph.name}",
            f"must be at most {LARGEST_MM:.0f} mm long",
            f"{max(height, width):.0f} mm by its pixel spacing",
            "Correct its pixel spacing.",
        )
    joints = locate(radiograph.pixels, radiograph.spacing)
    sure = [joint for joint in joints if joint.confidence >= LEAST_CONFIDENCE]
    if radiograph.sides == BOTH and show_one([one.column for one in sure], width):
        cut = partial(_cut, radiograph, knee=sure[0], width_mm=width_mm)
        yielded = require_one_knee(radiograph, sides, chosen, cut)
        roi = cut(sides[0])
        return (replace(roi, remarks=(*yielded, *roi.remarks)),)
    knees = _assign(radiograph, joints, sides, width)
    return tuple(_cut(radiograph, one, knee, width_mm) for one, knee in knees.items())


def network_input(roi: KneeROI, size: int = NETWORK_SIZE) -> np.ndarray:
    """Turn a region into what the networks see: right-knee space, [1,1,size,size] float32 in [-1,1].

    Args:
        roi: a region.
        size: pixels per side.
    """
    return normalize_region(roi.pixels, mirrored=roi.side is Side.LEFT, size=size)[None, None]


def normalize_region(pixels: np.ndarray, mirrored: bool, size: int = NETWORK_SIZE) -> np.ndarray:
    """Mirror, resample and normalise a region; films and simulated crops go through this one function.

    The grey range between the percentiles 0.5 and 99.5 becomes [-1,1] and the rest is clipped, so that exposure and
    window do not matter.

    Args:
        pixels: [299,299] (or any square), bone bright, any grey range.
        mirrored: whether to mirror left and right, as for a left knee.
        size: pixels per side of the result.

    Returns:
        [size,size] float32 in [-1,1].
    """
    resized = resize(pixels[:, ::-1] if mirrored else pixels, (size, size))  # [size,size]
    low, high = np.percentile(resized, (0.5, 99.5))
    scaled = (resized - low) / max(float(high - low), 1e-6)
    return np.clip(2 * scaled - 1, -1, 1).astype(np.float32)


def _assign(
    radiograph: Radiograph, joints: Sequence[FoundJoint], sides: tuple[Side, ...], width: float
) -> dict[Side, FoundJoint]:
    """Tell which knee each joint belongs to."""
    knees = [joint for joint in joints if joint.confidence >= LEAST_CONFIDENCE]
    if not knees:
        raise _not_found(NotAKnee, radiograph, sides, joints)
    best = knees[0]
    second = next((knee for knee in knees[1:] if abs(knee.column - best.column) >= KNEES_APART_MM), None)
    if radiograph.sides != BOTH:
        _check_alone(radiograph, sides[0], best, second, width)
        return {sides[0]: best}
    if second is not None:
        right, left = sorted((best, second), key=lambda knee: knee.column)
        found = {Side.RIGHT: right, Side.LEFT: left}
    else:
        found = {Side.RIGHT if best.column < width / 2 else Side.LEFT: best}
    if missing := tuple(one for one in sides if one not in found):
        others = [joint for joint in joints if joint not in found.values()]
        raise _not_found(InputRefused, radiograph, missing, others)
    return {one: found[one] for one in sides}


def _check_alone(radiograph: Radiograph, side: Side, knee: FoundJoint, second: FoundJoint | None, width: float) -> None:
    """Refuse a film of one knee that shows two, or shows it where the other one stands on a wide film."""
    what, rule = f"radiograph {radiograph.name}", f"must show the {side.word} knee alone"
    if second is not None:
        remedy = "If it shows both, set Image Laterality (0020,0062) to B."
        if radiograph.dataset is None:
            remedy = f"Cut the picture to the {side.word} knee, or give both knees as DICOM with Image Laterality B."
        raise InputRefused(what, rule, "two knees in the image", remedy)
    to_the_right = knee.column - width / 2  # of the image: the patient's left
    if width >= WIDE_FILM_MM and (to_the_right if side is Side.RIGHT else -to_the_right) > OFF_MIDDLE_MM:
        raise InputRefused(
            what,
            f"must show the {side.word} knee at the image's {side.opposite.word} or in its middle",
            f"a knee {abs(to_the_right):.0f} mm from the middle in the other half",
            "Check the side and Patient Orientation (0020,0020).",
        )


def _not_found(
    refusal: type[InputRefused], radiograph: Radiograph, sides: tuple[Side, ...], doubtful: Sequence[FoundJoint]
) -> InputRefused:
    which = " and the ".join(side.word for side in sides)
    seen = [joint.confidence for joint in doubtful if joint.confidence < LEAST_CONFIDENCE]
    unsure = f"; the best of what looks like one has a confidence of {max(seen):.2f}" if seen else ""
    return refusal(
        f"radiograph {radiograph.name}",
        f"must show the {which} knee from the front, with a detector's confidence of {LEAST_CONFIDENCE} or more",
        f"no knee joint where it should be{unsure}",
        "Give a frontal (AP or PA) film of the knee; check that bone is bright when it is displayed.",
    )


def _box_around(radiograph: Radiograph, knee: FoundJoint, width_mm: float) -> Box:
    """The region of a joint in pixels: the joint line keeps its place in regions of any width."""
    row, column = radiograph.spacing or (1.0, 1.0)
    joint_line = knee.row + (JOINT_ROW - 0.5) * REGION_MM
    top, left = joint_line - JOINT_ROW * width_mm, knee.column - width_mm / 2
    return Box(top / row, left / column, width_mm / row, width_mm / column)


def _cut(radiograph: Radiograph, side: Side, knee: FoundJoint, width_mm: float) -> KneeROI:
    """Cut the region around a knee, if enough of it lies on the film."""
    box = _box_around(radiograph, knee, width_mm)
    rows, columns = radiograph.pixels.shape
    beyond_rows = max(-box.top, box.top + box.rows - rows, 0) / box.rows
    beyond = max(beyond_rows, max(-box.left, box.left + box.columns - columns, 0) / box.columns)
    if beyond > OVERHANG_REFUSED:
        raise InputRefused(
            f"radiograph {radiograph.name}",
            f"must show {width_mm:.0f} mm around the {side.word} knee joint",
            f"{100 * beyond:.0f} % of it beyond the film",
            "Give a film that is not cut off at the knee.",
        )
    remarks: tuple[str, ...] = ()
    if beyond > OVERHANG_REMARKED:
        remarks = (f"{100 * beyond:.0f} % of the {side.word} knee's region lie beyond the film and are dark",)
    size = knee.side_mm / REGION_MM
    if not SIZES[0] <= size <= SIZES[1]:
        share = f"{100 * size:.0f} % of the usual size"
        remarks += (f"the {side.word} knee shows at {share}: check the pixel spacing",)
    pixels = cut_box(radiograph.pixels, box)
    return KneeROI(side, box, pixels, width_mm, "detector", remarks, knee.confidence, knee.prosthesis)
