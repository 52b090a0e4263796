"""The knee joint in an image: one template, drawn from a formula, and three measures.

On a frontal film the joint is a thin dark line that runs across the leg, arches up into the intercondylar notch and
lies between bright bone: the condyles above, the plateau with its brighter subchondral line below. The template
draws just that; its eight numbers were fitted (Nelder-Mead) on 241 crops of the training split of the OAI regions of
Chen (2018, Mendeley Data 56rmx5bjcr) and their 71 unprocessed films. It is correlated with the locally normalised
image (mean and standard deviation removed in a Gaussian neighbourhood), which makes it independent of exposure,
look-up tables and contrast enhancement. The detector says where a joint is; these measures say whether its region shows
bone bright and a joint line in the right place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monai_xray2mri.radiograph.resampling import resize, smooth, stretch

REGION_MM = 110.0
"""Side of the region at the detector, for which the lengths below were measured."""
GRID = 73
"""Pixels per side on which a region is measured: 1.5 mm, so that the joint space is two to three pixels high."""
STEP = REGION_MM / GRID
"""Millimetres per pixel of that grid."""
JOINT_ROW = 63.75 / REGION_MM
"""Where the joint line lies in a region, as a fraction from the top: the median of the training crops."""

SCALES = (0.88, 1.0, 1.14)
"""Sizes of knee tried, relative to the mean one; the next sizes differ by more than people's knees do."""
ARCH_HEIGHT, ARCH_WIDTH = 11.1, 12.0  # mm: rise of the gap into the notch, and the Gaussian width of the arch
GAP_WIDTH = 2.46  # mm: the joint space, as are all the following
PLATEAU_OFFSET, PLATEAU_WIDTH, PLATEAU_WEIGHT = 6.5, 2.3, 0.83
CONDYLE_WIDTH, CONDYLE_WEIGHT = 5.75, 0.31
HALF_WIDTH, ABOVE, BELOW = 39.0, 20.0, 14.0  # mm: what of the joint the template covers
SEARCHED_ROWS, SEARCHED_COLUMNS = (49.5, 79.5), (46.5, 64.5)  # mm from the top and the left of a region


SMALLEST_GAP, SMALLEST_CONTRAST = 0.2, 0.18
"""Limits of a joint: see ``looks_like_a_joint`` for what they were fitted on."""


@dataclass(frozen=True)
class JointMeasures:
    """What is measured in a square region of about 110 mm.

    Attributes:
        gap: correlation (-1..1) of the locally normalised image with the joint template at its best place.
        femur: how much brighter the bone above the joint is than the darker side of the region, as a fraction of
            the region's grey range; negative in an image of the wrong polarity.
        tibia: the same below the joint.
        row: fraction of the height at which the joint line lies.
        column: fraction of the width at which the joint's middle lies.
    """

    gap: float
    femur: float
    tibia: float
    row: float
    column: float


def draw_template(scale: float = 1.0) -> np.ndarray:
    """Draw the joint line: [h,w], dark (-1) in the gap, bright along the plateau and the condyles.

    Args:
        scale: size of the knee relative to the mean one.
    """
    half, above, below = (round(length * scale / STEP) for length in (HALF_WIDTH, ABOVE, BELOW))
    x = np.arange(-half, half + 1) * STEP / scale  # [w] mm from the middle
    y = np.arange(-above, below + 1) * STEP / scale  # [h] mm below the joint line
    depth = y[:, None] + ARCH_HEIGHT * _bell(x / ARCH_WIDTH)[None]  # [h,w] mm below the arched gap
    plateau = PLATEAU_WEIGHT * _bell((depth - PLATEAU_OFFSET) / PLATEAU_WIDTH)
    condyles = CONDYLE_WEIGHT * _bell((depth + PLATEAU_OFFSET) / CONDYLE_WIDTH)
    return plateau + condyles - _bell(depth / GAP_WIDTH)  # [h,w]


def joint_response(image: np.ndarray) -> np.ndarray:
    """Correlate a film with the joint template at every place and take the best size of knee.

    Args:
        image: [H,W] at ``STEP`` millimetres per pixel, bone bright, any grey range.

    Returns:
        [H,W] in -1..1 where the template's joint line and middle lie on that pixel; -1 where it does not fit in.
    """
    normalized = normalize_locally(image)
    best = np.full(image.shape, -1.0)
    for scale in SCALES:
        template = draw_template(scale)
        height, width = template.shape
        if height > image.shape[0] or width > image.shape[1]:
            continue
        scores = _correlate(normalized, template)  # [H-h+1,W-w+1]
        top, left = round(ABOVE * scale / STEP), width // 2
        window = best[top : top + scores.shape[0], left : left + scores.shape[1]]
        np.maximum(window, scores, out=window)
    return best


