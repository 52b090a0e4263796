"""The tables of a cohort: what was found, what came of it; Parquet files with these columns, and JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, TypeVar

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import whole_file
from monai_xray2mri.runtime.optional import optional_library

if TYPE_CHECKING:
    import pyarrow as pa

Key = TypeVar("Key", bound=Hashable)

MANIFEST_COLUMNS: Final[Mapping[str, str]] = {
    "study": "string",  # its name in the cohort: folder of its results
    "source": "string",  # path below the input, row of a table, or Study Instance UID on a server
    "files": "list",  # paths below the input
    "options": "string",  # request options of this study alone: JSON
    "megabytes": "number",
    "status": "string",  # planned, or refused
    "cases": "list",  # names of what gets a result
    "titles": "list",
    "checks": "string",  # what `xray2mri check` says of each case: JSON
    "refusals": "list",
    "rules": "list",  # the rule that each refusal names, to count by
    "remarks": "list",
    "seconds": "number",  # that the checks took
    "cost": "number",  # seconds that the study is thought to take
}
"""Columns of a manifest; one row is one study, the unit of work."""

OUTCOME_COLUMNS: Final[Mapping[str, str]] = {
    "study": "string",
    "case": "string",
    "status": "string",  # of STATUSES
    "reason": "string",
    "rule": "string",
    "seconds": "number",  # of the whole study, on its first case
    "measures": "string",  # numbers read off the result: JSON
    "remarks": "list",
    "finished": "string",  # UTC, ISO 8601
}
"""Columns of the log; one row is one case that was worked on."""

STATUSES: Final = ("done", "refused", "failed", "set aside")


def arrow() -> Any:
    """The library ``pyarrow`` with its parts.

    Raises:
        UsageError: it is not installed; the message names the extra.
    """
    library = optional_library("pyarrow", "cohort")
    for part in ("parquet", "compute", "csv"):
        optional_library(f"pyarrow.{part}", "cohort")
    return library


def schema(columns: Mapping[str, str], metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """The columns as a schema."""
    pa = arrow()
    kinds = {"string": pa.string(), "number": pa.float64(), "list": pa.list_(pa.string())}
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()], metadata=metadata)


def write_table(
    path: Path, columns: Mapping[str, str], batches: Iterable[pa.Table], metadata: Mapping[str, str]
) -> None:
    """Write a Parquet file, whole or not at all, in row groups of the batches.

    Raises:
        UsageError: it cannot be written.
    """
    pa = arrow()
    with whole_file(path) as draft, pa.parquet.ParquetWriter(draft, schema(columns, metadata)) as writer:
        for batch in batches:
            writer.write_table(batch)


def rows_of(path: Path, columns: Iterable[str] | None = None, rows: int = 4096) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file one after the other, a few thousand in memory.

    Raises:
        UsageError: it is not there or no Parquet file.
    """
    with open_parquet(path) as file:
        for batch in file.iter_batches(rows, columns=None if columns is None else list(columns)):
            yield from batch.to_pylist()


def open_parquet(path: Path) -> Any:
    """A Parquet file, opened.

    Raises:
        UsageError: it is not there or no Parquet file.
    """
    pa = arrow()
    try:
        return pa.parquet.ParquetFile(path)
    except FileNotFoundError:
        raise UsageError(f"table {path.name}", "must be there", "no such file", "Check the path.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"table {path.name}", "must be a Parquet file", type(error).__name__) from error


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row to a file of JSON lines; a line that a kill has cut off is ended first, so that it takes none with it.

    Raises:
        UsageError: it cannot be written.
    """
    line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    try:
        with path.open("ab+") as stream:
            if stream.seek(0, os.SEEK_END):
                stream.seek(-1, os.SEEK_END)
                line = line if stream.read(1) == b"\n" else b"\n" + line
            stream.write(line)
    except OSError as error:
        raise UsageError(
            f"log {path.name}", "must be writable", error.strerror or "an error", "Make room and run again."
        ) from error


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines; a line that was cut off by a kill is passed over."""
    return (row for _, row in _placed_lines(path))


def _placed_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file of JSON lines with their first byte."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        place = 0
        for line in stream:
            row = _row_of(line)
            if row is not None:
                yield place, row
            place += len(line)


def _row_of(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


class LastRows(Mapping[Key, dict[str, Any]]):
    """The last row of each key in files of JSON lines. Rows stay in the files, so that there may be millions of them.

    Args:
        paths: the files; of rows that follow each other in time, an earlier file holds the earlier.
        key: of a row; None for a row that does not count.
        rank: of a row; a row replaces those of its key with a lower or equal rank.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        key: Callable[[dict[str, Any]], Key | None],
        rank: Callable[[dict[str, Any]], float] = lambda row: 0.0,
    ) -> None:
        self._paths = tuple(paths)
        self._streams: dict[int, BinaryIO] = {}
        self._places: dict[Key, tuple[float, int, int]] = {}
        for number, path in enumerate(self._paths):
            for place, row in _placed_lines(path):
                name = key(row)
                if name is not None and (name not in self._places or self._places[name][0] <= rank(row)):
                    self._places[name] = rank(row), number, place

    def __getitem__(self, key: Key) -> dict[str, Any]:
        _, number, place = self._places[key]
        stream = self._streams.get(number)
        if stream is None:
            stream = self._streams[number] = self._paths[number].open("rb")
        stream.seek(place)
        return _row_of(stream.readline()) or {}

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for stream in self._streams.values():
            stream.close()
