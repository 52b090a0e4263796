"""Where studies come from: a folder tree, a DICOMDIR, a table (CSV or Parquet), or a DICOMweb server.

What is found is not looked at here: a study is a set of files that belong together, :mod:`.planning` checks it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.cohort.server import fetch_study, is_server, studies_on_server
from monai_xray2mri.cohort.tables import arrow, open_parquet, rows_of
from monai_xray2mri.core.options import Option
from monai_xray2mri.dicom.files import read_header
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.unopened import archive_kind
from monai_xray2mri.errors import InputRefused, UsageError, Xray2MRIError
from monai_xray2mri.runtime.workers import Workers

if TYPE_CHECKING:
    from pydicom import Dataset

PICTURES: Final = (".png", ".jpg", ".jpeg", ".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
"""Ends of names of files that are a source by themselves, where no DICOM file lies beside them."""
TABLES: Final = (".csv", ".parquet")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FILES_AT_ONCE: Final = 200


@dataclass(frozen=True)
class Found:
    """A study as it was found.

    Attributes:
        study: its name in the cohort, unique.
        source: what it is called: path below the input, row of a table, Study Instance UID on a server.
        files: paths below the input's folder; none on a server.
        options: request options of this study alone.
        megabytes: of its files (10^6 bytes).
        refusal: why it cannot be used, if that is known already.
    """

    study: str
    source: str
    files: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    megabytes: float = 0.0
    refusal: Xray2MRIError | None = None


def folder_of(source: str) -> Path:
    """The folder that the paths of an input's files start from."""
    path = Path(source)
    return path if path.is_dir() else path.parent


def find_studies(
    source: str, options: Sequence[Option], workers: int = 1, leave_out: Path | None = None
) -> Iterator[Found]:
    """The studies of an input, each once.

    Args:
        source: folder, DICOMDIR, CSV or Parquet file, or address of a DICOMweb server with the query behind ``?``.
        options: request options of the system: what the columns of a table may be.
        workers: processes that read the headers of a folder tree.
        leave_out: a folder that is not looked into: the output.

    Raises:
        UsageError: the input is not there, cannot be reached or is none of these.
    """
    if is_server(source):
        return (Found(study_name(uid), uid) for uid in studies_on_server(source))
    path = Path(source)
    if not path.exists():
        raise UsageError("input", "must be a folder, a table or a DICOMDIR", "nothing at that path", "Check the path.")
    if path.is_dir():
        return _in_tree(path, workers, leave_out)
    if path.name.upper() == "DICOMDIR":
        return _in_dicomdir(path)
    if path.suffix.lower() in TABLES:
        return _in_table(path, options)
    raise UsageError(
        f"input {path.name}", "must be a folder, a DICOMDIR, a table (.csv, .parquet) or an address", "another file"
    )


def study_name(identity: str) -> str:
    """The name of a study: sixteen hexadecimal digits that follow from its UID or path and do not tell it."""
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


@contextmanager
def staged(found: Found, source: str) -> Iterator[Path]:
    """A folder, or one file, with the files of a study alone, for the block.

    Files are linked, not copied; those on a server are fetched. Names below the deepest common folder stay as they are,
    since messages and reports quote them.

    Raises:
        InputRefused: a file is gone; the server does not give the study.
    """
    with tempfile.TemporaryDirectory(prefix="xray2mri_study_") as name:
        place = Path(name)
        if is_server(source):
            fetch_study(source, found.source, place)
            yield place
            return
        root = folder_of(source).resolve()
        missing = [file for file in found.files if not (root / file).exists()]
        if missing:
            raise InputRefused(f"file {missing[0]}", "must be where it was found", "nothing there", "Plan again.")
        if len(found.files) == 1 and (root / found.files[0]).is_dir():
            yield root / found.files[0]
            return
        common = _common_folder(found.files)
        for file in found.files:
            link = place / PurePosixPath(file).relative_to(common)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(root / file)
        yield link if len(found.files) == 1 else place


