from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.grading.features import FEATURES, leading_grade
from monai_xray2mri.simulation.knee.people.oai_tables import (
    SeriesEntry,
    write_clinical,
    write_contents,
    write_enrollees,
    write_gradings,
    write_radiographs,
)
from monai_xray2mri.simulation.knee.people.participants import Participant, draw_participant
from monai_xray2mri.simulation.knee.people.seeds import LESION_ENRICHED, TEST
from monai_xray2mri.simulation.knee.people.table_oddities import TableOddities
from monai_xray2mri.types import Side

STEMS = [feature.stem for feature in FEATURES]
SIDES = {"1": Side.RIGHT, "2": Side.LEFT, "1: Right": Side.RIGHT, "2: Left": Side.LEFT}


@pytest.fixture(scope="module")
def cohort() -> list[Participant]:
    return [draw_participant(seed) for seed in range(TEST.start, TEST.start + 400)]


def _read(path: Path, delimiter: str = "|") -> list[dict[str, str]]:
    text = path.read_bytes().decode("ascii")
    assert text.endswith("\n")
    lines = text.splitlines()
    assert len({line.count(delimiter) for line in lines}) == 1
    return list(csv.DictReader(lines, delimiter=delimiter))


def _readings(path: Path, participants: list[Participant], **options: object) -> list[dict[str, str]]:
    structural = bool(options.pop("structural_missingness", False))
    visit = str(options.pop("visit", "V00"))
    oddities = TableOddities(**options)  # type: ignore[arg-type]
    return _read(write_gradings(path / "kXR_SQ_BU00.txt", participants, oddities, structural, visit))


def test_every_knee_is_read_with_all_its_grades(tmp_path, cohort):
    rows = _readings(tmp_path, cohort)
    assert list(rows[0]) == ["ID", "SIDE", "READPRJ", "VERSION", "V00BARCDBU", *(f"V00{stem}" for stem in STEMS)]
    read = {(int(row["ID"]), SIDES[row["SIDE"]]): row for row in rows if row["READPRJ"] == "15"}
    assert len(read) == 2 * len(cohort)
    for one in cohort:
        for side in Side:
            row = read[one.number, side]
            assert {stem: int(row[f"V00{stem}"]) for stem in STEMS} == one.grades[side]
            assert row["V00BARCDBU"] == one.barcode


