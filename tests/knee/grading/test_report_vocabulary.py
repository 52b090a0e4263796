"""What reports of other makes call features, knees and grades."""

from __future__ import annotations

import json

import pytest
from pydicom import Dataset

from monai_xray2mri.dicom.structured_report import ReportCode
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM
from monai_xray2mri.knee.grading.report_codes import ReportCodes, read_report_codes
from monai_xray2mri.knee.grading.report_reader import read_grading_report
from monai_xray2mri.knee.grading.report_values import NotUnderstood, grade_of
from monai_xray2mri.types import Side
from tests.helpers import report_items
from tests.helpers.report_items import item, number

KL, JSM, CYST = (FEATURE_BY_STEM[stem] for stem in ("XRKL", "XRJSM", "XRCYFM"))
OWN = {"99VENDOR": {"features": {"A1": "XRKL", "A2": "XRJS"}, "grades": {"G-II": 2, "NG": None}, "sides": {"RT": "R"}}}


def code(value: str, scheme: str = "99VENDOR", meaning: str = "meaning") -> Dataset:
    return report_items.code(value, scheme, meaning)


def modifier(concept: Dataset, value: Dataset, *children: Dataset) -> Dataset:
    return item("CODE", concept, *children, RelationshipType="HAS CONCEPT MOD", ConceptCodeSequence=[value])


LATERALITY, SITE, PLACE = code("272741003", "SCT"), code("363698007", "SCT"), code("106233006", "SCT")
RIGHT = modifier(LATERALITY, code("24028007", "SCT", "Right"))


def group(*children: Dataset, heading: str = "Measurement Group") -> Dataset:
    return item("CONTAINER", code("125007", "DCM", heading), *children)


def read(
    *groups: Dataset, codes: ReportCodes | None = None
) -> tuple[dict[str, dict[str, int | None]], tuple[str, ...]]:
    """Grades by the letter of the side, and remarks."""
    report = read_grading_report(item("CONTAINER", code("126000", "DCM", "Report"), *groups), "f", codes)
    return {side.value: dict(grading.grades) for side, grading in report.gradings.items()}, report.remarks


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("2", 2), ("2.0", 2), ("2: Grade 2", 2), ("Grade 2", 2), ("grade: 2", 2), ("KL 2", 2), ("KL-2", 2), 
        ("KLG 3", 3),
        ("Kellgren-Lawrence grade 3", 3), ("Kellgren and Lawrence grade IV", 4), ("Grade II", 2), ("III", 3), ("iv", 4),
        ("Grad 1", 1), ("Stadium III", 3), ("Grado 2", 2), ("stade 2", 2), ("GRADE2", 2), ("G3", 3), ("grade_0", 0),
        ("2 (minimal)", 2), ("Grade 2 - definite osteophytes", 2), ("none", None), ("Doubtful", 1), ("minimal", 2),
        ("mild", 2), ("moderate", 3), ("severe", 4), ("NA", None), ("not assessed", None), ("", None),
        ("2-3", "?"), ("2/4", "?"), ("KL 2 or 3", "?"), ("II-III", "?"), ("Grade V", "?"), ("grade", "?"), ("-1", "?"),
        ("moderate to severe", "?"), ("see text of 2020", "?"), ("Miller", "?"),
    ],
)  # fmt: skip
def test_grades_in_texts(text, grade):
    if grade == "?":
        with pytest.raises(NotUnderstood) as error:
            grade_of(KL, text, ReportCodes())
        assert text == "grade" or text not in str(error.value)
    else:
        assert grade_of(KL, text, ReportCodes()) == grade


