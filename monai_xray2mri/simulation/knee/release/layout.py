"""Paths in a simulated release: OAI's folders and names, and the folder of the truth.

::

    release.json                                            settings, simulator version, whether it is complete
    README.txt                                              says that no participant is a real person
    00m/contents.csv
    00m/0.C.2/9000296/20040909/00593103/001                 the film, one file
    00m/0.C.2/9000296/20040909/10593103/001 ... 080         COR_T1_3D_FLASH_RIGHT, one file per slice
    X-Ray Image Assessments_ASCII/Semi-Quant Scoring_ASCII/kXR_SQ_BU00.txt
    X-Ray MetaData_ASCII/XRay00.txt
    General_ASCII/Enrollees.txt
    AllClinical_ASCII/AllClinical00.txt
    truth/9000296/truth.json, labels.seg.nrrd, lesions.seg.nrrd, manifest.json

``0.C.2`` is visit number, participant group and version of OAI's image releases. The folders below it are participant
number, date of the examination (yyyymmdd), and the last eight digits of the barcode: the first of them is 0 for a
radiograph, 1 for an MR series. Image files have no extension.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from monai_xray2mri.simulation.knee.people.participants import Participant

VISIT: Final = "00m"
SETTINGS: Final = "release.json"
NOTICE: Final = "README.txt"
CONTENTS: Final = Path(VISIT) / "contents.csv"
GRADINGS: Final = Path("X-Ray Image Assessments_ASCII") / "Semi-Quant Scoring_ASCII" / "kXR_SQ_BU00.txt"
EXAMINATIONS: Final = Path("X-Ray MetaData_ASCII") / "XRay00.txt"
ENROLLEES: Final = Path("General_ASCII") / "Enrollees.txt"
CLINICAL: Final = Path("AllClinical_ASCII") / "AllClinical00.txt"
TRUTH: Final = "truth"
DRAFTS: Final = ".*.part"
"""Pattern of unfinished files and folders of :mod:`monai_xray2mri.runtime.files`; a killed run leaves them behind."""

MR_DESCRIPTION: Final = "COR_T1_3D_FLASH_RIGHT"

_BARCODE_START: Final = "0166"


@dataclass(frozen=True)
class ParticipantPlaces:
    """Folders of one participant, relative to the release.

    Attributes:
        images: folder of the participant's images; it is written whole or not at all.
        film: folder of the film, with one file ``001``.
        mr: folder of the MR series, with files ``001``, ``002`` and so on.
        truth: folder of the truth; it is written last, so it exists only if the images are complete.
    """

    images: Path
    film: Path
    mr: Path
    truth: Path


def places(participant: Participant) -> ParticipantPlaces:
    """Folders of a participant, from its number, cohort, date of examination and seed."""
    images = Path(VISIT) / f"0.{participant.cohort}.2" / f"{participant.number:07d}"
    day = images / f"{participant.exam_date:%Y%m%d}"
    return ParticipantPlaces(
        images=images,
        film=day / participant.barcode.removeprefix(_BARCODE_START),
        mr=day / mr_barcode(participant).removeprefix(_BARCODE_START),
        truth=Path(TRUTH) / f"{participant.number:07d}",
    )


def mr_barcode(participant: Participant) -> str:
    """Barcode of the MR examination, also its Accession Number; the film's is ``Participant.barcode``."""
    return f"{_BARCODE_START}1{participant.seed:07d}"


def file_name(number: int) -> str:
    """Name of a DICOM file of a release: ``001`` for the first."""
    return f"{number:03d}"
