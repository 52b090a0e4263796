"""Gradings from and to JSON."""

from __future__ import annotations

import json

import pytest

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.grading.files import read_grading_file, write_grading_file
from monai_xray2mri.knee.grading.json_files import MAX_BYTES
from monai_xray2mri.types import Side


def written(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "features.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode(encoding))
    return path


def test_both_knees(tmp_path):
    read = read_grading_file(written(tmp_path, {"L": {"V00XRKL": "1: 1"}, "R": {"XRKL": 3, "XRJSM": None}}))
    assert {side: dict(grading.grades) for side, grading in read.items()} == {
        Side.RIGHT: {"XRJSM": None, "XRKL": 3},
        Side.LEFT: {"XRKL": 1},
    }
    assert list(read) == [Side.RIGHT, Side.LEFT]
    assert read[Side.LEFT].source == "features file"


@pytest.mark.parametrize("key", ["R", "r", "right", "Right "])
def test_a_side_may_be_spelled_out(tmp_path, key):
    assert list(read_grading_file(written(tmp_path, {key: {"XRKL": 3}}))) == [Side.RIGHT]


def test_features_alone_are_those_of_the_only_knee_on_the_film(tmp_path):
    path = written(tmp_path, {"XRKL": 2, "XROSFM": 9})
    read = read_grading_file(path, sides=[Side.LEFT])
    assert dict(read[Side.LEFT].grades) == {"XROSFM": 3, "XRKL": 2}
    assert "taken as 3" in read[Side.LEFT].remarks[0]


@pytest.mark.parametrize("sides", [[], [Side.RIGHT, Side.LEFT]])
def test_features_alone_are_refused_where_the_knee_is_not_clear(tmp_path, sides):
    with pytest.raises(InputRefused, match="must say which knee it is about"):
        read_grading_file(written(tmp_path, {"XRKL": 2}), sides=sides)


def test_a_file_that_knows_nothing_is_a_grading_of_unknowns(tmp_path):
    assert dict(read_grading_file(written(tmp_path, {}), sides=[Side.LEFT])[Side.LEFT].grades) == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"XRKL": 2', "must be JSON .*line 1 column 11"),
        (b"", "must be JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"XRKL": NaN}', "NaN is no JSON number"),
        (b'{"XRKL": 1, "XRKL": 2}', "a key occurs twice"),
        (b"[" * 5000 + b"]" * 5000, "must be JSON|another shape|must hold a JSON object"),
        (b"[1]", "must hold a JSON object .*list"),
        (b"3", "must hold a JSON object"),
        (b'{"R": {"XRKL": 1}, "XRKL": 2}', "must map sides to features"),
        (b'{"R": 1}', "none of the 19 features"),
        (b'{"X": {"XRKL": 1}}', "must map sides to features"),
        (b'{"9001695": {"XRKL": 1}}', "must map sides to features"),
        (b'{"XRKL": [1]}', "must map sides to features"),
        (b'{"R": {"XRKL": 1}, "right": {"XRKL": 1}}', "each side once"),
        (b'{"R": {"XRFOO": 1}}', "right knee: holds names.*XRFOO"),
        (b'{"R": {"XRKL": "bad"}}', "right knee: the grade of XRKL must be a number"),
        (b'{"R": {"XRKL": {"a": 1}}}', "must be a number"),
        (b" " * (MAX_BYTES + 1), "at most"),
    ],
)
def test_other_contents_are_refused_in_words(tmp_path, content, words):
    with pytest.raises(InputRefused, match=words) as refused:
        read_grading_file(written(tmp_path, content), sides=[Side.RIGHT])
    assert str(refused.value).startswith("features file features.json")
    assert str(tmp_path) not in str(refused.value) and "9001695" not in str(refused.value)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    assert read_grading_file(written(tmp_path, {"R": {"XRKL": 1}}, "utf-8-sig"))[Side.RIGHT].grades["XRKL"] == 1


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_is_not_there_is_a_usage_error(tmp_path, name):
    with pytest.raises(UsageError, match="cannot be read"):
        read_grading_file(tmp_path / name)


def test_round_trip(tmp_path, right, left):
    path = write_grading_file(tmp_path / "out/f.json", {Side.LEFT: left, Side.RIGHT: right})
    read = read_grading_file(path)
    assert {side: dict(grading.grades) for side, grading in read.items()} == {
        Side.RIGHT: dict(right.grades),
        Side.LEFT: dict(left.grades),
    }
    assert path.read_bytes() == write_grading_file(tmp_path / "g.json", read).read_bytes()


def test_an_unwritable_place_is_a_usage_error(tmp_path, left):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_grading_file(tmp_path / "file/f.json", {Side.LEFT: left})
