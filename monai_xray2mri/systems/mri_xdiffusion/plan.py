"""From a file or folder to slices that have passed all checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydicom import Dataset

from monai_xray2mri.core.bundles import configuration
from monai_xray2mri.core.system import Plan
from monai_xray2mri.errors import InputRefused, UsageError, WeightsError
from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
from monai_xray2mri.systems.mri_xdiffusion.framing import Frame, GivenSlice, slice_axis
from monai_xray2mri.systems.mri_xdiffusion.options import SliceRequest
from monai_xray2mri.systems.mri_xdiffusion.volumes.reading import ReadVolume, read_images
from monai_xray2mri.types import Side, Volume

_SMALLEST: Final = 1 / 3
"""Of the cube's side: least field of view in the plane of a slice."""


@dataclass(frozen=True)
class Trained:
    """What a bundle was trained for: entry ``trained_for`` of its ``inference.json``, and the cube of its network.

    Attributes:
        side_mm: side of the cube.
        image_size: D.
        slices: K, most slices that it takes.
        body_part: Body Part Examined (0018,0015) of what it knows; empty: it has none.
        sequences: values of Scanning Sequence (0018,0020) that it knows; empty: any.
        side: the side of the body that it knows, the other one is mirrored; None: sides do not matter.
        oblique_degrees: greatest angle of a series from the axes of the patient.
        level: intensity, 0 to 1, of the upper percentile of a slice among those that it was trained with.
    """

    side_mm: float
    image_size: int
    slices: int
    body_part: str
    sequences: tuple[str, ...]
    side: Side | None
    oblique_degrees: float
    level: float

    @classmethod
    def of(cls, bundle: Path) -> Trained:
        """Read it.

        Raises:
            WeightsError: the bundle is missing, damaged, or of another system.
        """
        found = configuration(bundle)
        try:
            network, known = found["network_def"], found["trained_for"]
            return cls(
                float(network["side_mm"]),
                int(network["image_size"]),
                int(known["slices"]),
                str(known["body_part"]),
                tuple(known["sequences"]),
                Side(known["side"]) if known["side"] else None,
                float(known["oblique_degrees"]),
                float(known["level"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"bundle {bundle.name}",
                "must say what it was trained for",
                f"{type(error).__name__} in inference.json",
                "Restore configs/inference.json of this bundle.",
            ) from error


def plan_slices(source: Path, request: SliceRequest, bundle: Path) -> Plan[SliceCase]:
    """The slices of a series that become a volume.

    Args:
        source: NIfTI, NRRD or MetaImage file, or a folder of a DICOM series or of a few of its images.
        request: which slices.
        bundle: whose network is meant; its weights are not read.

    Raises:
        InputRefused: the series or one of the slices cannot be used.
        UsageError: nothing is there, or it has no slice of a number.
        WeightsError: the bundle is missing.
    """
    trained = Trained.of(bundle)
    pieces = read_images(source, trained.slices)
    series = _Series.of(pieces)
    given = _chosen(series, request, trained)
    frame, box = _frame(series, given, trained, mirrored=False)
    checks = _Checks(request.force)
    checks.contrast(series.headers, trained)
    checks.tilt(frame, trained)
    checks.field_of_view(given[0], frame)
    for one in given:
        checks.slice(one, frame)
    side, side_source = _side(series.headers, request, trained, checks)
    mirrored = side is not None and trained.side is not None and side is not trained.side
    frame, box = _frame(series, given, trained, mirrored)
    case = SliceCase(
        source=series.name,
        given=given,
        of=series.count,
        frame=frame,
        box=box,
        orientation=series.orientation,
        headers=tuple(series.headers[one.number - 1] for one in given) if series.headers else (),
        body_part=trained.body_part,
        level=trained.level,
        side=side,
        side_source=side_source,
        remarks=tuple(dict.fromkeys((*series.remarks, *checks.remarks))),
        forced=checks.forced,
    )
    return Plan((case,))


@dataclass(frozen=True)
class _Series:
    """What was read, as slices with numbers.

    Attributes:
        images: slice by slice, each a volume of one slice.
        axis: of the cube [S,H,W] that they are counted along.
        stacked: they follow each other as a volume.
        name, orientation, headers, remarks: see :class:`ReadVolume`.
    """

    images: tuple[Volume, ...]
    axis: int
    stacked: bool
    name: str
    orientation: str
    headers: tuple[Dataset, ...]
    remarks: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of slices."""
        return len(self.images)

    @classmethod
    def of(cls, pieces: Sequence[ReadVolume]) -> _Series:
        first = pieces[0]
        axis, against = slice_axis(first.orientation)
        images = tuple(image for piece in pieces for image in _apart(piece.volume, axis, against))
        headers = tuple(header for piece in pieces for header in piece.headers)
        stacked = len(pieces) == 1 and len(images) > 1
        return cls(images, axis, stacked, first.name, first.orientation, headers, first.remarks)


def _apart(volume: Volume, axis: int, against: bool) -> list[Volume]:
    """The slices of a volume along an axis, in the order of their file."""
    images = []
    for index in range(volume.voxels.shape[axis]):
        affine = volume.affine.copy()
        affine[:3, 3] += affine[:3, 2 - axis] * index
        images.append(Volume(np.take(volume.voxels, [index], axis=axis), affine))
    return images[::-1] if against else images


def _chosen(series: _Series, request: SliceRequest, trained: Trained) -> tuple[GivenSlice, ...]:
    count = series.count
    numbers = request.slice
    if numbers is None:
        numbers = tuple(range(1, count + 1)) if count <= trained.slices else ((count + 1) // 2,)
    beyond = [number for number in numbers if number > count]
    if beyond:
        raise UsageError("option slice", f"must be within 1..{count} of this series", str(beyond[0]), "Choose others.")
    if len(numbers) > trained.slices:
        raise InputRefused(
            "input", f"must be of {trained.slices} slices at most", f"{len(numbers)}", "Choose some with --slice."
        )
    return tuple(GivenSlice(number, series.images[number - 1]) for number in sorted(numbers))


def _frame(series: _Series, given: Sequence[GivenSlice], trained: Trained, mirrored: bool) -> tuple[Frame, np.ndarray]:
    """The cube, and what of it the series reaches."""
    first, last = (GivenSlice(0, image) for image in (series.images[0], series.images[-1]))
    middle = (first.middle + last.middle) / 2
    frame = Frame.around(given, middle, series.axis, trained.side_mm, trained.image_size, mirrored)
    box = np.array([[-1.0] * 3, [1.0] * 3])
    offset = 2 * ((middle - frame.center) @ frame.axes) / frame.side_mm
    for axis, step in enumerate(reversed(first.image.spacing)):
        count = series.count if axis == series.axis else first.image.voxels.shape[axis]
        if axis != series.axis or series.stacked:
            half = count * step / frame.side_mm
            box[:, 2 - axis] = np.clip(offset[2 - axis] + np.array([-half, half]), -1, 1)
    return frame, box


class _Checks:
    """What a series must be; a doubt about what the bundle was trained for may be overridden.

    Args:
        force: override.
    """

    def __init__(self, force: bool) -> None:
        self.force, self.forced = force, False
        self.remarks: list[str] = []

    def contrast(self, headers: Sequence[Dataset], trained: Trained) -> None:
        """Body part and sequence, where the headers tell them."""
        part = str(headers[0].get("BodyPartExamined") or "").strip().upper() if headers else ""
        if part and trained.body_part and part != trained.body_part:
            self._doubt("series", f"must be of the body part {trained.body_part}", part)
        elif trained.body_part and not part:
            self.remarks.append(f"body part unknown: taken for {trained.body_part}")
        found = _texts(headers[0].get("ScanningSequence")) if headers else ()
        if found and trained.sequences and not set(found) & set(trained.sequences):
            self._doubt("series", f"must be of the sequence {' or '.join(trained.sequences)}", " ".join(found))
        elif trained.sequences and not found:
            self.remarks.append(f"sequence unknown: taken for {' or '.join(trained.sequences)}")

    def tilt(self, frame: Frame, trained: Trained) -> None:
        """Angle from the patient's axes."""
        cosine = float(np.abs(frame.axes).max(axis=0).min())
        angle = float(np.degrees(np.arccos(min(cosine, 1.0))))
        if angle > trained.oblique_degrees:
            rule = f"must lie within {trained.oblique_degrees:g} degrees of the patient's axes"
            self._doubt("series", rule, f"{angle:.0f} degrees")

    def field_of_view(self, given: GivenSlice, frame: Frame) -> None:
        """Of a slice in its plane, against the side of the cube."""
        sides = [
            count * step
            for axis, (count, step) in enumerate(
                zip(given.image.voxels.shape, reversed(given.image.spacing), strict=True)
            )
            if axis != frame.axis
        ]
        least, most, side = min(sides), max(sides), frame.side_mm
        if least < _SMALLEST * side:
            rule = f"must have a field of view of {_SMALLEST * side:.0f} mm at least"
            raise InputRefused("series", rule, f"{least:.0f} mm", f"The bundle generates a cube of {side:g} mm.")
        if most > side * 1.001:
            self.remarks.append(f"field of view of {most:.0f} mm: what lies beyond {side:g} mm was cropped")
        if least < side * 0.95:
            self.remarks.append(f"field of view of {least:.0f} mm: what lies beyond is taken for background")

    def slice(self, one: GivenSlice, frame: Frame) -> None:
        """Its content, and its place in the cube."""
        name = f"slice {one.number}"
        if one.image.voxels.min() == one.image.voxels.max():
            raise InputRefused(name, "must show something", f"{one.image.voxels.min():g} everywhere", "Choose another.")
        if abs(frame.depth(one)) > 1:
            far = abs(frame.depth(one)) * frame.side_mm / 2
            rule = f"must lie within {frame.side_mm / 2:g} mm of the middle of the series"
            raise InputRefused(name, rule, f"{far:.0f} mm", "Choose another.")

    def _doubt(self, what: str, rule: str, found: str) -> None:
        if not self.force:
            raise InputRefused(what, rule, found, "Give --force to use it all the same; results say so.")
        self.forced = True
        self.remarks.append(f"forced: the {what} {rule} (found: {found})")


def _side(
    headers: Sequence[Dataset], request: SliceRequest, trained: Trained, checks: _Checks
) -> tuple[Side | None, str]:
    """The side of the body, and what told it."""
    if trained.side is None:
        return None, "none"
    for keyword in ("ImageLaterality", "Laterality"):
        told = str(headers[0].get(keyword) or "").strip().upper() if headers else ""
        if told in ("R", "L"):
            if request.side and request.side != told:
                raise InputRefused(
                    "series", f"must be of side {request.side}", f"{keyword} {told}", "Leave --side out."
                )
            return Side(told), keyword
    if request.side:
        return request.side, "given"
    checks.remarks.append(f"side unknown: taken for {trained.side.word}")
    return trained.side, "none"


def _texts(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    return (str(value),) if isinstance(value, str) else tuple(map(str, value))
