"""A film whose header says both sides, often by a device's default, but whose picture shows one knee."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.radiograph.side_words import Sides
from monai_xray2mri.types import Radiograph, Side

KNEES_APART_MM = 80.0
"""Two knees on one film are further apart than this (about the width of one)."""
MIDLINE_MM = 15.0
"""A single knee on a film of both must lie this far from the midline to be one of two."""
WIDE_FILM_MM = 300.0
"""Width from which a film has room for two knees."""


class OneKneeShown(InputRefused):
    """One knee in the picture of a film that says both sides; nobody has told which.

    Attributes:
        roi: the region of that knee, as if it were a right one; the picture may tell its side. None where none can be
            cut.
    """

    roi: KneeROI | None = None


def show_one(columns: Sequence[float], width: float) -> bool:
    """Whether the knees on a film are one that stands alone, although the header says both.

    One of two would stand further from the middle: by half the distance of two knees on a film that has hardly room for
    both.

    Args:
        columns: of the knees that were found, in mm from the left border of the film, the most certain first.
        width: of the film in mm.
    """
    if not columns or any(abs(column - columns[0]) >= KNEES_APART_MM for column in columns[1:]):
        return False
    return abs(columns[0] - width / 2) < (MIDLINE_MM if width >= WIDE_FILM_MM else KNEES_APART_MM / 2)


def require_one_knee(
    radiograph: Radiograph, sides: Sides, chosen: bool, region: Callable[[Side], KneeROI]
) -> tuple[str, ...]:
    """Ask for the side of the only knee of a film that says both.

    Args:
        radiograph: the film.
        sides: that are wanted.
        chosen: the user asks for the side, and so tells it.
        region: of the only knee, if it were of a side.

    Returns:
        A remark where the user has told the side that the header does not tell.

    Raises:
        OneKneeShown: nobody has told it.
    """
    if len(radiograph.sides) != 2 and len(sides) != 2:
        return ()
    if chosen:
        said = f"{radiograph.sides_source} says both sides, the picture shows one knee"
        return (f"{said}: taken as the {sides[0].word} one, as asked",)
    refusal = OneKneeShown(
        f"radiograph {radiograph.name}",
        "needs the side of its only knee",
        f"both sides by {radiograph.sides_source}, one knee in the picture",
        "Give the side (--side R or --side L), or correct the header.",
    )
    with suppress(InputRefused):
        refusal.roi = region(Side.RIGHT)
    raise refusal
