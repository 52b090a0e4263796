"""OAI's reading tables as the source of features that no report gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.oai.film_readings import oai_gradings
from monai_xray2mri.types import Side
from tests.helpers.dicom_objects import film_header

HEADER = "ID|SIDE|READPRJ|VERSION|V00BARCDBU|V00XRKL|V00XRJSM|V00XRATTM"
FILM = film_header(PatientID="9000296", AccessionNumber="016600593103")


def table(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "kXR_SQ_BU00.txt"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_the_rows_of_the_film_are_taken_and_no_others(tmp_path):
    found = oai_gradings(
        table(
            tmp_path,
            "9000296|1|15|0.5|016600593103|2|1|.",
            "9000296|2: Left|15|0.5|16600593103|3: Grade 3|2: 2|2",
            "9000296|1|37|0.5|016600593103|4|1|1",
            "9000297|1|15|0.5|016600593103|1|0|0",
        ),
        FILM,
    )
    assert list(found) == [Side.RIGHT, Side.LEFT]
    assert found[Side.RIGHT].grades["XRKL"] == 2 and found[Side.RIGHT].grades["XRATTM"] is None
    assert found[Side.LEFT].grades["XRJSM"] == 2
    assert found[Side.LEFT].source == "OAI reading"
    assert any("XRATTM" in remark for remark in found[Side.LEFT].remarks)


@pytest.mark.parametrize(
    "row",
    ["9000296|1|15|0.5|016600593104|2|1|1", "9000296|1|15|0.5|T|2|1|1", "9000297|1|15|0.5|016600593103|2|1|1"],
)
def test_rows_of_another_film_or_of_none_are_not_taken(tmp_path, row):
    assert oai_gradings(table(tmp_path, row), FILM) == {}


def test_a_film_that_is_none_of_oai_finds_nothing(tmp_path):
    assert oai_gradings(table(tmp_path, "9000296|1|15|0.5|016600593103|2|1|1"), film_header(AccessionNumber=None)) == {}


def test_rows_that_contradict_each_other_are_refused(tmp_path):
    rows = [f"9000296|1|15|0.{grade}|016600593103|{grade}|1|1" for grade in (1, 2)]
    with pytest.raises(InputRefused, match=r"rows differ: kXR_SQ_BU00\.txt, line 2 and"):
        oai_gradings(table(tmp_path, *rows), FILM)


def test_another_table_is_refused_and_none_is_a_wrong_call(tmp_path):
    with pytest.raises(InputRefused, match="must hold ID, SIDE and graded features"):
        oai_gradings(table(tmp_path, "R|2", header="SIDE|XRKL"), FILM)
    with pytest.raises(UsageError, match="must be a file"):
        oai_gradings(tmp_path / "none.txt", FILM)
