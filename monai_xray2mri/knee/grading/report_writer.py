"""Gradings as a structured report: TID 1500 in a Comprehensive SR, coded as the reader of `grading.report` expects.

A feature that is absent from a grading is absent from the report; one that is there but
unknown becomes a number without a value, qualified (114007, DCM, "Measurement not attempted").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import highdicom as hd
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes

from monai_xray2mri.dicom.image_report import IMAGE_UIDS, ImageReport, image_library, this_software
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.dicom.uids import deterministic_uid, encoded
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.grading.film_report import SCHEME, feature_measurement, knee_site, oai_scheme
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.types import Side


class GradingDocument(ImageReport):
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
        super().__init__(
            _content(gradings, film, reader),
            film,
            written=written,
            final=final,
            series_number=series_number,
            description="Radiographic knee gradings",
            schemes=[oai_scheme()],
        )
        _empty_unknown(self, gradings)
        if film.get("SyntheticData") == "YES":
            self.SyntheticData = "YES"
        self.name_by_content()


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
    missing = [name for name in IMAGE_UIDS if not film.get(name)]
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


def _content(gradings: Mapping[Side, Grading], film: Dataset, reader: str | None) -> hd.sr.MeasurementReport:
    """TID 1500 Measurement Report with one TID 1501 group per knee."""
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=_observer(reader)),
        procedure_reported=CodedConcept("168537006", "SCT", "Plain radiography"),
        imaging_measurements=[_group(side, gradings[side], film) for side in Side if side in gradings],
    )
    items = report[0].ContentSequence
    items.insert(len(items) - 1, image_library(film))  # TID 1500 wants it before the measurements
    return report


def _observer(reader: str | None) -> hd.sr.ObserverContext:
    """TID 1002: the person who read the film, or this software."""
    if reader is not None:
        return hd.sr.ObserverContext(codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes(reader))
    return this_software()


def _group(side: Side, grading: Grading, film: Dataset) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group of one knee."""
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=deterministic_uid("knee", str(film.SOPInstanceUID), side.value), identifier=f"Knee {side.value}"
        ),
        finding_type=CodedConcept("RADGRADES", SCHEME, "Radiographic osteoarthritis gradings"),
        finding_sites=[knee_site(side)],
        measurements=[
            feature_measurement(feature, grading.grades[feature.stem], side)
            for feature in FEATURES
            if feature.stem in grading.grades
        ],
        source_images=[hd.sr.SourceImageForMeasurementGroup(film.SOPClassUID, film.SOPInstanceUID)],
    )


def _empty_unknown(document: Dataset, gradings: Mapping[Side, Grading]) -> None:
    """Take the values of unknown grades out, which highdicom cannot build (its constructor needs a value)."""
    measurements = document.ContentSequence[-1]
    knees = [side for side in Side if side in gradings]
    for side, group in zip(knees, measurements.ContentSequence, strict=True):
        for item in group.ContentSequence:
            if item.ValueType == "NUM" and gradings[side].grades[item.ConceptNameCodeSequence[0].CodeValue] is None:
                item.MeasuredValueSequence = []
