"""Real crops with a Kellgren-Lawrence grade, to be read beside simulated films (``training/reading.py``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from monai_xray2mri.knee.data.arrays import IMAGE_SIZE, REGION_MM
from monai_xray2mri.knee.detection.training.crops import public_crop_files
from monai_xray2mri.knee.detection.training.views import PUBLIC_CROP_MM
from monai_xray2mri.radiograph.knee.region import normalize_region


class GradedFilms:
    """Crops of a folder ``<grade>/<participant><R|L>.png``, at the scale of the network's region.

    The region is larger than a crop; what lies around the crop repeats its border.

    Args:
        folder: of the training split.

    Raises:
        InputRefused: no such file.
    """

    def __init__(self, folder: str | Path) -> None:
        self.files = public_crop_files(Path(folder))

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Films [R,1,H,W] in [-1,1], right-knee space, and (unknown, unknown, grade) [R,3], by torch's generator."""
        chosen = torch.randint(len(self.files), (count,)).tolist()
        films = torch.stack([torch.from_numpy(self._film(self.files[number]))[None] for number in chosen])
        grades = torch.tensor([float(self.files[number].parent.name) for number in chosen])
        unknown = torch.full((count, 2), torch.nan)
        return films, torch.cat([unknown, grades[:, None]], dim=1)

    def _film(self, path: Path) -> np.ndarray:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"), dtype=np.float32) / 255
        around = round(pixels.shape[0] * (REGION_MM / PUBLIC_CROP_MM - 1) / 2)
        framed = np.pad(pixels, around, mode="edge")
        return normalize_region(framed, mirrored=path.stem.endswith("L"), size=IMAGE_SIZE)
