"""Finds films and MR series of a release, with participant and visit.

A series is a folder with DICOM files: ``00m/0.C.2/9000296/20040909/00593103/001`` (docs/knee/oai.md). Only the first
readable header of a series is read, and none if contents.csv lists another kind of series.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pydicom
from pydicom import Dataset

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.knee.oai.contents import Listed, SeriesPath, series_path
from monai_xray2mri.knee.oai.tables import barcode, participant_number, walk
from monai_xray2mri.knee.oai.visits import known_visit, visit_of_folder
from monai_xray2mri.types import Side

TRUTH_FOLDER: Final = "truth"
"""Folder of a simulated release with the truth; it holds no images."""
T1_DESCRIPTION: Final = re.compile(r"^COR_T1_3D_FLASH(?:_(RIGHT|LEFT))?$", re.IGNORECASE)
FILM_DESCRIPTION: Final = re.compile(r"fixed\s*flexion", re.IGNORECASE)

_NO_IMAGES: Final = frozenset(
    (".txt", ".csv", ".json", ".pdf", ".gz", ".tar", ".tgz", ".zip", ".nrrd", ".nii", ".png", ".jpg", ".jpeg")
)
"""Extensions of files that are not images; OAI's images have no extension."""
_HEADERS_TRIED: Final = 3
_KEYWORDS: Final = [
    "SOPClassUID", "Modality", "SeriesDescription", "PatientID", "AccessionNumber", "StudyDate", "SeriesInstanceUID",
    "ClinicalTrialTimePointID", "ImageLaterality", "Laterality",
]  # fmt: skip


@dataclass(frozen=True)
class Series:
    """A film or MR series of a release.

    Attributes:
        folder: folder of its files.
        name: path of the folder relative to the release; reports use it.
        files: number of its files.
        kind: ``"film"`` (bilateral fixed flexion), ``"T1"`` (COR_T1_3D_FLASH), ``"other"``, or ``"unreadable"``.
        description: SeriesDescription.
        participant: participant number of seven digits, or None.
        visit: ``"V00"`` ..., or None.
        side: side of a T1 series from its description or header; None if both lack it.
        barcode: barcode of a film, twelve digits, or None.
        date: date of the study, yyyymmdd, or empty.
        uid: Series Instance UID, or empty.
        modality: ``"MR"``, ``"CR"`` ..., or empty.
        problem: why it cannot be used, or empty.
        remarks: values that the header lacks and that were taken from the path or contents.csv.
    """

    folder: Path
    name: str
    files: int
    kind: str
    description: str = ""
    participant: str | None = None
    visit: str | None = None
    side: Side | None = None
    barcode: str | None = None
    date: str = ""
    uid: str = ""
    modality: str = ""
    problem: str = ""
    remarks: tuple[str, ...] = ()


@dataclass
class Discovery:
    """All series of a release.

    Attributes:
        series: films, T1 series and unreadable ones, in the order of their names.
        slice_counts: description of MR series to the counts of their numbers of files.
        others: counts of the descriptions of all other series.
        copies: number of series that occur twice (nested duplicate folders).
        absent: number of films and T1 series that contents.csv lists but the release lacks.
    """

    series: list[Series] = field(default_factory=list)
    slice_counts: dict[str, Counter[int]] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    absent: int = 0


@quiet()
def discover(release: Path, listed: dict[SeriesPath, Listed]) -> Discovery:
    """Find the series of a release.

    Args:
        release: folder of the release.
        listed: entries of contents.csv by path of the series.
    """
    found, seen = Discovery(), set[tuple[str, str]]()
    paths = set[SeriesPath | None]()
    for folder, files in series_folders(release):
        path = series_path(folder)
        paths.add(path)
        series = _series(release, folder, files, listed.get(path or ()))
        # A copy has the same participant, date and series folder (48m/48m/48m), or the same Series Instance UID.
        identities = {("uid", series.uid)} if series.uid else set()
        if path and series.participant in path:
            identities.add(("path", "/".join(path)))
        if identities & seen:
            found.copies += 1
            continue
        seen |= identities
        if series.modality == "MR":
            found.slice_counts.setdefault(series.description or "(no description)", Counter())[series.files] += 1
        if series.kind == "other":
            found.others[series.description or "(no description)"] += 1
        else:
            found.series.append(series)
    found.absent = sum(_is_of_use(one.description) and path not in paths for path, one in listed.items())
    return found


def _is_of_use(description: str) -> bool:
    return bool(T1_DESCRIPTION.match(description) or FILM_DESCRIPTION.search(description))


