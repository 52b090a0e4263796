"""A series of which one or a few slices become a volume."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from monai_xray2mri.systems.mri_xdiffusion.framing import Frame, GivenSlice
from monai_xray2mri.types import Side


@dataclass(frozen=True)
class SliceCase:
    """Slices that have passed all checks: the :class:`~monai_xray2mri.core.system.Case` of this system.

    Attributes:
        source: name of the file or series; never patient data.
        given: the slices that are known.
        of: number of slices of the series.
        frame: the cube around them.
        box: [2,3], lowest and highest (x, y, z) that the series reaches, in halves of the cube's side.
        orientation: directions of the columns, rows and slices of the series, three letters.
        headers: of the given slices, where they are DICOM.
        body_part: that the bundle knows.
        level: intensity of the slices' upper percentile, as the network knows it.
        side: of the body; None where it has none, or nobody knows.
        side_source: what told it.
        remarks: what the checks found worth knowing.
        forced: whether it is used although the bundle was not trained for it.
    """

    source: str
    given: tuple[GivenSlice, ...]
    of: int
    frame: Frame
    box: np.ndarray
    orientation: str
    headers: tuple[Dataset, ...] = ()
    body_part: str = ""
    level: float = 1.0
    side: Side | None = None
    side_source: str = "none"
    remarks: tuple[str, ...] = ()
    forced: bool = False

    @property
    def name(self) -> str:
        """Name of its result's folder."""
        return "volume"

    @property
    def key(self) -> str:
        """Empty: a source has one case."""
        return ""

    @property
    def title(self) -> str:
        """What people call it: ``volume from slices 3, 7``."""
        numbers = ", ".join(str(one.number) for one in self.given)
        return f"volume from slice{'s' * (len(self.given) > 1)} {numbers}"

    @property
    def identity(self) -> str:
        """From which the noise follows: what tells these slices from others."""
        if self.headers:
            return " ".join(str(header.get("SOPInstanceUID")) for header in self.headers)
        digest = hashlib.sha256()
        for one in self.given:
            digest.update(np.ascontiguousarray(one.image.voxels).tobytes())
            digest.update(np.ascontiguousarray(one.image.affine.round(4)).tobytes())
        return digest.hexdigest()

    def slices(self) -> list[dict[str, object]]:
        """The given slices, for reports: number, and center in LPS mm."""
        return [
            {"number": one.number, "center_mm": [round(float(value), 2) for value in one.middle]} for one in self.given
        ]

    def record(self) -> dict[str, object]:
        """What ``xray2mri check`` says of it; JSON, without patient data."""
        return {
            "source": self.source,
            "slices": self.slices(),
            "of": self.of,
            "orientation": self.orientation,
            "cube_mm": self.frame.side_mm,
            "side": self.side.word if self.side else None,
            "side_source": self.side_source,
            "forced": self.forced,
            "remarks": list(self.remarks),
        }
