"""Records of photographs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import Dataset

from monai_xray2mri.types import Side


@dataclass(frozen=True)
class Photograph:
    """A photograph as viewers show it, and nothing of what its file says of people and places.

    Attributes:
        pixels: [H,W,3] uint8 red, green, blue; turned as the EXIF orientation says; a large photograph is held smaller.
        name: how messages call it (file name relative to the input); never patient data.
        sha256: of the file's bytes.
        dataset: the DICOM header without pixel data; None for PNG and JPEG.
        sides: the sides that the header tells; empty where nothing tells.
        sides_source: what told the sides, e.g. ``"ImageLaterality"``; ``"none"``.
        remarks: what a user should know about the reading.
        reduction: pixels of the file along a side of a pixel that is held, 1 or more.
    """

    pixels: np.ndarray
    name: str
    sha256: str
    dataset: Dataset | None = None
    sides: tuple[Side, ...] = ()
    sides_source: str = "none"
    remarks: tuple[str, ...] = ()
    reduction: float = 1.0

    @property
    def identity(self) -> str:
        """SOP Instance UID, or the SHA-256 of the pixels where there is none; the noise of a result follows from it."""
        if self.dataset is not None and self.dataset.get("SOPInstanceUID"):
            return str(self.dataset.SOPInstanceUID)
        return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()


@dataclass(frozen=True)
class PreparedFoot:
    """A foot of a photograph as the networks see it: a right foot, toes up, hallux at the left, black beside it.

    The ball of the foot is 0.45 of the grid's side, as in :mod:`monai_xray2mri.simulation.foot.frame`. A left foot is
    mirrored.

    Attributes:
        grey: [256,256] uint8, luma of ITU-R BT.601, 0 beside the foot.
        color: [256,256,3] uint8, 0 beside the foot.
        mask: [256,256] bool, the foot.
        side: of the patient's body.
        side_source: how the side is known: ``"given"``, a DICOM keyword, or ``"hallux"``.
        matrix: [3,3] float64, takes (row, column, 1) of the grid to (row, column, 1) of the file's pixels as viewers
            show them; (0, 0) is the middle of the first pixel of both. Its upper left determinant is negative for a
            left foot.
        pixel_mm: size of a pixel of the grid in mm; None where no scale is known.
        scale_source: how the scale is known: ``"given"``, ``"disc"``, ``"coded square"`` or ``"none"``.
        photograph: where it was found.
        doubts: what ``force`` overrode; empty otherwise.
        remarks: what a user should know, those on the reading included.
    """

    grey: np.ndarray
    color: np.ndarray
    mask: np.ndarray
    side: Side
    side_source: str
    matrix: np.ndarray
    pixel_mm: float | None
    scale_source: str
    photograph: Photograph
    doubts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """What a report says of it; no names of people, no pixels."""
        return {
            "file": self.photograph.name,
            "sha256": self.photograph.sha256,
            "side": self.side.value,
            "side_source": self.side_source,
            "pixel_mm": self.pixel_mm,
            "scale_source": self.scale_source,
            "matrix": [[float(value) for value in row] for row in self.matrix],
            "doubts": list(self.doubts),
            "remarks": list(self.remarks),
        }
