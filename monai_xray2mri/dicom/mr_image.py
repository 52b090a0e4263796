"""One slice of a synthetic MR series: MR Image Storage (DICOM PS3.3 A.4), marked as synthetic in every way there is.

No acquisition took place. Sequence, echo and repetition time are nominal, those of the sequence that a product
imitates, and the Derivation Description says so: PS3.3 C.12.1 allows simulated values in synthetic data, and converters
such as dicom2nifti need them. Scan options stay empty (type 2), and no device serial number or unique device identifier
is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import highdicom as hd
import numpy as np
from pydicom import DataElement, Dataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import DA, TM, DSfloat

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.marks import (
    REPORT_PURPOSE,
    SOFTWARE,
    SOURCE_PURPOSE,
    coding_scheme,
    is_instance,
    mark_synthetic,
    model_name,
    name_anatomy,
    reference,
    sign_file,
    software_versions,
)
from monai_xray2mri.dicom.product import ImitatedSequence, Origin, Product
from monai_xray2mri.dicom.source import (
    CHARACTER_SET,
    TYPE_2_KEYWORDS,
    copy_attributes,
    copy_patient_and_study,
    source_moment,
)
from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid

MAX_STORED = 4095
"""Stored value of intensity 1: 12 bits."""

_UNNAMED = deterministic_uid("to be replaced by a hash of the content")
_LOSSY_KEYWORDS = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


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


@dataclass(frozen=True)
class SeriesRecord:
    """What the images of one synthetic series have in common.

    Attributes:
        product: what they are, in the codes of DICOM.
        origin: what they were made from, and how.
        number: Series Number (0020,0011).
        content: what the slices hold, for the Series Description.
    """

    product: Product
    origin: Origin
    number: int
    content: str

    @property
    def description(self) -> str:
        """Series Description (0008,103E), at most 64 characters."""
        return f"SYNTHETIC {self.content}, not for clinical use"


class SyntheticMRImage(hd.SOPClass):
    """One slice of a synthetic MR series; valid when the constructor returns.

    Attributes:
        bits: Bits Stored (0028,0101).
        window: Window Center and Width, the same for every series so that series compare.
    """

    bits: ClassVar[int] = 12
    window: ClassVar[tuple[int, int]] = ((MAX_STORED + 1) // 2, MAX_STORED + 1)

    @classmethod
    def comments_of(cls, series: SeriesRecord) -> str:
        """Image Comments (0020,4000) of the images of a series."""
        return DISCLAIMER

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
        _check_pixels(pixels, self.bits)
        provenance = series.origin.provenance
        super().__init__(
            study_instance_uid=str(series.origin.header.StudyInstanceUID),
            series_instance_uid=_UNNAMED,
            series_number=series.number,
            sop_instance_uid=_UNNAMED,
            sop_class_uid=MRImageStorage,
            instance_number=instance_number,
            modality="MR",
            manufacturer=SOFTWARE,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            series_description=series.description,
            manufacturer_model_name=model_name(provenance),
            coding_schemes=[coding_scheme()],
            specific_character_set=CHARACTER_SET,
        )
        for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContentDate", "ContentTime"):
            if keyword in self:
                delattr(self, keyword)  # highdicom's are the moment of writing
        for keyword in TYPE_2_KEYWORDS:
            setattr(self, keyword, self.get(keyword) or None)
        self["SoftwareVersions"] = DataElement("SoftwareVersions", "LO", software_versions(provenance))
        self._set_marks(series)
        self._set_source(series)
        self._set_series(series.product)
        self._set_plane(plane)
        self._set_acquisition(series.product.sequence)
        self._set_pixels(pixels)
        self.name_by(self.content_digest())

    def content_digest(self) -> bytes:
        """SHA-256 of everything but the image's own UIDs."""
        content = Dataset()
        for element in self:
            if element.keyword not in ("SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
                content.add(element)
        return dataset_digest(content)

    def name_by(self, digest: bytes, frame_of_reference: str | None = None) -> None:
        """Set the image's own UIDs.

        Args:
            digest: hash of the content of the series; a constructor knows one slice only and takes that.
            frame_of_reference: of the series that this one lies on; None = one of its own.
        """
        self.SeriesInstanceUID = deterministic_uid("series", digest)
        self.FrameOfReferenceUID = frame_of_reference or deterministic_uid("frame of reference", digest)
        self.SOPInstanceUID = deterministic_uid("instance", digest, int(self.InstanceNumber or 0))
        sign_file(self)

    def _set_marks(self, series: SeriesRecord) -> None:
        """Everything that says that the image is synthetic."""
        product, provenance = series.product, series.origin.provenance
        mark_synthetic(self, provenance)
        self.ImageType = ["DERIVED", "SECONDARY", "OTHER", "SYNTHETIC"]
        comments = self.comments_of(series)
        self.ImageComments = f"{comments} {product.forced}" if provenance.get("forced") else comments
        self.BurnedInAnnotation = "NO"  # it speaks of identifying text (PS3.3 C.7.6.1)
        nominal = [product.sequence.words] if product.sequence else []
        self.DerivationDescription = " ".join([product.derivation_description, *nominal])
        self.DerivationCodeSequence = [product.derivation]

    def _set_source(self, series: SeriesRecord) -> None:
        """Patient, study, dates and references of the source (PS3.3 C.7.1, C.7.2, C.12.4)."""
        source, report = series.origin.header, series.origin.report
        copy_patient_and_study(source, self)
        date, time = source_moment(source)
        if date:
            self.SeriesDate = self.ContentDate = DA(date)
            self.SeriesTime = self.ContentTime = TM(time)
        if is_instance(source):
            items = [reference(one, SOURCE_PURPOSE) for one in (source, *series.origin.others)]
            for item in items:
                item.SpatialLocationsPreserved = "YES" if series.product.in_source_space else "NO"
            self.SourceImageSequence = items
        if report is not None:
            self.SourceInstanceSequence = [reference(report, REPORT_PURPOSE)]
        if str(source.get("LossyImageCompression", "")) == "01":  # what was lost stays lost (PS3.3 C.7.6.1.1.5)
            copy_attributes(source, self, _LOSSY_KEYWORDS)

    def _set_series(self, product: Product) -> None:
        """General Series (PS3.3 C.7.3.1) and Frame of Reference (C.7.4.1)."""
        name_anatomy(self, product)
        self.PatientPosition = product.patient_position
        self.PositionReferenceIndicator = None

    def _set_plane(self, plane: SlicePlane) -> None:
        """Image Plane (PS3.3 C.7.6.2) and the gap-free spacing of MR Image (C.8.3.1)."""
        column, row, thickness = plane.spacing
        self.PixelSpacing = [_ds(row), _ds(column)]
        self.ImageOrientationPatient = [_ds(value) for value in plane.orientation]
        self.ImagePositionPatient = [_ds(value) for value in plane.position]
        self.SliceThickness = _ds(thickness)
        self.SpacingBetweenSlices = _ds(thickness)
        self.SliceLocation = _ds(plane.location)

    def _set_acquisition(self, sequence: ImitatedSequence | None) -> None:
        """MR Image (PS3.3 C.8.3.1): nominal values of the imitated sequence, or research mode without values."""
        self.ScanOptions = None
        self.ScanningSequence = sequence.scanning if sequence else "RM"
        self.SequenceVariant = sequence.variant if sequence else "NONE"
        self.MRAcquisitionType = sequence.acquisition if sequence else None
        self.RepetitionTime = _ds(sequence.repetition_ms) if sequence else None
        self.EchoTime = _ds(sequence.echo_ms) if sequence else None
        self.EchoTrainLength = sequence.echo_train if sequence else None

    def _set_pixels(self, pixels: np.ndarray) -> None:
        """Image Pixel (PS3.3 C.7.6.3) and the window (C.11.2)."""
        self.SamplesPerPixel = 1
        self.PhotometricInterpretation = "MONOCHROME2"
        self.Rows, self.Columns = pixels.shape
        self.BitsAllocated, self.BitsStored, self.HighBit = 16, self.bits, self.bits - 1
        self.PixelRepresentation = 0
        self.WindowCenter, self.WindowWidth = self.window
        self.PixelData = pixels.astype("<u2").tobytes()


def _check_pixels(pixels: np.ndarray, bits: int) -> None:
    if pixels.ndim != 2 or pixels.dtype != np.uint16:
        raise ValueError(f"Argument 'pixels' must be [H,W] uint16. Found {pixels.ndim} dimensions of {pixels.dtype}.")
    if pixels.size == 0 or int(pixels.max()) >= 2**bits:
        raise ValueError(f"Argument 'pixels' must hold values from 0 to {2**bits - 1}.")


def _ds(value: float) -> DSfloat:
    """A decimal string of at most 16 characters."""
    return DSfloat(value, auto_format=True)
