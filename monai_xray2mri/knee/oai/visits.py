"""OAI's visits: prefix of the variables, folder of the image release, and reading project.

Sources: docs/knee/oai.md, "Sources" (prefixes, reading projects, visit numbers and folders).
"""

from __future__ import annotations

import re
from typing import Final

MONTHS: Final = {
    "V00": "00m",
    "V01": "12m",
    "V02": "18m",
    "V03": "24m",
    "V04": "30m",
    "V05": "36m",
    "V06": "48m",
    "V08": "72m",
    "V10": "96m",
}
"""Visit to the folder of its images; V02 and V04 are interim visits of a part of the cohort."""

LATE_VISITS: Final = frozenset({"V08", "V10"})
MAIN_PROJECT: Final = 15
"""READPRJ of the central readings of nearly all knees, from baseline to 48 months."""
LATE_PROJECT: Final = 37
"""READPRJ of the readings of a selected sample by the same readers, from baseline to 96 months."""
RECODED_PROJECTS: Final = {42: LATE_PROJECT}
"""READPRJ 42 is a mistake for 37 (OAI's description of kXR_SQ_BU)."""

_VISIT_OF_FOLDER: Final = {folder: visit for visit, folder in MONTHS.items()}
_GROUP_FOLDER: Final = re.compile(r"^(\d{1,2})\.([A-Z])\.(\d+)$")


def project_of(visit: str) -> int:
    """The reading project whose grades are used at a visit: 15 up to 48 months, 37 at 72 and 96 months."""
    return LATE_PROJECT if visit in LATE_VISITS else MAIN_PROJECT


def visit_of_folder(name: str) -> str | None:
    """The visit in a folder's name: ``00m``, or ``0.C.2`` (visit number, participant group, version); else None."""
    if name.lower() in _VISIT_OF_FOLDER:
        return _VISIT_OF_FOLDER[name.lower()]
    match = _GROUP_FOLDER.match(name)
    return known_visit(f"V{int(match[1]):02d}") if match else None


def known_visit(name: str) -> str | None:
    """A visit from its prefix or number (``V00``, ``v6``, ``6``) or its folder (``48m``); None for any other text."""
    bare = name.strip().upper()
    if bare.lower() in _VISIT_OF_FOLDER:
        return _VISIT_OF_FOLDER[bare.lower()]
    match = re.fullmatch(r"V?(\d{1,2})", bare)
    visit = f"V{int(match[1]):02d}" if match else ""
    return visit if visit in MONTHS else None
