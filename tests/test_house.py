"""The rule of the house: general rooms know no body part (import-linter checks the floors, ``make lint``)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

GENERAL = ("core", "runtime", "dicom", "networks", "diffusion", "training", "evaluation")
WORDS = re.compile(r"knee|tibia|femur|femoral|\b110(\.0)?\b", re.IGNORECASE)


@pytest.mark.parametrize("room", GENERAL)
def test_a_general_room_speaks_of_no_knee(repository: Path, room: str) -> None:
    found = [
        f"{path.relative_to(repository)}:{number}: {line.strip()}"
        for path in sorted((repository / "monai_xray2mri" / room).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if WORDS.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_root_holds_little_beside_rooms(repository: Path) -> None:
    modules = sorted(path.name for path in (repository / "monai_xray2mri").glob("*.py"))
    assert modules == ["__init__.py", "cli.py", "errors.py", "types.py"]


def test_there_is_one_command_line(repository: Path) -> None:
    """What can be run is ``xray2mri``, ``python -m monai_xray2mri.deploy`` and ``python app_package``."""
    found = [
        path.relative_to(repository).as_posix()
        for room in ("monai_xray2mri", "app_package")
        for path in sorted((repository / room).rglob("*.py"))
        if "__name__ ==" in path.read_text()
    ]
    assert found == ["monai_xray2mri/cli.py", "monai_xray2mri/deploy/__main__.py", "app_package/__main__.py"]


def test_the_map_shows_every_room(repository: Path) -> None:
    page = (repository / "docs" / "architecture.md").read_text()
    shown = set(re.findall(r"^  ([a-z_]+)/ ", page.split("```")[1], re.MULTILINE))
    rooms = {path.parent.name for path in (repository / "monai_xray2mri").glob("*/__init__.py")}
    assert shown == rooms


def test_the_page_shows_the_floors_that_are_checked(repository: Path) -> None:
    contracts = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(contract["layers"] for contract in contracts if contract["id"] == "floors")
    page = (repository / "docs" / "architecture.md").read_text()
    assert page.split("```")[3].strip().splitlines() == floors


def test_links_of_documents_lead_somewhere(repository: Path) -> None:
    broken = []
    folders = [repository / name for name in ("docs", "bundle")]
    for page in [repository / "README.md", *(page for folder in folders for page in folder.rglob("*.md"))]:
        for link in re.findall(r"\]\(([^)\s#]+)", page.read_text()):
            if not re.match(r"[a-z]+:", link) and not (page.parent / link).exists():
                broken.append(f"{page.relative_to(repository)}: {link}")
    assert not broken, "\n".join(broken)
