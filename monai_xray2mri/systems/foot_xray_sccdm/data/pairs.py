"""Folders of pairs, a folder a foot, as the released code of SCCDM has them.

Each folder holds a photograph ``original*.png`` and a radiograph ``xray*.png``, registered, the photograph black beside
the foot. ``xray2mri simulate-feet`` writes such folders, and with them the photograph before its foot was cut out,
``floor.png``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.systems.foot_xray_sccdm.lead_letter import without_lead_letters

FLOOR: Final = "floor.png"
_LUMA = np.array((0.299, 0.587, 0.114), dtype=np.float32)
"""ITU-R BT.601."""


@dataclass(frozen=True)
class Pairs:
    """Pairs in memory.

    Attributes:
        names: of their folders.
        photographs: [N,S,S] uint8, grey.
        radiographs: [N,S,S] uint8.
        floors: [N,S,S] uint8, grey, the photographs before their foot was cut out, or as they are where nobody has
            that; None where nobody asked for it.
    """

    names: tuple[str, ...]
    photographs: np.ndarray
    radiographs: np.ndarray
    floors: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.names)


def pair_names(directory: str | Path) -> list[str]:
    """Names of the pairs of a folder, sorted.

    Raises:
        InputRefused: there is no such folder.
    """
    if not Path(directory).is_dir():
        raise InputRefused(f"pairs {Path(directory).name}", "must be a folder", "none of this name")
    return sorted(path.name for path in Path(directory).iterdir() if path.is_dir() and not path.name.startswith("."))


def read_pairs(directory: str | Path, size: int = 256, number: int | None = None, floors: bool = False) -> Pairs:
    """Read the pairs of a folder.

    Args:
        directory: of the folders.
        size: pixels per side that pictures of another size are brought to.
        number: of pairs, the first ones by name; None: all.
        floors: whether to read the photographs before their foot was cut out, too.

    Raises:
        InputRefused: too few pairs, a partner that is missing, a picture that cannot be read or two sizes in a pair.
    """
    names = pair_names(directory)
    if len(names) < (number or 1):
        rule = f"must hold a folder for each foot, {number or 1} or more"
        raise InputRefused(f"folder {Path(directory).name}", rule, str(len(names)))
    names = names[:number]
    photographs = np.empty((len(names), size, size), np.uint8)
    radiographs = np.empty_like(photographs)
    uncut = np.empty_like(photographs) if floors else None
    for row, name in enumerate(names):
        folder = Path(directory) / name
        photographs[row], radiographs[row] = read_pair(folder, size)
        if uncut is not None:
            there = (folder / FLOOR).is_file()
            uncut[row] = _sized(_opened(folder / FLOOR), size) if there else photographs[row]
    return Pairs(tuple(names), photographs, radiographs, uncut)


def read_pair(folder: Path, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Photograph, grey, and radiograph [S,S] uint8 of the folder of a foot; lead letters are removed.

    Raises:
        InputRefused: see :func:`read_pairs`.
    """
    photograph, radiograph = _picture(folder, "original"), _picture(folder, "xray")
    if photograph.shape != radiograph.shape:
        raise InputRefused(
            f"pair {folder.name}", "needs two pictures of one size",
            f"{photograph.shape[1]} x {photograph.shape[0]} and {radiograph.shape[1]} x {radiograph.shape[0]}",
        )  # fmt: skip
    gray, film = _sized(photograph, size), _sized(radiograph, size)
    bare = without_lead_letters(film.astype(np.float32) / 255, gray > 0)
    return gray, np.asarray(np.rint(bare * 255), dtype=np.uint8)


def gray_of(picture: np.ndarray) -> np.ndarray:
    """Luma [H,W] float32 of a picture [H,W,3] of any range."""
    return np.asarray(picture[..., :3].astype(np.float32) @ _LUMA, dtype=np.float32)


def _picture(folder: Path, start: str) -> np.ndarray:
    """A grey picture [H,W] float32 in [0,1] of a folder."""
    found = sorted(folder.glob(f"{start}*.png"))
    if len(found) != 1:
        raise InputRefused(f"pair {folder.name}", f"needs one picture {start}*.png", f"{len(found)} of them")
    return _opened(found[0])


def _opened(file: Path) -> np.ndarray:
    """A grey picture [H,W] float32 in [0,1]."""
    try:
        with Image.open(file) as picture:
            pixels = np.asarray(picture)
    except OSError as error:
        raise InputRefused(f"picture {file.parent.name}/{file.name}", "must be a PNG that can be read") from error
    whole = 65535.0 if pixels.dtype.itemsize > 1 else 255.0
    gray = gray_of(pixels) if pixels.ndim == 3 else pixels.astype(np.float32)
    return np.asarray(gray / whole, dtype=np.float32)


def _sized(picture: np.ndarray, size: int) -> np.ndarray:
    """The picture [S,S] uint8."""
    if picture.shape != (size, size):
        scaled = Image.fromarray(picture).resize((size, size), Image.Resampling.BOX)
        picture = np.asarray(scaled)
    return np.asarray(np.rint(picture.clip(0, 1) * 255), dtype=np.uint8)
