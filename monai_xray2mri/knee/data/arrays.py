"""What a training set keeps of a knee, whatever its source: arrays, geometry and the index of its store.

Simulated knees (:mod:`monai_xray2mri.knee.data.simulated`) and knees of OAI (:mod:`monai_xray2mri.knee.oai`) are
written into the same arrays, so that what trains on one trains on the other. All are in right-knee space; of S modelled
slices index 0 is posterior:

===================  ==========  ====================================================================================
file                 type        meaning
===================  ==========  ====================================================================================
``slices.npy``       uint8       [N,S,H,W], 0..255 for intensities 0..1, by the rule named in the index
``radiographs.npy``  uint16      [N,R,R], 0..65535 for grey values 0..1, bone bright: the region with a margin on each
                                 side, at the region's pixel size, centred on the true box (``jitter.py`` cuts it out)
``features.npy``     uint8       [N,61], one-hot; a group of zeros is *unknown*
``lesions.npy``      uint8       [N,S,H/8,W/8], 1 where a cyst, chondrocalcinosis or attrition lies; zeros if unknown
===================  ==========  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np

from monai_xray2mri.knee.grading.features import ONE_HOT_WIDTH, one_hot
from monai_xray2mri.radiograph.resampling import REGION_SIZE
from monai_xray2mri.training.store import ArraySpec, ArrayStore

SOURCES: Final = ("simulated", "oai", "latents")
IMAGE_SIZE: Final = 256
LATENT_SIZE: Final = 32
PIXEL_MM: Final = 0.625
SLICE_MM: Final = 1.5
"""Distance of the slices; with the pixels that of the coronal series of OAI."""
ACQUIRED_SLICES: Final = 80
MODELED_SLICES: Final = (13, 62)
"""First and last of the acquired slices that are modelled, 0-based from the posterior end."""
SLICES: Final = MODELED_SLICES[1] - MODELED_SLICES[0] + 1
REGION_MM: Final = 110.0
"""Side of the radiograph region at the detector."""
MARGIN: Final = 0.12
"""What is stored beyond the radiograph region on each side, as a share of its side: room for the box to err."""
WIDE_SIZE: Final = REGION_SIZE + 2 * round(MARGIN * REGION_SIZE)
"""Pixels per side of a region with its margin (371 at 299)."""

KNEE_ARRAYS: Final[Mapping[str, ArraySpec]] = {
    "slices": ArraySpec("uint8", (SLICES, IMAGE_SIZE, IMAGE_SIZE)),
    "radiographs": ArraySpec("uint16", (WIDE_SIZE, WIDE_SIZE)),
    "features": ArraySpec("uint8", (ONE_HOT_WIDTH,)),
    "lesions": ArraySpec("uint8", (SLICES, LATENT_SIZE, LATENT_SIZE)),
}
"""What a training set keeps of each knee."""

GEOMETRY: Final[Mapping[str, Any]] = {
    "modelled_slices": list(MODELED_SLICES),
    "image_size": IMAGE_SIZE,
    "pixel_mm": PIXEL_MM,
    "slice_mm": SLICE_MM,
    "region_mm": REGION_MM,
    "region_pixels": REGION_SIZE,
    "margin": MARGIN,
}
"""Geometry of ``KNEE_ARRAYS``, for the index."""


class KneeStore(ArrayStore):
    """A training set of knees.

    Its index says ``source`` (one of ``SOURCES``), ``knees`` (seeds, or names such as ``"9001695R"``), ``geometry``,
    ``intensity`` (the rule in words), and what the source adds: ``simulator`` (its version) and ``visibility``, or
    ``splits`` (one of training, validation, test per knee).
    """

    case: ClassVar[str] = "knee"
    command: ClassVar[str] = "xray2mri prepare, or xray2mri simulate-set --output DIR --knees N"

    @classmethod
    def create(
        cls, directory: Path, count: int, index: Mapping[str, Any], arrays: Mapping[str, ArraySpec] = KNEE_ARRAYS
    ) -> Self:
        """See :meth:`~monai_xray2mri.training.store.ArrayStore.create`; the arrays of a knee unless told otherwise."""
        return super().create(directory, count, index, arrays)

    @classmethod
    def check_index(cls, count: int, index: Mapping[str, Any]) -> None:
        """Refuse an index that does not say what the knees are.

        Raises:
            UsageError: no knee.
            ValueError: a key is missing, the source is unknown, or the index names another number of knees.
        """
        for key in ("source", "knees", "geometry", "intensity"):
            if key not in index:
                raise ValueError(f"the index of a training set needs {key!r}")
        if index["source"] not in SOURCES:
            raise ValueError(f"the source must be one of {SOURCES}, not {index['source']!r}")
        super().check_index(count, index)


def knee_arrays(
    slices: np.ndarray, region: np.ndarray, grades: Mapping[str, int | None], lesions: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """One knee as :meth:`KneeStore.write` takes it under ``KNEE_ARRAYS``.

    Args:
        slices: [S,H,W] intensities in [0,1] in right-knee space, slice 0 posterior; what lies beyond is clipped.
        region: [R,R] radiograph region with margin, grey values in [0,1], bone bright, right-knee space
            (:func:`~monai_xray2mri.knee.data.jitter.region_with_margin`).
        grades: OAI stems to grades; None or absent is unknown.
        lesions: [S,H,W], not 0 where a lesion lies; None if nobody knows.
    """
    if lesions is None:
        lesions = np.zeros(slices.shape, dtype=bool)
    count, rows, columns = lesions.shape
    blocks = (lesions != 0).reshape(count, LATENT_SIZE, rows // LATENT_SIZE, LATENT_SIZE, columns // LATENT_SIZE)
    return {
        "slices": np.rint(np.clip(slices, 0, 1) * 255).astype(np.uint8),
        "radiographs": np.rint(np.clip(region, 0, 1) * 65535).astype(np.uint16),
        "features": one_hot(grades).astype(np.uint8),
        "lesions": blocks.any(axis=(2, 4)).astype(np.uint8),  # [S,h,w]
    }
