"""Reads and checks a ``COR_T1_3D_FLASH`` series: one volume in right-knee space on the model's grid.

The protocol's series is coronal and has 80 slices of 1.5 mm without gap, 512 x 512 pixels of 0.3125 mm over 160 mm
(Peterfy 2008, cited after PMC5871621, Table 1; docs/knee/oai.md). Slices are sorted by Image Position (Patient), never
by file name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from pydicom import Dataset

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.data.arrays import ACQUIRED_SLICES, IMAGE_SIZE, PIXEL_MM, SLICE_MM
from monai_xray2mri.knee.oai.release import image_files
from monai_xray2mri.types import Side

FIELD_MM: Final = IMAGE_SIZE * PIXEL_MM
"""Side of the field of view in mm."""
SLICE_TOLERANCE: Final = 0.05
"""Largest accepted relative error of the distance of slices; rounding in the header may cause it."""
FIELD_TOLERANCE: Final = 0.1
"""Largest relative difference of the field of view; up to it a series is resampled to the model's grid."""
STEEPEST: Final = 0.87
"""Cosine of 30 degrees: a series tilted further than this from a coronal plane is not coronal."""


class OutOfScope(InputRefused):
    """A correct series that the model does not use: another number or distance of slices, field or resolution."""


@dataclass(frozen=True)
class CoronalVolume:
    """A T1 series on the model's grid.

    Attributes:
        voxels: [80,256,256] float32 in the scanner's units, in right-knee space: slice 0 posterior, row 0 superior,
            column 0 lateral. A left knee is mirrored.
        affine: [4,4] float64, maps (column, row, slice) of ``voxels`` to the patient's true LPS mm; columns of a left
            knee run to the patient's right.
        remarks: corrections that were made.
    """

    voxels: np.ndarray
    affine: np.ndarray
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Slice:
    """A slice: pixels [H,W] resampled to the model's grid, and the geometry of the file."""

    pixels: np.ndarray
    position: np.ndarray
    orientation: np.ndarray
    shape: tuple[int, int]
    spacing: tuple[float, float]
    uid: str
    expected: int | None


@quiet()
def read_coronal_t1(
    folder: Path, side: Side, name: str, size: int = IMAGE_SIZE, field_mm: float = FIELD_MM
) -> CoronalVolume:
    """Read a series.

    Args:
        folder: folder of its files, with any names.
        side: side of the knee.
        name: name of the series in messages.
        size: rows and columns of the result.
        field_mm: side of the result in mm.

    Raises:
        OutOfScope: number or distance of slices, field of view or resolution are not those of the model.
        InputRefused: a file is damaged; slices are missing, doubled or unevenly spaced; the series is not coronal.
    """
    files = image_files(folder)
    slices = [_read_slice(path, f"MR series {name}", size, field_mm) for path in files]
    slices, remarks = _without_copies(slices, name)
    _require_one_geometry(slices, name)
    row, column, normal = _axes(slices[0], name)
    slices = sorted(slices, key=lambda one: float(one.position @ normal))
    step = _check_spacing(slices, normal, name)
    voxels = np.stack([one.pixels for one in slices])  # [S,H,W]
    first = slices[0]
    pixel = field_mm / size
    # Image Position is the center of the first pixel. Resampling keeps the center of the field of view.
    own = np.array([first.shape[1] * first.spacing[1], first.shape[0] * first.spacing[0]])
    start = (own - field_mm) / 2 + pixel / 2 - np.array([first.spacing[1], first.spacing[0]]) / 2
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * pixel, column * pixel, normal * step
    affine[:3, 3] = first.position + start[0] * row + start[1] * column
    if abs(own[0] - field_mm) > 0.5:
        remarks = (*remarks, f"field of view of {own[0]:.0f} mm brought to {field_mm:.0f} mm")
    voxels, affine = _to_right_knee_space(voxels, affine, side)
    return CoronalVolume(voxels, affine, remarks)


