"""One image of a synthetic series: what all of them share, whatever their SOP class; marked as synthetic in every way.

Marks, patient, study, dates, references and pixels are set here; a child class adds what its SOP class asks for. No
device serial number or unique device identifier is made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import highdicom as hd
import numpy as np
from pydicom import DataElement
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import DA, TM, DSfloat

from monai_xray2mri.core.system import Label
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.burn_in import burn_in
from monai_xray2mri.dicom.marks import (
    REPORT_PURPOSE,
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
from monai_xray2mri.dicom.own_results import SOFTWARE
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import (
    CHARACTER_SET,
    TYPE_2_KEYWORDS,
    copy_attributes,
    copy_patient_and_study,
    source_moment,
)
from monai_xray2mri.dicom.uids import deterministic_uid, elements_digest, encoded
from monai_xray2mri.runtime.files import whole_directory

MAX_STORED = 4095
"""Stored value of intensity 1: 12 bits."""

_UNNAMED = deterministic_uid("to be replaced by a hash of the content")
_LOSSY_KEYWORDS = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_OWN_UIDS = ("SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID")
_OWN_TAGS = frozenset(map(Tag, (*_OWN_UIDS, "InstanceNumber", "PixelData")))
"""What two images of a series never share."""


@dataclass(frozen=True)
class SeriesRecord:
    """What the images of one synthetic series have in common.

    Attributes:
        product: what they are, in the codes of DICOM.
        origin: what they were made from, and how.
        number: Series Number (0020,0011).
        content: what the images hold, for the Series Description.
    """

    product: Product
    origin: Origin
    number: int
    content: str

    @property
    def description(self) -> str:
        """Series Description (0008,103E), at most 64 characters."""
        return f"SYNTHETIC {self.content}, not for clinical use"


class SyntheticImage(hd.SOPClass):
    """An image of a synthetic series; a child class says of which SOP class and completes it.

    Attributes:
        storage: SOP Class UID (0008,0016).
        kind: Modality (0008,0060).
        bits: Bits Stored (0028,0101).
        window: Window Center and Width, the same for every series so that series compare.
    """

    storage: ClassVar[UID]
    kind: ClassVar[str]
    bits: ClassVar[int] = 12
    window: ClassVar[tuple[int, int]] = ((MAX_STORED + 1) // 2, MAX_STORED + 1)

    @classmethod
    def comments_of(cls, series: SeriesRecord) -> str:
        """Image Comments (0020,4000) of the images of a series."""
        return DISCLAIMER

    def __init__(self, pixels: np.ndarray, series: SeriesRecord, instance_number: int) -> None:
        """Make an image in the patient and study of its source, to which it refers.

        Args:
            pixels: [H,W] uint16 stored values of at most `bits` bits.
            series: what it shares with the other images; dates are those of its source.
            instance_number: 1 for the first image.

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
            sop_class_uid=self.storage,
            instance_number=instance_number,
            modality=self.kind,
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
        name_anatomy(self, series.product)
        self._set_pixels(pixels)

    def content_digest(self, known: dict[int, bytes] | None = None) -> bytes:
        """SHA-256 of everything but the image's own UIDs.

        Args:
            known: of images that share elements (:meth:`alike`), see
                :func:`~monai_xray2mri.dicom.uids.elements_digest`; None: of this image alone.
        """
        if known is None:
            correct_ambiguous_vr(self, True)
        content = (element for element in self if element.keyword not in _OWN_UIDS)
        return elements_digest(content, CHARACTER_SET, {} if known is None else known)

    def alike(self, pixels: np.ndarray, instance_number: int) -> Self:
        """Another image of the series, still without names.

        Elements that do not differ are those of this image: who changes the value of one changes it for both.

        Args:
            pixels: [H,W] uint16 as in the constructor, of this image's shape.
            instance_number: of the other image.

        Raises:
            ValueError: `pixels` has another shape, type or range.
        """
        _check_pixels(pixels, self.bits)
        if pixels.shape != (self.Rows, self.Columns):
            raise ValueError(f"Argument 'pixels' must be of {self.Rows} x {self.Columns}. Found {pixels.shape}.")
        image = copy(self)
        image._dict = {tag: element for tag, element in self._dict.items() if tag not in _OWN_TAGS}
        image.file_meta = deepcopy(self.file_meta)
        image.InstanceNumber = instance_number
        image._set_stored(pixels)
        return image

    def name_by(self, digest: bytes) -> None:
        """Set the image's own UIDs.

        Args:
            digest: hash of the content of the series.
        """
        self.SeriesInstanceUID = deterministic_uid("series", digest)
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

    def _set_pixels(self, pixels: np.ndarray) -> None:
        """Image Pixel (PS3.3 C.7.6.3) and the window (C.11.2)."""
        self.SamplesPerPixel = 1
        self.PhotometricInterpretation = "MONOCHROME2"
        self.Rows, self.Columns = pixels.shape
        self.BitsAllocated, self.BitsStored, self.HighBit = 16, self.bits, self.bits - 1
        self.PixelRepresentation = 0
        self.WindowCenter, self.WindowWidth = self.window
        self._set_stored(pixels)

    def _set_stored(self, pixels: np.ndarray) -> None:
        self.add_new("PixelData", "OW", pixels.astype("<u2").tobytes())


