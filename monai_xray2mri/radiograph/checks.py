"""All checks of a radiograph before any compute: header, pixels, and whether a region shows a knee joint."""

from __future__ import annotations

import numpy as np

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.header_checks import check_header
from monai_xray2mri.radiograph.joint import SMALLEST_CONTRAST, SMALLEST_GAP, looks_like_a_joint, measure_joint
from monai_xray2mri.radiograph.laterality import sides_to_use
from monai_xray2mri.types import KneeROI, Radiograph, Side

SMALLEST_IMAGE = 128
"""Pixels along the shorter edge below which a knee has no detail left (0.9 mm in a crop of 110 mm)."""
SMALLEST_RANGE = 0.02
"""Distance of the 1st and 99th percentile of [0,1] below which an image is blank."""
FEWEST_GREYS = 16
"""Different grey values below which an image is a drawing or mask."""
FAINT_GAP = 0.4
"""Joint line below which the user is warned: 1 % of the OAI training crops, most of them of KL grade 3 or 4."""
LARGEST_BURNT_OUT, LARGEST_EMPTY = 0.25, 0.6
"""Fractions of a region at its largest value (burnt-out bone) and at its smallest (air, beyond the film) above which
too little is left. The OAI crops have at most 0.01 of either."""


def check_radiograph(radiograph: Radiograph, *, side: Side | None = None, minimum_age: int = 18) -> tuple[str, ...]:
    """Check a film before anything is computed from it.

    Args:
        radiograph: the film.
        side: the knee that the user asks for.
        minimum_age: youngest patient in years.

    Returns:
        Warnings: what the user should know but what does not forbid the use.

    Raises:
        NotAKnee: another body part, view or species by the header.
        InputRefused: unknown or contradicted side; a patient below the minimum age; too few pixels; a blank image.
    """
    header = radiograph.dataset
    warnings = () if header is None else check_header(header, radiograph.name, minimum_age)
    sides_to_use(radiograph, side)
    _check_pixels(radiograph)
    return warnings


def _check_pixels(radiograph: Radiograph) -> None:
    what, pixels = f"radiograph {radiograph.name}", radiograph.pixels
    rows, columns = pixels.shape
    if min(rows, columns) < SMALLEST_IMAGE:
        raise InputRefused(what, f"needs at least {SMALLEST_IMAGE} pixels each way", f"{columns} x {rows}")
    if not np.isfinite(pixels).all():
        raise InputRefused(what, "needs finite pixel values", "infinite or undefined ones")
    low, high = np.percentile(pixels, (1, 99))
    if high - low < SMALLEST_RANGE or len(np.unique(pixels[::4, ::4])) < FEWEST_GREYS:
        raise InputRefused(what, "must show something", "a blank or nearly constant image", "Give another film.")


def check_region(roi: KneeROI, name: str = "") -> tuple[str, ...]:
    """Check that a region shows a frontal knee joint: a first look, which a trained score replaces later.

    Args:
        roi: the region.
        name: how messages call its film.

    Returns:
        A warning if the joint line is faint.

    Raises:
        InputRefused: the region is saturated, of inverted polarity, or does not measure like a joint (see
            :func:`~monai_xray2mri.radiograph.joint.looks_like_a_joint` for the limits and what they were fitted on).
    """
    what = f"{roi.side.word} knee of {name}" if name else f"{roi.side.word} knee"
    pixels = roi.pixels
    _check_saturation(pixels, what)
    measures = measure_joint(pixels)
    if looks_like_a_joint(measures):
        faint = measures.gap < FAINT_GAP
        return (f"the {roi.side.word} knee's joint line is faint: check its region",) if faint else ()
    contrast = min(measures.femur, measures.tibia)
    remedy = "Give a frontal (AP or PA) radiograph of a knee."
    if max(measures.femur, measures.tibia) < -0.1:
        remedy = "Bone looks dark: check Photometric Interpretation, or invert the picture."
    raise InputRefused(
        what,
        f"must look like a knee joint from the front (joint line {SMALLEST_GAP} or more, bone contrast "
        f"{SMALLEST_CONTRAST} or more)",
        f"joint line {measures.gap:.2f}, bone contrast {contrast:.2f}",
        remedy,
    )


def _check_saturation(pixels: np.ndarray, what: str) -> None:
    low, high = float(pixels.min()), float(pixels.max())
    margin = 1e-3 * (high - low)  # resampling leaves a burnt-out area not quite at one value
    burnt_out, empty = float((pixels >= high - margin).mean()), float((pixels <= low + margin).mean())
    if burnt_out > LARGEST_BURNT_OUT or empty > LARGEST_EMPTY:
        found = f"{100 * burnt_out:.0f} % white, {100 * empty:.0f} % black"
        raise InputRefused(what, "must not be saturated", found, "Export the radiograph with a wider window.")
