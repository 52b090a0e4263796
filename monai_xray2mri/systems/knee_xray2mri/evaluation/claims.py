"""What Wang 2024a and 2024b claim, and what a run says of each claim: one table, filled from the studies' rows.

How a verdict is found: :mod:`monai_xray2mri.evaluation.claims`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation import claims
from monai_xray2mri.evaluation.claims import (
    FEWEST_CASES,
    ByCase,
    Finding,
    all_of,
    difference,
    mean_by_case,
    participants_of,
)
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.study import ResultTable, where
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import FEATURES_INPUT, RADIOGRAPH_INPUT, NetworkMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import WORDS
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import WIDTHS

_MARGIN_DB: Final = 0.5
"""By which intermediate slices may lie below those at acquired depths and count as preserved."""
_SEVERE: Final = 3

WANG_A, WANG_B = "Wang 2024a", "Wang 2024b"


@dataclass(frozen=True)
class Networks:
    """Names of trained networks by what they are given.

    Attributes:
        system: the claims are about it; it is given the radiograph, and features or what Wang 2024b reads in the
            radiograph.
        plain: radiograph and depth alone.
        blind: without the radiograph.
    """

    system: str
    plain: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """All that the system is compared with."""
        return self.plain + self.blind


Test = Callable[[Rows, Networks], Finding | None]


@dataclass(frozen=True)
class KneeClaim(claims.Claim):
    """A claim about a system of the papers; its test is told which one (:class:`Networks`).

    Attributes:
        of_features: it makes sense only for a system that takes features.
    """

    of_features: bool = False


def networks_around(system: str, methods: Mapping[str, Method]) -> Networks:
    """One system, and the trained networks that it is compared with: those without features."""
    given = {name: method.given for name, method in methods.items() if isinstance(method, NetworkMethod)}
    bare = {name: what for name, what in given.items() if FEATURES_INPUT not in what and name != system}
    plain = tuple(name for name, what in bare.items() if RADIOGRAPH_INPUT in what)
    return Networks(system, plain, tuple(name for name in bare if name not in plain))


def systems(methods: Mapping[str, Method]) -> dict[str, str]:
    """Systems of the papers among methods: name to paper, ``Wang 2024a``, ``Wang 2024b``, or both."""
    return {
        name: paper_of(method.predictor.network.describe)
        for name, method in methods.items()
        if isinstance(method, NetworkMethod) and {FEATURES_INPUT, RADIOGRAPH_INPUT} <= method.given
    }


def paper_of(describe: Any) -> str:
    """The paper whose guide a network has.

    Args:
        describe: what the network reads in the radiograph itself; None: nothing.
    """
    if describe is None:
        return WANG_A
    return f"{WANG_A} with {WANG_B}" if describe.feature_width else WANG_B


def claims_table(rows: Rows, methods: Mapping[str, Method], main: str) -> ResultTable | None:
    """All claims with what this run says; None where it says nothing of any.

    Args:
        rows: of the studies that were run.
        methods: of the run.
        main: the bundle that all studies but the comparison are about.
    """
    tested = []
    for name, paper in systems(methods).items():
        around = networks_around(name, methods)
        for claim in COMPARISONS + (ONE_METHOD if name == main else ()):
            if claim.of_features and paper == WANG_B:
                continue
            source = f"{claim.source} ({name}: {paper})" if claim in COMPARISONS else claim.source
            tested.append(replace(claim, source=source, test=partial(_of_system, claim.test, around)))
    note = (
        "Brackets: 95 % bootstrap interval over participants of the mean paired difference. Holds: above zero, against "
        "each other method; does not hold: below zero against one; not decided: between. Not measured: a study was not "
        f"run, a trained baseline was not entered (--method), or fewer than {FEWEST_CASES} knees."
    )
    return claims.claims_table(tested, rows, None, "Claims of Wang 2024a and 2024b", note)


def _of_system(test: Test, around: Networks, rows: Rows, _: None) -> Finding | None:
    return test(rows, around)


verdict_on = partial(claims.verdict_on, cases=WORDS.cases)
"""The verdict, which counts knees."""


def _better(measure: str, sign: float = 1.0, least_grade: int = 0) -> Callable[[Rows, Networks], Finding | None]:
    """The system has more of a measure (less, with sign -1) than each network without features."""

    def test(rows: Rows, methods: Networks) -> Finding | None:
        severe = [row for row in rows.get("comparison", ()) if (row.get("grade") or 0) >= least_grade]
        own, people = mean_by_case(where(severe, method=methods.system), measure), participants_of(severe)

        def against(name: str) -> Finding | None:
            gain = difference(own, mean_by_case(where(severe, method=name), measure))
            return verdict_on({knee: sign * value for knee, value in gain.items()}, people)

        return all_of({name: against(name) for name in methods.others})

    return test


def _radiograph_shapes_bones(rows: Rows, methods: Networks) -> Finding | None:
    compared_rows = rows.get("comparison", ())
    people = participants_of(compared_rows)

    def dice(name: str) -> ByCase:
        femur, tibia = (mean_by_case(where(compared_rows, method=name), f"dice_{bone}") for bone in ("femur", "tibia"))
        return {knee: (femur[knee] + tibia[knee]) / 2 for knee in femur if knee in tibia}

    pairs = {(plain, blind) for plain in methods.plain for blind in methods.blind}
    return all_of(
        {
            f"{plain} - {blind}": verdict_on(difference(dice(plain), dice(blind)), people)
            for plain, blind in sorted(pairs)
        }
    )


def _features_show(against: str) -> Callable[[Rows, Networks], Finding | None]:
    """Lesions that are there are shown more often as graded than under another condition."""

    def test(rows: Rows, _: Networks) -> Finding | None:
        there = [row for row in where(rows.get("hidden", ()), there=True) if "condition" in row]
        shown = {name: mean_by_case(where(there, condition=name), "shown") for name in ("as graded", against)}
        return verdict_on(difference(shown["as graded"], shown[against]), participants_of(there))

    return test


def _features_help(rows: Rows, _: Networks) -> Finding | None:
    quality = rows.get("quality", ())
    bare = "one sample, radiograph and depth only"
    own, other = (mean_by_case(where(quality, condition=name), "psnr") for name in ("one sample", bare))
    return verdict_on(difference(own, other), participants_of(quality))


def _depth(first: tuple[int, str], second: tuple[int, str], margin: float = 0.0) -> Callable[..., Finding | None]:
    """A measure at one number of slices is more than one at another."""

    def test(rows: Rows, _: Networks) -> Finding | None:
        depth = rows.get("depth", ())
        one, two = (mean_by_case(where(depth, slices=count), measure) for count, measure in (first, second))
        found = verdict_on(difference(one, two), participants_of(depth), margin)
        if found is None:
            return None
        means = " against ".join(f"{np.mean(list(each.values())):.3f}" for each in (one, two))
        return Finding(f"{means}: {found.words}", found.verdict)

    return test


def _soft_tissue_is_worse(rows: Rows, _: Networks) -> Finding | None:
    tested = where(rows.get("calibration", ()), split="test")

    def error(region: str) -> ByCase:
        """Mean absolute error of the mean of samples: the area below the share of voxels beyond each width."""
        chosen = where(tested, region=region)
        return {
            str(row["case"]): float(WIDTHS[0] + np.trapezoid(np.asarray(row["constant_losses"]), WIDTHS))
            for row in chosen
        }

    return verdict_on(difference(error("soft tissue"), error("bone")), participants_of(tested))


COMPARISONS: Final = (
    KneeClaim(
        "PSNR is the highest, by little",
        "Wang 2024a IV-A, Fig. 5a; Wang 2024b 4.1",
        "29.2 dB; best other 28.9; without radiograph 28.6",
        _better("psnr"),
    ),
    KneeClaim("SSIM is the highest, by little", "Wang 2024a IV-A, Fig. 5b; Wang 2024b 4.1", "0.28", _better("ssim")),
    KneeClaim(
        "RSSIM is clearly the highest",
        "Wang 2024a IV-A, Fig. 5b; Wang 2024b 4.1",
        "0.50; best other 0.42",
        _better("rssim"),
    ),
    KneeClaim(
        "narrowed joint spaces (KL 3 and 4) are drawn more accurately than by others",
        "Wang 2024b 4.1",
        "pictures, error in mm here",
        _better("joint_space_width_error_mm", -1, _SEVERE),
    ),
)
"""About each system that was compared."""
ONE_METHOD: Final = (
    KneeClaim(
        "with a radiograph bones are nearer to the truth than without",
        "Wang 2024a IV-A; Wang 2024b 4.1",
        "pictures, Dice here",
        _radiograph_shapes_bones,
    ),
    KneeClaim(
        "hidden lesions show when their features are told, not when these are unknown",
        "Wang 2024a IV-B, Table III",
        "one picture each",
        _features_show("all unknown"),
        True,
    ),
    KneeClaim(
        "hidden lesions show when their features are told, not when these are told absent",
        "Wang 2024a IV-B, Table III",
        "one picture each",
        _features_show("all absent"),
        True,
    ),
    KneeClaim("features make volumes more accurate", "Wang 2024a IV-B", "no figure, PSNR here", _features_help, True),
    KneeClaim(
        "adjacent slices are more alike at s = 500 than at 50",
        "Wang 2024a Fig. 6; Wang 2024b 4.2",
        "0.76 against 0.73",
        _depth((500, "generated"), (50, "generated")),
    ),
    KneeClaim(
        "at s = 50 they are less alike than in the true volume",
        "Wang 2024a Fig. 6; Wang 2024b 4.2",
        "0.82 true, 0.73 generated",
        _depth((50, "true"), (50, "generated")),
    ),
    KneeClaim(
        "even at s = 500 they are less alike than true ones at 50",
        "Wang 2024a Fig. 6; Wang 2024b 4.2",
        "0.82 true, 0.76 generated",
        _depth((50, "true"), (500, "generated")),
    ),
    KneeClaim(
        f"intermediate slices keep the anatomy (at most {_MARGIN_DB:g} dB less PSNR)",
        "Wang 2024a Table IV; Wang 2024b Table 2",
        "pictures, PSNR here",
        _depth((500, "psnr"), (50, "psnr"), _MARGIN_DB),
    ),
    KneeClaim(
        "soft tissue is less accurate than bone",
        "Wang 2024b 4.3.3",
        "no figure, mean absolute error here",
        _soft_tissue_is_worse,
    ),
)
"""About the bundle that the other studies look into."""
