"""The safety sentence: one wording in everything that is written or shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monai_xray2mri.core.wording import DISCLAIMER, SHORT_DISCLAIMER

WORDS = re.compile(r"not acquired|[Nn]ot for clinical use\.")
COPIES = ("core/wording.py", "label/slicer_module/Xray2MRI/Xray2MRILib/server.py")
"""The module for 3D Slicer runs where this package is not installed and holds a copy."""


def test_nobody_words_the_sentence_anew(repository: Path) -> None:
    package = repository / "monai_xray2mri"
    others = [path for path in package.rglob("*.py") if "simulation" not in path.parts]
    found = {str(path.relative_to(package)) for path in others if WORDS.search(path.read_text())}
    assert found == set(COPIES)


@pytest.mark.parametrize("copy", COPIES)
def test_copies_say_the_same(repository: Path, copy: str) -> None:
    text = (repository / "monai_xray2mri" / copy).read_text()
    assert DISCLAIMER in text.replace('"\n    "', "")


def test_the_short_sentence_fits_a_nifti_header() -> None:
    assert len(SHORT_DISCLAIMER) <= 79 and SHORT_DISCLAIMER.isascii()