def _common_folder(files: Sequence[str]) -> PurePosixPath:
    parents = [PurePosixPath(file).parent.parts for file in files]
    shared: list[str] = []
    for parts in zip(*parents, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return PurePosixPath(*shared)


def _in_tree(root: Path, workers: int, leave_out: Path | None) -> Iterator[Found]:
    files = sorted(_walk(root, leave_out))
    parts = [files[start : start + _FILES_AT_ONCE] for start in range(0, len(files), _FILES_AT_ONCE)]
    studies: dict[str, list[tuple[str, int]]] = {}
    others: list[tuple[str, int, str]] = []
    with_dicom = set()
    for part in Workers(workers)(_look_at, [(root, part) for part in parts]):
        for name, size, study, archive in part:
            if study is None:
                others.append((name, size, archive))
                continue
            with_dicom.add(str(PurePosixPath(name).parent))
            studies.setdefault(study or f"file {name}", []).append((name, size))
    for identity in sorted(studies):
        names = tuple(name for name, _ in studies[identity])
        yield Found(
            study_name(identity), _shown(names), names, megabytes=sum(size for _, size in studies[identity]) / 1e6
        )
    for name, size, archive in others:
        if archive:
            refusal = InputRefused(f"file {name}", "must be unpacked", archive, "Unpack it and plan again.")
            yield Found(study_name(f"file {name}"), name, (name,), megabytes=size / 1e6, refusal=refusal)
        elif name.lower().endswith(PICTURES) and str(PurePosixPath(name).parent) not in with_dicom:
            yield Found(study_name(f"file {name}"), name, (name,), megabytes=size / 1e6)


def _shown(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{_common_folder(names)} ({len(names)} files)"


def _walk(root: Path, leave_out: Path | None) -> Iterator[str]:
    apart = None if leave_out is None else leave_out.resolve()
    try:
        for text, folders, names in os.walk(root, onerror=_raise):
            folder = Path(text)
            folders[:] = sorted(
                name for name in folders if not name.startswith(".") and (folder / name).resolve() != apart
            )
            for name in names:
                if not name.startswith(".") and name != "DICOMDIR" and (folder / name).is_file():
                    yield (folder / name).relative_to(root).as_posix()
    except OSError as error:
        raise UsageError("input", "must be readable", error.strerror or "an error", "Check its permissions.") from error


def _raise(error: OSError) -> None:
    raise error


def _look_at(part: tuple[Path, Sequence[str]]) -> list[tuple[str, int, str | None, str]]:
    """Of each file: name, bytes, Study Instance UID (None: not DICOM; empty: it has none), kind of archive."""
    root, names = part
    return [_one(root, name) for name in names]


def _one(root: Path, name: str) -> tuple[str, int, str | None, str]:
    path = root / name
    header, size = read_header(path, ("StudyInstanceUID", "SOPClassUID")), path.stat().st_size
    if header is None:
        return name, size, None, archive_kind(path)
    return name, size, str(header.get("StudyInstanceUID", "") or ""), ""


def _in_dicomdir(path: Path) -> Iterator[Found]:
    from pydicom import dcmread
    from pydicom.fileset import FileSet

    studies: dict[str, list[str]] = {}
    root = path.parent.resolve()
    try:
        with quiet():
            for one in FileSet(path):
                name = Path(one.path).resolve().relative_to(root).as_posix()
                studies.setdefault(str(one.StudyInstanceUID), []).append(name)
            lost = _lost_files(root, dcmread(path))
    except Exception as error:  # a damaged directory fails anywhere in the parser
        found = "a file outside its folder" if isinstance(error, PermissionError) else type(error).__name__
        raise UsageError(
            "input DICOMDIR", "must be a readable directory of a file set", found,
            "Give the folder of the files in its place.",
        ) from error  # fmt: skip
    for uid in sorted(studies):
        files = tuple(sorted(studies[uid]))
        yield Found(study_name(uid), _shown(files), files, megabytes=_megabytes(root, files))
    for name in lost:
        refusal = InputRefused(f"file {name}", "must be where DICOMDIR says", "nothing there", "Copy it there.")
        yield Found(study_name(f"file {name}"), name, (name,), refusal=refusal)


def _lost_files(root: Path, directory: Dataset) -> list[str]:
    """Files that a DICOMDIR names and that are not there; a file set leaves them out without a word."""
    parts = [record.ReferencedFileID for record in directory.DirectoryRecordSequence if "ReferencedFileID" in record]
    names = {part if isinstance(part, str) else "/".join(part) for part in parts}
    return sorted(name for name in names if not (root / name).is_file())


def _megabytes(root: Path, files: Sequence[str]) -> float:
    return sum((root / file).stat().st_size for file in files if (root / file).is_file()) / 1e6


def _in_table(path: Path, options: Sequence[Option]) -> Iterator[Found]:
    known = {option.name: option for option in options}
    seen_paths, seen_names = dict[int, int](), dict[int, int]()
    for number, row in enumerate(_table_rows(path), start=1):
        yield _of_row(number, row, known, path.parent, seen_paths, seen_names)


def foreign_columns(source: str, options: Sequence[Option]) -> tuple[str, ...]:
    """Columns of a table that mean nothing here; they are passed over.

    Raises:
        UsageError: the table has no column ``path``, or cannot be read.
    """
    path = Path(source)
    if is_server(source) or path.suffix.lower() not in TABLES:
        return ()
    names = _column_names(path)
    known = {"path", "study", *(option.name for option in options)}
    if "path" not in names:
        raise UsageError(
            f"table {path.name}", 'needs a column "path"', ", ".join(names) or "no columns",
            f"Other columns may be: {', '.join(sorted(known - {'path'}))}.",
        )  # fmt: skip
    return tuple(name for name in names if name not in known)


def _column_names(path: Path) -> tuple[str, ...]:
    pa = arrow()
    if path.suffix.lower() == ".parquet":
        with open_parquet(path) as file:
            return tuple(file.schema_arrow.names)
    try:
        with pa.csv.open_csv(path) as reader:
            return tuple(reader.schema.names)
    except (pa.ArrowInvalid, OSError) as error:
        raise _no_table(path, error) from error


def _table_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    pa = arrow()
    if path.suffix.lower() == ".parquet":
        yield from rows_of(path)
        return
    texts = {name: pa.string() for name in _column_names(path)}
    try:
        with pa.csv.open_csv(path, convert_options=pa.csv.ConvertOptions(column_types=texts)) as reader:
            for batch in reader:
                yield from batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise _no_table(path, error) from error


def _no_table(path: Path, error: Exception) -> UsageError:
    """What is wrong with a CSV file, without the row that the reader quotes."""
    known = {"invalid UTF8": "another encoding", "Expected": "a row of another length", "Empty CSV": "an empty file"}
    found = next((said for text, said in known.items() if text in str(error)), type(error).__name__)
    return UsageError(
        f"table {path.name}", "must be a CSV file in UTF-8 with rows of equal length", found,
        'Save it again as "CSV UTF-8", or as Parquet.',
    )  # fmt: skip


def _of_row(
    number: int,
    row: Mapping[str, Any],
    known: Mapping[str, Option],
    root: Path,
    seen_paths: dict[int, int],
    seen_names: dict[int, int],
) -> Found:
    text = str(row.get("path") or "").strip()
    name = str(row.get("study") or "").strip()
    source = f"row {number}"
    key = name if _NAME.fullmatch(name) else study_name(f"{source} {text}")
    try:
        if name and not _NAME.fullmatch(name):
            raise InputRefused(source, 'its "study" must be of letters, digits, "_" and "-"', name[:40])
        if not text:
            raise InputRefused(source, 'its "path" must name a file or folder', "nothing")
        path = root / text
        if not path.exists():
            raise InputRefused(source, 'its "path" must exist', "nothing at that path", "Correct the table.")
        values = {option: known[option].read(row[option]) for option in known if row.get(option) not in (None, "")}
        first = seen_paths.setdefault(hash(str(path.resolve())), number)
        if first != number:
            raise InputRefused(source, "must name another film than the rows before", f"that of row {first}")
        key = name or study_name(f"path {PurePosixPath(text)}")
        first = seen_names.setdefault(hash(key), number)
        if first != number:
            key = study_name(f"{source} {text}")
            raise InputRefused(source, 'its "study" must be another than those before', f"that of row {first}")
    except (InputRefused, UsageError) as refusal:
        return Found(key, source, (text,) if text else (), refusal=refusal)
    size = path.stat().st_size if path.is_file() else 0
    return Found(key, source, (text,), values, size / 1e6)


def fingerprint(found: Found, source: str) -> str:
    """What of a study decides its plan: options, names, sizes and times of its files."""
    root = folder_of(source) if not is_server(source) else Path()
    stamps = []
    for file in found.files:
        try:
            status = (root / file).stat()
            stamps.append((file, status.st_size, status.st_mtime_ns))
        except OSError:
            stamps.append((file, -1, 0))
    return study_name(json.dumps([stamps, dict(found.options)], default=str, sort_keys=True))
