"""Correlated radiographic gradings of simulated knees: the 19 features of Wang 2024a, Table I.

A knee's grades come from an ordinal probit model: every feature has a standard normal latent variable, cut at the
quantiles that belong to the prevalences of its grades. Prevalences therefore do not depend on the correlations. The
latents share three factors: severity, alignment, and one factor for each compartment. Varus alignment loads the medial
compartment and unloads the lateral one, so both are rarely narrowed together. Sclerosis, cysts and attrition are
correlated with the joint space narrowing of their compartment. Severity, alignment and the tendency to crystals have a
part that both knees of a participant share, which correlates the right knee with the left.

Sources of the numbers and the resulting prevalences are in ``docs/simulation/cohort.md``. Estimates are marked there
and here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

import torch

from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.knee.people.seeds import knee_generator, seed_range_name
from monai_xray2mri.types import Side

Prevalence = Literal["oai", "balanced", "independent"]

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

SHARES: Final[Mapping[str, Mapping[str, tuple[float, ...]]]] = {
    "oai": {
        "XRJSM": (0.205, 0.118, 0.022),
        "XRJSL": (0.035, 0.031, 0.009),
        "XROSFM": (0.080, 0.119, 0.080),
        "XROSTM": (0.221, 0.122, 0.030),
        "XROSFL": (0.097, 0.097, 0.040),
        "XROSTL": (0.109, 0.081, 0.030),
        "XRSCFM": (0.126, 0.064, 0.024),
        "XRSCTM": (0.124, 0.074, 0.024),
        "XRSCFL": (0.025, 0.021, 0.006),
        "XRSCTL": (0.025, 0.020, 0.006),
        "XRCYFM": (0.015,),
        "XRCYTM": (0.025,),
        "XRCYFL": (0.010,),
        "XRCYTL": (0.015,),
        "XRATTM": (0.040,),
        "XRATTL": (0.020,),
        "XRCHM": (0.041,),
        "XRCHL": (0.048,),
    },
    "balanced": {
        **dict.fromkeys(("XRJSM", "XROSFM", "XROSTM", "XROSFL", "XROSTL"), (0.22, 0.18, 0.11)),
        **dict.fromkeys(("XRSCFM", "XRSCTM"), (0.18, 0.14, 0.09)),
        **dict.fromkeys(("XRJSL", "XRSCFL", "XRSCTL"), (0.14, 0.11, 0.07)),
        **dict.fromkeys(("XRCYFM", "XRCYTM", "XRATTM", "XRCHM"), (0.22,)),
        **dict.fromkeys(("XRCYFL", "XRCYTL", "XRATTL", "XRCHL"), (0.18,)),
    },
}
"""Share of knees with grade 1, 2, 3 of each feature, in the two cohorts with correlated features."""

_SHARED_KNEE: Final = {"severity": 0.80, "alignment": 0.50, "crystals": 0.60}
"""Correlation of a factor of the right knee with that of the left."""

_NARROWING: Final = {"M": (0.70, 0.55), "L": (0.50, 0.70)}
"""Loadings of the narrowing of a compartment on severity and alignment."""
_OSTEOPHYTE: Final = (0.80, 0.10, 0.35)
"""Loadings of osteophytes on severity, alignment and their compartment's own factor."""
_FOLLOWS_NARROWING: Final = {"XRSC": 0.90, "XRCY": 0.80, "XRATT": 0.92}
"""Correlation of the latent of a feature with that of the narrowing of its compartment; estimates."""
_CRYSTALS: Final = (0.80, 0.20)
"""Loadings of chondrocalcinosis on crystals and severity (odds ratio 2 for osteoarthritis, Neame 2003); estimates."""

_NORMALS: Final = 64
_UNIFORMS: Final = 32


@dataclass(frozen=True)
class SharedFactors:
    """Factors that both knees of a participant share; each is standard normal.

    Attributes:
        severity: of osteoarthritis.
        alignment: positive loads the medial compartments.
        crystals: tendency to chondrocalcinosis.
    """

    severity: float
    alignment: float
    crystals: float


def shared_factors(generator: torch.Generator) -> SharedFactors:
    """The factors that both knees of a participant share: the first numbers of the right knee's stream ``"grades"``.

    Args:
        generator: generator of that stream, from which nothing is drawn yet.
    """
    return SharedFactors(*_normals(generator)[:3])


def draw_grades(
    generator: torch.Generator,
    enriched: bool = False,
    prevalence: Prevalence = "balanced",
    shared: SharedFactors | None = None,
) -> dict[str, int]:
    """Draw the grades of one knee; equal states of the generator and equal arguments give equal grades.

    Args:
        generator: the knee's generator of grades.
        enriched: draw each cyst, chondrocalcinosis and attrition with probability one half, independent of all other
            features.
        prevalence: ``"oai"``: as in OAI at baseline. ``"balanced"``: the same correlations, but every grade is frequent
            enough for a small training set. ``"independent"``: features are independent, and the grades of a feature
            are equally frequent.
        shared: the participant's factors, for a left knee; None draws them, for a right knee.

    Returns:
        OAI stem to grade, all 19, in the order of Table I.

    Raises:
        UsageError: the prevalence is unknown.
    """
    normal = _normals(generator)
    uniform = torch.rand(_UNIFORMS, generator=generator, dtype=torch.float64).tolist()
    chance = dict(zip(MAXIMAL_GRADES, uniform, strict=False))
    if prevalence == "independent":
        grades = {stem: int(chance[stem] * (highest + 1)) for stem, highest in MAXIMAL_GRADES.items()}
    elif prevalence in SHARES:
        latents = _latents(shared or SharedFactors(*normal[:3]), normal[3:])
        grades = {stem: _graded(value, SHARES[prevalence][stem]) for stem, value in latents.items()}
    else:
        raise UsageError("prevalence", "must be oai, balanced or independent", str(prevalence))
    if enriched:
        grades |= {stem: int(chance[stem] < 0.5) for stem, highest in MAXIMAL_GRADES.items() if highest == 1}
    grades["XRKL"] = kellgren_lawrence(grades)
    return {stem: grades[stem] for stem in MAXIMAL_GRADES}