def overlap_matrix(count: int, spacing: float, size: int, field_mm: float) -> np.ndarray:
    """Matrix of exact averaging along one axis: the share of each new pixel that each old pixel covers.

    Two pixels of half the size become their mean; outside of the old field of view the result is 0.

    Args:
        count: number of pixels of the series.
        spacing: their size in mm.
        size: number of pixels of the result, around the same center.
        field_mm: extent of the result in mm.

    Returns:
        [size,count] float32; a row inside the old field of view sums to 1.
    """
    new, old = field_mm / size, spacing
    new_edges = (np.arange(size + 1) - size / 2) * new
    old_edges = (np.arange(count + 1) - count / 2) * old
    upper = np.minimum(new_edges[1:, None], old_edges[None, 1:])
    lower = np.maximum(new_edges[:-1, None], old_edges[None, :-1])
    shares: np.ndarray = (np.clip(upper - lower, 0, None) / new).astype(np.float32)
    return shares  # [size,count]


def _read_slice(path: Path, what: str, size: int, field_mm: float) -> _Slice:
    try:
        dataset = pydicom.dcmread(path, force=True)
        pixels = _pixels(dataset)
        position = np.array([float(v) for v in dataset.ImagePositionPatient], dtype=np.float64)
        orientation = np.array([float(v) for v in dataset.ImageOrientationPatient], dtype=np.float64)
        spacing = float(dataset.PixelSpacing[0]), float(dataset.PixelSpacing[1])
        count = dataset.get("ImagesInAcquisition")
        expected = int(count) if count not in (None, "") else None
        uid = str(dataset.get("SOPInstanceUID", ""))
    except Exception:  # pydicom and its decoders raise many kinds of errors for a damaged file
        raise InputRefused(
            what, "needs complete slices with position, orientation and spacing", f"file {path.name} damaged",
            "Fetch the series again.",
        ) from None  # fmt: skip
    if position.shape != (3,) or orientation.shape != (6,) or not min(spacing) > 0:
        raise InputRefused(what, "needs slices with a position in space", f"file {path.name} without")
    _check_field(pixels.shape, spacing, what, size, field_mm)
    rows = overlap_matrix(pixels.shape[0], spacing[0], size, field_mm)
    columns = overlap_matrix(pixels.shape[1], spacing[1], size, field_mm)
    averaged = rows @ pixels @ columns.T  # [size,size]
    return _Slice(averaged, position, orientation, pixels.shape, spacing, uid, expected)


def _pixels(dataset: Dataset) -> np.ndarray:
    """Pixels [H,W] float32 in the scanner's units.

    Raises:
        ValueError: the file is not one grey frame.
    """
    if dataset.get("PhotometricInterpretation") != "MONOCHROME2" or dataset.get("SamplesPerPixel") != 1:
        raise ValueError("not a grey image")
    slope = float(dataset.get("RescaleSlope") or 1)
    stored: np.ndarray = dataset.pixel_array.astype(np.float32)
    if stored.ndim != 2:
        raise ValueError("not one frame")
    return stored * np.float32(slope) + np.float32(dataset.get("RescaleIntercept") or 0)


def _check_field(shape: tuple[int, ...], spacing: tuple[float, float], what: str, size: int, field_mm: float) -> None:
    extents = shape[0] * spacing[0], shape[1] * spacing[1]
    if any(abs(extent / field_mm - 1) > FIELD_TOLERANCE for extent in extents):
        found = f"{extents[1]:.0f} x {extents[0]:.0f} mm"
        raise OutOfScope(what, f"must have a field of view of about {field_mm:.0f} mm", found)
    if max(spacing) > 1.01 * field_mm / size:
        found = f"{shape[1]} x {shape[0]} pixels of {max(spacing):.3f} mm"
        raise OutOfScope(what, f"must have pixels of at most {field_mm / size:.3f} mm", found)


def _without_copies(slices: list[_Slice], name: str) -> tuple[list[_Slice], tuple[str, ...]]:
    """The slices without repeated files of one instance, and a remark if there were any."""
    kept: dict[str, _Slice] = {}
    for number, one in enumerate(slices):
        key = one.uid or f"file {number}"
        if key in kept and not np.array_equal(kept[key].position, one.position):
            raise InputRefused(f"MR series {name}", "needs slices of their own", "one instance at two places")
        kept.setdefault(key, one)
    copies = len(slices) - len(kept)
    return list(kept.values()), (f"{copies} files are copies of other slices",) if copies else ()


