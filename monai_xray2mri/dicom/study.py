"""What comes in: the files of one study, sorted by kind. A study is a folder, at any depth, or one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pydicom
from pydicom import Dataset

from monai_xray2mri.dicom.inflation import require_bounded
from monai_xray2mri.dicom.kinds import Kind
from monai_xray2mri.dicom.marks import is_own_result
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.readable import unreadable_tags
from monai_xray2mri.errors import InputRefused, UsageError

OWN_RESULT = "result of an earlier synthesis"
"""What comes back with its study is no input: neither its images nor the features that its report names."""


@dataclass(frozen=True)
class StudyFile:
    """A file of the study.

    Attributes:
        name: path below the study's folder; how messages call it.
        path: where it is.
        header: DICOM header without pixels (of a report: all of it); None for a file that is not DICOM.
    """

    name: str
    path: Path
    header: Dataset | None = None


@dataclass(frozen=True)
class Study:
    """The files of one study that are of use.

    Attributes:
        files: of each kind that was asked for, by the kind's name, in the order of their paths.
        passed_over: what else there is: a modality, or words for it, and how often.
        remarks: what was passed over and why.
    """

    files: Mapping[str, tuple[StudyFile, ...]]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[StudyFile, ...]:
        """The files of a kind."""
        return self.files.get(kind.name, ())

    def with_files(self, kind: Kind, files: Sequence[StudyFile], remarks: Sequence[str] = ()) -> Study:
        """The study with other files of one kind, and with further remarks."""
        return replace(self, files={**self.files, kind.name: tuple(files)}, remarks=(*self.remarks, *remarks))


@quiet()
def read_study(path: Path, kinds: Sequence[Kind]) -> Study:
    """Sort the files of a study.

    Args:
        path: a folder (read recursively), or one file.
        kinds: what is wanted; everything else is passed over with a remark. A kind of which there is no file is empty.

    Raises:
        UsageError: the path does not exist or cannot be read.
        InputRefused: files of two patients or of two studies, of a kind that must be of one; a deflated file that
            would fill the memory.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError("input", "must be a folder or a file", "nothing at that path", "Check the path.")
    found: dict[str, list[StudyFile]] = {kind.name: [] for kind in kinds}
    others, remarks = Counter[str](), []
    for file in _files(path):
        name = file.name if path.is_file() else str(file.relative_to(path))
        kind = _kind_by_name(file, kinds, single=path.is_file())
        if kind is not None:
            found[kind.name].append(StudyFile(name, file))
            continue
        require_bounded(file, name)
        header = _header(file)
        if header is None:
            remarks.append(f"{name}: {_none_of(kinds)} and was passed over")
            continue
        modality = str(header.get("Modality", ""))
        kind = next((kind for kind in kinds if modality in kind.modalities), None)
        if is_own_result(header):
            others[OWN_RESULT] += 1
        elif kind is not None:
            found[kind.name].append(StudyFile(name, file, header))
        else:
            others[modality or "DICOM object without modality"] += 1
    used = _enumerate([modality for kind in kinds for modality in kind.modalities], "and")
    passed_over = dict(sorted(others.items()))
    remarks += [f"{count} {what} passed over: only {used} are used" for what, count in passed_over.items()]
    for kind in kinds:
        if kind.one_study:
            _require_one(found[kind.name], kind, "PatientID", "patient")
            _require_one(found[kind.name], kind, "StudyInstanceUID", "study")
    return Study({name: tuple(files) for name, files in found.items()}, passed_over, tuple(remarks))


def _kind_by_name(file: Path, kinds: Sequence[Kind], single: bool) -> Kind | None:
    """The kind of a file that its name tells; None of what may be DICOM."""
    for kind in kinds:
        suffixes = kind.suffixes + (kind.single_suffixes if single else ())
        if suffixes and file.name.lower().endswith(suffixes):
            return kind
    return None


def _none_of(kinds: Sequence[Kind]) -> str:
    formats = list(dict.fromkeys(name for kind in kinds for name in kind.formats))
    return f"is neither {_enumerate(['DICOM', *formats], 'nor')}" if formats else "is no DICOM file"


def _enumerate(words: Sequence[str], last: str) -> str:
    """``CR, DX and SR``."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    try:
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.name.startswith(".") and file.name != "DICOMDIR":
                yield file
    except OSError as error:
        raise UsageError("input", "must be readable", error.strerror or "an error", "Check its permissions.") from error


def _header(file: Path) -> Dataset | None:
    """The header of a DICOM file, with or without preamble; None for anything else."""
    try:
        with file.open("rb") as stream:
            part_10 = stream.read(132).endswith(b"DICM")
        header = pydicom.dcmread(file, stop_before_pixels=True, force=not part_10)
        known = part_10 or ("SOPClassUID" in header and "StudyInstanceUID" in header)
        for tag in unreadable_tags(header):
            del header[tag]
    except Exception:  # a damaged file fails anywhere in the parser; it is passed over like a file that is not DICOM
        return None
    return header if known else None


def _require_one(files: Sequence[StudyFile], kind: Kind, keyword: str, what: str) -> None:
    values = {str(file.header.get(keyword, "")) for file in files if file.header is not None}
    if len(values) > 1:
        raise InputRefused(
            "input", f"must be of one {what}", f"{kind.name} of {len(values)}", f"Give one {what} at a time."
        )
