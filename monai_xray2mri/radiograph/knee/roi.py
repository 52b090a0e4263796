"""A knee joint that a detector found on a film, and the region around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from monai_xray2mri.types import Box, Side


@dataclass(frozen=True)
class FoundJoint:
    """A knee joint that a detector found on a film.

    Attributes:
        row: of the middle of its region, in mm from the upper border of the film.
        column: the same from the left border.
        side_mm: side of the box; that of the region if the pixel spacing is right.
        confidence: 0 to 1.
        prosthesis: probability that it is a prosthesis, 0 to 1.
    """

    row: float
    column: float
    side_mm: float
    confidence: float
    prosthesis: float


Locator = Callable[[np.ndarray, tuple[float, float]], Sequence[FoundJoint]]
"""A detector: pixels [H,W] and spacing (row, column) in mm to the joints, the most confident first."""


@dataclass(frozen=True)
class KneeROI:
    """The square region around one knee joint of a radiograph (Wang 2024a and 2024b, Fig. 3b).

    Attributes:
        side: which knee it is.
        box: where it lies on the radiograph.
        pixels: [299,299] float32 in [0,1], as on the film (a left knee is *not* mirrored here).
        width_mm: physical side length at the detector in mm.
        method: how it was found, for the report: ``"detector"``, ``"whole image"`` ...
        remarks: what a user should know.
        confidence: of the detector, 0 to 1; None if it saw no joint in a crop.
        prosthesis: the detector's probability that the joint is a prosthesis.
    """

    side: Side
    box: Box
    pixels: np.ndarray
    width_mm: float
    method: str
    remarks: tuple[str, ...] = ()
    confidence: float | None = None
    prosthesis: float = 0.0
