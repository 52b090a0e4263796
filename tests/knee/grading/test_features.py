"""The 19 features: names, order, what is accepted, changed with a remark, refused; the one-hot code."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.features import (
    FEATURE_BY_STEM,
    FEATURES,
    ONE_HOT_WIDTH,
    feature_stem,
    one_hot,
    validate_grades,
)

TABLE_I = {  # as printed in Wang 2024a, with the ranges of its descriptions
    "V00XROSF M": 3,
    "V00XRSCFM": 3,
    "V00XRCYFM": 1,
    "V00XRJSM": 3,
    "V00XRCHM": 1,
    "V00XROSTM": 3,
    "V00XRSCSTM": 3,
    "V00XRCYTM": 1,
    "V00XRATTM": 1,
    "V00XRKLL": 4,
    "V00XROSFL": 3,
    "V00XRSCFL": 3,
    "V00XRCYFL": 1,
    "V00XRJSLL": 3,
    "V00XRCHL": 1,
    "V00XROSTL": 3,
    "V00XRSCTL": 3,
    "V00XRCYTL": 1,
    "V00XRATTL": 1,
}
OAI = (
    "XROSFM XRSCFM XRCYFM XRJSM XRCHM XROSTM XRSCTM XRCYTM XRATTM XRKL XROSFL XRSCFL XRCYFL XRJSL XRCHL XROSTL XRSCTL "
    "XRCYTL XRATTL"
)


def test_the_features_are_those_of_table_1_in_its_order_under_their_oai_names():
    assert " ".join(feature.stem for feature in FEATURES) == OAI
    assert [feature_stem(name) for name in TABLE_I] == OAI.split(" ")
    assert [feature.highest for feature in FEATURES] == list(TABLE_I.values())
    assert sum(highest + 1 for highest in TABLE_I.values()) == ONE_HOT_WIDTH == 61


def test_names_tell_site_and_compartment():
    for feature in FEATURES:
        letters = feature.stem.removeprefix("XR")
        assert feature.compartment == (None if letters == "KL" else {"M": "medial", "L": "lateral"}[letters[-1]])
        bone = {
            "OSF": "Femur",
            "SCF": "Femur",
            "CYF": "Femur",
            "OST": "Tibia",
            "SCT": "Tibia",
            "CYT": "Tibia",
            "ATT": "Tibia",
        }
        assert feature.site == bone.get(letters[:-1], "Knee joint")
        assert feature.method == ("KL" if letters == "KL" else "OARSI")
        assert len(feature.description) <= 64 and "  " not in feature.description
    assert len({feature.description for feature in FEATURES}) == 19


@pytest.mark.parametrize("name", ["XRKL", "V00XRKL", "v06xrkl", " XRKL ", "V00XRKLL"])
def test_prefixes_case_and_misprints_are_understood(name):
    assert feature_stem(name) == "XRKL"


@pytest.mark.parametrize("name", ["XRKLR", "V0XRKL", "KL", "", "XR", "V00BARCDBU", "V00V00XRKL"])
def test_other_names_are_not(name):
    assert feature_stem(name) is None


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        (2, 2),
        (2.0, 2),
        ("2", 2),
        (" 2 ", 2),
        ("2: Grade 2", 2),
        ("2:2", 2),
        ("2.0", 2),
        (np.int64(2), 2),
        (np.float32(2), 2),
        ("0: 0", 0),
        (None, None),
        ("", None),
        ("  ", None),
        (".", None),
        (".A", None),
        (".: Missing Form/Incomplete Workbook", None),
        (".A: Not Expected", None),
        (".T", None),
        (math.nan, None),
    ],
)
def test_values_as_tables_and_files_hold_them(value, grade):
    grading = validate_grades({"XRJSM": value})
    assert grading.grades == {"XRJSM": grade}
    assert grading.remarks == ()


@pytest.mark.parametrize(
    ("name", "value", "grade", "words"),
    [
        ("XRJSM", 1.2, 1, "XRJSM: 1.2 was truncated to 1"),
        ("XRJSM", "2.4", 2, "2.4 was truncated to 2"),
        ("V00XRATTM", 2, 1, "XRATTM: grade 2 was taken as 1"),
        ("XRCYTM", "3: Grade 3", 1, "grade 3 was taken as 1"),
        ("XRKL", 9, 4, "grade 9 was taken as 4"),
        ("V00XRKLL", 2, 2, "given as XRKLL, the name in Table I"),
    ],
)
def test_what_is_changed_has_a_remark(name, value, grade, words):
    grading = validate_grades({name: value})
    assert list(grading.grades.values()) == [grade]
    assert len(grading.remarks) == 1 and words in grading.remarks[0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-1, "must not be negative"),
        ("-0.5", "must not be negative"),
        ("two", "must be a number"),
        ("Grade 2", "must be a number"),
        ("2 or 3", "must be a number"),
        (True, "must be a number"),
        ([2], "must be a number"),
        ({}, "must be a number"),
        (math.inf, "not a finite number"),
        ("١", "0 to 3"),
    ],
)
def test_no_grades_are_refused(value, words):
    with pytest.raises(InputRefused, match=words):
        validate_grades({"XRJSM": value}, name="knee.json")


def test_a_refused_value_is_not_quoted():
    with pytest.raises(InputRefused) as refused:
        validate_grades({"XRKL": "Jane Doe"})
    assert "Jane" not in str(refused.value) and "XRKL" in str(refused.value)


def test_unknown_names_are_listed_all_but_only_if_they_look_like_names():
    with pytest.raises(InputRefused) as refused:
        validate_grades({"XRKL": 1, "XRFOO": 1, "V00XRBAR": 2, "9001695": 3, "Doe^Jane": 1})
    message = str(refused.value)
    assert "XRFOO, V00XRBAR" in message
    assert "9001695" not in message and "Jane" not in message


def test_a_feature_under_two_names_is_refused():
    with pytest.raises(InputRefused, match="XRKL twice"):
        validate_grades({"XRKL": 1, "V00XRKL": 1})


def test_grades_come_in_the_order_of_table_1_with_source_and_reference():
    grading = validate_grades({"XRATTL": 0, "XRKL": 1, "XROSFM": 2}, source="structured report", reference="1.2.3")
    assert list(grading.grades) == ["XROSFM", "XRKL", "XRATTL"]
    assert (grading.source, grading.reference) == ("structured report", "1.2.3")


def test_absent_is_not_unknown():
    absent, unknown = one_hot({"XRKL": 0}), one_hot({"XRKL": None})
    assert absent.sum() == 1 and unknown.sum() == 0 and one_hot({}).sum() == 0
    assert absent.shape == (61,) and absent.dtype == np.float32


def test_every_grade_has_its_own_place_in_table_order():
    place = 0
    for feature in FEATURES:
        for grade in range(feature.highest + 1):
            assert np.flatnonzero(one_hot({feature.stem: grade})).tolist() == [place]
            place += 1
    assert place == 61
    full = one_hot({stem: 1 for stem in FEATURE_BY_STEM})
    assert full.sum() == 19


@pytest.mark.parametrize("grades", [{"XRKL": 5}, {"XRATTM": 2}, {"XRKL": -1}, {"V00XRKL": 1}])
def test_one_hot_takes_validated_grades_only(grades):
    with pytest.raises(InputRefused, match="validate_grades"):
        one_hot(grades)
