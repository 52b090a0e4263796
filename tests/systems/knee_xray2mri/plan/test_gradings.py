"""Where the features of a knee come from: reports, the user, the picture."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydicom import dcmread

from monai_xray2mri.errors import ExitCode, InputRefused
from monai_xray2mri.knee.detection.koa import ESTIMATED
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.types import Side
from tests.helpers.films import read_picture, real_crops, write_film
from tests.helpers.plans import GRADES, plan, report


def test_a_knee_that_nothing_grades_is_graded_by_the_classifier_and_marked(film: Path) -> None:
    grading = plan(film.parent).cases[0].grading
    assert grading.source == ESTIMATED
    assert set(grading.grades) == {"XRKL"} and grading.grades["XRKL"] in range(5)
    assert any("not read by a person" in remark for remark in grading.remarks)
    report(film)
    assert plan(film.parent).cases[0].grading.source == "structured report"


def test_gradings_come_from_the_report(film: Path) -> None:
    report(film)
    case = plan(film.parent).cases[0]
    assert {name: case.grading.grades[name] for name in GRADES} == GRADES
    assert case.grading.source == "structured report"
    assert case.report is not None
    assert case.report.SOPInstanceUID == case.grading.reference


def test_a_preliminary_report_is_used_with_a_remark(film: Path) -> None:
    report(film, final=False)
    case = plan(film.parent).cases[0]
    assert case.grading.grades["XRKL"] == 3
    assert any("preliminary" in remark for remark in case.grading.remarks)


def test_features_that_are_given_replace_the_report(film: Path) -> None:
    report(film)
    case = plan(film.parent, features={Side.RIGHT: Grading({"XRKL": 1}, source="features file")}).cases[0]
    assert case.grading.grades == {"XRKL": 1}
    assert case.report is None
    assert any("replace those of the reports" in remark for remark in case.grading.remarks)


@pytest.mark.parametrize(
    ("side", "replaced", "rule"),
    [
        (Side.LEFT, {}, "must grade the right knee"),
        (Side.RIGHT, {"PatientID": "SOMEBODY-ELSE"}, "another patient"),
        (Side.RIGHT, {"SOPInstanceUID": "1.2.3.4"}, "another film"),
        (Side.RIGHT, {"StudyInstanceUID": "1.2.3.5"}, "another study"),
    ],
)
def test_a_report_that_does_not_belong_is_refused(film: Path, side: Side, replaced: dict[str, str], rule: str) -> None:
    report(film, side, **replaced)
    with pytest.raises(InputRefused, match=rule) as refusal:
        plan(film.parent)
    assert "SOMEBODY" not in str(refusal.value)
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED


def test_the_report_of_all_19_features_is_used_for_its_film(shared_data: Path, tmp_path: Path) -> None:
    """The film is wrapped with the very identifiers that the report refers to."""
    source = shared_data / "sr" / "knee_sr_right_19_features.dcm"
    shutil.copy(source, tmp_path / "report.dcm")
    header = dcmread(source)
    film_uid = header.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    write_film(
        tmp_path / "film.dcm", read_picture(real_crops(shared_data, 3, "R")[0]), PatientID=header.PatientID,
        StudyInstanceUID=header.StudyInstanceUID, SOPInstanceUID=film_uid.ReferencedSOPInstanceUID,
    )  # fmt: skip
    grading = plan(tmp_path).cases[0].grading
    assert len([grade for grade in grading.grades.values() if grade is not None]) == 19
    assert grading.grades["XRKL"] == 3
    assert any("preliminary" in remark for remark in grading.remarks)


def test_foreign_reports_are_passed_over(shared_data: Path, film: Path) -> None:
    for name in ("highdicom_sr_document_TID1500.dcm", "dcmjs_sample-sr_TID1500.dcm"):
        shutil.copy(shared_data / "sr" / name, film.parent / name)
    grading = plan(film.parent, estimate=False).cases[0].grading
    assert grading.source == "missing"
    assert len([remark for remark in grading.remarks if "no knee gradings" in remark]) == 2
