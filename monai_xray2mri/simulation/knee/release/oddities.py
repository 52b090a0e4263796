"""Optional irregularities of image files as in OAI, drawn for each participant.

Polarity, markers and exposure are options of the film (``film_options.py``).
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
    """Irregularities of the image files of one participant.

    Public code that reads OAI shows that each of them occurs there. Their frequency is unknown; the shares are
    estimates.

    Attributes:
        spacing: attribute of the film's pixel spacing; None if the header has none.
        anterior_first: whether the files of the MR series are numbered from the anterior end.
    """

    spacing: str | None = "ImagerPixelSpacing"
    anterior_first: bool = False


def draw_oddities(seed: int, oddities: Oddities) -> ImageOddities:
    """Irregularities of one participant's image files.

    Args:
        seed: the participant's seed.
        oddities: ``"none"`` gives regular files, ``"oai"`` draws irregularities.
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
