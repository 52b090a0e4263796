"""Gradings as a structured report: TID 1500 in a Comprehensive SR, coded as the reader of `grading.report` expects.

No coding scheme of DICOM PS3.16 has these features, so they stand under their OAI names in the private scheme 99OAI,
which the report declares. A feature that is absent from a grading is absent from the report; one that is there but
unknown becomes a number without a value, qualified (114007, DCM, "Measurement not attempted").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept, RelationshipTypeValues
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from monai_xray2mri.dicom.files import write_whole
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import CHARACTER_SET, copy_patient_and_study, source_moment
from monai_xray2mri.dicom.uids import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    dataset_digest,
    deterministic_uid,
    encoded,
    package_version,
)
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.grading.features import FEATURES, Feature
from monai_xray2mri.types import Grading, Side

SCHEME = "99OAI"
NOT_ATTEMPTED = CodedConcept("114007", "DCM", "Measurement not attempted")

_NO_UNITS = CodedConcept("1", "UCUM", "no units")
_METHODS = {
    "KL": CodedConcept("KL", SCHEME, "Kellgren and Lawrence scale"),
    "OARSI": CodedConcept("OARSI", SCHEME, "OARSI atlas scale"),
}
_SITES = {
    "Knee joint": CodedConcept("49076000", "SCT", "Knee joint"),
    "Femur": CodedConcept("71341001", "SCT", "Femur"),
    "Tibia": CodedConcept("12611008", "SCT", "Tibia"),
}
_LATERALITIES = {
    Side.RIGHT: CodedConcept("24028007", "SCT", "Right"),
    Side.LEFT: CodedConcept("7771000", "SCT", "Left"),
}
_COMPARTMENTS = {
    "medial": CodedConcept("255561001", "SCT", "Medial"),
    "lateral": CodedConcept("49370004", "SCT", "Lateral"),
}


class GradingDocument(hd.sr.ComprehensiveSR):
    """Comprehensive SR of the gradings of one film; valid and complete when the constructor returns."""

    def __init__(
        self,
        gradings: Mapping[Side, Grading],
        film: Dataset,
        *,
        written: tuple[str, str],
        final: bool,
        reader: str | None,
        series_number: int,
    ) -> None:
        """Build the document.

        Args:
            gradings: side to grading; at least one.
            film: header of the radiograph that was read.
            written: date (DA) and time (TM) of the reading.
            final: whether the report is the definitive one (Preliminary Flag (0040,A496)).
            reader: person name of the reader; None for a reading by this software.
            series_number: Series Number (0020,0011).
        """
        placeholder = deterministic_uid("to be replaced by a hash of the content")
        self._film = film
        super().__init__(
            evidence=[_evidence(film)],
            content=_content(gradings, film, reader),
            series_instance_uid=placeholder,
            series_number=series_number,
            sop_instance_uid=placeholder,
            instance_number=1,
            manufacturer="monai_xray2mri",
            is_complete=True,
            is_final=final,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            specific_character_set=CHARACTER_SET,
            content_date=written[0],
            content_time=written[1] or "000000",
            series_description="Radiographic knee gradings",
            manufacturer_model_name="monai_xray2mri",
            software_versions=package_version(),
            coding_schemes=[
                CodingSchemeIdentificationItem(
                    SCHEME, name="OAI semi-quantitative X-ray variables", responsible_organization="monai_xray2mri"
                )
            ],
        )
        del self._film
        _empty_unknown(self, gradings)
        _make_reproducible(self, film)

    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """Take over patient and study; in place of highdicom's own, which logs UIDs and keeps the character set."""
        copy_patient_and_study(self._film, self)


def write_grading_report(
    path: Path,
    gradings: Mapping[Side, Grading],
    film: Dataset,
    *,
    final: bool,
    reader: str | None = None,
    written: datetime | None = None,
    series_number: int = 100,
) -> Path:
    """Write the gradings of one or both knees of a film as a structured report.

    Equal arguments give equal bytes; the UIDs are a hash of the content.

    Args:
        path: the file to be written; it appears whole or not at all.
        gradings: side to grading, as `validate_grades` returns it; at least one side.
        film: header of the radiograph (CR or DX) with SOP class, instance, series and study UID.
        final: whether the report is the definitive one; otherwise it is marked preliminary.
        reader: person name of the reader, e.g. ``"Reader^Central"``; None for a reading by software.
        written: when the films were read; by default the film's own date.
        series_number: Series Number (0020,0011).

    Returns:
        `path`.

    Raises:
        InputRefused: no grading, a film without UIDs, or no date at all (Content Date is type 1 in a report).
        UsageError: the file cannot be written.
    """
    if not gradings:
        raise InputRefused("grading report", "needs the grading of at least one knee", "none")
    missing = [name for name in _FILM_UIDS if not film.get(name)]
    if missing:
        raise InputRefused("grading report", "needs a film that it can refer to", f"film without {', '.join(missing)}")
    moment = (written.strftime("%Y%m%d"), written.strftime("%H%M%S")) if written else source_moment(film)
    if not moment[0]:
        raise InputRefused("grading report", "needs a date", "none in the film", "Give `written`.")
    with quiet():
        document = GradingDocument(
            gradings, film, written=moment, final=final, reader=reader, series_number=series_number
        )
        return write_whole(path, encoded(document))