def measure_joint(region: np.ndarray) -> JointMeasures:
    """Measure how much a square region looks like a frontal knee joint.

    Args:
        region: [n,n] of about 110 mm, bone bright, any grey range.

    Returns:
        The measures; the joint is searched 9 mm around the middle column and 15 mm around its usual row.
    """
    grid = stretch(resize(region, (GRID, GRID)))
    response = joint_response(grid)
    top, bottom = (round(length / STEP) for length in SEARCHED_ROWS)
    left, right = (round(length / STEP) for length in SEARCHED_COLUMNS)
    searched = response[top:bottom, left:right]
    place = np.unravel_index(int(searched.argmax()), searched.shape)
    row, column = int(place[0]) + top, int(place[1]) + left
    femur = bone_contrast(grid, column, row - round(40 / STEP), row - round(12 / STEP))
    tibia = bone_contrast(grid, column, row + round(6 / STEP), row + round(30 / STEP))
    return JointMeasures(float(searched.max()), femur, tibia, (row + 0.5) / GRID, (column + 0.5) / GRID)


def looks_like_a_joint(measures: JointMeasures) -> bool:
    """Decide whether measures are those of a frontal knee joint, bone bright.

    The limits let knees without joint space pass: of 327 training crops of KL grade 4 (Chen 2018, 173 enhanced and 154
    as they were, placed as 95 mm in a region of 110 mm) the least joint line is 0.22, of 54 validation crops 0.21.
    What is no knee but measures like a joint is for the region judge (:mod:`monai_xray2mri.knee.detection.likeness`);
    crops that are stored as negatives have a negative contrast.
    """
    return measures.gap >= SMALLEST_GAP and min(measures.femur, measures.tibia) >= SMALLEST_CONTRAST


def bone_contrast(grid: np.ndarray, column: int, top: int, bottom: int) -> float:
    """Return by how much the 40 mm around a column are brighter than the darker outer 7 mm of a region.

    The darker side counts since the fibula or the other leg may brighten one of them.

    Args:
        grid: [GRID,GRID] in [0,1].
        column: the middle of the joint.
        top: first row.
        bottom: row after the last one.
    """
    rows = grid[max(top, 0) : bottom]
    half, edge = round(20 / STEP), round(7 / STEP)
    middle = rows[:, max(column - half, 0) : column + half + 1].mean(axis=1)
    side = np.minimum(rows[:, :edge].mean(axis=1), rows[:, -edge:].mean(axis=1))
    return float((middle - side).mean())


def normalize_locally(image: np.ndarray) -> np.ndarray:
    """Remove the local mean (6 mm) and divide by the local deviation (10 mm); clipped to two deviations.

    Args:
        image: [H,W] at ``STEP`` millimetres per pixel.

    Returns:
        [H,W] in -2..2.
    """
    stretched = stretch(image)
    detail = stretched - smooth(stretched, 6.0 / STEP)
    deviation = np.sqrt(np.maximum(smooth(detail * detail, 10.0 / STEP), 0))
    return np.clip(detail / (deviation + 1e-3), -2, 2)


def _correlate(image: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Normalised cross-correlation where the template fits: [H-h+1,W-w+1]; flat places are damped by 5 %."""
    centerd = template - template.mean()
    centerd /= np.linalg.norm(centerd)
    height, width = template.shape
    spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(centerd, image.shape))
    raw = np.fft.irfft2(spectrum, image.shape)[: image.shape[0] - height + 1, : image.shape[1] - width + 1]
    mean = _window_sum(image, height, width) / template.size
    variance = _window_sum(image * image, height, width) / template.size - mean * mean
    return raw / ((np.sqrt(np.maximum(variance, 0)) + 0.05) * math.sqrt(template.size))


def _window_sum(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sum over every window of the given size: [H-h+1,W-w+1]."""
    total = np.pad(image.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]


def _bell(x: np.ndarray) -> np.ndarray:
    """Return the Gaussian exp(-x^2/2)."""
    return np.exp(-0.5 * x * x)
