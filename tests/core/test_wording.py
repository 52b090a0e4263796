"""The safety sentence: one wording in everything that is written or shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monai_xray2mri.core.wording import DISCLAIMER, SHORT_DISCLAIMER

WORDS = re.compile(r"not acquired|[Nn]ot (meant )?for clinical use[.,*]")
MODULES = ("monai_xray2mri/core/wording.py", "monai_xray2mri/label/slicer_module/Xray2MRI/Xray2MRILib/server.py")
"""The module for 3D Slicer runs where this package is not installed and holds a copy."""
PAGES = (
    "README.md",
    "docs/label/slicer.md",
    "bundle/knee_xray2mri/configs/metadata.json",
    "bundle/knee_xray2mri/docs/README.md",
    "bundle/knee_xray2mri_koa/configs/metadata.json",
    "bundle/knee_xray2mri_koa/docs/README.md",
    "bundle/mri_xdiffusion/configs/metadata.json",
    "bundle/mri_xdiffusion/docs/README.md",
    "bundle/foot_xray_sccdm/configs/metadata.json",
    "bundle/foot_xray_sccdm/docs/README.md",
)
"""Files that are read without the package hold copies, too."""


def test_nobody_words_the_sentence_anew(repository: Path) -> None:
    rooms = (
        ("monai_xray2mri", "*.py"),
        ("app_package", "*.py"),
        ("bundle", "*.json"),
        ("bundle", "*.md"),
        ("docs", "*.md"),
    )
    files = [repository / "README.md", *(path for room, kind in rooms for path in (repository / room).rglob(kind))]
    found = {
        str(path.relative_to(repository))
        for path in files
        if "simulation" not in path.parts and WORDS.search(" ".join(path.read_text().split()))
    }
    assert found == {*MODULES, *PAGES}


@pytest.mark.parametrize("copy", [*MODULES, *PAGES])
def test_copies_say_the_same(repository: Path, copy: str) -> None:
    text = (repository / copy).read_text().replace('"\n    "', "").replace("\n> ", "\n")
    assert " ".join(text.split()).count(DISCLAIMER) == 1


def test_the_short_sentence_fits_a_nifti_header() -> None:
    assert len(SHORT_DISCLAIMER) <= 79 and SHORT_DISCLAIMER.isascii()
