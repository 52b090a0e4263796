"""Which row grades a knee, and with what: reading projects, duplicates, missing codes, decimals, clipped grades."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.oai.readings import (
    KneeKey,
    ReadingTables,
    add_table,
    grading_of,
    holds_readings,
    is_reading_column,
    select_reading,
)
from monai_xray2mri.knee.oai.tables import read_table
from monai_xray2mri.knee.oai.visits import known_visit, project_of, visit_of_folder
from monai_xray2mri.types import Side
from tests.knee.oai.conftest import NUMBER, OTHER, Release

KEY = KneeKey(NUMBER, "V00", Side.RIGHT)
FILM = "016600593103"


def read(release: Release, name: str = "kXR_SQ_BU00.txt", **options: str) -> ReadingTables:
    """The reading table of a release."""
    path = release.write_readings(name, **options)
    tables = ReadingTables()
    table = read_table(path, path.name, is_reading_column)
    assert holds_readings(table.columns)
    add_table(tables, table)
    return tables


def grades(release: Release, **options: str) -> dict[str, int | None]:
    """The grades of the one knee of a release."""
    tables = read(release, **options)
    return dict(grading_of(select_reading(tables.readings[KEY], [FILM])).grades)


def test_both_encodings_give_the_same_grades(empty_release: Release, tmp_path: Path) -> None:
    empty_release.add_reading(V00XRKL="3", V00XROSFM="2", V00XRCHL="1")
    plain = grades(empty_release)
    words = Release(tmp_path / "words")
    row = words.add_reading(
        SIDE="1: Right", READPRJ="15: Felson/BU", V00XRKL="3: Grade 3", V00XROSFM="2: 2", V00XRCHL="1: 1"
    )
    row.update({name: f"{text}: Grade {text}" for name, text in row.items() if text == "0"})
    assert grades(words) == plain
    assert plain["XRKL"] == 3 and plain["XROSFM"] == 2 and plain["XRCHL"] == 1 and plain["XRATTL"] == 0


def test_lower_case_columns_and_commas(empty_release: Release) -> None:
    row = empty_release.add_reading(V00XRKL="4")
    empty_release.rows[0] = {name.lower(): text for name, text in row.items()}
    assert grades(empty_release, delimiter=",", encoding="utf-8-sig")["XRKL"] == 4


def test_missing_codes_are_unknown_not_zero(empty_release: Release) -> None:
    empty_release.add_reading(
        V00XROSFM=".: Missing Form/Incomplete Workbook", V00XRSCFM=".A: Not Expected", V00XRCYFM=".T", V00XRCHM=""
    )
    found = grades(empty_release)
    assert [found[stem] for stem in ("XROSFM", "XRSCFM", "XRCYFM", "XRCHM")] == [None] * 4
    assert found["XRKL"] == 2


def test_decimals_are_truncated_with_a_remark(empty_release: Release) -> None:
    empty_release.add_reading(V00XRJSM="1.8")
    grading = grading_of(read(empty_release).readings[KEY][0])
    assert grading.grades["XRJSM"] == 1
    assert any("1.8 was truncated to 1" in remark for remark in grading.remarks)


def test_grades_above_table_one_are_clipped_with_a_remark(empty_release: Release) -> None:
    empty_release.add_reading(V00XRATTM="3", V00XRCYTM="2: Definite", V00XRATTL="2")
    grading = grading_of(read(empty_release).readings[KEY][0])
    assert [grading.grades[stem] for stem in ("XRATTM", "XRCYTM", "XRATTL")] == [1, 1, 1]
    assert len([remark for remark in grading.remarks if "the highest of the model" in remark]) == 3


@pytest.mark.parametrize("value", ["two", "-1", "2 or 3"])
def test_a_value_that_is_no_grade_refuses_the_reading(empty_release: Release, value: str) -> None:
    empty_release.add_reading(V00XRKL=value)
    with pytest.raises(InputRefused, match="XRKL must"):
        grading_of(read(empty_release).readings[KEY][0])


def test_project_15_counts_up_to_48_months_and_37_after() -> None:
    assert [project_of(visit) for visit in ("V00", "V01", "V03", "V05", "V06", "V08", "V10")] == [15] * 5 + [37] * 2


def test_other_projects_do_not_grade_the_baseline(empty_release: Release) -> None:
    empty_release.add_reading(V00XRKL="1")
    for project in ("37", "42", "43: unknown"):
        empty_release.add_reading(READPRJ=project, V00XRKL="3")
    tables = read(empty_release)
    (reading,) = tables.readings[KEY]
    assert reading.values["XRKL"] == "1"
    assert tables.not_used == {"rows of reading project 37 at V00": 2, "rows of reading project 43 at V00": 1}


def test_42_is_taken_as_37_at_late_visits(empty_release: Release) -> None:
    late = {name.replace("V00", "V10"): text for name, text in empty_release.add_reading(READPRJ="42").items()}
    empty_release.rows[:] = [late, late | {"READPRJ": "15", "V10XRKL": "0"}]
    key = KneeKey(NUMBER, "V10", Side.RIGHT)
    (reading,) = read(empty_release, "kxr_sq_bu10.txt").readings[key]
    assert reading.values["XRKL"] == "2"
    assert reading.remarks == ("READPRJ 42 was taken as 37",)


def test_a_row_twice_is_one_row(empty_release: Release) -> None:
    empty_release.rows += [empty_release.add_reading()] * 2
    tables = read(empty_release)
    assert len(tables.readings[KEY]) == 1
    assert tables.not_used["rows that repeat another one exactly"] == 2


def test_rows_that_differ_in_something_else_are_equal_gradings(empty_release: Release) -> None:
    empty_release.add_reading(VERSION="0.8")
    empty_release.add_reading(V00BARCDBU="T")
    reading = select_reading(read(empty_release).readings[KEY], [None])
    assert "2 equal gradings, the first was taken" in reading.remarks


def test_rows_that_contradict_each_other_are_refused(empty_release: Release) -> None:
    empty_release.add_reading(V00XRKL="1")
    empty_release.add_reading(V00XRKL="2")
    readings = read(empty_release).readings[KEY]
    with pytest.raises(InputRefused, match=r"line 2 and .*line 3"):
        select_reading(readings, [FILM])


def test_of_two_films_the_one_that_is_there_decides(empty_release: Release) -> None:
    empty_release.add_reading(V00XRKL="1", V00BARCDBU="16600000777")
    empty_release.add_reading(V00XRKL="2")
    assert select_reading(read(empty_release).readings[KEY], [FILM]).values["XRKL"] == "2"


def test_rows_that_name_nobody_are_broken_rows(empty_release: Release) -> None:
    empty_release.add_reading("12")
    empty_release.add_reading(SIDE="5")
    empty_release.add_reading(OTHER)
    tables = read(empty_release)
    assert list(tables.readings) == [KneeKey(OTHER, "V00", Side.RIGHT)]
    assert [place for place, _ in tables.bad_rows] == ["kXR_SQ_BU00.txt, line 2", "kXR_SQ_BU00.txt, line 3"]


def structural_row() -> dict[str, str]:
    """Values of a knee of which only KL and narrowing were read."""
    always = {"V00XRKL", "V00XRJSM", "V00XRJSL"}
    row = Release(Path()).add_reading(V00XRKL="1")
    return {name: ".A: Not Expected" for name in row if name.startswith("V00XR") and name not in always} | {
        "V00XRKL": "1"
    }


def test_structurally_missing_features_stay_unknown_or_become_zero(empty_release: Release) -> None:
    empty_release.add_reading(**structural_row())
    tables = read(empty_release)
    reading = tables.readings[KEY][0]
    assert NUMBER not in tables.definite_oa
    unknown, zero = grading_of(reading), grading_of(reading, "zero", had_definite_oa=False)
    assert sum(grade is None for grade in unknown.grades.values()) == 16
    assert set(zero.grades.values()) == {0, 1}
    assert any("16 features not read without definite osteoarthritis" in remark for remark in zero.remarks)


def test_zero_is_only_for_participants_who_never_had_osteoarthritis(empty_release: Release) -> None:
    empty_release.add_reading(**structural_row())
    empty_release.add_reading(SIDE="2", READPRJ="37", V00XRKL="2: Grade 2")  # the other knee, another project
    tables = read(empty_release)
    assert NUMBER in tables.definite_oa
    grading = grading_of(tables.readings[KEY][0], "zero", had_definite_oa=NUMBER in tables.definite_oa)
    assert sum(grade is None for grade in grading.grades.values()) == 16


def test_zero_fills_nothing_in_an_ungraded_knee(empty_release: Release) -> None:
    empty_release.add_reading(**(structural_row() | {"V00XRKL": ".T"}))
    grading = grading_of(read(empty_release).readings[KEY][0], "zero", had_definite_oa=False)
    assert grading.grades["XROSFM"] is None


def test_names_of_knees_and_visits() -> None:
    assert KEY.name == f"{NUMBER}R"
    assert KneeKey(NUMBER, "V06", Side.LEFT).name == f"{NUMBER}L_V06"
    assert [visit_of_folder(name) for name in ("48m", "6.E.1", "0.C.2", "12M", "somewhere")] == [
        "V06",
        "V06",
        "V00",
        "V01",
        None,
    ]
    assert [known_visit(text) for text in ("V00", "v6", "48m", "8", "V07", "")] == [
        "V00",
        "V06",
        "V06",
        "V08",
        None,
        None,
    ]
