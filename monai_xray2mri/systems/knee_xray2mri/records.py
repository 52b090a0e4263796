"""What the knee systems return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.types import Volume


@dataclass(frozen=True)
class Synthesis:
    """What the predictor returns for one knee.

    Attributes:
        volume: the mean of the samples (the sample itself if there is one), intensities in [0,1].
        uncertainty: voxel-wise standard deviation of the samples; None for one sample.
        samples: every sample on the same grid.
        roi: the radiograph region that it was generated from.
        grading: the features that were used.
        provenance: versions, weights hash, seed, options, remarks: what ``report.json`` holds.
    """

    volume: Volume
    uncertainty: Volume | None
    samples: tuple[Volume, ...]
    roi: KneeROI
    grading: Grading
    provenance: Mapping[str, object]
