"""Oddities of OAI's image files that a release shows on request, drawn per participant.

Polarity, markers, exposure and the like are not here: they belong to how a film is made (``film_options.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch

from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.knee.release.settings import Oddities

_MOVED_SPACING_SHARE: Final = 0.1
_NO_SPACING_SHARE: Final = 0.02
_ANTERIOR_FIRST_SHARE: Final = 0.25


@dataclass(frozen=True)
class ImageOddities:
    """How the image files of one participant deviate from the usual.

    That each of these occurs in OAI is known from public code that reads it, how often is not: the shares are our own.

    Attributes:
        spacing: attribute of the film's pixel spacing, or None where the header has none at all.
        anterior_first: files of the MR series count from the anterior end, so that only positions tell the order.
    """

    spacing: str | None = "ImagerPixelSpacing"
    anterior_first: bool = False


def draw_oddities(seed: int, oddities: Oddities) -> ImageOddities:
    """Oddities of one participant.

    Args:
        seed: the participant's seed.
        oddities: ``"none"`` gives the usual files, ``"oai"`` draws.
    """
    if oddities == "none":
        return ImageOddities()
    spacing, order = torch.rand(2, generator=knee_generator(seed, "release")).tolist()
    attribute: str | None = "ImagerPixelSpacing"
    if spacing < _NO_SPACING_SHARE:
        attribute = None
    elif spacing < _NO_SPACING_SHARE + _MOVED_SPACING_SHARE:
        attribute = "PixelSpacing"
    return ImageOddities(attribute, order < _ANTERIOR_FIRST_SHARE)
