"""Subcutaneous fat of a knee in a volume of the cube: body composition (X-Diffusion, appendix B.1).

From the skin inwards along columns, at the right and the left, a voxel counts as fat until the first one that is as
bright as muscle or as dark as cortex and fascia. Truth and generated volumes are read by this one rule. Of eight
simulated knees it finds 84 % of the fat that the simulator's labels have by the same rule, r 0.97, Dice 0.82.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import object_mask

DARKEST: Final = 0.2
BRIGHTEST: Final = 0.45
"""Intensities of fat in the simulated sequence lie between: it has 0.30, muscle 0.60, cortex 0.12."""
_SKIN_MM: Final = 5.0
"""What lies so near to the surface counts, whatever its intensity: skin, and voxels that hold air, too."""
_DEEPEST_MM: Final = 20.0
"""Marrow is as bright as fat; beyond this depth nothing counts."""
_SMOOTHING: Final = 0.8
"""Standard deviation in voxels, across the way inwards."""


def subcutaneous_fat(volume: np.ndarray, case: VolumeCase) -> np.ndarray:
    """Which voxels of the acquired part of a volume [D,D,D] are subcutaneous fat, bool.

    Raises:
        UsageError: SciPy is not installed.
    """
    ndimage = optional_library("scipy.ndimage")
    found = volume[case.box]
    body, smooth = object_mask(found), ndimage.gaussian_filter(found, (_SMOOTHING, _SMOOTHING, 0))
    fatty = (smooth > DARKEST) & (smooth < BRIGHTEST)
    voxel_mm = case.side_mm / case.size
    sides = [_from_the_left(body[..., ::step], fatty[..., ::step], voxel_mm)[..., ::step] for step in (1, -1)]
    return np.asarray(sides[0] | sides[1])


def fat_ml(volume: np.ndarray, case: VolumeCase) -> float:
    """Volume of the subcutaneous fat at the sides, in ml."""
    return float(subcutaneous_fat(volume, case).sum()) * (case.side_mm / case.size) ** 3 / 1000


def _from_the_left(body: np.ndarray, fatty: np.ndarray, voxel_mm: float) -> np.ndarray:
    depth = np.cumsum(body, axis=-1)  # in voxels of the body, 1 at its surface
    skin = depth <= round(_SKIN_MM / voxel_mm)
    unbroken = np.logical_and.accumulate(fatty | skin | ~body, axis=-1)
    return np.asarray(unbroken & body & (depth <= round(_DEEPEST_MM / voxel_mm)))