def _require_one_geometry(slices: list[_Slice], name: str) -> None:
    first = slices[0]
    for one in slices[1:]:
        same = one.shape == first.shape and np.allclose(one.spacing, first.spacing, rtol=1e-3)
        if not same or not np.allclose(one.orientation, first.orientation, atol=1e-3):
            raise InputRefused(f"MR series {name}", "needs slices of one size and orientation", "different ones")


def _axes(one: _Slice, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions of rows, columns and slices; slices from posterior to anterior."""
    row, column = one.orientation[:3], one.orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    normal = np.cross(row, column)
    if not np.allclose(lengths, 1, atol=1e-2) or abs(row @ column) > 1e-2 or abs(normal[1]) < STEEPEST:
        raise InputRefused(f"MR series {name}", "must be coronal", "slices in another orientation")
    if abs(row[0]) < STEEPEST or abs(column[2]) < STEEPEST:
        raise InputRefused(f"MR series {name}", "needs rows from side to side", "slices turned in their plane")
    return row, column, normal if normal[1] < 0 else -normal


def _check_spacing(slices: list[_Slice], normal: np.ndarray, name: str) -> float:
    """Distance of the slices in mm.

    Raises:
        OutOfScope: number or distance of slices are not 80 and 1.5 mm.
        InputRefused: slices are missing, doubled or unevenly spaced.
    """
    what, count = f"MR series {name}", len(slices)
    steps = np.diff([float(one.position @ normal) for one in slices])
    step = float(np.median(steps)) if count > 1 else 0.0
    if count > 1 and float(steps.min()) <= 0.1 * step:
        raise InputRefused(what, "may hold each slice once", "two slices at one place", "Fetch the series again.")
    gaps = int(np.rint(steps[steps > 1.5 * step] / step - 1).sum()) if count > 1 else 0
    expected = next((one.expected for one in slices if one.expected), None)
    missing = max(gaps, (expected or 0) - count)
    if missing > 0:
        raise InputRefused(what, "needs all its slices", f"{count}, {missing} missing", "Fetch the series again.")
    if count != ACQUIRED_SLICES:
        raise OutOfScope(what, f"must have {ACQUIRED_SLICES} slices", f"{count}")
    if not np.allclose(steps, step, rtol=SLICE_TOLERANCE):
        raise InputRefused(what, "needs evenly spaced slices", f"{steps.min():.2f} to {steps.max():.2f} mm apart")
    if abs(step / SLICE_MM - 1) > SLICE_TOLERANCE:
        raise OutOfScope(what, f"must have slices {SLICE_MM} mm apart", f"{step:.2f} mm")
    return step


def _to_right_knee_space(voxels: np.ndarray, affine: np.ndarray, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Flip rows so that they run to the feet, and columns so that they run from lateral to medial."""
    if affine[2, 1] > 0:
        voxels, affine = _flipped(voxels, affine, axis=1)
    if bool(affine[0, 0] > 0) == (side is Side.LEFT):
        voxels, affine = _flipped(voxels, affine, axis=0)
    return np.ascontiguousarray(voxels), affine


def _flipped(voxels: np.ndarray, affine: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Reverse columns (axis 0), rows (1) or slices (2) of voxels [S,H,W], and adapt the affine."""
    turned = affine.copy()
    turned[:3, 3] += affine[:3, axis] * (voxels.shape[2 - axis] - 1)
    turned[:3, axis] *= -1
    return np.flip(voxels, axis=2 - axis), turned


def to_patient_order(voxels: np.ndarray, affine: np.ndarray, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """From right-knee space to the order of ``Volume``: slice 0 anterior, column 0 at the patient's right.

    Args:
        voxels: [S,H,W], slice 0 posterior, column 0 lateral.
        affine: [4,4], maps (column, row, slice) to LPS mm.
        side: side of the knee.

    Returns:
        Voxels [S,H,W] and affine in the new order.
    """
    if side is Side.LEFT:
        voxels, affine = _flipped(voxels, affine, axis=0)
    return _flipped(voxels, affine, axis=2)
