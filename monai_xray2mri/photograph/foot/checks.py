"""What makes a photograph of a foot unfit: darkness, blur, glare, toes that are cut off, something else than a foot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.errors import DoubtfulInput, InputRefused
from monai_xray2mri.photograph.foot.segmenter import KINDS
from monai_xray2mri.simulation.tools.noise import blurred

FEWEST_PIXELS: Final = 256
"""Pixels of the photograph along the foot, from the heel to the longest toe."""
DARKEST: Final = 34.0
"""Grey value of 255 that the brightest tenth of the foot must reach."""
BRIGHTEST: Final = 0.25
"""Share of the foot that may be white altogether."""
MOST_BLUR: Final = 4.0
"""Standard deviation of a photograph's blur in pixels of the grid, about 3 mm: gaps between toes are gone then."""
LEAST_KIND: Final = 0.5
"""Probability of a foot from above below which it is doubted."""
_FINE, _COARSE = 1.0, 3.0
"""Two more blurs, in pixels of the grid, whose effects tell how blurred a photograph is already."""
_STEEPEST: Final = 0.98
_ONE_COLOR: Final = 4.0
"""Range of grey values below which a photograph shows nothing."""
_SPARSE: Final = 4
"""One of so many rows and columns is looked at where a whole photograph is judged."""
_SHOWN: Final = 160.0
"""Grey value that the brightest places of a dark photograph are shown with to the segmenter."""
TOES: Final = 0.5
"""Share of the frame's height, from above, in which nothing of the foot may reach the border of the photograph."""
ALL_TOES: Final = "must show all toes and the ball"
MORE_FLOOR: Final = "Photograph it with some floor around it."
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


def require_something(name: str, pixels: np.ndarray) -> None:
    """Refuse a photograph [H,W,3] uint8 of one color, as of a covered lens.

    Raises:
        InputRefused: it is.
    """
    low, high = np.percentile(luma(pixels[::_SPARSE, ::_SPARSE]), (0.5, 99.5))
    if high - low < _ONE_COLOR:
        raise no_foot(name, "a picture of one color")


def brightened(pixels: np.ndarray) -> np.ndarray:
    """A photograph [H,W,3] uint8 as the segmenter is shown it.

    One that no check would let pass for its darkness is made brighter, so that what is told is the light, not what
    the network takes darkness for. All others stay as they are.
    """
    brightest = float(np.percentile(luma(pixels[::_SPARSE, ::_SPARSE]), 99))
    if brightest >= DARKEST:
        return pixels
    return np.asarray((pixels * (_SHOWN / max(brightest, 1.0))).clip(0, 255), dtype=np.uint8)


def blur_of(gray: np.ndarray, mask: np.ndarray) -> float:
    """Standard deviation in pixels of the blur of a foot, whatever its contrast.

    A step that is blurred by s has a slope of 1 / s. Blurred again by a it has 1 / sqrt(s^2 + a^2), so that the ratio
    of its slopes after two known blurs tells s. The steepest places of the foot and its outline are taken for steps.

    Args:
        gray: [N,N] float32, the floor around the foot included.
        mask: [N,N] bool, the foot.
    """
    near = F.max_pool2d(torch.from_numpy(mask)[None, None].float(), 5, 1, padding=2)[0, 0] > 0
    image = torch.from_numpy(np.ascontiguousarray(gray, dtype=np.float32))

    def steepest(sigma: float) -> float:
        down, across = torch.gradient(blurred(image, sigma, sigma))
        slopes: Tensor = torch.hypot(down, across)[near]
        return float(slopes.quantile(_STEEPEST))

    ratio = (steepest(_FINE) / max(steepest(_COARSE), 1e-6)) ** 2
    return float(np.sqrt(max(_COARSE**2 - ratio * _FINE**2, 0.0) / max(ratio - 1, 1e-3)))


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
    blur = blur_of(gray, mask)
    if bright >= DARKEST and blur > MOST_BLUR:
        yield DoubtfulInput(
            what, f"must be sharp: blurred by {MOST_BLUR:g} pixels of {len(mask)} at most", f"{blur:.1f}",
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
        raise InputRefused(f"{foot} of photograph {name}", ALL_TOES, "a foot that the border cuts off", MORE_FLOOR)


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