_FILM_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def _evidence(film: Dataset) -> Dataset:
    """What highdicom must know of the film; the rest is taken over by `copy_patient_and_study`."""
    evidence = Dataset()
    for keyword in _FILM_UIDS:
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


def _content(gradings: Mapping[Side, Grading], film: Dataset, reader: str | None) -> hd.sr.MeasurementReport:
    """TID 1500 Measurement Report with one TID 1501 group per knee."""
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=_observer(reader)),
        procedure_reported=CodedConcept("168537006", "SCT", "Plain radiography"),
        imaging_measurements=[_group(side, gradings[side], film) for side in Side if side in gradings],
    )
    items = report[0].ContentSequence
    items.insert(len(items) - 1, _image_library(film))  # TID 1500 wants it before the measurements
    return report


def _observer(reader: str | None) -> hd.sr.ObserverContext:
    """TID 1002: the person who read the film, or this software."""
    if reader is not None:
        return hd.sr.ObserverContext(codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes(reader))
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=deterministic_uid("monai_xray2mri", "device observer", package_version()), name="monai_xray2mri"
    )
    return hd.sr.ObserverContext(codes.DCM.Device, device)


def _group(side: Side, grading: Grading, film: Dataset) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group of one knee."""
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=deterministic_uid("knee", str(film.SOPInstanceUID), side.value), identifier=f"Knee {side.value}"
        ),
        finding_type=CodedConcept("RADGRADES", SCHEME, "Radiographic osteoarthritis gradings"),
        finding_sites=[hd.sr.FindingSite(_SITES["Knee joint"], laterality=_LATERALITIES[side])],
        measurements=[
            _measurement(feature, grading.grades[feature.stem], side)
            for feature in FEATURES
            if feature.stem in grading.grades
        ],
        source_images=[hd.sr.SourceImageForMeasurementGroup(film.SOPClassUID, film.SOPInstanceUID)],
    )


def _measurement(feature: Feature, grade: int | None, side: Side) -> hd.sr.Measurement:
    """TID 300 Measurement; an unknown grade holds a 0 here that `_empty_unknown` takes out."""
    return hd.sr.Measurement(
        name=CodedConcept(feature.stem, SCHEME, feature.description),
        value=grade or 0,
        unit=_NO_UNITS,
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


def _image_library(film: Dataset) -> hd.sr.ContainerContentItem:
    """TID 1600 Image Library; highdicom's own needs attributes that CR films may lack."""
    contains = RelationshipTypeValues.CONTAINS
    image = hd.sr.ImageContentItem(
        CodedConcept("260753009", "SCT", "Source"), film.SOPClassUID, film.SOPInstanceUID, relationship_type=contains
    )
    image.ContentSequence = hd.sr.ContentSequence(_descriptors(film))
    group = hd.sr.ContainerContentItem(codes.DCM.ImageLibraryGroup, relationship_type=contains)
    group.ContentSequence = hd.sr.ContentSequence([image])
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


def _empty_unknown(document: Dataset, gradings: Mapping[Side, Grading]) -> None:
    """Take the values of unknown grades out, which highdicom cannot build (its constructor needs a value)."""
    measurements = document.ContentSequence[-1]
    knees = [side for side in Side if side in gradings]
    for side, group in zip(knees, measurements.ContentSequence, strict=True):
        for item in group.ContentSequence:
            if item.ValueType == "NUM" and gradings[side].grades[item.ConceptNameCodeSequence[0].CodeValue] is None:
                item.MeasuredValueSequence = []


def _make_reproducible(document: GradingDocument, film: Dataset) -> None:
    """Take out what depends on the moment of writing, then name the document by its content."""
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence"):
        delattr(document, keyword)
    if film.get("SyntheticData") == "YES":
        document.SyntheticData = "YES"
    digest = dataset_digest(document)
    document.SeriesInstanceUID = deterministic_uid("series", digest)
    document.SOPInstanceUID = deterministic_uid("instance", digest)
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    document.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
