"""What the studies folder of a MONAI Label server holds: sources, their reports, and results put back into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
from pydicom import Dataset

from monai_xray2mri.core.system import System
from monai_xray2mri.dicom.inflation import require_bounded
from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.own_results import is_own_result

PATTERNS = ("*.nii.gz", "*.nii", "*.nrrd", "*.png", "*.jpg", "*.jpeg", "*.dcm")
"""Files that are sources, reports or results."""

_SAYING = (*REPORTS.modalities, "KO")
"""Modalities of what says something of a film: reports, and Key Object Selections, which may reject it."""

UNCERTAINTY = "uncertainty"
"""Word in the name of the standard deviation of several samples."""


def result_name(source: str, product: str, key: str) -> str:
    """Under which a result is put back into the datastore.

    Args:
        source: name of what it was made of.
        product: what it is: the system's ``product``, or :data:`UNCERTAINTY`.
        key: of its case; empty where the source has one case.

    Example:
        >>> result_name("film", "synthetic_mri", "R"), result_name("scan", "uncertainty", "")
        ('film_synthetic_mri_R', 'scan_uncertainty')
    """
    return "_".join(filter(None, (source, product, key)))


def is_result(name: str, system: System) -> bool:
    """Whether a name in the datastore is that of a result of the system."""
    sides = next((option.choices for option in system.request_options if option.name == "side"), ())
    ending = f"(_({'|'.join(map(re.escape, sides))}))?" if sides else ""
    return re.fullmatch(f".+_({re.escape(system.product)}|{UNCERTAINTY}){ending}", name) is not None


def is_source(name: str, file: Path, system: System) -> bool:
    """Whether an image of the datastore may be a source of the system: no result, report or other DICOM object."""
    if is_result(name, system) or not file.is_file():
        return False
    if file.suffix.lower() != ".dcm":
        return True
    header = _header(file, ["Modality"])
    return header is not None and header.get("Modality") in system.modalities


@contextmanager
def study_of(source: Path, folder: Path | None) -> Iterator[Path]:
    """A source with the reports and rejection notes of its study in a temporary folder; without any, the source itself.

    Args:
        source: the file.
        folder: where they may lie; None for a source from elsewhere.
    """
    reports = [] if folder is None else _reports(folder, _study(_header(source, ["StudyInstanceUID"])))
    files = dict.fromkeys((source, *reports))  # a source may be a report itself; the plan refuses it
    if len(files) == 1:
        yield source
        return
    with TemporaryDirectory() as together:
        for file in files:
            (Path(together) / file.name).symlink_to(file.resolve())
        yield Path(together)


def _reports(folder: Path, study: str) -> Sequence[Path]:
    found = []
    for file in sorted(folder.glob("*.dcm")) if study else ():
        start = _header(file, ["Modality", "StudyInstanceUID"])
        if start is None or start.get("Modality") not in _SAYING or _study(start) != study:
            continue
        header = _header(file)
        if header is not None and not is_own_result(header):
            found.append(file)
    return found


def _study(header: Dataset | None) -> str:
    return "" if header is None else str(header.get("StudyInstanceUID", ""))


def _header(file: Path, keywords: list[str] | None = None) -> Dataset | None:
    """The header of a DICOM file; None where it cannot be read: such a file is neither a source nor a report."""
    try:
        require_bounded(file, file.name)
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=keywords, force=True)
    except Exception:  # a damaged file breaks anywhere in the parser
        return None
