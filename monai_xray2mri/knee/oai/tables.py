"""OAI's tables: text with ``|`` or ``,`` between columns; column names are in upper or lower case.

Newer downloads write ``1: Right`` where older ones write ``1``, and ``.: Missing Form/Incomplete Workbook`` where older
ones leave the field empty (docs/knee/oai.md). A :class:`Table` keeps the text of each value; the functions of this
module convert text to numbers, sides and barcodes.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from monai_xray2mri.types import Side

if TYPE_CHECKING:
    import _csv

MAX_HEADER: Final = 200_000
"""Largest length of a table's first line in characters; AllClinical00 has about 1,200 columns."""
LOST_ZEROS: Final = "0166"
"""First digits of the 12-digit barcode of an OAI film; the 8 digits after them name the folder of the series."""

_NUMBER: Final = re.compile(r"^\s*(\d+(?:\.\d*)?)\s*(?:$|:)")
_MISSING: Final = re.compile(r"^\s*(?:\.[A-Z]?|[A-Z])?\s*(?::.*)?$", re.DOTALL)
_DECIMAL_TAIL: Final = re.compile(r"\.0*$")


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        line: line number in the file; the header is line 1.
        values: name of the column in capitals to the text without surrounding blanks.
    """

    line: int
    values: dict[str, str]


@dataclass
class Table:
    """A table.

    Attributes:
        name: name of the table in reports.
        columns: names of all columns in capitals, in their order.
        rows: the rows, with the wanted columns.
        bad_lines: line numbers of rows whose number of fields is not that of the header.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    bad_lines: list[int] = field(default_factory=list)


def read_columns(path: Path) -> tuple[str, ...] | None:
    """The column names of a table in capitals; None if the file is not such a table.

    Args:
        path: any file.
    """
    try:
        with path.open("rb") as file:
            start = file.read(MAX_HEADER)
    except OSError:
        return None
    if b"\0" in start or not start.strip():
        return None
    header = _decode(start).splitlines()[0]
    fields = next(_reader([header]))
    return tuple(name.strip().upper() for name in fields) if len(fields) > 1 else None


def read_table(path: Path, name: str, wanted: Callable[[str], bool]) -> Table:
    """Read the wanted columns of a table.

    Args:
        path: the file; UTF-8 or ISO 8859-1, with or without a byte order mark.
        name: name of the table in reports.
        wanted: function of a column name in capitals: whether its values are kept.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file has no header.
    """
    lines = _decode(path.read_bytes()).splitlines()
    if not lines:
        raise ValueError("an empty file")
    reader = _reader(lines)
    columns = tuple(column.strip().upper() for column in next(reader))
    kept = [(index, column) for index, column in enumerate(columns) if wanted(column)]
    table = Table(name, columns)
    for fields in reader:
        if not any(text.strip() for text in fields):
            continue
        if len(fields) != len(columns):
            table.bad_lines.append(reader.line_num)
            continue
        table.rows.append(Row(reader.line_num, {column: fields[index].strip() for index, column in kept}))
    return table


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("iso-8859-1")  # the encoding of OAI's SAS files; it never fails


def _reader(lines: list[str]) -> _csv.Reader:
    """Fields of lines; quotation marks have a meaning only in comma-separated tables."""
    delimiter = max("|\t,", key=lines[0].count)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    return csv.reader(lines, delimiter=delimiter, quoting=quoting)


def find_tables(folder: Path, is_skipped: Callable[[str], bool]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """All tables below a folder, each with its columns.

    Args:
        folder: the folder; its subfolders are searched, too.
        is_skipped: function of a folder's name: whether it is not searched.

    Raises:
        OSError: a folder cannot be read.
    """
    for _, files in walk(folder, is_skipped):
        for path in files:
            if path.suffix.lower() in (".txt", ".csv") and (columns := read_columns(path)):
                yield path, columns


def walk(folder: Path, is_skipped: Callable[[str], bool]) -> Iterator[tuple[Path, list[Path]]]:
    """A folder and all folders below it, each with its files, in the order of the names.

    Hidden files and folders are ignored. Links are followed, but no folder is visited twice.

    Args:
        folder: the first folder.
        is_skipped: function of a folder's name: whether it is not visited.

    Raises:
        OSError: a folder cannot be read.
    """
    waiting, seen = [folder], set[tuple[int, int]]()
    while waiting:
        here = waiting.pop()
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(here) as listing:  # scandir knows files from folders without a system call for each
            entries = sorted((one for one in listing if not one.name.startswith(".")), key=lambda one: one.name)
        folders = [one.name for one in entries if one.is_dir()]
        waiting += [here / name for name in reversed(folders) if not is_skipped(name)]
        yield here, [here / one.name for one in entries if one.is_file()]


def is_missing(text: str | None) -> bool:
    """Whether a value is missing: empty, ``.``, ``.A``, ``T``, with or without text after a colon."""
    return text is None or _MISSING.match(text) is not None


def number(text: str | None) -> float | None:
    """The number of a value in either encoding: ``2``, ``2.0``, ``2: Grade 2``; None for missing and other values."""
    match = _NUMBER.match(text or "")
    return float(match[1]) if match else None


def participant_number(text: str | None) -> str | None:
    """A participant number as seven digits; None for any other text."""
    digits = _DECIMAL_TAIL.sub("", (text or "").strip().strip('"'))
    return digits if re.fullmatch(r"\d{7}", digits) else None


def side_of(text: str | None) -> Side | None:
    """The side of a SIDE column: 1 is right, 2 is left, in either encoding; None for both (3) and missing."""
    return {1.0: Side.RIGHT, 2.0: Side.LEFT}.get(number(text) or 0.0)


def barcode(text: str | None) -> str | None:
    """A film's barcode as twelve digits.

    A barcode that was stored as a number has lost its leading zero. Folders and some contents.csv hold only the eight
    digits after ``0166``; as numbers, these have lost leading zeros, too.

    Args:
        text: a barcode from a table, a header, contents.csv or a folder's name.

    Returns:
        Twelve digits; None for ``T``, ``.A``, empty text, zero, more than twelve digits, or other characters.
    """
    digits = _DECIMAL_TAIL.sub("", (text or "").strip().strip('"'))
    if not digits.isdigit() or len(digits) > 12 or not digits.strip("0"):
        return None
    bare = digits.lstrip("0")
    return LOST_ZEROS + bare.zfill(8) if len(bare) <= 8 else bare.zfill(12)
