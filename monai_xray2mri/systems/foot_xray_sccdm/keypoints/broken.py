"""Radiographs as generators spoil them: bones that are missing, blurred, displaced, or not there at all.

A detector that has only seen true radiographs is sure of itself on anything. These teach it when not to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS

BONES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "metatarsal 1 head": ("metatarsal 1", "tibial sesamoid", "fibular sesamoid"),
    "metatarsal 1 base": ("metatarsal 1", "medial cuneiform"),
    "metatarsal 2 head": ("metatarsal 2",),
    "metatarsal 2 base": ("metatarsal 2", "intermediate cuneiform"),
    "metatarsal 5 head": ("metatarsal 5",),
    "metatarsal 5 base": ("metatarsal 5", "cuboid"),
    "proximal phalanx base": ("proximal phalanx 1",),
    "proximal phalanx head": ("proximal phalanx 1",),
    "hallux tip": ("distal phalanx 1",),
    "tibial sesamoid": ("tibial sesamoid",),
}
"""Bones that show a keypoint, by its name."""


def smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian filter [H,W]."""
    reach = max(int(3 * sigma), 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).float()
    value = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
    value = F.conv2d(F.pad(value, (reach, reach, 0, 0), mode="replicate"), kernel[None, None, None])
    value = F.conv2d(F.pad(value, (0, 0, reach, reach), mode="replicate"), kernel[None, None, :, None])
    found: np.ndarray = value[0, 0].numpy()
    return found


def without(film: np.ndarray, bone: np.ndarray, all_bones: np.ndarray) -> np.ndarray:
    """A film [H,W] on which soft tissue of its surroundings stands in the place of a bone.

    Args:
        film: [H,W] in [0,1].
        bone: [H,W] bool, what is taken away.
        all_bones: [H,W] bool, the bones: soft tissue is what they leave.
    """
    free = (~grown(all_bones, 2)).astype(np.float32)
    tissue = smooth(film * free, 9.0) / np.maximum(smooth(free, 9.0), 1e-3)
    share = smooth(grown(bone, 3).astype(np.float32), 1.0)
    grain = film - smooth(film, 1.0)
    filled = film * (1 - share) + (tissue + grain * 0.5) * share
    return np.asarray(filled.clip(0, 1), dtype=np.float32)


def grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """A mask [H,W] grown by some pixels."""
    value = torch.from_numpy(mask)[None, None].float()
    return np.asarray(F.max_pool2d(value, 2 * reach + 1, 1, reach)[0, 0].numpy() > 0)


def lost(bones: Mapping[str, np.ndarray], gone: np.ndarray) -> np.ndarray:
    """Which keypoints [10] are lost where a part of the film is: any of their bones for the most part.

    Args:
        bones: by name [H,W] bool.
        gone: [H,W] bool.
    """
    found = []
    for name in KEYPOINTS:
        first = bones[BONES_OF[name][0]]
        found.append(int(np.count_nonzero(first & gone)) > 0.5 * max(int(np.count_nonzero(first)), 1))
    return np.array(found)