@pytest.mark.parametrize(
    ("feature", "value", "scheme", "meaning", "grade"),
    [
        (KL, "GRADE2", "99VENDOR", "Grade 2", 2),
        (KL, "GRADE2", "99VENDOR", "", 2),
        (KL, "KLG-3", "99VENDOR", "definite narrowing", 3),
        (KL, "X17", "99VENDOR", "Grade III", 3),
        (KL, "6736007", "SCT", "Moderate", 3),
        (KL, "1663004", "SCT", "Grade 2", 2),
        (KL, "255604002", "SCT", "Mild", 2),
        (JSM, "255604002", "SCT", "Mild", 1),
        (JSM, "24484000", "SCT", "Severe", 3),
        (JSM, "260413007", "SCT", "None", 0),
        (CYST, "52101004", "SCT", "Present", 1),
        (CYST, "272519000", "SCT", "Absent", 0),
        (CYST, "373066001", "SCT", "Yes", 1),
        (KL, "G-II", "99VENDOR", "", 2),
        (KL, "NG", "99VENDOR", "Grade 3", None),
        (KL, "GRADE2", "99VENDOR", "Grade 3", "?"),
        (KL, "6736007", "SCT", "", "?"),
        (KL, "X17", "99VENDOR", "unlucky", "?"),
    ],
)
def test_grades_in_codes(feature, value, scheme, meaning, grade):
    given, codes = ReportCode(value, scheme, meaning), read_report_codes(json.dumps(OWN))
    if grade == "?":
        with pytest.raises(NotUnderstood):
            grade_of(feature, given, codes)
    else:
        assert grade_of(feature, given, codes) == grade


@pytest.mark.parametrize(
    ("meaning", "modifiers", "stem"),
    [
        ("Kellgren-Lawrence grade", [], "XRKL"),
        ("Kellgren and Lawrence score", [], "XRKL"),
        ("Kellgren & Lawrence", [], "XRKL"),
        ("KL grade", [], "XRKL"),
        ("K/L grade", [], "XRKL"),
        ("KLG", [], "XRKL"),
        ("Medial joint space narrowing", [], "XRJSM"),
        ("JSN lateral", [], "XRJSL"),
        ("Joint space narrowing", [modifier(PLACE, code("255561001", "SCT", "Medial"))], "XRJSM"),
        ("Joint space narrowing", [modifier(SITE, code("1", "99", "Lateral compartment of knee"))], "XRJSL"),
        ("Osteophyte, medial femoral condyle", [], "XROSFM"),
        ("Osteophytes lateral tibial plateau", [], "XROSTL"),
        (
            "Osteophyte grade",
            [modifier(SITE, code("12611008", "SCT", "Tibia"), modifier(PLACE, code("49370004", "SCT", "Lateral")))],
            "XROSTL",
        ),
        ("Subchondral sclerosis medial tibia", [], "XRSCTM"),
        ("Subchondral cyst lateral femur", [], "XRCYFL"),
        ("Chondrocalcinosis lateral", [], "XRCHL"),
        ("Attrition of medial tibia", [], "XRATTM"),
        ("Kellgren-Lawrence grade", [modifier(SITE, code("24136001", "SCT", "Hip joint"))], None),
        ("Kellgren-Lawrence probability", [], None),
        ("Number of osteophytes", [], None),
        ("Patellofemoral joint space narrowing", [], None),
        ("Medial joint space width", [], None),
        ("Joint space narrowing", [], None),
        ("Osteophyte medial", [], None),
    ],
)
def test_features_in_words(meaning, modifiers, stem):
    found, remarks = read(group(RIGHT, number(code("C1", meaning=meaning), 1, *modifiers)))
    assert found == ({"R": {stem: 1}} if stem else {})
    assert any("(C1, 99VENDOR)" in remark for remark in remarks)


@pytest.mark.parametrize("name", ["Finding", "Grade", "Severity"])
def test_a_general_name_is_told_by_value_or_heading(name):
    concept = code("121071", "DCM", name)
    value = item("CODE", concept, ConceptCodeSequence=[code("K2", meaning="Kellgren-Lawrence grade 2")])
    assert read(group(RIGHT, value))[0] == {"R": {"XRKL": 2}}
    assert read(group(RIGHT, number(concept, 3), heading="Kellgren-Lawrence"))[0] == {"R": {"XRKL": 3}}
    assert read(group(RIGHT, number(concept, 3), heading="Effusion"))[0] == {}


KL_CONCEPT = code("KL", meaning="Kellgren-Lawrence grade")
TRACKED = item("TEXT", code("112039", "DCM"), TextValue="Right Knee")