def write_images(directory: Path, images: Sequence[SyntheticImage]) -> list[Path]:
    """Write the images of a series as ``IM_0001.dcm`` ..., all or none.

    Raises:
        UsageError: the folder holds something or cannot be written.
    """
    names = [f"IM_{image.InstanceNumber:04d}.dcm" for image in images]
    with quiet(), whole_directory(directory) as draft:
        for name, image in zip(names, images, strict=True):
            (draft / name).write_bytes(encoded(image))
    return [Path(directory) / name for name in names]


def labeled_pixels(voxels: np.ndarray, label: Label) -> np.ndarray:
    """Intensities as they are stored, with the word SYNTHETIC in the corner if wanted.

    Args:
        voxels: [S,H,W] in [0,1]; values beyond are clipped.
        label: ``"corner"`` burns the word into the lower left corner, ``"none"`` does not.

    Returns:
        [S,H,W] uint16.

    Raises:
        ValueError: see `stored_pixels`; or another label.
    """
    pixels = stored_pixels(voxels)  # [S,H,W]
    if label == "corner":
        return burn_in(pixels, white=MAX_STORED)
    if label != "none":
        raise ValueError(f"Argument 'label' must be 'corner' or 'none'. Found {label!r}.")
    return pixels


def stored_pixels(voxels: np.ndarray) -> np.ndarray:
    """Intensities as they are stored.

    Args:
        voxels: [S,H,W] in [0,1]; values beyond are clipped.

    Returns:
        [S,H,W] uint16, ``round(4095 v)``.

    Raises:
        ValueError: not three-dimensional, empty, or not finite.
    """
    if voxels.ndim != 3 or voxels.size == 0:
        raise ValueError(f"Argument 'voxels' must be [S,H,W]. Found shape {voxels.shape}.")
    if not np.isfinite(voxels).all():
        raise ValueError("Argument 'voxels' must be finite. Found NaN or infinity.")
    return np.rint(np.clip(voxels, 0.0, 1.0) * MAX_STORED).astype(np.uint16)


def decimal(value: float) -> DSfloat:
    """A decimal string of at most 16 characters."""
    return DSfloat(value, auto_format=True)


def _check_pixels(pixels: np.ndarray, bits: int) -> None:
    if pixels.ndim != 2 or pixels.dtype != np.uint16:
        raise ValueError(f"Argument 'pixels' must be [H,W] uint16. Found {pixels.ndim} dimensions of {pixels.dtype}.")
    if pixels.size == 0 or int(pixels.max()) >= 2**bits:
        raise ValueError(f"Argument 'pixels' must hold values from 0 to {2**bits - 1}.")
