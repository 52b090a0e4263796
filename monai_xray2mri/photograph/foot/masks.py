"""Parts of masks, and covers without steps."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional as F


def parts_of(mask: np.ndarray) -> list[np.ndarray]:
    """The connected parts of a mask, the largest first."""
    image = sitk.RelabelComponent(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))
    labels = sitk.GetArrayFromImage(image)
    return [labels == number for number in range(1, int(labels.max()) + 1)]


def large_parts(mask: np.ndarray, share: float) -> np.ndarray:
    """The connected parts of a mask that cover a share of it or more."""
    image = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)))
    kept = sitk.RelabelComponent(image, minimumObjectSize=max(round(share * mask.size), 1))
    return np.asarray(sitk.GetArrayFromImage(kept) > 0)


def without_small_holes(mask: np.ndarray) -> np.ndarray:
    """A mask without holes that are too small to be floor between toes."""
    holes = sitk.GetArrayFromImage(sitk.BinaryFillhole(sitk.GetImageFromArray(mask.astype(np.uint8)))) > 0
    small = large_parts(holes & ~mask, 0.0012)
    return np.asarray(holes & ~small)


def smoothed(cover: np.ndarray) -> np.ndarray:
    """A cover [N,N] without the steps of the network's places of 4 x 4 pixels."""
    value = torch.from_numpy(cover)[None, None]
    for _ in range(2):
        value = F.avg_pool2d(F.pad(value, (2, 2, 2, 2), mode="replicate"), 5, 1)
    smooth: np.ndarray = value[0, 0].numpy()
    return smooth
