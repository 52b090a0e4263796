"""Records that a killed run goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.records import RecordFile, check_settings


def test_records_are_there_after_a_restart_and_a_torn_line_is_not(tmp_path: Path) -> None:
    records = RecordFile(tmp_path, "study")
    records.add("1", "p1", [{"method": "a", "psnr": 20.0}, {"method": "b", "psnr": None}])
    records.fail("2", "knee 2: must hold numbers")
    with records.path.open("a") as stream:
        stream.write('{"knee": "3", "participant": "p3", "ro')
    again = RecordFile(tmp_path, "study")
    assert "1" in again and "2" in again and "3" not in again
    assert again.rows == records.rows == [
        {"knee": "1", "participant": "p1", "method": "a", "psnr": 20.0},
        {"knee": "1", "participant": "p1", "method": "b", "psnr": None},
    ]  # fmt: skip
    assert again.failed == {"2": "knee 2: must hold numbers"}
    again.add("3", "p3", [{"method": "a", "psnr": 21.0}])
    assert len(RecordFile(tmp_path, "study").rows) == 3


def test_a_folder_is_for_one_run(tmp_path: Path) -> None:
    check_settings(tmp_path, {"seed": 0, "methods": ("a", "b")})
    check_settings(tmp_path, {"seed": 0, "methods": ["a", "b"]})
    with pytest.raises(UsageError, match="others: seed"):
        check_settings(tmp_path, {"seed": 1, "methods": ["a", "b"]})
