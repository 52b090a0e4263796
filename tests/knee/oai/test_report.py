"""The report: counts, reasons with examples, both files."""

from __future__ import annotations

import json
from pathlib import Path

from monai_xray2mri.knee.oai.join import Skipped
from monai_xray2mri.knee.oai.readings import KneeKey
from monai_xray2mri.knee.oai.report import PrepareReport
from monai_xray2mri.types import Side


def report() -> PrepareReport:
    """Two used knees, six films that are missing, two damaged series."""
    used = [
        {"participant": "9000001", "side": "R", "split": split, "remarks": ["decimals truncated"]}
        for split in ("training", "test")
    ]
    keys = [KneeKey(f"90001{number:02d}", "V00", Side.RIGHT) for number in range(8)]
    skipped = [Skipped.of(key, "film", "no series") for key in keys[:6]]
    skipped += [
        Skipped.of(
            key, f"MR series 00m/0.C.2/{key.participant}/x", f"MR series 00m/0.C.2/{key.participant}/x: damaged", True
        )
        for key in keys[6:]
    ]
    return PrepareReport(used=used, skipped=skipped, remarks=["a remark"])


def test_equal_reasons_are_counted_with_a_few_examples() -> None:
    text = report().as_text()
    assert "Knees prepared: 2 (1 test, 1 training)" in text
    assert "Left out because broken: 2; out of scope: 6" in text
    assert "6 x film: no series (9000100R, 9000101R, 9000102R, 9000103R, 9000104R and 1 more)" in text
    assert "2 x MR series: MR series damaged (9000106R, 9000107R)" in text
    assert "2 x decimals truncated" in text


def test_the_json_names_every_knee(tmp_path: Path) -> None:
    report().write(tmp_path)
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["broken"] == 2 and len(content["skipped"]) == 8 and content["knees"] == 2
    assert content["skipped"][0] == {
        "participant": "9000100", "visit": "V00", "side": "R", "what": "film", "reason": "no series", "broken": False,
    }  # fmt: skip
    assert content["files"] == ["report.json", "report.txt"]
    assert (tmp_path / "report.txt").read_text() == report().as_text() + "\nWritten\n  report.json\n  report.txt\n"