def kellgren_lawrence(grades: Mapping[str, int]) -> int:
    """Kellgren-Lawrence grade that follows from osteophytes and joint space narrowing.

    0: none. 1: doubtful osteophyte, or narrowing alone. 2: definite osteophyte with at most possible narrowing.
    3: osteophyte with definite narrowing. 4: narrowing down to bone (Kellgren and Lawrence, Ann Rheum Dis 16:494,
    1957). Possible narrowing is read as OARSI grade 1, definite narrowing as grade 2; with these, OAI's shares of
    narrowing reproduce its shares of KL 2 and 3.

    Args:
        grades: OAI stem to grade.
    """
    osteophyte = max(grades.get(f"XROS{bone}{side}", 0) for bone in "FT" for side in "ML")
    narrowing = max(grades.get(f"XRJS{side}", 0) for side in "ML")
    if narrowing == 3:
        return 4
    if osteophyte >= 1 and narrowing == 2:
        return 3
    if osteophyte >= 2 or (osteophyte and narrowing):
        return 2
    return 1 if osteophyte or narrowing else 0


def prevalence_of(seed: int) -> tuple[Prevalence, bool]:
    """The arguments (prevalence, enriched) of :func:`draw_grades` for the patients of a seed range.

    Models are trained and selected on balanced knees. They are calibrated and tested on knees with the prevalences of
    OAI. Two further tests use knees with more lesions, and knees with combinations of features that patients do not
    have.

    Raises:
        InputRefused: the seed lies outside all ranges.
    """
    return _POLICIES[seed_range_name(seed)]


_POLICIES: Final[Mapping[str, tuple[Prevalence, bool]]] = {
    "training": ("balanced", False),
    "validation": ("balanced", False),
    "calibration": ("oai", False),
    "test": ("oai", False),
    "lesion-enriched": ("balanced", True),
    "shifted": ("independent", False),
}


def patient_grades(seed: int, side: Side = Side.RIGHT, prevalence: Prevalence | None = None) -> dict[str, int]:
    """Grades of one knee of a patient, which its radiograph and MR volume show.

    Args:
        seed: the patient's seed; the right knee has the same one.
        side: side of the knee.
        prevalence: prevalence of the grades; None takes that of the seed's range.

    Returns:
        OAI stem to grade, all 19, in the order of Table I.

    Raises:
        InputRefused: the seed lies outside all ranges.
        UsageError: the prevalence is unknown.
    """
    usual, enriched = prevalence_of(seed)
    chosen = prevalence or usual
    if side is Side.RIGHT:
        return draw_grades(knee_generator(seed, "grades"), enriched, chosen)
    shared = shared_factors(knee_generator(seed, "grades"))
    return draw_grades(knee_generator(seed, "left grades"), enriched, chosen, shared)


def _normals(generator: torch.Generator) -> list[float]:
    """Standard normal numbers of one knee; their number is fixed, so no option changes the draws of another."""
    drawn: list[float] = torch.randn(_NORMALS, generator=generator, dtype=torch.float64).tolist()
    return drawn


def _latents(shared: SharedFactors, normal: list[float]) -> dict[str, float]:
    """Standard normal latent of each feature except KL, by OAI stem."""
    noise = iter(normal)

    def combined(*parts: tuple[float, float]) -> float:
        """Sum of the factors, each times its loading, plus noise that brings the variance to one."""
        rest = 1.0 - sum(loading**2 for loading, _ in parts)
        return sum(loading * factor for loading, factor in parts) + math.sqrt(rest) * next(noise)

    def of_knee(name: str) -> float:
        return combined((math.sqrt(_SHARED_KNEE[name]), getattr(shared, name)))

    severity, alignment, crystals = of_knee("severity"), of_knee("alignment"), of_knee("crystals")
    latents: dict[str, float] = {}
    for side, turn in (("M", 1.0), ("L", -1.0)):
        own = next(noise)
        by_severity, by_alignment = _NARROWING[side]
        narrowing = combined((by_severity, severity), (turn * by_alignment, alignment))
        latents[f"XRJS{side}"] = narrowing
        latents[f"XRCH{side}"] = combined((_CRYSTALS[0], crystals), (_CRYSTALS[1], severity))
        latents[f"XRATT{side}"] = combined((_FOLLOWS_NARROWING["XRATT"], narrowing))
        for bone in "FT":
            latents[f"XROS{bone}{side}"] = combined(
                (_OSTEOPHYTE[0], severity), (turn * _OSTEOPHYTE[1], alignment), (_OSTEOPHYTE[2], own)
            )
            for stem in ("XRSC", "XRCY"):
                latents[f"{stem}{bone}{side}"] = combined((_FOLLOWS_NARROWING[stem], narrowing))
    return latents


def _graded(latent: float, shares: tuple[float, ...]) -> int:
    """Grade of a standard normal latent; grades 1, 2, 3 occur with the given shares."""
    above = 1.0 - NormalDist().cdf(latent)
    return sum(above < sum(shares[grade:]) for grade in range(len(shares)))
