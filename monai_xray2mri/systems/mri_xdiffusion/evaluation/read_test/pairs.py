"""Pairs of a real and a generated volume, in an order and on sides that nobody can guess."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.systems.mri_xdiffusion.volumes.reading import read_volume, scaled_intensities
from monai_xray2mri.types import Volume

SIDES: Final = ("A", "B")
REAL, GENERATED = "real", "generated"
PLANES: Final = ("slices", "rows", "columns")
_SUFFIXES: Final = (".nii.gz", ".nii", ".nrrd", ".mha")
_HEIGHT: Final = 320
"""Pixels of a picture's longer side at least."""


@dataclass(frozen=True)
class Pair:
    """A real and a generated volume of one case.

    Attributes:
        case: its name.
        files: ``"real"`` and ``"generated"`` to their files.
        shown: what side A and side B show.
    """

    case: str
    files: dict[str, Path]
    shown: tuple[str, str]

    def volume(self, side: str) -> Volume:
        """The volume on a side, intensities in [0,1] by its own percentiles, so that no window gives it away."""
        path = self.files[self.shown[SIDES.index(side)]]
        return scaled_intensities(read_volume(path, results=True).volume)

    def check(self) -> None:
        """Refuse volumes that the eye would tell apart by their grid.

        Raises:
            InputRefused: shape or spacing differ.
        """
        one, other = (self.volume(side) for side in SIDES)
        if one.voxels.shape != other.voxels.shape or not np.allclose(one.spacing, other.spacing, rtol=0.01):
            found = f"{one.voxels.shape} and {other.voxels.shape}"
            raise InputRefused(f"pair {self.case}", "must have volumes of one shape and spacing", found)


def find_pairs(real: Path, generated: Path, reader: str, seed: int) -> list[Pair]:
    """Pairs by equal names of files, in an order of this reader's own, each on sides of its own.

    Args:
        real: folder of acquired volumes, ``CASE.nii.gz`` and the like.
        generated: folder of generated ones.
        reader: who reads; another reader has another order.
        seed: of the order.

    Raises:
        UsageError: a folder is missing, or no name is in both.
    """
    found = {kind: _files(folder, kind) for kind, folder in ((REAL, real), (GENERATED, generated))}
    names = sorted(found[REAL].keys() & found[GENERATED].keys())
    if not names:
        rule = "must hold files of equal names, such as 7.nii.gz"
        raise UsageError("folders of a reading study", rule, "no name in both")
    rng = draw_generator("read test", seed, zlib.crc32(reader.encode()))
    order, swapped = rng.permutation(len(names)), rng.random(len(names)) < 0.5
    return [
        Pair(
            names[place],
            {kind: found[kind][names[place]] for kind in found},
            (GENERATED, REAL) if swapped[place] else (REAL, GENERATED),
        )
        for place in order
    ]


def _files(folder: Path, kind: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise UsageError(f"option {kind}", "must be a folder", folder.name)
    found = {}
    for path in sorted(folder.iterdir()):
        for suffix in _SUFFIXES:
            if path.name.endswith(suffix):
                found[path.name.removesuffix(suffix)] = path
                break
    return found


def section_png(volume: Volume, plane: str, share: float) -> bytes:
    """A section as PNG with square pixels.

    Args:
        volume: intensities in [0,1].
        plane: one of :data:`PLANES`.
        share: where it lies, 0 to 1.
    """
    axis = PLANES.index(plane)
    count = volume.voxels.shape[axis]
    pixels = np.take(volume.voxels, min(int(share * count), count - 1), axis=axis)
    column, row, slice_ = volume.spacing
    steps: Sequence[tuple[float, float]] = ((row, column), (slice_, column), (slice_, row))
    # Rows are drawn downwards: seen from the side, the head is above and the front at the left.
    height, width = steps[axis]
    if plane == "columns":
        pixels, (height, width) = pixels.T, (width, height)
    image = Image.fromarray(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8))
    sides = pixels.shape[1] * width, pixels.shape[0] * height
    scale = _HEIGHT / max(sides)
    image = image.resize((round(sides[0] * scale), round(sides[1] * scale)), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
