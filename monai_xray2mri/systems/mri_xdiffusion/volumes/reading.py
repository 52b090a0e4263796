"""Volumes from files: NIfTI, NRRD, MetaImage, and DICOM series, with their geometry.

Whatever the order of its axes in the file, a volume comes out with columns to the patient's left, rows to the feet and
slices to the back, as near as its own axes come to that; nothing is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK
from pydicom import Dataset

from monai_xray2mri.core.nifti import image_of, numbers_missing
from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.dicom.kinds import Kind
from monai_xray2mri.dicom.study import OWN_RESULT, StudyFile, read_study
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.types import Volume

VOLUMES: Final = Kind(
    "MR series",
    ("MR",),
    suffixes=(".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"),
    formats=("NIfTI", "NRRD", "MetaImage"),
    one_study=True,
)
"""What is read."""

ORDER: Final = "LIP"
"""Directions of columns, rows and slices: left, inferior, posterior."""
PERCENTILES: Final = (0.5, 99.5)
"""Of a volume's intensities, which become 0 and 1; by volume, where the released code scales slice by slice."""
LARGEST_VOXELS: Final = 512_000_000
"""Of a volume that is read: 2 GB in single precision; about 800 voxels along each edge."""
_UNEVEN: Final = 0.02
"""Greatest difference of a distance between slices from their mean, as a share of it: rounding of positions."""
_SLANT: Final = 0.01
"""Greatest sine of the angle between a stack and the normal of its slices."""
_NEEDED: Final = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")


@dataclass(frozen=True)
class ReadVolume:
    """A volume as it was acquired.

    Attributes:
        volume: [S,H,W] float32, intensities as stored; its axes in the order of :data:`ORDER`.
        name: of its file or series, as messages call it; never patient data.
        orientation: where its columns, rows and slices ran in the file, three letters as :data:`ORDER`; slices are
            numbered in that order.
        headers: of a DICOM series, one per slice along its own normal; empty for other files.
        remarks: what was passed over.
    """

    volume: Volume
    name: str
    orientation: str = ORDER
    headers: tuple[Dataset, ...] = ()
    remarks: tuple[str, ...] = ()


def read_volume(path: Path, results: bool = False) -> ReadVolume:
    """The one volume of a file or folder.

    Args:
        path: file or folder.
        results: also a NIfTI file that this software generated.

    Raises:
        UsageError: nothing is there, or it cannot be read.
        InputRefused: no volume, several, or one that has no geometry, no image or more than three dimensions.
    """
    files, remarks = _one_source(path)
    if files[0].header is None:
        return _in_order(_read_file(files[0], results), remarks)
    return _in_order(_read_series(files), remarks)


def read_images(path: Path, most: int) -> tuple[ReadVolume, ...]:
    """The one volume of a file or folder; or, of a few images of a series, each one by itself.

    Images that do not follow each other at even distances are no volume, but each of them says where it lies.

    Args:
        path: file or folder.
        most: images that count as a few.

    Raises:
        UsageError: as :func:`read_volume`.
        InputRefused: as :func:`read_volume`; also two images of one place.
    """
    files, remarks = _one_source(path)
    headers = [file.header for file in files if file.header is not None]
    if not 1 < len(headers) <= most:
        return (read_volume(path),)
    stack = _Stack.of(headers, f"series of {files[0].name}")
    if stack.is_even:
        return (_in_order(_read_series(files), remarks),)
    return tuple(_in_order(_read_series([files[index]]), remarks) for index in stack.order)


def _one_source(path: Path) -> tuple[Sequence[StudyFile], tuple[str, ...]]:
    """The files of the one volume of a file or folder, and what was passed over."""
    study = read_study(Path(path), (VOLUMES,))
    files = study.of(VOLUMES)
    if not files:
        found = ", ".join(f"{count} {what}" for what, count in study.passed_over.items()) or "nothing of the kind"
        raise InputRefused("input", "must hold an MR series or a volume in NIfTI, NRRD or MetaImage", found)
    series = {str(file.header.SeriesInstanceUID) for file in files if file.header is not None}
    others = [file for file in files if file.header is None]
    if len(series) + len(others) > 1:
        found = f"{len(series)} series and {len(others)} files" if others else f"{len(series)} series"
        raise InputRefused("input", "must hold one volume", found, "Give one series or file at a time.")
    return files, study.remarks


