"""Records that travel between the parts of the package.

Patient coordinates are LPS millimetres (+x to the patient's left, +y posterior, +z to the head). Radiographs are
held as they were taken, in the usual display: the patient's right at the left of the image. The networks see
right knees only; a left knee is mirrored on the way in and its volume mirrored on the way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from pydicom import Dataset


class Side(StrEnum):
    """Side of the patient's body, in the letters of DICOM Image Laterality (0020,0062)."""

    RIGHT = "R"
    LEFT = "L"

    @property
    def word(self) -> str:
        """``"right"`` or ``"left"``."""
        return self.name.lower()

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.LEFT if self is Side.RIGHT else Side.RIGHT


@dataclass(frozen=True)
class Radiograph:
    """A radiograph as a reader sees it: bone bright, the patient's right at the left of the image.

    Attributes:
        pixels: [H,W] float32 in [0,1], bone bright, whatever the stored polarity; turned to the usual display if the
            stored columns ran from the patient's left to right.
        spacing: (row, column) distance of pixel centres at the detector in mm; None if unknown.
        spacing_source: where the spacing comes from: ``"ImagerPixelSpacing"``, ``"PixelSpacing"``, ``"given"`` by
            the user, or ``"none"``.
        sides: the sides that the film shows: one, both, or none if nothing in the header tells.
        sides_source: what told the sides, e.g. ``"ImageLaterality"``, for the report.
        name: how messages call it (file name relative to the input); never patient data.
        dataset: the DICOM header without pixel data; None for PNG and JPEG.
        path: the file it was read from.
        remarks: what a user should know about the reading.
    """

    pixels: np.ndarray
    spacing: tuple[float, float] | None
    spacing_source: str
    sides: tuple[Side, ...]
    sides_source: str
    name: str
    dataset: Dataset | None = None
    path: Path | None = None
    remarks: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """SOP Instance UID, or the SHA-256 of the pixels where there is none; the noise of a result follows from it."""
        if self.dataset is not None and self.dataset.get("SOPInstanceUID"):
            return str(self.dataset.SOPInstanceUID)
        import hashlib

        import numpy as np  # the command line names sides and needs no arrays

        return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()


@dataclass(frozen=True)
class Box:
    """A square on a radiograph, in pixels: [top, top + rows) x [left, left + columns); may reach over the border."""

    top: float
    left: float
    rows: float
    columns: float

    @property
    def center(self) -> tuple[float, float]:
        """(row, column) of the centre in pixels."""
        return self.top + self.rows / 2, self.left + self.columns / 2


@dataclass(frozen=True)
class Volume:
    """A volume on a regular grid in patient space.

    Attributes:
        voxels: [S,H,W] float32; row 0 the most superior, column 0 the patient's right, slice 0 the most anterior of a
            coronal volume.
        affine: [4,4] float64, maps (column, row, slice) indices to LPS mm; right-handed (det > 0).
    """

    voxels: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(column, row, slice) distance of voxel centres in mm."""
        import numpy as np

        column, row, plane = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(column), float(row), float(plane)
