"""Gradings from tables: spellings of sides and delimiters, refusals in words."""

from __future__ import annotations

import pytest

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.files import read_grading_file
from monai_xray2mri.knee.grading.json_files import MAX_BYTES
from monai_xray2mri.types import Side


def written(tmp_path, text, name="features.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("sides", [("R", "L"), ("right", "Left"), ("1", "2"), ("1: Right", "2: Left")])
def test_a_line_per_knee(tmp_path, delimiter, sides):
    lines = ["SIDE,V00XRKL,XRJSM,xrosfm", f"{sides[1]},0,.,1", "", f"{sides[0]},3: Grade 3,2,"]
    text = "\ufeff" + "\r\n".join(line.replace(",", delimiter) for line in lines)
    read = read_grading_file(written(tmp_path, text))
    assert {side: dict(grading.grades) for side, grading in read.items()} == {
        Side.RIGHT: {"XROSFM": None, "XRJSM": 2, "XRKL": 3},
        Side.LEFT: {"XROSFM": 1, "XRJSM": None, "XRKL": 0},
    }
    assert list(read) == [Side.RIGHT, Side.LEFT]
    assert read[Side.LEFT].source == "features file"


def test_one_line_without_side_is_the_only_knee_of_the_film(tmp_path):
    path = written(tmp_path, '"XRKL","XRJSM"\n"2","1"\n', "features.tsv")
    assert dict(read_grading_file(path, [Side.LEFT])[Side.LEFT].grades) == {"XRJSM": 1, "XRKL": 2}
    with pytest.raises(InputRefused, match="must say which knee"):
        read_grading_file(path, list(Side))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a line of names and a line per knee .*0 lines"),
        ("SIDE,XRKL\n", "1 lines"),
        ("SIDE,XRKL\nR,1\nright,2\n", "line 3 repeats one"),
        ("XRKL\n1\n2\n", "line 3 repeats one"),
        ("SIDE,XRKL\nR,1,2\n", "2 fields in every line .*3 in line 2"),
        ("SIDE,XRKL\nboth,1\n", "another text in line 2"),
        ("SIDE,XRKL,xrkl\nR,1,2\n", "a name twice"),
        ("ID|SIDE|READPRJ|V00XRKL\n9000296|1|15|2\n", "Give it as --oai-table"),
        ("SIDE,XRFOO\nR,1\n", "right knee: holds names.*XRFOO"),
        ("SIDE,XRKL\nR,bad\n", "right knee: the grade of XRKL must be a number"),
        (f"SIDE,XRKL\nR,{'1' * 200_000}\n", "must be a table"),
        (" " * (MAX_BYTES + 1), "at most"),
    ],
)
def test_other_tables_are_refused_in_words(tmp_path, text, words):
    with pytest.raises(InputRefused, match=words) as refused:
        read_grading_file(written(tmp_path, text), [Side.RIGHT])
    assert str(refused.value).startswith("features file features.csv")
    assert str(tmp_path) not in str(refused.value) and "9000296" not in str(refused.value)


@pytest.mark.parametrize(
    "missing", ["NA", "N/A", "nan", "NULL", "None", "#N/A", "-", "?", "", ".", ".A", "not assessed"]
)
def test_what_programs_write_for_a_missing_grade_is_unknown(tmp_path, missing):
    read = read_grading_file(written(tmp_path, f"SIDE;XRKL;XRJSM\nR;{missing};1,4\n"))
    assert dict(read[Side.RIGHT].grades) == {"XRJSM": 1, "XRKL": None}
