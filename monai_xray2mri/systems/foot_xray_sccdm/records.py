"""What this system generates, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from monai_xray2mri.systems.foot_xray_sccdm.angles import NAMES, FootMeasures
from monai_xray2mri.systems.foot_xray_sccdm.case import FootCase
from monai_xray2mri.types import Volume


def picture_volume(pixels: np.ndarray, pixel_mm: float | None) -> Volume:
    """A picture [H,W] as a volume of one slice, [1,H,W].

    A radiograph that was made of a photograph lies nowhere in the patient: the affine says how large its pixels are,
    not where they lie. Its axes are those of a picture file, so that viewers show it as a picture; where no scale is
    known, a pixel counts as 1 mm.
    """
    scale = pixel_mm or 1.0
    return Volume(np.ascontiguousarray(pixels[None], dtype=np.float32), np.diag([scale, scale, 1.0, 1.0]))


@dataclass(frozen=True)
class Synthesis:
    """The synthetic radiograph of a foot.

    Attributes:
        case: what it was generated from.
        volume: the mean of the samples, [1,256,256] in [0,1], bone bright, toes up; a left foot as a left foot.
        uncertainty: pixel-wise standard deviation of the samples; None for one sample.
        samples: each on the same grid.
        measures: angles and keypoints.
        provenance: versions, weights hash, seed, options, side, scale, remarks: what ``report.json`` holds.
        run: what may differ between equal results (device, seconds); goes into ``report.json`` only.
    """

    case: FootCase
    volume: Volume
    uncertainty: Volume | None
    samples: tuple[Volume, ...]
    measures: FootMeasures
    provenance: Mapping[str, object]
    run: Mapping[str, object] = field(default_factory=dict)

    @property
    def points(self) -> Mapping[str, tuple[float, float]]:
        """(row, column) of the keypoints on the radiograph as it is shown."""
        return self.measures.points_shown(self.case.mirrored, self.volume.voxels.shape[-1])

    @property
    def landmarks(self) -> Mapping[str, tuple[float, float, float]]:
        """See :class:`~monai_xray2mri.core.system.Marked`."""
        return {name: (column, row, 0.0) for name, (row, column) in self.points.items()}

    @property
    def measurements(self) -> Mapping[str, str]:
        """See :class:`~monai_xray2mri.core.system.Marked`."""
        return {NAMES[name]: angle.text for name, angle in self.measures.angles.items()}

    def numbers(self) -> dict[str, float]:
        """See :class:`~monai_xray2mri.core.system.Measured`: the median angles, ``hallux_valgus_deg`` and so on."""
        return {f"{name}_deg": angle.median for name, angle in self.measures.angles.items()}