@pytest.mark.parametrize(
    ("groups", "side"),
    [
        ([group(RIGHT, number(KL_CONCEPT, 2))], "R"),
        ([group(number(KL_CONCEPT, 2, RIGHT))], "R"),
        ([group(modifier(SITE, code("49076000", "SCT", "Knee joint"), RIGHT), number(KL_CONCEPT, 2))], "R"),
        ([group(modifier(SITE, code("82169009", "SCT", "Left knee region")), number(KL_CONCEPT, 2))], "L"),
        ([group(modifier(LATERALITY, code("RT", meaning="")), number(KL_CONCEPT, 2))], "R"),
        ([group(modifier(LATERALITY, code("S2", "99X", "Left")), number(KL_CONCEPT, 2))], "L"),
        ([group(TRACKED, number(KL_CONCEPT, 2))], "R"),
        ([group(number(KL_CONCEPT, 2), heading="Linkes Knie")], "L"),
        ([group(number(code("K", meaning="Kellgren-Lawrence grade right knee"), 2))], "R"),
        ([group(number(KL_CONCEPT, 2), heading="Both knees")], None),
        ([group(number(KL_CONCEPT, 2))], None),
    ],
)
def test_the_knee_in_codes_and_words(groups, side):
    found, remarks = read(*groups, codes=read_report_codes(json.dumps(OWN)))
    assert found == ({side: {"XRKL": 2}} if side else {})
    assert any("name no side" in remark for remark in remarks) == (side is None)


@pytest.mark.parametrize("value", [5, 87, 2.5, -1])
def test_a_number_beyond_the_scale_of_a_foreign_concept_is_not_used(value):
    found, remarks = read(group(RIGHT, number(KL_CONCEPT, value)))
    assert found == {} and any("the grade of XRKL is a" in remark for remark in remarks)


def test_the_hospitals_own_codes():
    own = read_report_codes(json.dumps(OWN))
    graded = item("CODE", code("A1"), ConceptCodeSequence=[code("G-II")])
    narrowed = number(code("A2"), 1, modifier(PLACE, code("255561001", "SCT", "Medial")))
    assert read(group(RIGHT, graded, narrowed), codes=own) == ({"R": {"XRJSM": 1, "XRKL": 2}}, ())
    found, remarks = read(group(RIGHT, graded, narrowed))
    assert found == {} and remarks[-1].endswith("were not used: (A1, 99VENDOR), (A2, 99VENDOR)")


def test_codes_that_may_be_free_text_are_not_quoted():
    _, remarks = read(group(RIGHT, number(code("Mrs Miller"), 1)))
    assert remarks == ("report f: codes that are not known and were not used: (?, 99VENDOR)",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "must be JSON"),
        ("[]", "must hold a JSON object"),
        ('{"99V": 3}', "must map coding schemes"),
        ('{"99VENDOR_OF_A_LONG_NAME": {}}', "at most 16 characters"),
        ('{"99V": {"feature": {}}}', "99V must hold features, grades or sides .found: feature"),
        ('{"99V": {"features": {"KL": "XRFOO"}}}', r"\(KL, 99V\) must be one of XROSFM.*XRATT .found: .XRFOO"),
        ('{"99V": {"grades": {"G": 7}}}', r"\(G, 99V\) must be a whole number from 0 to 4"),
        ('{"99V": {"grades": {"G": true}}}', "whole number"),
        ('{"99V": {"sides": {"X": "B"}}}', r"\(X, 99V\) must be R or L"),
        ('{"99V": {}, "99V": {}}', "a key occurs twice"),
    ],
)
def test_a_mapping_of_another_shape_is_refused_in_words(tmp_path, content, words):
    path = tmp_path / "codes.json"
    path.write_text(content)
    for source in (path, content):
        with pytest.raises(InputRefused, match=words):
            read_report_codes(source)


def test_a_mapping_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"codes file none\.json: cannot be read"):
        read_report_codes(tmp_path / "none.json")
    assert read_report_codes('{"99V": {"sides": {"X": "l"}}}').sides == {("X", "99V"): Side.LEFT}
