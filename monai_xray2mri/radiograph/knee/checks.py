"""All checks of a radiograph before any compute: header, pixels, and whether a region shows a knee joint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_xray2mri.errors import DoubtfulInput, InputRefused, NoFrontalKnee, NotAKnee
from monai_xray2mri.radiograph.knee.header_checks import check_header
from monai_xray2mri.radiograph.knee.joint import (
    SMALLEST_CONTRAST,
    SMALLEST_GAP,
    JointMeasures,
    looks_like_a_joint,
    measure_joint,
)
from monai_xray2mri.radiograph.knee.metal import metal_step
from monai_xray2mri.radiograph.knee.quality import measure_quality
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.radiograph.laterality import sides_to_use
from monai_xray2mri.radiograph.side_words import Sides
from monai_xray2mri.types import Radiograph, Side

SMALLEST_IMAGE = 128
"""Pixels along the shorter edge below which a knee has no detail left (0.9 mm in a crop of 110 mm)."""
SMALLEST_RANGE = 0.02
"""Distance of the 1st and 99th percentile of [0,1] below which an image is blank."""
FEWEST_GRAYS = 16
"""Different grey values below which an image is a drawing or mask."""
FAINT_GAP = 0.4
"""Joint line below which the user is warned: 1 % of the OAI training crops, most of them of KL grade 3 or 4."""
LARGEST_BURNT_OUT, LARGEST_EMPTY = 0.25, 0.6
"""Fractions of a region at its largest value (burnt-out bone) and at its smallest (air, beyond the film) above which
too little is left. The OAI crops have at most 0.01 of either."""

LARGEST_NOISE, LEAST_SHARPNESS = 0.03, 1.085
"""Limits of :func:`~monai_xray2mri.radiograph.knee.quality.measure_quality`; real crops have at most 0.012 and at least
1.09 (docs/knee/detection.md)."""
LARGEST_STEP = 0.2
"""Step of grey values at the outline of what is bright above which it is metal
(:func:`~monai_xray2mri.radiograph.knee.metal.metal_step`); natural knees have at most 0.19 (docs/knee/detection.md)."""
SUSPECTED_STEP, LARGEST_PROSTHESIS = 0.16, 0.5
"""A smaller step suffices where the detector gives more than this probability to a prosthesis. Alone the detector calls
natural knees of other departments one."""


@dataclass(frozen=True)
class FilmCheck:
    """What the checks of a film found.

    Attributes:
        sides: the knees to work on, right before left.
        warnings: what the user should know but what does not forbid the use.
    """

    sides: Sides
    warnings: tuple[str, ...] = ()


def check_radiograph(radiograph: Radiograph, *, side: Side | None = None, minimum_age: int = 18) -> FilmCheck:
    """Check a film before anything is computed from it, and decide which knees are worked on.

    Args:
        radiograph: the film.
        side: the knee that the user asks for.
        minimum_age: youngest patient in years.

    Raises:
        NotAKnee: another body part, view or species by the header; too few pixels; a blank image.
        InputRefused: unknown or contradicted side; a patient below the minimum age.
    """
    header = radiograph.dataset
    warnings = () if header is None else check_header(header, radiograph.name, minimum_age)
    sides = sides_to_use(radiograph, side)
    _check_pixels(radiograph)
    return FilmCheck(sides, warnings)


def _check_pixels(radiograph: Radiograph) -> None:
    what, pixels = f"radiograph {radiograph.name}", radiograph.pixels
    rows, columns = pixels.shape
    if min(rows, columns) < SMALLEST_IMAGE:
        raise NotAKnee(what, f"needs at least {SMALLEST_IMAGE} pixels each way", f"{columns} x {rows}")
    if not np.isfinite(pixels).all():
        raise InputRefused(what, "needs finite pixel values", "infinite or undefined ones")
    low, high = np.percentile(pixels, (1, 99))
    if high - low < SMALLEST_RANGE or len(np.unique(pixels[::4, ::4])) < FEWEST_GRAYS:
        raise NotAKnee(what, "must show something", "a blank or nearly constant image", "Give another film.")


@dataclass(frozen=True)
class RegionCheck:
    """What the grey values of a region say.

    Attributes:
        doubts: why it should not be used; empty if all is well.
        warnings: what is worth knowing if it is used.
    """

    doubts: tuple[DoubtfulInput, ...] = ()
    warnings: tuple[str, ...] = ()


def check_region(roi: KneeROI, name: str = "") -> RegionCheck:
    """Check that a region shows a frontal knee joint that can be used, by measures of its grey values.

    Doubtful is a region that is saturated, blurred, drowned in noise, of metal, of inverted polarity, or that does
    not measure like a joint (:func:`~monai_xray2mri.radiograph.knee.joint.looks_like_a_joint` has the limits and what
    they were fitted on). A faint joint line is a warning.

    Args:
        roi: the region.
        name: how messages call its film.
    """
    what = f"{roi.side.word} knee of {name}" if name else f"{roi.side.word} knee"
    measures = measure_joint(roi.pixels)
    doubts = (
        _saturation(roi.pixels, what),
        _quality(roi.pixels, what),
        _joint(measures, what),
        _metal(roi, what),
    )
    faint = (f"the {roi.side.word} knee's joint line is faint: check its region",) if measures.gap < FAINT_GAP else ()
    return RegionCheck(tuple(doubt for doubt in doubts if doubt is not None), faint)


def _joint(measures: JointMeasures, what: str) -> DoubtfulInput | None:
    if looks_like_a_joint(measures):
        return None
    contrast = min(measures.femur, measures.tibia)
    remedy = "Give a frontal (AP or PA) radiograph of a knee."
    if max(measures.femur, measures.tibia) < -0.1:
        remedy = "Bone looks dark: check Photometric Interpretation, or invert the picture."
    return NoFrontalKnee(
        what,
        f"must look like a knee joint from the front (joint line {SMALLEST_GAP} or more, bone contrast "
        f"{SMALLEST_CONTRAST} or more)",
        f"joint line {measures.gap:.2f}, bone contrast {contrast:.2f}",
        remedy,
    )


def _saturation(pixels: np.ndarray, what: str) -> DoubtfulInput | None:
    low, high = float(pixels.min()), float(pixels.max())
    margin = 1e-3 * (high - low)  # resampling leaves a burnt-out area not quite at one value
    burnt_out, empty = float((pixels >= high - margin).mean()), float((pixels <= low + margin).mean())
    if burnt_out <= LARGEST_BURNT_OUT and empty <= LARGEST_EMPTY:
        return None
    found = f"{100 * burnt_out:.0f} % white, {100 * empty:.0f} % black"
    return DoubtfulInput(what, "must not be saturated", found, "Export the radiograph with a wider window.")


def _quality(pixels: np.ndarray, what: str) -> DoubtfulInput | None:
    seen = measure_quality(pixels)
    if seen.noise > LARGEST_NOISE:
        found = f"noise of {100 * seen.noise:.1f} % of the grey range, {100 * LARGEST_NOISE:g} % is the limit"
        return DoubtfulInput(what, "must be exposed so that bone shows above the noise", found, "Give another film.")
    if seen.sharpness < LEAST_SHARPNESS:
        found = f"sharpness {seen.sharpness:.2f}, {LEAST_SHARPNESS:g} is the least"
        return DoubtfulInput(what, "must be sharp", found, "Give a film that is not moved or blurred.")
    return None


def _metal(roi: KneeROI, what: str) -> DoubtfulInput | None:
    step = metal_step(roi.pixels, roi.width_mm)
    if step <= (SUSPECTED_STEP if roi.prosthesis > LARGEST_PROSTHESIS else LARGEST_STEP):
        return None
    found = f"a large bright part with a step of {100 * step:.0f} % of the grey range at its outline"
    return DoubtfulInput(what, "must be without metal", found, "The networks know natural knees only.")
