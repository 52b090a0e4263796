"""Records that a killed run goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_xray2mri.core.shards import Shard
from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.records import RecordFile, check_settings


def test_records_are_there_after_a_restart_and_a_torn_line_is_not(tmp_path: Path) -> None:
    records = RecordFile(tmp_path, "study")
    records.add("1", "p1", [{"method": "a", "psnr": 20.0}, {"method": "b", "psnr": None}])
    records.fail("2", "case 2: must hold numbers")
    with records.path.open("a") as stream:
        stream.write('{"case": "3", "participant": "p3", "ro')
    again = RecordFile(tmp_path, "study")
    assert "1" in again and "2" in again and "3" not in again
    assert again.rows == records.rows == [
        {"case": "1", "participant": "p1", "method": "a", "psnr": 20.0},
        {"case": "1", "participant": "p1", "method": "b", "psnr": None},
    ]  # fmt: skip
    assert again.failed == {"2": "case 2: must hold numbers"}
    again.add("3", "p3", [{"method": "a", "psnr": 21.0}])
    assert len(RecordFile(tmp_path, "study").rows) == 3


def test_shards_write_files_of_their_own_and_read_all(tmp_path: Path) -> None:
    first, second = (RecordFile(tmp_path, "films", Shard(number, 2)) for number in (1, 2))
    other = RecordFile(tmp_path, "real_films")
    first.add("a", "p", [{"x": 1}])
    other.add("c", "p", [])
    second.add("b", "p", [])
    with first.path.open("a") as stream:
        stream.write('{"case": "d"')  # being written while the other reads
    assert "a" not in second
    second.read()
    assert "a" in second and "b" in second and "c" not in second
    assert first.path.read_text().endswith('"d"') and {path.name for path in tmp_path.iterdir()} == {
        "films.1of2.jsonl", "films.2of2.jsonl", "real_films.jsonl",
    }  # fmt: skip
    assert len(RecordFile(tmp_path, "films").lines) == 2


def test_a_shard_is_every_so_many_th_case() -> None:
    parts = [Shard.parse(text) for text in ("1/3", "2/3", "3/3")]
    assert [[index for index in range(7) if part.holds(index)] for part in parts] == [[0, 3, 6], [1, 4], [2, 5]]
    assert all(Shard.parse("1/1").holds(index) for index in range(3))
    for text in ("0/2", "3/2", "2", "a/b", "1/2/3", "-1/2"):
        with pytest.raises(UsageError, match="I/N"):
            Shard.parse(text)


def test_rows_of_methods_that_were_added_join_those_of_the_case(tmp_path: Path) -> None:
    records = RecordFile(tmp_path, "study")
    truth = {"method": "true volume", "correlation": 0.9}
    records.add("1", "p1", [truth, {"method": "a", "psnr": 20.0}, {"method": "a", "psnr": 19.0}])
    records.add("1", "p1", [truth, {"method": "b", "psnr": 21.0}])
    for each in (records, RecordFile(tmp_path, "study")):
        assert each.methods_of("1") == {"true volume", "a", "b"} and each.methods_of("2") == frozenset()
        assert [row.get("psnr") for row in each.rows] == [None, 20.0, 19.0, 21.0]  # the truth counts once
        each.read()
        assert len(each.rows) == 4


def test_a_folder_is_for_one_run(tmp_path: Path) -> None:
    check_settings(tmp_path, {"seed": 0, "films": ("a", "b")})
    assert not check_settings(tmp_path, {"seed": 0, "films": ["a", "b"]})
    with pytest.raises(UsageError, match="others: seed"):
        check_settings(tmp_path, {"seed": 1, "films": ["a", "b"]})
    with pytest.raises(UsageError, match="others: films"):
        check_settings(tmp_path, {"seed": 0})


def test_methods_may_be_added_and_left_out_but_not_changed(tmp_path: Path) -> None:
    first, second = {"ours": {"sha": "1"}}, {"theirs": {"sha": "2"}}
    assert not check_settings(tmp_path, {"methods": first})
    assert check_settings(tmp_path, {"methods": first | second})
    assert not check_settings(tmp_path, {"methods": first})
    with pytest.raises(UsageError, match="others: method theirs"):
        check_settings(tmp_path, {"methods": first | {"theirs": {"sha": "3"}}})
    assert not check_settings(tmp_path, {"methods": second | first})


def test_records_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    """They called a case by another word, in the same place."""
    (tmp_path / "study.jsonl").write_text(
        '{"knee": "1", "participant": "p1", "rows": [{"method": "a", "psnr": 20.0}]}\n{"knee": "2", "failed": "why"}\n'
    )
    records = RecordFile(tmp_path, "study")
    records.add("1", "p1", [{"method": "b", "psnr": 21.0}])
    for each in (records, RecordFile(tmp_path, "study")):
        assert [row["case"] for row in each.rows] == ["1", "1"] and each.methods_of("1") == {"a", "b"}
        assert each.failed == {"2": "why"} and not any("knee" in line for line in each.lines.values())