def test_participant_side_and_project_are_a_key_and_some_are_read_twice(tmp_path, cohort):
    rows = _readings(tmp_path, cohort)
    keys = [(row["ID"], row["SIDE"], row["READPRJ"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["READPRJ"] for row in rows} == {"15", "37"}
    assert {int(row["ID"]) for row in rows if row["READPRJ"] == "37"} == {
        one.number for one in cohort if one.longitudinal
    }


def test_what_readers_did_not_read_is_left_out(tmp_path, cohort):
    rows = _readings(tmp_path, cohort, structural_missingness=True)
    ever = {one.number: one.ever_oa for one in cohort}
    for row in rows:
        filled = {stem for stem in STEMS if row[f"V00{stem}"]}
        if not ever[int(row["ID"])]:
            assert filled == {"XRKL", "XRJSM", "XRJSL"}
        elif row["READPRJ"] == "15":
            assert filled == set(STEMS)
        else:
            assert filled == {"XRKL", *(stem for stem in STEMS if stem[:4] in ("XRJS", "XROS", "XRCH"))}


def test_structural_missingness_is_as_frequent_as_in_oai(tmp_path, cohort):
    rows = _readings(tmp_path, cohort, structural_missingness=True)

    def complete(stem: str) -> float:
        return float(np.mean([row[f"V00{stem}"] != "" for row in rows]))

    assert complete("XRJSM") == 1.0
    assert complete("XROSTM") == pytest.approx(0.555, abs=0.05)
    assert complete("XRCHL") == complete("XROSTM")
    assert complete("XRSCFM") == pytest.approx(0.430, abs=0.05)


def test_values_may_be_written_with_their_meaning(tmp_path, cohort):
    plain = _readings(tmp_path, cohort)
    coded = _readings(tmp_path, cohort, coded_values=True)
    assert {row["SIDE"] for row in coded} == {"1: Right", "2: Left"}
    assert {row["V00XRJSM"] for row in coded} == {f"{grade}: Grade {grade}" for grade in range(4)}
    assert {row["V00XRKL"] for row in coded} == {f"{grade}: {grade}" for grade in range(5)}
    for one, other in zip(plain, coded, strict=True):
        assert all(leading_grade(other[f"V00{stem}"]) == int(one[f"V00{stem}"]) for stem in STEMS)


def test_structurally_missing_values_have_a_code_where_values_have_one(tmp_path, cohort):
    rows = _readings(tmp_path, cohort, coded_values=True, structural_missingness=True)
    values = {row["V00XRATTM"] for row in rows}
    assert ".A: Not Expected" in values
    assert "" not in values


def test_forms_may_be_missing(tmp_path, cohort):
    rows = _readings(tmp_path, cohort, missing_forms=0.1)
    missing = [row[f"V00{stem}"] == ".: Missing Form/Incomplete Workbook" for row in rows for stem in STEMS]
    assert np.mean(missing) == pytest.approx(0.1, abs=0.02)


def test_column_names_may_be_in_lower_case(tmp_path, cohort):
    (row, *_) = _readings(tmp_path, cohort[:1], lower_case_columns=True)
    assert {"id", "side", "readprj", "v00barcdbu", "v00xrkl"} <= set(row)


def test_barcodes_may_lose_their_zero_or_be_t(tmp_path, cohort):
    rows = _readings(tmp_path, cohort, lost_leading_zeros=True, barcodes_t=0.2)
    barcodes = [row["V00BARCDBU"] for row in rows]
    assert np.mean([barcode == "T" for barcode in barcodes]) == pytest.approx(0.2, abs=0.06)
    assert all(re.fullmatch(r"T|166\d{8}", barcode) for barcode in barcodes)


def test_second_readings_may_carry_the_wrong_project(tmp_path, cohort):
    assert {row["READPRJ"] for row in _readings(tmp_path, cohort, project_42=True)} == {"15", "42"}


def test_follow_up_narrowing_may_have_decimals_within_the_grade(tmp_path, cohort):
    plain = _readings(tmp_path, cohort, visit="V01")
    rows = _readings(tmp_path, cohort, visit="V01", decimals=0.5)
    texts = {row["V01XRJSM"] for row in rows}
    assert {"1", "2", "1.2", "1.4", "1.6", "1.8", "2.2", "2.8"} <= texts
    for one, other in zip(plain, rows, strict=True):
        assert int(float(other["V01XRJSM"])) == int(one["V01XRJSM"])
        assert "." not in other["V01XROSTM"]


def test_attrition_and_cysts_may_go_beyond_table_1(tmp_path):
    enriched = [draw_participant(seed) for seed in range(LESION_ENRICHED.start, LESION_ENRICHED.start + 60)]
    plain, raised = _readings(tmp_path, enriched), _readings(tmp_path, enriched, above_range=0.5)
    for stem in STEMS:
        changed = {
            (one[f"V00{stem}"], other[f"V00{stem}"])
            for one, other in zip(plain, raised, strict=True)
            if one[f"V00{stem}"] != other[f"V00{stem}"]
        }
        assert changed == ({("1", "2")} if stem in ("XRATTM", "XRATTL", "XRCYTM") else set())


def test_second_readings_may_disagree_by_a_grade(tmp_path, cohort):
    plain, rows = _readings(tmp_path, cohort), _readings(tmp_path, cohort, disagreements=0.5)
    steps = {"15": set(), "37": set()}
    for one, other in zip(plain, rows, strict=True):
        steps[other["READPRJ"]].add(int(other["V00XRKL"]) - int(one["V00XRKL"]))
    assert steps == {"15": {0}, "37": {-1, 0, 1}}


def test_rows_may_stand_in_the_table_twice(tmp_path, cohort):
    plain, rows = _readings(tmp_path, cohort), _readings(tmp_path, cohort, duplicate_rows=0.2)
    assert len(rows) / len(plain) == pytest.approx(1.2, abs=0.06)
    assert [row for row, before in zip(rows, [None, *rows], strict=False) if row != before] == plain


def test_an_oddity_changes_no_other(tmp_path, cohort):
    assert _readings(tmp_path, cohort[:50]) == [
        row
        for row in _readings(tmp_path, cohort, barcodes_t=0.0, project_42=False)
        if int(row["ID"]) in {one.number for one in cohort[:50]}
    ]
    missing = _readings(tmp_path, cohort, missing_forms=0.05)
    both = _readings(tmp_path, cohort, missing_forms=0.05, barcodes_t=0.5)
    for one, other in zip(missing, both, strict=True):
        assert all(one[f"V00{stem}"] == other[f"V00{stem}"] for stem in STEMS)


def test_tables_of_the_real_thing_hold_every_oddity_of_a_baseline(tmp_path, cohort):
    path = write_gradings(tmp_path / "kXR_SQ_BU00.txt", cohort, TableOddities.oai(), structural_missingness=True)
    text = path.read_text()
    for odd in ("|1: Right|42|", "|T|", ".A: Not Expected", ".: Missing Form/Incomplete Workbook", "|1660", "2: 2"):
        assert odd in text
    rows = text.splitlines()
    assert len(set(rows)) < len(rows)


def test_radiographs_and_their_quality(tmp_path, cohort):
    rows = _read(write_radiographs(tmp_path / "XRay00.txt", cohort))
    assert [int(row["ID"]) for row in rows] == [one.number for one in cohort]
    for row, one in zip(rows, cohort, strict=True):
        month, day, year = row["V00XRDATE"].split("/")
        assert date(int(year), int(month), int(day)) == one.exam_date
        assert row["V00XRBARCD"] == one.barcode
        assert (row["V00EXAMTP"], row["V00XRSIDE"]) == ("Bilateral PA Fixed Flexion Knee", "3")
    assert {row["V00ACCEPT"] for row in rows} == {"Y", "YD"}
    assert np.mean([row["V00ALIGN"] == "X" for row in rows]) == pytest.approx(0.064, abs=0.04)


def test_radiographs_of_newer_downloads_have_quoted_codes_and_films_that_were_refused(tmp_path, cohort):
    oddities = TableOddities(coded_values=True, unreadable_films=0.1, padded_text=True)
    rows = _read(write_radiographs(tmp_path / "XRay00.txt", cohort, oddities))
    codes = [row["V00ACCEPT"] for row in rows]
    assert {"'Y': QCd and found to be acceptable", "'YD': Not QCd and accepted by default", "'NR'"} == set(codes)
    assert np.mean([code == "'NR'" for code in codes]) == pytest.approx(0.1, abs=0.05)
    assert rows[0]["V00XRSIDE"] == "3: Bilateral"
    assert rows[0]["V00EXAMTP"].endswith("Knee  ")


def test_enrollees_and_clinical_data(tmp_path, cohort):
    enrollees = _read(write_enrollees(tmp_path / "Enrollees.txt", cohort, TableOddities(coded_values=True)))
    clinical = _read(write_clinical(tmp_path / "AllClinical00.txt", cohort))
    for one, enrolled, seen in zip(cohort, enrollees, clinical, strict=True):
        assert enrolled["ID"] == seen["ID"] == str(one.number)
        assert enrolled["P02SEX"] == {"M": "1: Male", "F": "2: Female"}[one.sex]
        assert enrolled["V00CHRTHLF"].startswith({"C": "1", "E": "2"}[one.cohort])
        assert enrolled["V00COHORT"].endswith(one.subcohort.capitalize())
        assert (int(seen["V00AGE"]), float(seen["P01BMI"])) == (one.age_years, one.bmi)
        height = int(seen["P01HEIGHT"]) / 1000
        assert float(seen["P01WEIGHT"]) / height**2 == pytest.approx(one.bmi, abs=0.1)


SERIES = SeriesEntry(
    "0.C.2/9162263/20041109/00593103",
    9162263,
    date(2004, 11, 9),
    "016600593103",
    "OAI visit",
    "Bilateral PA Fixed Flexion Knee",
)


@pytest.mark.parametrize(
    ("variant", "oddities", "column", "barcode"),
    [
        ("barcode", TableOddities(), "Barcode", "593103"),
        ("accession", TableOddities(), "AccessionNumber", "593103"),
        ("long", TableOddities(), "Barcode", "016600593103"),
        ("long", TableOddities(lost_leading_zeros=True), "Barcode", "16600593103"),
    ],
)
def test_contents_in_the_forms_of_different_visits(tmp_path, variant, oddities, column, barcode):
    (row,) = _read(write_contents(tmp_path / "contents.csv", [SERIES], variant, oddities), ",")
    assert row == {
        "Folder": SERIES.folder,
        "ParticipantID": "9162263",
        "StudyDate": "20041109",
        column: barcode,
        "StudyDescription": "OAI visit",
        "SeriesDescription": "Bilateral PA Fixed Flexion Knee",
    }


def test_descriptions_may_be_padded(tmp_path):
    path = write_contents(tmp_path / "contents.csv", [SERIES], oddities=TableOddities(padded_text=True))
    assert _read(path, ",")[0]["SeriesDescription"] == "Bilateral PA Fixed Flexion Knee   "


def test_what_cannot_be_written_is_refused(tmp_path, cohort):
    with pytest.raises(UsageError, match="variant"):
        write_contents(tmp_path / "contents.csv", [SERIES], "short")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="visit"):
        write_gradings(tmp_path / "kXR_SQ_BU00.txt", cohort[:1], visit="00")
    with pytest.raises(UsageError, match="barcodes_t"):
        TableOddities(barcodes_t=1.5)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_enrollees(tmp_path / "file" / "Enrollees.txt", cohort[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
