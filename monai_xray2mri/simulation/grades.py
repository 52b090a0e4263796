"""Correlated radiographic gradings of simulated knees: the 19 features of paper 000, Table I.

The ranges are Table I's; the correlations follow from one severity per knee and one per compartment. Disease is
more frequent than in OAI, so that a small training set meets every grade.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch

MAXIMAL_GRADES: Final[Mapping[str, int]] = {
    "XROSFM": 3,
    "XRSCFM": 3,
    "XRCYFM": 1,
    "XRJSM": 3,
    "XRCHM": 1,
    "XROSTM": 3,
    "XRSCTM": 3,
    "XRCYTM": 1,
    "XRATTM": 1,
    "XRKL": 4,
    "XROSFL": 3,
    "XRSCFL": 3,
    "XRCYFL": 1,
    "XRJSL": 3,
    "XRCHL": 1,
    "XROSTL": 3,
    "XRSCTL": 3,
    "XRCYTL": 1,
    "XRATTL": 1,
}
"""OAI stem of each feature, in the order of Table I, with its highest grade."""

_OSTEOPHYTE_CUTS = (0.9, 1.7, 2.5)
_NARROWING_CUTS = (1.0, 1.9, 2.8)
_SCLEROSIS_CUTS = (1.2, 2.1, 2.9)
_BINARY_CUT = 1.6


def draw_grades(generator: torch.Generator, enriched: bool = False) -> dict[str, int]:
    """Draw a grading of one knee.

    Args:
        generator: the knee's generator of grades.
        enriched: draw each cyst, chondrocalcinosis and attrition with probability one half, whatever the severity.

    Returns:
        OAI stem to grade, all 19, in the order of Table I.
    """
    normal = torch.randn(32, generator=generator).tolist()
    uniform = torch.rand(16, generator=generator).tolist()
    severity = 0.6 + 1.05 * normal[0]
    crystals = 0.7 * normal[1]
    grades: dict[str, int] = {}
    for position, (letter, offset) in enumerate((("M", 0.15), ("L", -0.45))):
        local = severity + offset + 0.6 * normal[2 + position]
        noise = iter(normal[4 + 14 * position : 18 + 14 * position])
        hidden = iter(uniform[8 * position : 8 * position + 8])
        grades[f"XRJS{letter}"] = _graded(local + 0.35 * next(noise), _NARROWING_CUTS)
        grades[f"XRCH{letter}"] = _present(crystals + 0.3 * local + 0.5 * next(noise), next(hidden), enriched)
        for bone in "FT":
            grades[f"XROS{bone}{letter}"] = _graded(local + 0.4 * next(noise), _OSTEOPHYTE_CUTS)
            grades[f"XRSC{bone}{letter}"] = _graded(local + 0.4 * next(noise), _SCLEROSIS_CUTS)
            grades[f"XRCY{bone}{letter}"] = _present(local + 0.8 * next(noise), next(hidden), enriched)
        grades[f"XRATT{letter}"] = _present(local + 0.5 * next(noise), next(hidden), enriched)
    grades["XRKL"] = kellgren_lawrence(grades)
    return {stem: grades[stem] for stem in MAXIMAL_GRADES}


def kellgren_lawrence(grades: Mapping[str, int]) -> int:
    """Kellgren-Lawrence grade that follows from osteophytes and joint space narrowing.

    0 none, 1 doubtful osteophyte or narrowing, 2 definite osteophyte, 3 definite osteophyte with definite narrowing,
    4 narrowing down to bone (Kellgren and Lawrence 1957, as read in OAI).
    """
    osteophyte = max(grades.get(f"XROS{bone}{side}", 0) for bone in "FT" for side in "ML")
    narrowing = max(grades.get(f"XRJS{side}", 0) for side in "ML")
    if narrowing == 3:
        return 4
    if osteophyte >= 1 and narrowing >= 1:
        return 3 if max(osteophyte, narrowing) >= 2 else 2
    if osteophyte >= 2:
        return 2
    return 1 if osteophyte or narrowing else 0


def _graded(value: float, cuts: tuple[float, ...]) -> int:
    return sum(value > cut for cut in cuts)


def _present(value: float, uniform: float, enriched: bool) -> int:
    return int(uniform < 0.5) if enriched else int(value > _BINARY_CUT)
