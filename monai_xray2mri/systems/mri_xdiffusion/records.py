"""What this system generates, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
from monai_xray2mri.types import Volume


@dataclass(frozen=True)
class Synthesis:
    """The synthetic volume of some slices.

    Attributes:
        case: what it was generated from.
        volume: the aggregate of the views, intensities in [0,1], in the frame of reference of the source.
        uncertainty: voxel-wise standard deviation of the views; None for one view.
        views: each view on the same grid, where there are several.
        provenance: versions, weights hash, seed, options, slices, remarks: what ``report.json`` holds.
        run: what may differ between equal results (device, seconds); goes into ``report.json`` only.
    """

    case: SliceCase
    volume: Volume
    uncertainty: Volume | None
    views: tuple[Volume, ...]
    provenance: Mapping[str, object]
    run: Mapping[str, object] = field(default_factory=dict)
