"""Gradings from structured reports, and the choice of the report that belongs to a film.

A report may come from any software: features are recognized by their OAI names, by codes of the hospital's own, or by
words, wherever they stand in the tree, and the knee by the laterality of the item or its nearest ancestor. What cannot
be understood costs one feature, with a remark. Reports about other things yield no gradings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydicom import Dataset

from monai_xray2mri.dicom.structured_report import ReportItem, referenced_instances, text_value, walk_report
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM, validate_grades
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.grading.report_codes import ReportCodes
from monai_xray2mri.knee.grading.report_concepts import Named, named_feature, shown, side_of
from monai_xray2mri.knee.grading.report_values import NotUnderstood, grade_of, within_scale
from monai_xray2mri.types import Side

_NO_TIME = "000000.000000"
_SHOWN = 8  # unknown codes that a remark names
_REMEDY = "Give the report that belongs to this film, or none, or the gradings as a features file."


@dataclass(frozen=True)
class GradingReport:
    """What a structured report says about knees, and what it belongs to.

    Attributes:
        name: how messages call it.
        gradings: side to grading; empty for a report about other things.
        final: False if it is marked preliminary or incomplete.
        written: Content Date and Time as digits that sort by age (``"20261120143104.538866"``); empty if unknown.
        patient: (Patient ID, issuer); texts are empty where the report has none.
        study: Study Instance UID.
        instance: SOP Instance UID of the report.
        references: SOP Instance UIDs of the images that it names.
        unsided: how many features it grades without saying of which knee.
        remarks: what a user should know.
    """

    name: str
    gradings: Mapping[Side, Grading] = field(default_factory=dict)
    final: bool = False
    written: str = ""
    patient: tuple[str, str] = field(default=("", ""), repr=False)
    study: str = field(default="", repr=False)
    instance: str = field(default="", repr=False)
    references: frozenset[str] = field(default=frozenset(), repr=False)
    unsided: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def grades_knees(self) -> bool:
        """Whether it holds any of the 19 features."""
        return bool(self.gradings) or self.unsided > 0


def read_grading_report(dataset: Dataset, name: str, codes: ReportCodes | None = None) -> GradingReport:
    """Read the gradings and the belonging of a structured report.

    Args:
        dataset: a structured report of any SR storage class (PS3.3 A.35), coded as facts of TID 1500 or otherwise.
        name: how messages call it, e.g. its path below the input folder; never patient data.
        codes: what codes of the hospital's own mean.

    Returns:
        The report; without gradings if it is about other things.

    Raises:
        InputRefused: a feature of a knee is graded twice and differently.
    """
    name = f"report {name}"
    found = _Found(name, codes or ReportCodes())
    references = referenced_instances(dataset)
    for item in walk_report(dataset):
        if item.value_type in ("IMAGE", "COMPOSITE") and isinstance(item.value, str):
            references.add(item.value)
        found.add(item)
    instance = text_value(dataset, "SOPInstanceUID")
    return GradingReport(
        name=name,
        gradings={
            side: validate_grades(grades, source="structured report", name=name, reference=instance or None)
            for side, grades in sorted(found.grades.items(), reverse=True)
        },
        final=_is_final(dataset),
        written=_written(dataset),
        patient=_patient(dataset),
        study=text_value(dataset, "StudyInstanceUID"),
        instance=instance,
        references=frozenset(references),
        unsided=found.unsided,
        remarks=tuple(found.remarks()),
    )


@dataclass
class _Found:
    """What is found while a report is walked.

    Attributes:
        name: how messages call the report.
        codes: of the hospital's own.
        grades: of each knee.
        unsided: features without one side.
        notes: remarks on single items, each once.
        unknown: codes of measurements that are none of ours.
    """

    name: str
    codes: ReportCodes
    grades: dict[Side, dict[str, object]] = field(default_factory=dict)
    unsided: int = 0
    notes: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)

    def add(self, item: ReportItem) -> None:
        """Note what an item says of a feature."""
        if not item.complete:
            self.notes["nested too deeply or too long; the rest was not read"] = None
        named = named_feature(item, self.codes)
        if named is None:
            if item.concept is not None and _is_private_measurement(item):
                self.unknown[shown(item.concept)] = None
        elif named.stem is None:
            self.notes[f"{named.code} names no bone or compartment that is graded and was not used"] = None
        else:
            self._add_grade(item, named.stem, named)

    def _add_grade(self, item: ReportItem, stem: str, named: Named) -> None:
        feature, side = FEATURE_BY_STEM[stem], side_of(item, self.codes)
        try:
            grade = grade_of(feature, item.value, self.codes)
            grade = within_scale(feature, grade) if named.code else grade
        except NotUnderstood as error:
            self.notes[f"the grade of {stem} is {error} and was not used"] = None
            return
        if named.by_words:
            self.notes[f"the code {named.code} is not known; read as {stem} by its meaning"] = None
        if side is None:
            self.unsided += 1
            return
        grades = self.grades.setdefault(side, {})
        known = grades.get(stem)
        if known is not None and grade is not None and known != grade:
            raise InputRefused(
                self.name,
                f"must grade {stem} of a knee once",
                "two different grades",
                "Give the report of one reading.",
            )
        grades[stem] = known if grade is None else grade

    def remarks(self) -> Iterator[str]:
        """What a user should know."""
        for note in self.notes:
            yield f"{self.name}: {note}"
        if self.unsided:
            yield f"{self.name}: {self.unsided} features name no side, or both, and were not used"
        if self.unknown:
            listed = ", ".join(list(self.unknown)[:_SHOWN])
            more = f" and {len(self.unknown) - _SHOWN} more" if len(self.unknown) > _SHOWN else ""
            yield f"{self.name}: codes that are not known and were not used: {listed}{more}"


def _is_private_measurement(item: ReportItem) -> bool:
    """Whether an item holds a value under a code that no published scheme defines."""
    return item.value_type in ("NUM", "CODE") and item.concept is not None and item.concept.scheme.startswith("99")


def _is_final(dataset: Dataset) -> bool:
    """Neither preliminary (0040,A496) nor partial (0040,A491); Preliminary Flag is optional and mostly absent."""
    preliminary = text_value(dataset, "PreliminaryFlag") == "PRELIMINARY"
    return not preliminary and text_value(dataset, "CompletionFlag") != "PARTIAL"


def _written(dataset: Dataset) -> str:
    """Content Date and Time as digits that sort by age."""
    date = "".join(filter(str.isdigit, text_value(dataset, "ContentDate")))
    time, _, fraction = text_value(dataset, "ContentTime").replace(":", "").partition(".")
    return f"{date}{time:0<6}.{fraction:0<6}" if date else ""


def _patient(dataset: Dataset) -> tuple[str, str]:
    return text_value(dataset, "PatientID"), text_value(dataset, "IssuerOfPatientID")


def select_grading(
    reports: Sequence[GradingReport], film: Dataset | None, side: Side, *, film_sides: Sequence[Side] = ()
) -> Grading:
    """The grading of one knee of a film: from the newest final report that belongs to the film and grades this knee.

    A preliminary report is used, with a remark, where there is no final one. Reports about other things, and reports
    of other films beside one that fits, are left out with a remark.

    Args:
        reports: all reports of the input.
        film: header of the radiograph; None for a picture without one.
        side: the knee.
        film_sides: the knees that the film shows. If given, a report that grades only the other knee *of this film*
            leaves this knee unknown, with a remark, instead of being refused.

    Returns:
        The grading; `Grading.source` is ``"missing"`` if no report grades knees.

    Raises:
        InputRefused: there are gradings but none can be used: of another patient, study or film, of the other knee
            only, or without a side. The message names the report and the rule.
    """
    remarks = [remark for report in reports for remark in report.remarks]
    candidates = [report for report in reports if report.grades_knees]
    remarks += [
        f"{report.name}: has no knee gradings and was not used" for report in reports if not report.grades_knees
    ]
    broken = [(report, _broken_rule(report, film)) for report in candidates]
    fitting = [report for report, rule in broken if rule is None]
    usable = [report for report in fitting if side in report.gradings]
    if usable:
        remarks += [f"{report.name}: {rule} and was not used" for report, rule in broken if rule is not None]
        return _newest(usable, side, remarks)
    if fitting:
        return _other_knee(fitting[0], side, film_sides, remarks)
    if broken:
        report, rule = broken[0]
        raise InputRefused(report.name, "must belong to the radiograph", rule or "", _REMEDY)
    return Grading(remarks=tuple(remarks))


def _other_knee(report: GradingReport, side: Side, film_sides: Sequence[Side], remarks: Sequence[str]) -> Grading:
    """What a report of this very film means for a knee that it does not grade."""
    if not report.gradings:
        raise InputRefused(report.name, "must say which knee it grades", "features without laterality", _REMEDY)
    if not set(report.gradings) <= set(film_sides):
        raise InputRefused(
            report.name, f"must grade the {side.word} knee", f"grades of the {side.opposite.word} knee only", _REMEDY
        )
    remark = f"{report.name}: does not grade the {side.word} knee, whose features are unknown"
    return Grading(remarks=(*remarks, remark))


def _broken_rule(report: GradingReport, film: Dataset | None) -> str | None:
    """Why a report does not belong to a film; None if it does."""
    if film is None:
        return "the radiograph has no DICOM header that a report could belong to"
    patient, issuer = _patient(film)
    if report.patient[0] != patient or (issuer and report.patient[1] and issuer != report.patient[1]):
        return "is of another patient"
    if report.study != text_value(film, "StudyInstanceUID"):
        return "is of another study"
    if report.references and text_value(film, "SOPInstanceUID") not in report.references:
        return "is of another film"
    return None


def _newest(usable: Sequence[GradingReport], side: Side, remarks: Sequence[str]) -> Grading:
    """The newest final report, else the newest preliminary one; of equally old ones that agree, by instance UID."""
    chosen = max(usable, key=lambda report: (report.final, report.written, report.instance))
    for other in usable:
        if _as_old(chosen, other) and (stem := _differ(chosen.gradings[side], other.gradings[side])):
            raise InputRefused(
                chosen.name,
                f"must not contradict the equally old {other.name}",
                f"two grades of {stem} of the {side.word} knee",
                "Give the report that holds, or the gradings as a features file.",
            )
    added = [f"{report.name}: is older or preliminary and was not used" for report in usable if report is not chosen]
    if not chosen.final:
        added.append(f"{chosen.name}: is preliminary; there is no final one")
    if not chosen.references:
        added.append(f"{chosen.name}: names no image; patient and study are the film's")
    grading = chosen.gradings[side]
    return replace(grading, remarks=(*remarks, *added, *grading.remarks))


def _as_old(one: GradingReport, other: GradingReport) -> bool:
    """Whether neither report replaces the other: equally final, of one time, or of one day where one has no time."""
    if one.final != other.final:
        return False
    timeless = any(report.written[8:] in ("", _NO_TIME) for report in (one, other))
    return one.written[:8] == other.written[:8] if timeless else one.written == other.written


def _differ(one: Grading, other: Grading) -> str | None:
    """A feature that two gradings know and grade differently."""
    pairs = ((stem, grade, other.grades.get(stem)) for stem, grade in one.grades.items())
    return next((stem for stem, a, b in pairs if a is not None and b is not None and a != b), None)
