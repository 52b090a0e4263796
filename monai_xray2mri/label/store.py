"""What the studies folder of a MONAI Label server holds: radiographs, their reports, and results put back into it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom import Dataset

from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.marks import is_own_result
from monai_xray2mri.dicom.study import Study, StudyFile
from monai_xray2mri.radiograph.kinds import RADIOGRAPH_MODALITIES
from monai_xray2mri.systems.knee_xray2mri.plan import read_knee_study, require_films
from monai_xray2mri.types import Side

PATTERNS = ("*.nii.gz", "*.nii", "*.nrrd", "*.png", "*.jpg", "*.jpeg", "*.dcm")
"""Files that are radiographs, reports or results."""

_RESULT = re.compile(r".+_(synthetic_mri|uncertainty)_[RL]$")


def volume_name(radiograph: str, side: Side) -> str:
    """Under which a synthetic volume is put back."""
    return f"{radiograph}_synthetic_mri_{side}"


def uncertainty_name(radiograph: str, side: Side) -> str:
    """Under which the uncertainty of a volume is put back."""
    return f"{radiograph}_uncertainty_{side}"


def is_result(name: str) -> bool:
    """Whether a name is that of a result."""
    return _RESULT.match(name) is not None


def is_radiograph(name: str, file: Path) -> bool:
    """Whether an image of the datastore may be a radiograph: no result, report or other DICOM object."""
    if is_result(name) or not file.is_file():
        return False
    if file.suffix.lower() != ".dcm":
        return True
    header = _header(file, ["Modality"])
    return header is not None and header.get("Modality") in RADIOGRAPH_MODALITIES


def study_of(radiograph: Path, folder: Path | None) -> Study:
    """A radiograph with the reports of its study that lie in a folder.

    Args:
        radiograph: the file.
        folder: where reports may lie; None for a radiograph from elsewhere.

    Raises:
        UsageError: there is no such file.
        InputRefused: it is no radiograph.
    """
    study = read_knee_study(radiograph)
    header = require_films(study)[0].header
    if header is None or folder is None:
        return study
    return study.with_files(REPORTS, _reports(folder, str(header.get("StudyInstanceUID", ""))))


def _reports(folder: Path, study: str) -> Sequence[StudyFile]:
    found = []
    for file in sorted(folder.glob("*.dcm")):
        start = _header(file, ["Modality", "StudyInstanceUID"])
        if start is None or start.get("Modality") != "SR" or start.get("StudyInstanceUID") != study or not study:
            continue
        header = _header(file)
        if header is not None and not is_own_result(header):
            found.append(StudyFile(file.name, file, header))
    return found


def _header(file: Path, keywords: list[str] | None = None) -> Dataset | None:
    try:
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=keywords)
    except Exception:  # a damaged file breaks anywhere in the parser; it is none of ours then
        return None
