"""What the knee systems return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.types import Volume


@dataclass(frozen=True)
class Synthesis:
    """The synthetic MR of one knee, as it is written.

    Attributes:
        case: what it was generated from.
        volume: the mean of the samples (the sample itself if there is one), intensities in [0,1].
        uncertainty: voxel-wise standard deviation of the samples; None for one sample.
        samples: every sample on the same grid.
        provenance: versions, weights hash, seed, options, remarks: what ``report.json`` holds.
        run: what may differ between equal results (device, seconds); goes into ``report.json`` only.
    """

    case: KneeCase
    volume: Volume
    uncertainty: Volume | None
    samples: tuple[Volume, ...]
    provenance: Mapping[str, object]
    run: Mapping[str, object] = field(default_factory=dict)
