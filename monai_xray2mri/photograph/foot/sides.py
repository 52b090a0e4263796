"""The side of the body of each foot: as given, as the header tells, or as the hallux shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from monai_xray2mri.errors import DoubtfulInput, InputRefused
from monai_xray2mri.photograph.foot.checks import ALL_TOES, MORE_FLOOR
from monai_xray2mri.photograph.foot.finding import FoundFoot
from monai_xray2mri.photograph.foot.outline import MIRROR
from monai_xray2mri.photograph.record import Photograph
from monai_xray2mri.types import Side

SURE_SIDE: Final = 0.012
"""By how much one side must be more like the mean outline than the other."""


def with_sides(
    photograph: Photograph, found: Sequence[FoundFoot], side: Side | None, cut: bool, force: bool
) -> list[tuple[FoundFoot, Side, str, tuple[str, ...]]]:
    """Each foot with its side, how it is known, and what was doubted.

    An outline that tells no side may be that of a foot whose toes are beyond the border, its ankle taken for toes.

    Args:
        photograph: where the feet were found.
        found: one or two.
        side: that is asked for.
        cut: whether the border of the photograph cuts off a limb.
        force: take what is doubted.

    Raises:
        DoubtfulInput: an outline contradicts the side or may lack its toes, and ``force`` is not set.
        InputRefused: a side is not known, or the side that is asked for is not there.
    """
    what = f"photograph {photograph.name}"
    told, source = ((side,), "given") if side else (photograph.sides, photograph.sides_source)
    if side and photograph.sides and side not in photograph.sides:
        raise InputRefused(
            what, f"must show the {side.word} foot that was asked for",
            f"{photograph.sides_source} says {photograph.sides[0].word}", "Correct the header, or leave out the side.",
        )  # fmt: skip
    toes: tuple[str, ...] = ()
    if cut and min(each.surer for each in found) < SURE_SIDE:
        ends = "a limb that the border cuts off, of which no end is surely that of the toes"
        if len(told) != 1 and len(found) == 1:
            raise InputRefused(what, ALL_TOES, ends, MORE_FLOOR)
        lacking = DoubtfulInput(what, ALL_TOES, ends, MORE_FLOOR)
        if not force:
            raise lacking
        toes = (str(lacking),)
    seen = [Side.RIGHT if each.lie.is_right else Side.LEFT for each in found]
    if len(found) == 2:
        if seen[0] is seen[1]:
            raise InputRefused(
                what, "must show one right and one left foot", f"two {seen[0].word} feet",
                "Photograph one foot, or both feet of one person.",
            )  # fmt: skip
        wanted = [side] if side else list(told or Side)
        return [
            (each, one, "given" if side else "hallux", toes)
            for each, one in zip(found, seen, strict=True)
            if one in wanted
        ]
    each, looks = found[0], seen[0]
    if len(told) != 1:
        if each.surer < SURE_SIDE:
            raise InputRefused(
                what, "must show which foot it is", "toes of which either end may be the hallux",
                "Tell the side of the foot (R or L).",
            )  # fmt: skip
        return [(each, looks, "hallux", toes)]
    if told[0] is looks:
        return [(each, told[0], source, toes)]
    doubt = DoubtfulInput(
        what, f"must look like a {told[0].word} foot", f"a hallux at the side of a {looks.word} one",
        "Check the side; the picture may be mirrored.",
    )  # fmt: skip
    if each.surer < SURE_SIDE:
        return [(_turned_over(photograph, each), told[0], source, toes)]
    if not force:
        raise doubt
    return [(_turned_over(photograph, each), told[0], source, (str(doubt),))]


def _turned_over(photograph: Photograph, found: FoundFoot) -> FoundFoot:
    """The foot as one of the other side: its frame is mirrored, as its photograph then is."""
    lie = replace(found.lie, matrix=found.lie.matrix @ MIRROR)
    flipped = (np.ascontiguousarray(value[:, ::-1]) for value in (found.color, found.cover, found.on_picture))
    return FoundFoot(lie, found.surer, found.kinds, *flipped)
