"""A segmented real knee, painted with the signal of the simulated sequence: a foreign shape of known tissue.

A label map names bones, cartilage and menisci. What lies around them is not segmented: muscle up to 25 mm from a bone,
fat 6 mm beyond, then air. A bone has a cortex of a millimeter. All intensities are the simulator's, without shading.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.simulation.knee.mri.contrast import WATER_EXCITED_FLASH
from monai_xray2mri.simulation.knee.mri.mr import NOISE_SD
from monai_xray2mri.types import Volume

CARTILAGE: Final = (1, 2, 3, 4)
BONES: Final = (5, 6, 7, 8)
MENISCI: Final = (9, 10)
"""Labels of pymskt's knee: femoral, two tibial and patellar cartilage; femur, tibia, patella, fibula; two menisci."""
_CORTEX_MM, _MUSCLE_MM, _FAT_MM = 1.0, 25.0, 31.0
_VOXEL_MM: Final = 1.0
_FAT_LEFT: Final = 0.15
"""Share of the fat's signal that water excitation leaves; about the mean of simulated knees."""


def painted_labels(labels: Volume, name: str) -> Volume:
    """A volume [S,H,W] in [0,1] of a label map [S,H,W], with Rician noise.

    Args:
        labels: of :data:`CARTILAGE`, :data:`BONES` and :data:`MENISCI`; 0 elsewhere.
        name: what messages call it; the noise follows from it.

    Raises:
        InputRefused: other labels, or no bone.
        UsageError: SciPy is not installed.
    """
    found = set(np.unique(labels.voxels).tolist())
    known = {0, *CARTILAGE, *BONES, *MENISCI}
    if not found <= known or not found & set(BONES):
        rule = "must be a label map of a knee, 1 to 10, with bones"
        raise InputRefused(name, rule, ", ".join(f"{value:g}" for value in sorted(found)[:12]))
    labels = _thinned(labels)
    distance = optional_library("scipy.ndimage").distance_transform_edt
    sampling = labels.spacing[::-1]
    kinds = labels.voxels.astype(np.uint8)
    bone = np.isin(kinds, BONES)
    outside = distance(~(kinds > 0), sampling=sampling)
    signal = np.zeros(kinds.shape, np.float32)
    signal[outside <= _FAT_MM] = _fatty("fat")
    signal[outside <= _MUSCLE_MM] = WATER_EXCITED_FLASH["muscle"]
    signal[bone] = _fatty("marrow")
    signal[bone & (distance(bone, sampling=sampling) <= _CORTEX_MM)] = WATER_EXCITED_FLASH["cortex"]
    signal[np.isin(kinds, CARTILAGE)] = WATER_EXCITED_FLASH["cartilage"]
    signal[np.isin(kinds, MENISCI)] = WATER_EXCITED_FLASH["meniscus"]
    rng = draw_generator("label map", *name.encode()[:16])
    noise = NOISE_SD * rng.standard_normal((2, *signal.shape), np.float32)
    return Volume(np.hypot(signal + noise[0], noise[1]).clip(0, 1), labels.affine)


def _thinned(labels: Volume) -> Volume:
    """A label map with voxels of about a millimeter, which the cube does not resolve: 23 million take minutes."""
    steps = [max(1, round(_VOXEL_MM / length)) for length in reversed(labels.spacing)]  # slices, rows, columns
    affine = labels.affine.copy()
    affine[:3, :3] *= steps[::-1]
    return Volume(np.ascontiguousarray(labels.voxels[:: steps[0], :: steps[1], :: steps[2]]), affine)


def _fatty(kind: str) -> float:
    return float(WATER_EXCITED_FLASH.fatty(kind, torch.tensor(_FAT_LEFT)))
