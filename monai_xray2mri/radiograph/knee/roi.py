"""The region around one knee joint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_xray2mri.types import Box, Side


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
