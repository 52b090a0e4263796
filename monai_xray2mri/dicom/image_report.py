"""What structured reports about an image have in common: TID 1500 in a Comprehensive SR.

Patient, study and dates are those of the image; the document's own UIDs are a hash of everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept, RelationshipTypeValues
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from monai_xray2mri.core.identity import package_version
from monai_xray2mri.dicom.laterality_codes import SIDE_CODES
from monai_xray2mri.dicom.marks import sign_file
from monai_xray2mri.dicom.own_results import CODING_SCHEME, SOFTWARE
from monai_xray2mri.dicom.source import CHARACTER_SET, copy_patient_and_study, source_moment
from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid

IMAGE_UIDS: Final = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
NO_UNITS: Final = CodedConcept("1", "UCUM", "no units")
DERIVED: Final = CodedConcept("DERIVEDMR", CODING_SCHEME, "Image generated from the source image")
SIDES: Final = {side: CodedConcept.from_code(code) for side, code in SIDE_CODES.items()}
"""Laterality of a finding site."""
_MODALITIES: Final = {
    "CR": codes.cid29.ComputedRadiography,
    "DX": codes.cid29.DigitalRadiography,
    "MR": codes.cid29.MagneticResonance,
    "XC": codes.cid29.ExternalCameraPhotography,
}


def can_report(image: Dataset) -> bool:
    """Whether an image has what a report needs: an instance to refer to, and a date (Content Date is type 1)."""
    return all(image.get(name) for name in IMAGE_UIDS) and bool(source_moment(image)[0])


class ImageReport(hd.sr.ComprehensiveSR):
    """Comprehensive SR about one image; patient and study are the image's."""

    def __init__(
        self,
        content: hd.sr.MeasurementReport,
        image: Dataset,
        *,
        written: tuple[str, str],
        final: bool,
        series_number: int,
        description: str,
        schemes: Sequence[CodingSchemeIdentificationItem],
        evidence: Sequence[Dataset] = (),
        model: str = SOFTWARE,
        software_versions: str | tuple[str, ...] | None = None,
    ) -> None:
        """Build the document.

        Args:
            content: the report's tree; it refers to the image and to all of `evidence`.
            image: header of the image.
            written: Content Date (DA) and Time (TM).
            final: whether the report is the definitive one (Preliminary Flag (0040,A496)).
            series_number: Series Number (0020,0011).
            description: Series Description (0008,103E).
            schemes: private coding schemes that are used.
            evidence: further objects that the tree refers to.
            model: Manufacturer's Model Name (0008,1090).
            software_versions: Software Versions (0018,1020); None = of this package.
        """
        placeholder = deterministic_uid("to be replaced by a hash of the content")
        self._image = image
        super().__init__(
            evidence=[_evidence(image), *evidence],
            content=content,
            series_instance_uid=placeholder,
            series_number=series_number,
            sop_instance_uid=placeholder,
            instance_number=1,
            manufacturer=SOFTWARE,
            is_complete=True,
            is_final=final,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            specific_character_set=CHARACTER_SET,
            content_date=written[0],
            content_time=written[1] or "000000",
            series_description=description,
            manufacturer_model_name=model,
            software_versions=software_versions or package_version(),
            coding_schemes=list(schemes),
        )
        del self._image
        for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence"):
            delattr(self, keyword)  # highdicom's tell the moment of writing

    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """Take over patient and study; in place of highdicom's own, which logs UIDs and keeps the character set."""
        copy_patient_and_study(self._image, self)

    def name_by_content(self) -> None:
        """Set the document's own UIDs to a hash of everything else."""
        digest = dataset_digest(self)
        self.SeriesInstanceUID = deterministic_uid("series", digest)
        self.SOPInstanceUID = deterministic_uid("instance", digest)
        sign_file(self)


def this_software() -> hd.sr.ObserverContext:
    """TID 1004: this software as the observer."""
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=deterministic_uid(SOFTWARE, "device observer", package_version()), name=SOFTWARE
    )
    return hd.sr.ObserverContext(codes.DCM.Device, device)


def image_library(
    source: Dataset, images: Sequence[Dataset] = (), derived: CodedConcept = DERIVED, others: Sequence[Dataset] = ()
) -> hd.sr.ContainerContentItem:
    """TID 1600 Image Library of an image and of others; highdicom's own needs attributes that CR images may lack.

    Args:
        source: header of the image.
        images: that were generated from it.
        derived: what these are called.
        others: headers of further images that they were generated from.
    """
    contains = RelationshipTypeValues.CONTAINS
    group = hd.sr.ContainerContentItem(codes.DCM.ImageLibraryGroup, relationship_type=contains)
    generated = [
        hd.sr.ImageContentItem(derived, other.SOPClassUID, other.SOPInstanceUID, relationship_type=contains)
        for other in images
    ]
    group.ContentSequence = hd.sr.ContentSequence([*map(_source_image, (source, *others)), *generated])
    library = hd.sr.ContainerContentItem(codes.DCM.ImageLibrary, relationship_type=contains)
    library.ContentSequence = hd.sr.ContentSequence([group])
    return library


def _source_image(source: Dataset) -> hd.sr.ImageContentItem:
    """An image that others were generated from."""
    concept = CodedConcept("260753009", "SCT", "Source")
    contains = RelationshipTypeValues.CONTAINS
    image = hd.sr.ImageContentItem(concept, source.SOPClassUID, source.SOPInstanceUID, relationship_type=contains)
    image.ContentSequence = hd.sr.ContentSequence(_descriptors(source))
    return image


def _descriptors(source: Dataset) -> list[Any]:
    """TID 1602 and 1603: what a header tells about its image."""
    context = RelationshipTypeValues.HAS_ACQ_CONTEXT
    modality = _MODALITIES.get(str(source.get("Modality", "")), codes.cid29.RadiographicImaging)
    items: list[Any] = [hd.sr.CodeContentItem(codes.DCM.Modality, modality, relationship_type=context)]
    pixels = CodedConcept("{pixels}", "UCUM", "Pixels")
    for keyword, name in (("Rows", codes.DCM.PixelDataRows), ("Columns", codes.DCM.PixelDataColumns)):
        if source.get(keyword):
            items.append(hd.sr.NumContentItem(name, source[keyword].value, pixels, relationship_type=context))
    orientation = source.get("PatientOrientation") or ()
    if len(orientation) == 2:
        for name, value in zip(
            (codes.DCM.PatientOrientationRow, codes.DCM.PatientOrientationColumn), orientation, strict=True
        ):
            items.append(hd.sr.TextContentItem(name, str(value), relationship_type=context))
    spacing = source.get("ImagerPixelSpacing") or ()
    if len(spacing) == 2:
        for name, value in zip(
            (codes.DCM.VerticalPixelSpacing, codes.DCM.HorizontalPixelSpacing), spacing, strict=True
        ):
            items.append(hd.sr.NumContentItem(name, float(value), codes.UCUM.Millimeter, relationship_type=context))
    return items


def _evidence(source: Dataset) -> Dataset:
    """What highdicom must know of an image; the rest is taken over by `copy_patient_and_study`."""
    evidence = Dataset()
    for keyword in IMAGE_UIDS:
        setattr(evidence, keyword, source.get(keyword))
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
        "StudyID",
        "StudyDate",
        "StudyTime",
    ):
        setattr(evidence, keyword, None)
    return evidence
