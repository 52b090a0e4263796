"""The toy system of ``docs/adding_a_system.md``, installed as a stranger's package in a temporary folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

METADATA = "Metadata-Version: 2.1\nName: toy-blur\nVersion: 0.1\n"


@dataclass(frozen=True)
class ToySystem:
    """Where the toy lies.

    Attributes:
        site: a folder for ``sys.path`` that holds the package and its entry point.
        bundle: its bundle.
        picture: a source.
    """

    site: Path
    bundle: Path
    picture: Path


def blocks(page: str, language: str) -> list[str]:
    """The code of a language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


def install_toy_system(folder: Path, repository: Path) -> ToySystem:
    """Write the page's package, entry point and bundle below a folder, and a picture.

    Args:
        folder: a temporary folder.
        repository: root of the source tree.
    """
    page = (repository / "docs" / "adding_a_system.md").read_text()
    site, bundle, picture = folder / "site", folder / "toy_bundle", folder / "pictures" / "picture.png"
    for place in (site / "toy_blur", site / "toy_blur-0.1.dist-info", bundle / "configs", picture.parent):
        place.mkdir(parents=True)
    for name, code in zip(("__init__.py", "suite.py"), blocks(page, "python"), strict=False):
        (site / "toy_blur" / name).write_text(code)
    entry = re.search(r'^\[project\.entry-points\.("?)(.+?)\1\]\n(\w+) = "(.+)"', blocks(page, "toml")[0], re.MULTILINE)
    assert entry is not None
    (site / "toy_blur-0.1.dist-info" / "METADATA").write_text(METADATA)
    (site / "toy_blur-0.1.dist-info" / "entry_points.txt").write_text(f"[{entry[2]}]\n{entry[3]} = {entry[4]}\n")
    (bundle / "configs" / "metadata.json").write_text(blocks(page, "json")[0])
    edge = np.zeros((40, 48), np.uint8)
    edge[:, 24:] = 255
    Image.fromarray(edge).save(picture)
    return ToySystem(site, bundle, picture)