def scaled_intensities(volume: Volume) -> Volume:
    """Intensities to [0,1] between :data:`PERCENTILES` of the whole volume; what lies beyond is clipped.

    Raises:
        InputRefused: all its intensities are nearly one.
    """
    low, high = np.percentile(volume.voxels, PERCENTILES)
    if not high > low:
        raise InputRefused("volume", "must show something", f"intensities {low:g} to {high:g} in nearly all of it")
    scaled = ((volume.voxels - low) / (high - low)).clip(0, 1)
    return Volume(scaled.astype(np.float32), volume.affine)


def _read_file(file: StudyFile, results: bool = False) -> ReadVolume:
    name = f"volume {file.name}"
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(file.path))
    try:
        reader.ReadImageInformation()
        _require_bounded(reader.GetSize(), name)
        image = reader.Execute()
    except RuntimeError as error:  # whatever ITK finds wrong with a file
        raise InputRefused(name, "must be a readable image", "ITK cannot read it") from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        found = f"{image.GetDimension()} dimensions, {image.GetNumberOfComponentsPerPixel()} values per voxel"
        raise InputRefused(name, "must have three dimensions and one value per voxel", found)
    notes = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    if not results and notes.get("ITK_FileNotes", "").startswith(SHORT_DISCLAIMER):
        raise InputRefused(name, "must be acquired", OWN_RESULT)
    if file.name.lower().endswith((".nii", ".nii.gz")) and (missing := numbers_missing(file.path)):
        raise InputRefused(name, "must hold finite numbers", f"{missing} that are not")
    nowhere = file.name.lower().endswith((".nrrd", ".nhdr")) and "NRRD_space" not in notes
    if nowhere or notes.get("qform_code", "1") == notes.get("sform_code", "1") == "0":
        raise InputRefused(name, "must say where its voxels lie", "no orientation in its header", "Set it.")
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return ReadVolume(_checked(SimpleITK.GetArrayFromImage(image), affine, name), name)


def _read_series(files: Sequence[StudyFile]) -> ReadVolume:
    name = f"series of {files[0].name}"
    stack = _Stack.of([file.header for file in files if file.header is not None], name)
    first = stack.headers[stack.order[0]]
    _require_bounded((int(first.Columns), int(first.Rows), len(files)), name)
    affine = np.eye(4)
    row_mm, column_mm = (float(value) for value in first.PixelSpacing)
    affine[:3, 0] = np.array(first.ImageOrientationPatient[:3], float) * column_mm
    affine[:3, 1] = np.array(first.ImageOrientationPatient[3:], float) * row_mm
    affine[:3, 2] = stack.step()
    affine[:3, 3] = np.array(first.ImagePositionPatient, float)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(files[index].path) for index in stack.order])
    try:
        voxels = SimpleITK.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:  # whatever ITK finds wrong with a file
        raise InputRefused(name, "must have readable pixels", "ITK cannot read them") from error
    headers = tuple(stack.headers[index] for index in stack.order)
    return ReadVolume(_checked(voxels, affine, name), name, headers=headers)


