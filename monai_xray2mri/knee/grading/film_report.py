"""What the structured reports about a film have in common: TID 1500 in a Comprehensive SR, features as measurements.

No coding scheme of DICOM PS3.16 has the 19 features, so they stand under their OAI names in the private scheme 99OAI,
which each report declares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept, RelationshipTypeValues
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from monai_xray2mri.core.identity import package_version
from monai_xray2mri.dicom.laterality_codes import SIDE_CODES
from monai_xray2mri.dicom.marks import CODING_SCHEME, SOFTWARE, sign_file
from monai_xray2mri.dicom.source import CHARACTER_SET, copy_patient_and_study
from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid
from monai_xray2mri.knee.grading.features import Feature
from monai_xray2mri.types import Side

SCHEME = "99OAI"
NOT_ATTEMPTED = CodedConcept("114007", "DCM", "Measurement not attempted")

DERIVED = CodedConcept("DERIVEDMR", CODING_SCHEME, "Image generated from the source image")

NO_UNITS = CodedConcept("1", "UCUM", "no units")
_METHODS = {
    "KL": CodedConcept("KL", SCHEME, "Kellgren and Lawrence scale"),
    "OARSI": CodedConcept("OARSI", SCHEME, "OARSI atlas scale"),
}
_SITES = {
    "Knee joint": CodedConcept("49076000", "SCT", "Knee joint"),
    "Femur": CodedConcept("71341001", "SCT", "Femur"),
    "Tibia": CodedConcept("12611008", "SCT", "Tibia"),
}
_LATERALITIES = {side: CodedConcept.from_code(code) for side, code in SIDE_CODES.items()}
_COMPARTMENTS = {
    "medial": CodedConcept("255561001", "SCT", "Medial"),
    "lateral": CodedConcept("49370004", "SCT", "Lateral"),
}


class FilmReport(hd.sr.ComprehensiveSR):
    """Comprehensive SR about one film; patient, study and, unless given, dates are the film's."""

    def __init__(
        self,
        content: hd.sr.MeasurementReport,
        film: Dataset,
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
            content: the report's tree; it refers to the film and to all of `evidence`.
            film: header of the radiograph.
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
        self._film = film
        super().__init__(
            evidence=[_evidence(film), *evidence],
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
        del self._film
        for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence"):
            delattr(self, keyword)  # highdicom's tell the moment of writing

    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """Take over patient and study; in place of highdicom's own, which logs UIDs and keeps the character set."""
        copy_patient_and_study(self._film, self)

    def name_by_content(self) -> None:
        """Set the document's own UIDs to a hash of everything else."""
        digest = dataset_digest(self)
        self.SeriesInstanceUID = deterministic_uid("series", digest)
        self.SOPInstanceUID = deterministic_uid("instance", digest)
        sign_file(self)


def oai_scheme() -> CodingSchemeIdentificationItem:
    """The declaration of 99OAI."""
    return CodingSchemeIdentificationItem(
        SCHEME, name="OAI semi-quantitative X-ray variables", responsible_organization=SOFTWARE
    )


def knee_site(side: Side) -> hd.sr.FindingSite:
    """The knee joint of a side."""
    return hd.sr.FindingSite(_SITES["Knee joint"], laterality=_LATERALITIES[side])


def this_software() -> hd.sr.ObserverContext:
    """TID 1004: this software as the observer."""
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=deterministic_uid(SOFTWARE, "device observer", package_version()), name=SOFTWARE
    )
    return hd.sr.ObserverContext(codes.DCM.Device, device)


def feature_measurement(feature: Feature, grade: int | None, side: Side) -> hd.sr.Measurement:
    """TID 300 Measurement; an unknown grade holds a 0 that the caller has to take out."""
    return hd.sr.Measurement(
        name=CodedConcept(feature.stem, SCHEME, feature.description),
        value=grade or 0,
        unit=NO_UNITS,
        qualifier=NOT_ATTEMPTED if grade is None else None,
        method=_METHODS[feature.method],
        finding_sites=[
            hd.sr.FindingSite(
                _SITES[feature.site],
                laterality=_LATERALITIES[side],
                topographical_modifier=_COMPARTMENTS[feature.compartment] if feature.compartment else None,
            )
        ],
    )


def image_library(film: Dataset, images: Sequence[Dataset] = ()) -> hd.sr.ContainerContentItem:
    """TID 1600 Image Library of a film and further images; highdicom's own needs attributes that CR films may lack."""
    contains = RelationshipTypeValues.CONTAINS
    image = hd.sr.ImageContentItem(
        CodedConcept("260753009", "SCT", "Source"), film.SOPClassUID, film.SOPInstanceUID, relationship_type=contains
    )
    image.ContentSequence = hd.sr.ContentSequence(_descriptors(film))
    group = hd.sr.ContainerContentItem(codes.DCM.ImageLibraryGroup, relationship_type=contains)
    others = [
        hd.sr.ImageContentItem(DERIVED, other.SOPClassUID, other.SOPInstanceUID, relationship_type=contains)
        for other in images
    ]
    group.ContentSequence = hd.sr.ContentSequence([image, *others])
    library = hd.sr.ContainerContentItem(codes.DCM.ImageLibrary, relationship_type=contains)
    library.ContentSequence = hd.sr.ContentSequence([group])
    return library


def _descriptors(film: Dataset) -> list[Any]:
    """TID 1602 and 1603: what the film's header tells about the film."""
    context = RelationshipTypeValues.HAS_ACQ_CONTEXT
    modality = getattr(
        codes.cid29,
        {"CR": "ComputedRadiography", "DX": "DigitalRadiography"}.get(
            str(film.get("Modality", "")), "RadiographicImaging"
        ),
    )
    items: list[Any] = [hd.sr.CodeContentItem(codes.DCM.Modality, modality, relationship_type=context)]
    pixels = CodedConcept("{pixels}", "UCUM", "Pixels")
    for keyword, name in (("Rows", codes.DCM.PixelDataRows), ("Columns", codes.DCM.PixelDataColumns)):
        if film.get(keyword):
            items.append(hd.sr.NumContentItem(name, film[keyword].value, pixels, relationship_type=context))
    orientation = film.get("PatientOrientation") or ()
    if len(orientation) == 2:
        for name, value in zip(
            (codes.DCM.PatientOrientationRow, codes.DCM.PatientOrientationColumn), orientation, strict=True
        ):
            items.append(hd.sr.TextContentItem(name, str(value), relationship_type=context))
    spacing = film.get("ImagerPixelSpacing") or ()
    if len(spacing) == 2:
        for name, value in zip(
            (codes.DCM.VerticalPixelSpacing, codes.DCM.HorizontalPixelSpacing), spacing, strict=True
        ):
            items.append(hd.sr.NumContentItem(name, float(value), codes.UCUM.Millimeter, relationship_type=context))
    return items


FILM_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def _evidence(film: Dataset) -> Dataset:
    """What highdicom must know of the film; the rest is taken over by `copy_patient_and_study`."""
    evidence = Dataset()
    for keyword in FILM_UIDS:
        setattr(evidence, keyword, film.get(keyword))
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
