"""What comes in: the radiographs and reports of one study. A study is a folder, at any depth, or one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom import Dataset

from monai_xray2mri.dicom.inflation import require_bounded
from monai_xray2mri.dicom.marks import is_own_result
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.radiograph.nifti_files import is_image_file

PICTURES = frozenset({".png", ".jpg", ".jpeg"})
RADIOGRAPH_MODALITIES = frozenset({"CR", "DX"})

OWN_RESULT = "result of an earlier synthesis"
"""What comes back with its study is no input: neither its images nor the features that its report names."""


@dataclass(frozen=True)
class StudyFile:
    """A file of the study.

    Attributes:
        name: path below the study's folder; how messages call it.
        path: where it is.
        header: DICOM header without pixels (of a report: all of it); None for a picture.
    """

    name: str
    path: Path
    header: Dataset | None = None


@dataclass(frozen=True)
class Study:
    """The files of one study that are of use.

    Attributes:
        films: radiographs.
        reports: structured reports.
        remarks: what was passed over and why.
    """

    films: tuple[StudyFile, ...]
    reports: tuple[StudyFile, ...] = ()
    remarks: tuple[str, ...] = ()


@quiet()
def read_study(path: Path) -> Study:
    """Sort the files of a study.

    Args:
        path: a folder (read recursively) of DICOM, PNG or JPEG, or one such file, also NIfTI or NRRD.

    Raises:
        UsageError: the path does not exist or cannot be read.
        InputRefused: no radiograph, or files of two patients or two studies.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError("input", "must be a folder or a file", "nothing at that path", "Check the path.")
    films, reports, others, remarks = [], [], Counter[str](), []
    for file in _files(path):
        name = file.name if path.is_file() else str(file.relative_to(path))
        if file.suffix.lower() in PICTURES or (path.is_file() and is_image_file(file)):
            films.append(StudyFile(name, file))
            continue
        require_bounded(file, name)
        header = _header(file)
        modality = "" if header is None else str(header.get("Modality", ""))
        if header is None:
            remarks.append(f"{name}: is neither DICOM, PNG nor JPEG and was passed over")
        elif is_own_result(header):
            others[OWN_RESULT] += 1
        elif modality in RADIOGRAPH_MODALITIES:
            films.append(StudyFile(name, file, header))
        elif modality == "SR":
            reports.append(StudyFile(name, file, header))
        else:
            others[modality or "DICOM object without modality"] += 1
    if not films:
        found = ", ".join([f"{count} {kind}" for kind, count in sorted(others.items())] + [f"{len(reports)} SR"])
        raise InputRefused(
            "study",
            "needs a radiograph of the knee (modality CR or DX, or PNG, JPEG)",
            found if others or reports else "no DICOM object",
            "Send the study with its radiograph.",
        )
    remarks += [f"{count} {kind} passed over: only CR, DX and SR are used" for kind, count in sorted(others.items())]
    _require_one(films, "PatientID", "patient")
    _require_one(films, "StudyInstanceUID", "study")
    return Study(tuple(films), tuple(reports), tuple(remarks))


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
        for tag in list(header.keys()):
            try:
                header[tag]
            except Exception:  # a value that cannot be read is as good as none, see radiograph.reading
                del header[tag]
    except Exception:  # a damaged file breaks anywhere in the parser; it is passed over like any other non-DICOM file
        return None
    return header if known else None


def _require_one(files: Sequence[StudyFile], keyword: str, what: str) -> None:
    values = {str(file.header.get(keyword, "")) for file in files if file.header is not None}
    if len(values) > 1:
        raise InputRefused(
            "input", f"must be of one {what}", f"radiographs of {len(values)}", f"Give one {what} at a time."
        )