@dataclass(frozen=True)
class _Stack:
    """Headers of slices of one orientation.

    Attributes:
        headers: as they were found.
        name: of their series, as messages call it.
        order: of the headers along their own normal.
        along: of the first pixel of each along that normal, same order, mm.
        normal: of the slices, in LPS.
    """

    headers: Sequence[Dataset]
    name: str
    order: np.ndarray
    along: np.ndarray
    normal: np.ndarray

    @classmethod
    def of(cls, headers: Sequence[Dataset], name: str) -> _Stack:
        """Put headers in order.

        Raises:
            InputRefused: they do not say where they lie, are of several orientations, or two are of one place.
        """
        _require_alike(headers, name)
        normal = np.cross(*np.array(headers[0].ImageOrientationPatient, float).reshape(2, 3))
        along = np.array([normal @ np.array(header.ImagePositionPatient, float) for header in headers])
        order = np.argsort(along)
        if len(headers) > 1 and np.diff(along[order]).min() <= 1e-3:
            raise InputRefused(name, "must have each slice once", "two at one place", "Give one stack, one time point.")
        return cls(headers, name, order, along[order], normal)

    @property
    def is_even(self) -> bool:
        """Whether the slices follow each other at even distances."""
        steps = np.diff(self.along)
        return bool((abs(steps - steps.mean()) <= _UNEVEN * steps.mean()).all())

    def step(self) -> np.ndarray:
        """Vector [3] from each slice to the next, mm.

        Raises:
            InputRefused: distances differ, the stack is slanted, or a single slice has no thickness.
        """
        if len(self.headers) == 1:
            distance = self.headers[0].get("SpacingBetweenSlices") or self.headers[0].get("SliceThickness")
            if not distance:
                raise InputRefused(self.name, "must have a slice thickness where there is one slice", "none")
            alone: np.ndarray = self.normal * float(distance)
            return alone
        if not self.is_even:
            steps = np.diff(self.along)
            found = f"{steps.min():.2f} to {steps.max():.2f} mm"
            raise InputRefused(self.name, "must have slices at even distances", found, "Is a slice missing?")
        ends = [np.array(self.headers[index].ImagePositionPatient, float) for index in self.order[[0, -1]]]
        step: np.ndarray = (ends[1] - ends[0]) / (len(self.headers) - 1)
        slant = float(np.linalg.norm(np.cross(step, self.normal)) / np.linalg.norm(step))
        if slant > _SLANT:
            found = f"a slant of {np.degrees(np.arcsin(min(slant, 1.0))):.1f} degrees"
            raise InputRefused(self.name, "must have slices straight behind each other", found, "Resample it.")
        return step


def _require_alike(headers: Sequence[Dataset], name: str) -> None:
    for keyword in _NEEDED:
        if missing := sum(keyword not in header or header[keyword].is_empty for header in headers):
            raise InputRefused(name, f"must have {keyword}", f"{missing} of {len(headers)} files do not")
    if any(int(header.get("NumberOfFrames") or 1) > 1 for header in headers):
        raise InputRefused(name, "must have one slice per file", "a file of several", "Convert it to NIfTI.")
    if any(int(header.get("SamplesPerPixel", 1)) != 1 for header in headers):
        raise InputRefused(name, "must be gray", "color")
    shapes = {(int(header.Rows), int(header.Columns)) for header in headers}
    geometry = np.array([[*header.ImageOrientationPatient, *header.PixelSpacing] for header in headers], float)
    if len(shapes) > 1 or np.ptp(geometry, axis=0).max() > 1e-3:
        raise InputRefused(name, "must have one orientation, pixel spacing and size", "several", "Give one stack.")


def _require_bounded(size: Sequence[int], name: str) -> None:
    """Refuse, before a voxel is read, what would fill the memory: a few bytes can unpack to all zeros of any number."""
    if math.prod(size) > LARGEST_VOXELS:
        rule = f"must have at most {LARGEST_VOXELS // 1_000_000} million voxels"
        raise InputRefused(name, rule, " x ".join(map(str, size)), "Give a part of it, or resample it.")


def _checked(voxels: np.ndarray, affine: np.ndarray, name: str) -> Volume:
    voxels = np.asarray(voxels, np.float32)
    if not np.isfinite(voxels).all():
        raise InputRefused(name, "must hold finite numbers", f"{int((~np.isfinite(voxels)).sum())} that are not")
    if voxels.min() == voxels.max():
        raise InputRefused(name, "must show something", f"{voxels.min():g} everywhere")
    return Volume(voxels, affine)


def _in_order(read: ReadVolume, remarks: tuple[str, ...]) -> ReadVolume:
    """A volume with its axes in the order of :data:`ORDER`, and what was passed over."""
    image = image_of(read.volume)
    letters = SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    return replace(read, volume=oriented(read.volume, ORDER), orientation=letters, remarks=remarks)


def oriented(volume: Volume, letters: str) -> Volume:
    """A volume with columns, rows and slices in the directions that three letters say, by quarter turns and mirrors."""
    image = SimpleITK.DICOMOrient(image_of(volume), letters)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(SimpleITK.GetArrayFromImage(image), affine)
