"""What makes a photograph of a foot unfit: darkness, blur, glare, toes that are cut off, something else than a foot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from monai_xray2mri.errors import DoubtfulInput, InputRefused
from monai_xray2mri.photograph.foot.segmenter import KINDS

FEWEST_PIXELS: Final = 256
"""Pixels of the photograph along the foot, from the heel to the longest toe."""
DARKEST: Final = 34.0
"""Grey value of 255 that the brightest tenth of the foot must reach."""
BRIGHTEST: Final = 0.25
"""Share of the foot that may be white altogether."""
LEAST_SHARPNESS: Final = 0.055
"""Change between neighboring pixels of the grid at the sharpest places, over the range of grey values."""
LEAST_KIND: Final = 0.5
"""Probability of a foot from above below which it is doubted."""
TOES: Final = 0.5
"""Share of the frame's height, from above, in which nothing of the foot may reach the border of the photograph."""
_WORDS: Final = {
    "hand": "a hand",
    "sole": "the sole of a foot",
    "sock or shoe": "a foot in a sock, a shoe or a sandal",
    "foot from the side": "a foot from the side",
    "radiograph": "a radiograph",
}


def luma(color: np.ndarray) -> np.ndarray:
    """Grey values [H,W] of colors [H,W,3] (ITU-R BT.601), in their range."""
    return np.asarray(color @ np.array((0.299, 0.587, 0.114), np.float32), dtype=np.float32)


def kind_of(kinds: np.ndarray, limb: np.ndarray) -> np.ndarray:
    """Probabilities [6] of the kinds of a limb.

    Args:
        kinds: [6,H/4,W/4] probabilities.
        limb: [H,W] bool.
    """
    inside = limb[1::4, 1::4]
    return np.asarray(kinds[:, inside].mean(1) if inside.any() else np.full(len(KINDS), 1 / len(KINDS)))


def no_foot(name: str, found: str) -> InputRefused:
    """The refusal of a photograph on which there is no foot from above."""
    return InputRefused(
        f"photograph {name}", "must show a bare foot from above, with its toes", found,
        "Photograph the standing foot from straight above, without sock and shoe.",
    )  # fmt: skip


def word_of(probabilities: np.ndarray) -> str:
    """What a limb looks like, in words; empty if it may be a foot from above."""
    return "" if probabilities[0] >= LEAST_KIND else _WORDS[KINDS[1 + int(probabilities[1:].argmax())]]


def sharpness(gray: np.ndarray, mask: np.ndarray) -> float:
    """Change between neighboring pixels at the sharpest places of a foot, over the range of its grey values.

    Args:
        gray: [N,N] float32.
        mask: [N,N] bool, the foot.
    """
    value = torch.from_numpy(np.ascontiguousarray(gray))[None, None]
    smooth = F.avg_pool2d(F.avg_pool2d(value, 2, 1), 2, 1)[0, 0].numpy()  # noise is no edge
    down, across = np.diff(smooth, axis=0)[:, :-1], np.diff(smooth, axis=1)[:-1]
    inner = mask[1:-2, 1:-2][: down.shape[0], : down.shape[1]]
    low, high = np.percentile(gray[mask], (2, 98))
    steep = np.percentile(np.hypot(down, across)[inner], 98)
    return float(steep / max(high - low, 1.0))


def doubts(
    name: str, foot: str, probabilities: np.ndarray, color: np.ndarray, mask: np.ndarray
) -> Iterator[DoubtfulInput]:
    """What is doubtful about a foot.

    Args:
        name: how messages call the photograph.
        foot: how they call the foot: ``"right foot"``.
        probabilities: [6] of its kinds.
        color: [N,N,3] float32, 0 to 255, of the grid.
        mask: [N,N] bool, the foot in it.
    """
    what = f"{foot} of photograph {name}"
    if word := word_of(probabilities):
        seen = f"what looks like {word} (probability of a foot {probabilities[0]:.2f})"
        yield DoubtfulInput(
            what, "must be bare and seen from above", seen,
            "Photograph the standing foot from straight above, without sock and shoe.",
        )  # fmt: skip
    gray = luma(color)
    bright = float(np.percentile(gray[mask], 90))
    if bright < DARKEST:
        yield DoubtfulInput(
            what, f"needs light: grey values above {DARKEST:.0f} of 255", f"{bright:.0f}",
            "Photograph it again with more light.",
        )  # fmt: skip
    white = float((gray[mask] >= 254).mean())
    if white > BRIGHTEST:
        yield DoubtfulInput(
            what, f"may be white in {BRIGHTEST:.0%} of its area at most", f"{white:.0%}",
            "Photograph it again with less light.",
        )  # fmt: skip
    sharp = sharpness(gray, mask)
    if bright >= DARKEST and sharp < LEAST_SHARPNESS:
        yield DoubtfulInput(
            what, f"must be sharp (change at edges {LEAST_SHARPNESS:g} of the grey range or more)", f"{sharp:.3f}",
            "Photograph it again with a steady hand, or wipe the lens.",
        )  # fmt: skip


def require_whole(name: str, foot: str, mask: np.ndarray, on_picture: np.ndarray) -> None:
    """Refuse a foot whose toes or ball are cut off by the border of the photograph.

    Raises:
        InputRefused: they are.
    """
    size = len(mask)
    outside = torch.from_numpy(~on_picture)[None, None].float()
    near = F.max_pool2d(outside, 5, 1, padding=2)[0, 0].numpy() > 0
    rows = round(TOES * size)
    cut = np.count_nonzero(mask[:rows] & near[:rows])
    if cut > 2:
        raise InputRefused(
            f"{foot} of photograph {name}", "must show all toes and the ball", "a foot that the border cuts off",
            "Photograph it with some floor around it.",
        )  # fmt: skip


def require_pixels(name: str, foot: str, length: float) -> None:
    """Refuse a foot that is too small on the photograph.

    Raises:
        InputRefused: it is.
    """
    if length < FEWEST_PIXELS:
        raise InputRefused(
            f"{foot} of photograph {name}", f"must be {FEWEST_PIXELS} pixels long at least", f"{length:.0f}",
            "Photograph it from nearer by, or send the photograph in its original size.",
        )  # fmt: skip
