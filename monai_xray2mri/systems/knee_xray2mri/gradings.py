"""Where the features of the knees of a study come from: the user, reports, OAI's table, the radiograph itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from monai_xray2mri.core.system import Plan
from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.study import Study
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.files import read_grading_file
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.grading.report_reader import GradingReport, read_grading_report, select_grading
from monai_xray2mri.knee.oai.film_readings import oai_gradings
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.options import KneeRequest
from monai_xray2mri.systems.knee_xray2mri.refusals import joined
from monai_xray2mri.types import Side


@quiet()
def add_gradings(plan: Plan[KneeCase], study: Study, request: KneeRequest) -> Plan[KneeCase]:
    """Give each knee its features: those of the user, else of the study's reports, else of OAI, else estimated.

    Args:
        plan: of :func:`locate_knees`.
        study: whose reports are read.
        request: ``features`` replace reports. ``oai_table`` holds OAI's central readings, for knees that no report
            grades; their use has a remark. ``estimate`` gives a knee that nothing grades the Kellgren-Lawrence grade
            that a classifier sees in the radiograph, marked as such (Wang 2024b); else its features stay unknown.

    Raises:
        UsageError: the table or the features file cannot be read.
        InputRefused: features, a report or the table contradict themselves, or no knee is left: every report is of
            another patient, film, knee.
    """
    features = request.features
    if isinstance(features, Path):
        features = read_grading_file(features, [case.side for case in plan.cases])
    headers = {file.name: file.header for file in study.of(REPORTS) if file.header is not None}
    reports = [read_grading_report(header, name, request.codes) for name, header in headers.items()]
    by_instance = {str(header.get("SOPInstanceUID", "")): header for header in headers.values()}
    cases, refusals = list[KneeCase](), list[InputRefused]()
    for case in plan.cases:
        try:
            grading = _grading(reports, case, features)
            if request.oai_table is not None and grading.source == "missing":
                grading = _of_table(request.oai_table, case, grading)
            if request.estimate and grading.source == "missing":
                grading = _estimated(case, grading)
        except InputRefused as refusal:
            refusals.append(refusal)
            continue
        cases.append(replace(case, grading=grading, report=by_instance.get(grading.reference or "")))
    if not cases:
        raise joined(refusals)
    return replace(plan, cases=tuple(cases), refusals=(*plan.refusals, *refusals))


def _grading(reports: Sequence[GradingReport], case: KneeCase, features: Mapping[Side, Grading] | None) -> Grading:
    side = case.side
    if features is None:
        return select_grading(reports, case.radiograph.dataset, side, film_sides=case.radiograph.sides)
    given = features.get(side, Grading(remarks=(f"the features given do not grade the {side.word} knee",)))
    if any(report.grades_knees for report in reports):
        given = replace(given, remarks=(*given.remarks, "the features given replace those of the reports"))
    return given


def _of_table(table: Path, case: KneeCase, grading: Grading) -> Grading:
    """The reading of a knee without gradings in OAI's table; what was there if the table does not hold the film."""
    film, side = case.radiograph.dataset, case.side
    found = None if film is None else oai_gradings(table, film).get(side)
    if found is None:
        remark = f"OAI table {table.name}: does not hold the {side.word} knee of this film"
        return replace(grading, remarks=(*grading.remarks, remark))
    remark = f"OAI table {table.name}: used for the {side.word} knee, which nothing else grades"
    return replace(found, remarks=(*grading.remarks, remark, *found.remarks))


def _estimated(case: KneeCase, grading: Grading) -> Grading:
    """What the classifier sees in the region; what was there if the region is too narrow for it."""
    from monai_xray2mri.knee.detection.koa import grading_from_koa, koa_probability

    try:
        found = grading_from_koa(koa_probability(case.roi))
    except InputRefused as refusal:
        return replace(grading, remarks=(*grading.remarks, f"not estimated: {refusal}"))
    return replace(found, remarks=(*grading.remarks, *found.remarks))
