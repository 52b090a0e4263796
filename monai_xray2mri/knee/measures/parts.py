"""The parts of a joint on which joint space and lesions are measured, and their labels in a simulated knee."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np

from monai_xray2mri.knee.measures.crop import SPACING_MM
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.mri.mr import Tissue


class Part(IntEnum):
    """Parts of a joint. Bones include their cortex; attrition is the tissue that replaces lost bone."""

    OTHER = 0
    FEMUR = 1
    TIBIA = 2
    CARTILAGE = 3
    FEMORAL_CYST = 4
    TIBIAL_CYST = 5
    CRYSTALS = 6
    ATTRITION = 7


PART_OF_LESION: Final[Mapping[str, Part]] = {
    stem: {"XRCYF": Part.FEMORAL_CYST, "XRCYT": Part.TIBIAL_CYST, "XRCH": Part.CRYSTALS, "XRATT": Part.ATTRITION}[
        stem[:-1]
    ]
    for stem in LESION_FEATURES
}
"""Feature of ``LESION_FEATURES`` to the part that shows it; the compartment is its last letter."""
_CARTILAGE: Final = (Tissue.FEMORAL_CARTILAGE, Tissue.TIBIAL_CARTILAGE)
_MARROW: Final = (Tissue.FEMUR, Tissue.TIBIA, Tissue.FIBULA, Tissue.PATELLA)
_OF_THE_NEAREST: Final = (Tissue.CORTEX, Tissue.CYST)


def part_labels(labels: np.ndarray, lesions: np.ndarray | None = None) -> np.ndarray:
    """:class:`Part` of each voxel [S,H,W] uint8 of a crop at OAI's spacing; cortex belongs to the bone nearest to it.

    Args:
        labels: [S,H,W] of :class:`~monai_xray2mri.simulation.knee.mri.mr.Tissue`.
        lesions: [S,H,W] codes of :class:`~monai_xray2mri.simulation.knee.knee.SimulatedKnee`. Without them cysts
            count as bone, and the result has no lesions.

    Raises:
        UsageError: SciPy is not installed.
    """
    parts = np.zeros(labels.shape, np.uint8)
    marrow = np.isin(labels, _MARROW)
    if marrow.any():
        nearest = optional_library("scipy.ndimage").distance_transform_edt(
            ~marrow, sampling=SPACING_MM, return_distances=False, return_indices=True
        )
        owner = np.where(np.isin(labels, _OF_THE_NEAREST), labels[tuple(nearest)], labels)
        parts[owner == Tissue.FEMUR], parts[owner == Tissue.TIBIA] = Part.FEMUR, Part.TIBIA
    parts[np.isin(labels, _CARTILAGE)] = Part.CARTILAGE
    for code, stem in enumerate(LESION_FEATURES, start=1):
        if lesions is not None:
            parts[lesions == code] = PART_OF_LESION[stem]
    return parts
