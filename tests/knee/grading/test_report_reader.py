"""Reading reports of any make, and choosing the one that belongs to a film."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from pydicom import Dataset, dcmread

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.features import validate_grades
from monai_xray2mri.knee.grading.report_reader import GradingReport, read_grading_report, select_grading
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.types import Side
from tests.helpers import report_items
from tests.helpers.report_items import code, item


def number(stem: str, value: object, *children: Dataset) -> Dataset:
    return report_items.number(code(stem), value, *children)


def group(side: str | None, *children: Dataset) -> Dataset:
    modifiers = []
    if side:
        concept = {"R": "G-A100", "L": "G-A101", "B": "G-A102"}[side]
        modifiers = [item("CODE", code("G-C171", "SRT"), ConceptCodeSequence=[code(concept, "SRT")])]
    return item("CONTAINER", code("125007", "DCM"), *modifiers, *children)


def foreign(*groups: Dataset) -> Dataset:
    return item("CONTAINER", code("126000", "DCM"), *groups)


def grades(report: GradingReport) -> dict[Side, dict[str, int | None]]:
    return {side: dict(grading.grades) for side, grading in report.gradings.items()}


def test_the_shared_report_of_a_right_knee(shared_data):
    report = read_grading_report(dcmread(shared_data / "sr/knee_sr_right_19_features.dcm"), "sr.dcm")
    assert grades(report) == {
        Side.RIGHT: {
            "XROSFM": 2,
            "XRSCFM": 1,
            "XRCYFM": 0,
            "XRJSM": 2,
            "XRCHM": 0,
            "XROSTM": 2,
            "XRSCTM": 2,
            "XRCYTM": 1,
            "XRATTM": 1,
            "XRKL": 3,
            "XROSFL": 1,
            "XRSCFL": 0,
            "XRCYFL": 0,
            "XRJSL": 0,
            "XRCHL": 1,
            "XROSTL": 0,
            "XRSCTL": 0,
            "XRCYTL": 0,
            "XRATTL": 0,
        }
    }
    assert not report.final and report.written == "20261120143104.538866" and len(report.references) == 1
    assert report.patient == ("9999999", "")
    assert report.gradings[Side.RIGHT].reference == report.instance
    assert "9999999" not in repr(replace(report, gradings={}))


@pytest.mark.parametrize("name", ["highdicom_sr_document_TID1500.dcm", "dcmjs_sample-sr_TID1500.dcm"])
def test_reports_about_other_things_have_no_knees(shared_data, film, name):
    report = read_grading_report(dcmread(shared_data / "sr" / name), name)
    assert not report.grades_knees and report.references
    grading = select_grading([report], film, Side.RIGHT)
    assert grading.source == "missing" and dict(grading.grades) == {}
    assert grading.remarks == (f"report {name}: has no knee gradings and was not used",)


def test_features_in_foreign_forms_are_understood():
    report = read_grading_report(
        foreign(
            group(
                "R",
                number("V00XRKL", "3.0"),
                item("TEXT", code("XROSFM"), TextValue="2: Grade 2"),
                item("CODE", code("V01XRJSM"), ConceptCodeSequence=[code("1")]),
                item("CODE", code("XRJSL"), ConceptCodeSequence=[code("JSN-2", meaning="2: definite")]),
                item("NUM", code("XRCHM"), MeasuredValueSequence=[]),
            ),
            group("L", number("XRJSM", "1.4"), number("XRATTM", "3"), number("999-1", "77")),
        ),
        "f.dcm",
    )
    assert grades(report) == {
        Side.RIGHT: {"XROSFM": 2, "XRJSM": 1, "XRCHM": None, "XRKL": 3, "XRJSL": 2},
        Side.LEFT: {"XRJSM": 1, "XRATTM": 1},
    }
    assert len(report.gradings[Side.LEFT].remarks) == 2
    assert report.final  # nothing says preliminary


@pytest.mark.parametrize("side", [None, "B"])
def test_features_without_one_side_are_not_used_and_remarked(side):
    tree = foreign(group(side, number("XRKL", 1), number("XRJSM", 1)), group("R", number("XRKL", 2)))
    report = read_grading_report(tree, "f.dcm")
    assert grades(report) == {Side.RIGHT: {"XRKL": 2}}
    assert report.unsided == 2 and "2 features name no side" in report.remarks[0]


@pytest.mark.parametrize(
    ("flags", "final"),
    [
        ({}, True),
        ({"PreliminaryFlag": "FINAL"}, True),
        ({"PreliminaryFlag": "PRELIMINARY"}, False),
        ({"CompletionFlag": "PARTIAL"}, False),
        ({"CompletionFlag": "COMPLETE", "PreliminaryFlag": "PRELIMINARY"}, False),
    ],
)
def test_final_means_neither_preliminary_nor_partial(flags, final):
    dataset = foreign(group("R", number("XRKL", 1)))
    for keyword, value in flags.items():
        setattr(dataset, keyword, value)
    assert read_grading_report(dataset, "f").final is final


def test_the_same_grade_twice_is_harmless_and_a_different_one_is_refused():
    twice = foreign(group("R", number("XRKL", 2)), group("R", number("XRKL", "2.0"), number("XRJSM", 1)))
    assert grades(read_grading_report(twice, "f")) == {Side.RIGHT: {"XRJSM": 1, "XRKL": 2}}
    with pytest.raises(InputRefused, match="report f: must grade XRKL of a knee once"):
        read_grading_report(foreign(group("R", number("XRKL", 2)), group("R", number("XRKL", 3))), "f")


@pytest.mark.parametrize("value", ["-1", "Mrs Miller", "2-3", "severe or moderate"])
def test_a_grade_that_is_none_costs_one_feature_with_a_remark(value):
    text = item("TEXT", code("XRKL"), TextValue=value)
    report = read_grading_report(foreign(group("R", text, number("XRJSM", 1))), "f.dcm")
    assert grades(report) == {Side.RIGHT: {"XRJSM": 1}}
    (remark,) = report.remarks
    assert remark.startswith("report f.dcm: the grade of XRKL is ") and value not in remark


def test_a_bomb_is_read_to_the_limit_and_remarked():
    node = group("R", number("XRKL", 1))
    for _ in range(500):
        node = group(None, node)
    report = read_grading_report(foreign(group("L", number("XRKL", 2)), node), "f")
    assert grades(report) == {Side.LEFT: {"XRKL": 2}}
    assert report.remarks == ("report f: nested too deeply or too long; the rest was not read",)


@pytest.fixture
def make(tmp_path, film):
    """Write a report of the film with `write_grading_report`, change it, and read it."""

    def made(name="a", kl=1, sides=(Side.RIGHT,), of=film, **options):
        changed = options.pop("changed", {})
        gradings = {side: validate_grades({"XRKL": kl}) for side in sides}
        dataset = dcmread(write_grading_report(tmp_path / name, gradings, of, **({"final": True} | options)))
        for keyword, value in changed.items():
            setattr(dataset, keyword, value)
        return read_grading_report(dataset, name)

    return made


def test_the_newest_final_report_is_used(make, film):
    reports = [
        make("old", 1, written=datetime(2016, 5, 5, 8)),
        make("new", 2, written=datetime(2016, 5, 5, 17)),
        make("preliminary", 3, final=False, written=datetime(2016, 6, 1)),
    ]
    for order in (reports, reports[::-1]):
        grading = select_grading(order, film, Side.RIGHT)
        assert grading.grades["XRKL"] == 2
        assert grading.reference == reports[1].instance and grading.source == "structured report"
        assert {remark.split(":")[0] for remark in grading.remarks} == {"report old", "report preliminary"}


def test_a_preliminary_report_is_used_with_a_remark_where_there_is_no_final_one(make, film):
    grading = select_grading([make("p", 3, final=False)], film, Side.RIGHT)
    assert grading.grades["XRKL"] == 3
    assert grading.remarks == ("report p: is preliminary; there is no final one",)


def test_equally_old_reports_that_differ_are_a_contradiction(make, film):
    reports = [make("a", 1), make("b", 2)]
    for order in (reports, reports[::-1]):
        with pytest.raises(InputRefused, match=r"report [ab]: must not contradict the equally old report [ab].*XRKL"):
            select_grading(order, film, Side.RIGHT)
    final, preliminary = make("c", 1), make("d", 2, final=False)
    assert select_grading([final, preliminary], film, Side.RIGHT).grades["XRKL"] == 1


def test_a_report_without_a_time_is_as_old_as_the_others_of_its_day(make, film):
    reports = [make("a", 1, written=datetime(2016, 5, 5, 8)), make("b", 2, written=datetime(2016, 5, 5))]
    with pytest.raises(InputRefused, match="equally old"):
        select_grading(reports, film, Side.RIGHT)


def test_equally_old_reports_that_agree_are_chosen_by_no_chance(make, film):
    reports = [make("a", 1), make("b", 1, series_number=7)]
    chosen = {select_grading(order, film, Side.RIGHT).reference for order in (reports, reports[::-1])}
    assert len(chosen) == 1


def test_a_newer_report_of_the_other_knee_does_not_hide_an_older_one_of_this_knee(make, film):
    reports = [make("r", 1), make("l", 4, sides=[Side.LEFT], written=datetime(2020, 1, 1))]
    assert select_grading(reports, film, Side.RIGHT).grades["XRKL"] == 1
    assert select_grading(reports, film, Side.LEFT).grades["XRKL"] == 4


def test_two_knees_in_one_report(make, film):
    report = make(sides=list(Side))
    for side in Side:
        assert select_grading([report], film, side).grades["XRKL"] == 1


RULES = {
    "is of another patient": {"PatientID": "P-18"},
    "is of another study": {"StudyInstanceUID": "1.2.826.0.2"},
    "is of another film": {"SOPInstanceUID": "1.2.826.0.1.1.2"},
}


@pytest.mark.parametrize("rule", RULES)
def test_a_report_that_does_not_belong_is_refused_and_named_by_rule_only(make, make_film, film, rule):
    report = make("sr.dcm", of=make_film(**RULES[rule]))
    with pytest.raises(InputRefused, match=f"report sr.dcm: must belong to the radiograph .found: {rule}") as refused:
        select_grading([report], film, Side.RIGHT)
    for secret in ("P-17", "P-18", "1.2.826", "Doe"):
        assert secret not in str(refused.value)
    grading = select_grading([make("good", 2), report], film, Side.RIGHT)
    assert grading.grades["XRKL"] == 2
    assert grading.remarks == (f"report sr.dcm: {rule} and was not used",)


def test_patients_of_other_issuers_are_other_patients(make, make_film):
    report = make(changed={"IssuerOfPatientID": "B"})
    with pytest.raises(InputRefused, match="another patient"):
        select_grading([report], make_film(IssuerOfPatientID="A"), Side.RIGHT)
    assert select_grading([report], make_film(IssuerOfPatientID="B"), Side.RIGHT).grades["XRKL"] == 1
    assert select_grading([report], make_film(), Side.RIGHT).grades["XRKL"] == 1


def test_a_report_that_names_no_image_is_used_with_a_remark(film):
    dataset = foreign(group("R", number("XRKL", 2)))
    dataset.PatientID, dataset.StudyInstanceUID = film.PatientID, film.StudyInstanceUID
    grading = select_grading([read_grading_report(dataset, "f")], film, Side.RIGHT)
    assert grading.grades["XRKL"] == 2
    assert grading.remarks == ("report f: names no image; patient and study are the film's",)


def test_the_only_report_grades_the_other_knee(make, film):
    report = make("l.dcm", sides=[Side.LEFT])
    for sides in ((), [Side.RIGHT]):
        with pytest.raises(InputRefused, match=r"l.dcm: must grade the right .*: grades of the left knee only"):
            select_grading([report], film, Side.RIGHT, film_sides=sides)


def test_on_a_film_of_both_knees_the_one_that_was_not_graded_is_unknown(make, film):
    grading = select_grading([make("l.dcm", sides=[Side.LEFT])], film, Side.RIGHT, film_sides=list(Side))
    assert dict(grading.grades) == {} and grading.source == "missing"
    assert grading.remarks == ("report l.dcm: does not grade the right knee, whose features are unknown",)


def test_a_report_that_names_no_side_at_all_is_refused(film):
    dataset = foreign(group(None, number("XRKL", 2)))
    dataset.PatientID, dataset.StudyInstanceUID = film.PatientID, film.StudyInstanceUID
    with pytest.raises(InputRefused, match="must say which knee it grades"):
        select_grading([read_grading_report(dataset, "f")], film, Side.RIGHT, film_sides=list(Side))


def test_a_picture_without_header_takes_no_report(make):
    with pytest.raises(InputRefused, match="no DICOM header"):
        select_grading([make()], None, Side.RIGHT)


def test_no_report_means_unknown(film):
    grading = select_grading([], film, Side.RIGHT)
    assert (dict(grading.grades), grading.source, grading.remarks) == ({}, "missing", ())
