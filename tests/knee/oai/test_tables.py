"""OAI's tables: both encodings, lost zeros, column names in any case, damaged rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_xray2mri.knee.oai.tables import (
    barcode,
    find_tables,
    is_missing,
    number,
    participant_number,
    read_columns,
    read_table,
    side_of,
)
from monai_xray2mri.types import Side


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("2.0", 2),
        ("2: Grade 2", 2),
        ("2: 2", 2),
        (" 1: 1 ", 1),
        ("1.4", 1.4),
        ("0", 0),
        ("", None),
        (".", None),
        (".: Missing Form/Incomplete Workbook", None),
        (".A: Not Expected", None),
        ("T", None),
        ("2nd", None),
    ],
)
def test_numbers_of_both_encodings(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", " ", ".", ".A", ".T", ".J", ".M: Missing", ".: Missing Form", "T", None])
def test_missing_codes(text: str | None) -> None:
    assert is_missing(text)


@pytest.mark.parametrize("text", ["0", "0: No", "2: Grade 2", "yes"])
def test_values_that_are_not_missing(text: str) -> None:
    assert not is_missing(text)


@pytest.mark.parametrize(
    ("text", "side"),
    [("1", Side.RIGHT), ("1: Right", Side.RIGHT), ("2.0", Side.LEFT), ("2: Left", Side.LEFT), ("3: Bilateral", None)],
)
def test_sides_of_both_encodings(text: str, side: Side | None) -> None:
    assert side_of(text) is side


@pytest.mark.parametrize(
    "text",
    ["016600593103", "16600593103", "16600593103.0", "00593103", "593103", "0593103", ' "016600593103" '],
    ids=["whole", "as a number", "as a decimal", "folder", "six digits", "seven digits", "quoted"],
)
def test_one_barcode_in_its_forms(text: str) -> None:
    assert barcode(text) == "016600593103"


def test_eight_digits_without_a_zero_are_a_short_form_too() -> None:
    assert barcode("10593103") == barcode("16610593103") == "016610593103"


@pytest.mark.parametrize("text", ["T", ".A", "", "0", "000000", "1234567890123", "SIM0001", None])
def test_what_is_no_barcode(text: str | None) -> None:
    assert barcode(text) is None


def test_participants_have_seven_digits() -> None:
    assert participant_number("9000296") == participant_number(" 9000296.0") == "9000296"
    assert participant_number("900029") is None
    assert participant_number("20040909") is None


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [("|", "ascii"), (",", "utf-8-sig"), ("|", "iso-8859-1"), ("\t", "ascii")]
)
def test_columns_are_found_in_any_case_and_encoding(tmp_path: Path, delimiter: str, encoding: str) -> None:
    path = tmp_path / "table.txt"
    word = "Müller" if encoding == "iso-8859-1" else "word"
    path.write_text(
        delimiter.join(["id", "Side ", "note"]) + "\n" + delimiter.join([" 9000296", "1", word]) + "\n",
        encoding=encoding,
    )
    assert read_columns(path) == ("ID", "SIDE", "NOTE")
    (row,) = read_table(path, "table", lambda name: name != "SIDE").rows
    assert row.values == {"ID": "9000296", "NOTE": word}
    assert row.line == 2


def test_rows_with_another_number_of_fields_are_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("ID|SIDE|NOTE\n9000296|1|a\n9000297|1\n\n9000298|1|b|c\n9000299|2|d\n")
    table = read_table(path, "table", lambda name: True)
    assert [row.values["ID"] for row in table.rows] == ["9000296", "9000299"]
    assert table.bad_lines == [3, 5]


def test_a_quotation_mark_in_a_piped_table_swallows_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text('ID|NOTE\n9000296|"inch\n9000297|b\n')
    assert len(read_table(path, "table", lambda name: True).rows) == 2


def test_finding_tables_passes_over_images_and_named_folders(tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    for name in ("a.txt", "truth/b.txt", "c.dcm"):
        (tmp_path / name).write_text("ID|SIDE\n")
    (tmp_path / "binary.txt").write_bytes(b"\0\0|\0")
    (tmp_path / "prose.txt").write_text("nothing to see\n")
    assert [path.name for path, _ in find_tables(tmp_path, lambda name: name == "truth")] == ["a.txt"]