def series_folders(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Folders with files that may be DICOM, and these files, both in the order of their names."""
    for here, files in walk(folder, lambda name: name == TRUTH_FOLDER):
        if images := _images(files):
            yield here, images


def image_files(folder: Path) -> list[Path]:
    """The files of a series that may be DICOM, in the order of their names."""
    return _images(sorted(path for path in folder.iterdir() if path.is_file()))


def _images(files: Iterable[Path]) -> list[Path]:
    return [
        path
        for path in files
        if not (path.name.startswith(".") or path.name == "DICOMDIR" or path.suffix.lower() in _NO_IMAGES)
    ]


def _series(release: Path, folder: Path, files: list[Path], listed: Listed | None) -> Series:
    name = folder.relative_to(release).as_posix()
    told = _Told((release.name, *folder.relative_to(release).parts), listed)
    if listed and not _is_of_use(listed.description):
        modality = "MR" if folder.name.startswith("1") else ""
        return Series(folder, name, len(files), "other", listed.description, told.participant, modality=modality)
    header = _first_header(files)
    if header is None and not re.fullmatch(r"\d{8}", folder.name):
        return Series(folder, name, len(files), "other", "(no DICOM)")
    if header is None:
        xray = folder.name.startswith("0")
        return Series(
            folder, name, len(files), "unreadable", told.description, told.participant, told.visit,
            barcode=told.barcode if xray else None, modality="" if xray else "MR",
            problem="none of its first files is a DICOM image that can be read",
        )  # fmt: skip
    return _described(told, folder, name, len(files), header)


class _Told:
    """Description, participant, visit and barcode of a series from contents.csv and the path."""

    def __init__(self, parts: tuple[str, ...], listed: Listed | None) -> None:
        self.description = listed.description if listed else ""
        numbers = [number for part in parts if (number := participant_number(part))]
        self.participant = (listed.participant if listed else None) or (numbers[-1] if numbers else None)
        visits = [visit for part in parts if (visit := visit_of_folder(part))]
        self.visit = visits[-1] if visits else None
        self.barcode = listed.barcode if listed else None
        self.folder_barcode = barcode(parts[-1]) if re.fullmatch(r"0\d{7}", parts[-1]) else None


def _described(told: _Told, folder: Path, name: str, files: int, header: Dataset) -> Series:
    """A series from its header; values that the header lacks come from contents.csv and the path."""
    description = _text(header, "SeriesDescription") or told.description
    modality = _text(header, "Modality")
    kind, problems, remarks = _kind(description, modality), [], []
    participant = participant_number(_text(header, "PatientID")) or told.participant
    if told.participant and participant != told.participant:
        problems.append("its header names another participant than its folder or contents.csv")
    visit = told.visit or known_visit(_text(header, "ClinicalTrialTimePointID"))
    if kind in ("film", "T1") and participant is None:
        problems.append("neither header, folder nor contents.csv names the participant")
    elif kind in ("film", "T1") and visit is None:
        problems.append("neither folder nor header names the visit")
    film_barcode = barcode(_text(header, "AccessionNumber"))
    if kind == "film" and film_barcode is None:
        film_barcode = told.barcode or told.folder_barcode
        source = "contents.csv" if told.barcode else "the folder's name"
        remarks += [f"no barcode in the header, taken from {source}"] if film_barcode else []
    side, contradiction = _t1_side(description, header) if kind == "T1" else (None, "")
    problems += [contradiction] if contradiction else []
    return Series(
        folder, name, files, kind, description, participant, visit, side, film_barcode,
        _text(header, "StudyDate"), _text(header, "SeriesInstanceUID"), modality, "; ".join(problems), tuple(remarks),
    )  # fmt: skip


def _kind(description: str, modality: str) -> str:
    if T1_DESCRIPTION.match(description) and modality in ("MR", ""):
        return "T1"
    return "film" if FILM_DESCRIPTION.search(description) and modality != "MR" else "other"


def _t1_side(description: str, header: Dataset) -> tuple[Side | None, str]:
    """Side of a T1 series, and the problem if description and header differ or both lack it."""
    match = T1_DESCRIPTION.match(description)
    word = (match[1] or "").upper() if match else ""
    named = {"RIGHT": Side.RIGHT, "LEFT": Side.LEFT}.get(word)
    letters = {_text(header, keyword).upper() for keyword in ("ImageLaterality", "Laterality")} & {"R", "L"}
    if len(letters) == 2 or (named and letters and letters != {named.value}):
        return named, "its description and its header name different sides"
    side = named or (Side(letters.pop()) if letters else None)
    return side, "" if side else "neither description nor header names the side"


def _first_header(files: list[Path]) -> Dataset | None:
    """The first readable header among the first files of a series; None if there is none."""
    for path in files[:_HEADERS_TRIED]:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(_KEYWORDS))
            if any(_text(header, keyword) for keyword in ("SOPClassUID", "Modality")):
                return header
        except Exception:  # a damaged header may raise any error in the parser
            continue
    return None


def _text(header: Dataset, keyword: str) -> str:
    """A value as text without surrounding blanks; empty if absent or unreadable."""
    try:
        return re.sub(r"\s+", " ", str(header.get(keyword) or "")).strip()
    except Exception:  # pydicom converts values on first use
        return ""
