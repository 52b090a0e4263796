"""Lead letters out of radiographs: those that networks learn from, and those that they generate.

Films bear a lead letter that tells the side, and a network that was trained on such films writes one, too. It would be
made up, and on a left foot, which the network sees mirrored, it would be a mirrored R. What a generated radiograph says
of the side is said by its header.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import SimpleITK

BRIGHT: Final = 0.15
"""Intensity above which a pixel belongs to something; beside a foot a film is black."""
_SEAM: Final = 2
"""Pixels by which what is removed reaches beyond its bright part."""


def without_lead_letters(radiograph: np.ndarray, foot: np.ndarray) -> np.ndarray:
    """A radiograph without bright things that are not connected to the foot.

    Args:
        radiograph: [H,W] in [0,1], bone bright.
        foot: [H,W] bool, where the photograph shows it; bones may reach beyond.

    Returns:
        [H,W] of the same type; black where something was removed.
    """
    bright = radiograph > BRIGHT
    seed, around = (SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in (bright & foot, bright))
    whole = SimpleITK.BinaryReconstructionByDilation(
        seed, around, foregroundValue=1.0, backgroundValue=0.0, fullyConnected=True
    )
    beside = around - whole
    if not SimpleITK.GetArrayViewFromImage(beside).any():
        return radiograph
    wide = SimpleITK.GetArrayFromImage(SimpleITK.BinaryDilate(beside, (_SEAM, _SEAM)))
    kept = SimpleITK.GetArrayFromImage(whole)
    return np.where((wide == 1) & (kept == 0), radiograph.dtype.type(0), radiograph)
