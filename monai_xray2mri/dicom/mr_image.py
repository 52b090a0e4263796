"""One slice of a synthetic MR series: MR Image Storage (DICOM PS3.3 A.4), marked as synthetic in every way there is.

No acquisition took place. Sequence, echo and repetition time are nominal, those of the sequence that a product
imitates, and the Derivation Description says so: PS3.3 C.12.1 allows simulated values in synthetic data, and converters
such as dicom2nifti need them. Scan options stay empty (type 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from pydicom.uid import UID, MRImageStorage

from monai_xray2mri.dicom.product import ImitatedSequence
from monai_xray2mri.dicom.synthetic_image import SeriesRecord, SyntheticImage, decimal
from monai_xray2mri.dicom.uids import deterministic_uid

_PLANE = (
    "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SliceThickness", "SpacingBetweenSlices",
    "SliceLocation",
)  # fmt: skip


@dataclass(frozen=True)
class SlicePlane:
    """Where a slice lies in the patient, in LPS millimetres (PS3.3 C.7.6.2).

    Attributes:
        position: centre of the first pixel.
        orientation: direction of rising column index, then of rising row index.
        spacing: (column, row, slice) distance of voxel centres.
    """

    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float, float, float]
    spacing: tuple[float, float, float]

    @classmethod
    def of_affine(cls, affine: np.ndarray, index: int) -> SlicePlane:
        """The plane of slice `index` of a volume.

        Args:
            affine: [4,4], maps (column, row, slice) to LPS mm, without shear.
            index: 0 for the first slice.
        """
        axes = affine[:3, :3]  # [3,3]
        column, row, plane = (float(length) for length in np.linalg.norm(axes, axis=0))
        position = affine[:3, 3] + index * axes[:, 2]  # [3]
        directions = np.concatenate([axes[:, 0] / column, axes[:, 1] / row]) + 0.0  # [6]; no negative zeros
        x, y, z = (float(value) for value in position + 0.0)
        return cls((x, y, z), tuple(float(value) for value in directions), (column, row, plane))  # type: ignore[arg-type]

    @property
    def location(self) -> float:
        """Distance from the origin along the normal in mm: Slice Location (0020,1041)."""
        return float(np.dot(np.cross(self.orientation[:3], self.orientation[3:]), self.position))


class SyntheticMRImage(SyntheticImage):
    """One slice of a synthetic MR series; valid when the constructor returns.

    Attributes:
        own_digest: hash of its content, which the names of a whole series are made of.
    """

    storage: ClassVar[UID] = MRImageStorage
    kind: ClassVar[str] = "MR"

    def __init__(self, pixels: np.ndarray, plane: SlicePlane, series: SeriesRecord, instance_number: int) -> None:
        """Make a slice in the patient and study of its source, to which it refers.

        Args:
            pixels: [H,W] uint16 stored values of at most `bits` bits.
            plane: where the slice lies.
            series: what it shares with the other slices; dates are those of its source.
            instance_number: 1 for the first slice.

        Raises:
            ValueError: `pixels` has another shape, type or range, or the provenance lacks the weights' hash.
        """
        super().__init__(pixels, series, instance_number)
        self.PatientPosition = series.product.patient_position
        self.PositionReferenceIndicator = None  # Frame of Reference (PS3.3 C.7.4.1)
        self._set_plane(plane)
        self._set_acquisition(series.product.sequence)
        self.own_digest = self.content_digest()
        self.name_by(self.own_digest)

    def neighbor(self, pixels: np.ndarray, plane: SlicePlane, instance_number: int, known: dict[int, bytes]) -> Self:
        """Another slice of the same series, as the constructor makes it, in a twentieth of the time; see :meth:`alike`.

        Args:
            pixels: [H,W] uint16 as in the constructor, of this slice's shape.
            plane: where the other slice lies.
            instance_number: of the other slice.
            known: for the digest, see :meth:`content_digest`.

        Raises:
            ValueError: `pixels` has another shape, type or range.
        """
        image = self.alike(pixels, instance_number)
        for keyword in _PLANE:
            del image[keyword]
        image._set_plane(plane)
        image.own_digest = image.content_digest(known)
        image.name_by(image.own_digest)
        return image

    def name_by(self, digest: bytes, frame_of_reference: str | None = None) -> None:
        """Set the image's own UIDs.

        Args:
            digest: hash of the content of the series; a constructor knows one slice only and takes that.
            frame_of_reference: of the series that this one lies on; None = one of its own.
        """
        self.FrameOfReferenceUID = frame_of_reference or deterministic_uid("frame of reference", digest)
        super().name_by(digest)

    def _set_plane(self, plane: SlicePlane) -> None:
        """Image Plane (PS3.3 C.7.6.2) and the gap-free spacing of MR Image (C.8.3.1)."""
        column, row, thickness = plane.spacing
        self.PixelSpacing = [decimal(row), decimal(column)]
        self.ImageOrientationPatient = [decimal(value) for value in plane.orientation]
        self.ImagePositionPatient = [decimal(value) for value in plane.position]
        self.SliceThickness = decimal(thickness)
        self.SpacingBetweenSlices = decimal(thickness)
        self.SliceLocation = decimal(plane.location)

    def _set_acquisition(self, sequence: ImitatedSequence | None) -> None:
        """MR Image (PS3.3 C.8.3.1): nominal values of the imitated sequence, or research mode without values."""
        self.ScanOptions = None
        self.ScanningSequence = sequence.scanning if sequence else "RM"
        self.SequenceVariant = sequence.variant if sequence else "NONE"
        self.MRAcquisitionType = sequence.acquisition if sequence else None
        self.RepetitionTime = decimal(sequence.repetition_ms) if sequence else None
        self.EchoTime = decimal(sequence.echo_ms) if sequence else None
        self.EchoTrainLength = sequence.echo_train if sequence else None
