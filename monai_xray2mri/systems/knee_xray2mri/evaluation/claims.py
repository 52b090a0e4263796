"""What Wang 2024a and 2024b claim, and what a run says of each claim: one table, filled from the studies' rows.

A claim that something is more than something else is a paired difference over knees with its 95 % bootstrap interval
over participants. It *holds* where the interval lies above zero, *does not hold* where it lies below, and is *not
decided* between. Where a paper claims more than each of several others, each must be beaten on its own, which needs no
correction for their number (Berger 1982, intersection-union test).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import summarise
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Table, column, distinct, where
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import FEATURES, RADIOGRAPH, NetworkMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import WIDTHS

HOLDS, FAILS, OPEN, ABSENT = "holds", "does not hold", "not decided", "not measured"
_MARGIN_DB: Final = 0.5
"""By which intermediate slices may lie below those at acquired depths and count as preserved."""
_FEWEST_KNEES: Final = 5
_SEVERE: Final = 3

Rows = Mapping[str, Sequence[Row]]
"""Study to its rows."""
Found = dict[str, float]
"""Knee to a number."""


@dataclass(frozen=True)
class Finding:
    """What a run says of a claim: in words, and the verdict."""

    words: str
    verdict: str


@dataclass(frozen=True)
class Compared:
    """Names of trained networks by what they are given.

    Attributes:
        system: that the claims are about: radiograph, and features or what Wang 2024b reads in the radiograph.
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


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        source: paper and place.
        claim: in words.
        figures: the paper's.
        test: rows and the methods compared to what this run says; None: it did not measure it.
        of_features: it makes sense only for a system that takes features.
    """

    source: str
    claim: str
    figures: str
    test: Callable[[Rows, Compared], Finding | None]
    of_features: bool = False


def compared(methods: Mapping[str, Method], system: str) -> Compared:
    """The trained networks among methods, around one system; its features make the others those without."""
    given = {name: method.given for name, method in methods.items() if isinstance(method, NetworkMethod)}
    bare = {name: what for name, what in given.items() if FEATURES not in what and name != system}
    plain = tuple(name for name, what in bare.items() if RADIOGRAPH in what)
    return Compared(system, plain, tuple(name for name in bare if name not in plain))


def systems(methods: Mapping[str, Method]) -> dict[str, str]:
    """Systems of the papers among methods: name to paper, ``"000"``, ``"001"``, or ``"000 with 001"``."""
    found = {}
    for name, method in methods.items():
        if isinstance(method, NetworkMethod) and {FEATURES, RADIOGRAPH} <= method.given:
            describe = method.network.describe
            found[name] = "000" if describe is None else "000 with 001" if describe.feature_width else "001"
    return found


def claims_table(rows: Rows, methods: Mapping[str, Method], main: str) -> Table | None:
    """All claims with what this run says; None where it says nothing of any.

    Args:
        rows: of the studies that were run.
        methods: of the run.
        main: the bundle that all studies but the comparison are about.
    """
    cells = []
    for name, paper in systems(methods).items():
        for claim in COMPARISONS + (ONE_METHOD if name == main else ()):
            if claim.of_features and paper == "001":
                continue
            found = claim.test(rows, compared(methods, name)) or Finding("-", ABSENT)
            source = f"{claim.source} ({name}: {paper})" if claim in COMPARISONS else claim.source
            cells.append([claim.claim, source, claim.figures, found.words, found.verdict])
    if all(row[-1] == ABSENT for row in cells):
        return None
    note = (
        "Brackets: 95 % bootstrap interval over participants of the mean paired difference. Holds: above zero, against "
        "each other method; does not hold: below zero against one; not decided: between. Not measured: a study was not "
        f"run, a trained baseline was not entered (--method), or fewer than {_FEWEST_KNEES} knees."
    )
    return Table(
        "claims", "Claims of Wang 2024a and 2024b", ["claim", "where", "paper", "here", "verdict"], cells, note
    )


def judged(differences: Found, participants: Mapping[str, str], margin: float = 0.0) -> Finding | None:
    """Interval of the mean difference, and its verdict; None for fewer than five knees.

    Args:
        differences: knee to what the claim says is above zero.
        participants: knee to whose it is.
        margin: zero moves down by so much.
    """
    knees = [knee for knee, value in differences.items() if np.isfinite(value)]
    found = summarise([differences[knee] for knee in knees], [participants[knee] for knee in knees])
    low, high = found.ci95
    if found.mean is None or low is None or high is None or found.n < _FEWEST_KNEES:
        return None
    verdict = HOLDS if low > -margin else FAILS if high < -margin else OPEN
    return Finding(f"{found.mean:+.3f} [{low:+.3f}, {high:+.3f}], {found.n} knees", verdict)


def _difference(first: Found, second: Found) -> Found:
    return {knee: value - second[knee] for knee, value in first.items() if knee in second}


def _people(rows: Iterable[Row]) -> dict[str, str]:
    return {str(row["knee"]): str(row["participant"]) for row in rows}


def _by_knee(rows: Sequence[Row], measure: str) -> Found:
    """Knee to the mean of a measure over its rows that have it."""
    return {
        str(knee): float(np.mean([value for value in column(where(rows, knee=knee), measure) if np.isfinite(value)]))
        for knee in distinct([row for row in rows if row.get(measure) is not None], "knee")
    }


def _all(findings: Mapping[str, Finding | None]) -> Finding | None:
    """One finding of many that must all hold."""
    found = {name: each for name, each in findings.items() if each is not None}
    if not found or len(found) < len(findings):
        return None
    verdicts = {each.verdict for each in found.values()}
    verdict = FAILS if FAILS in verdicts else OPEN if OPEN in verdicts else HOLDS
    return Finding("; ".join(f"{name}: {each.words}" for name, each in found.items()), verdict)


def _better(measure: str, sign: float = 1.0, least_grade: int = 0) -> Callable[[Rows, Compared], Finding | None]:
    """The system has more of a measure (less, with sign -1) than each network without features."""

    def test(rows: Rows, methods: Compared) -> Finding | None:
        severe = [row for row in rows.get("comparison", ()) if (row.get("grade") or 0) >= least_grade]
        own, people = _by_knee(where(severe, method=methods.system), measure), _people(severe)

        def against(name: str) -> Finding | None:
            difference = _difference(own, _by_knee(where(severe, method=name), measure))
            return judged({knee: sign * value for knee, value in difference.items()}, people)

        return _all({name: against(name) for name in methods.others})

    return test


def _radiograph_shapes_bones(rows: Rows, methods: Compared) -> Finding | None:
    compared_rows = rows.get("comparison", ())
    people = _people(compared_rows)

    def dice(name: str) -> Found:
        femur, tibia = (_by_knee(where(compared_rows, method=name), f"dice_{bone}") for bone in ("femur", "tibia"))
        return {knee: (femur[knee] + tibia[knee]) / 2 for knee in femur if knee in tibia}

    pairs = {(plain, blind) for plain in methods.plain for blind in methods.blind}
    return _all(
        {f"{plain} - {blind}": judged(_difference(dice(plain), dice(blind)), people) for plain, blind in sorted(pairs)}
    )


def _features_show(against: str) -> Callable[[Rows, Compared], Finding | None]:
    """Lesions that are there are shown more often as graded than under another condition."""

    def test(rows: Rows, _: Compared) -> Finding | None:
        there = [row for row in where(rows.get("hidden", ()), there=True) if "condition" in row]
        shown = {name: _by_knee(where(there, condition=name), "shown") for name in ("as graded", against)}
        return judged(_difference(shown["as graded"], shown[against]), _people(there))

    return test


def _features_help(rows: Rows, _: Compared) -> Finding | None:
    quality = rows.get("quality", ())
    bare = "one sample, radiograph and depth only"
    own, other = (_by_knee(where(quality, condition=name), "psnr") for name in ("one sample", bare))
    return judged(_difference(own, other), _people(quality))


def _depth(first: tuple[int, str], second: tuple[int, str], margin: float = 0.0) -> Callable[..., Finding | None]:
    """A measure at one number of slices is more than one at another."""

    def test(rows: Rows, _: Compared) -> Finding | None:
        depth = rows.get("depth", ())
        one, two = (_by_knee(where(depth, slices=count), measure) for count, measure in (first, second))
        found = judged(_difference(one, two), _people(depth), margin)
        if found is None:
            return None
        means = " against ".join(f"{np.mean(list(each.values())):.3f}" for each in (one, two))
        return Finding(f"{means}: {found.words}", found.verdict)

    return test


def _soft_tissue_is_worse(rows: Rows, _: Compared) -> Finding | None:
    tested = where(rows.get("calibration", ()), split="test")

    def error(region: str) -> Found:
        """Mean absolute error of the mean of samples: the area below the share of voxels beyond each width."""
        mine = where(tested, region=region)
        return {
            str(row["knee"]): float(WIDTHS[0] + np.trapezoid(np.asarray(row["constant_losses"]), WIDTHS))
            for row in mine
        }

    return judged(_difference(error("soft tissue"), error("bone")), _people(tested))


COMPARISONS: Final = (
    Claim(
        "IV-A, Fig. 5a; 001 4.1", "PSNR is the highest, by little",
        "29.2 dB; best other 28.9; without radiograph 28.6", _better("psnr"),
    ),
    Claim("IV-A, Fig. 5b; 001 4.1", "SSIM is the highest, by little", "0.28", _better("ssim")),
    Claim("IV-A, Fig. 5b; 001 4.1", "RSSIM is clearly the highest", "0.50; best other 0.42", _better("rssim")),
    Claim(
        "001 4.1", "narrowed joint spaces (KL 3 and 4) are drawn more accurately than by others",
        "pictures, error in mm here",
        _better("joint_space_width_error_mm", -1, _SEVERE),
    ),
)  # fmt: skip
"""About each system that was compared."""
ONE_METHOD: Final = (
    Claim(
        "000 IV-A; 001 4.1", "with a radiograph bones are nearer to the truth than without", "pictures, Dice here",
        _radiograph_shapes_bones,
    ),
    Claim(
        "000 IV-B, Table III", "hidden lesions show when their features are told, not when these are unknown",
        "one picture each", _features_show("all unknown"), True,
    ),
    Claim(
        "000 IV-B, Table III", "hidden lesions show when their features are told, not when these are told absent",
        "one picture each", _features_show("all absent"), True,
    ),
    Claim("000 IV-B", "features make volumes more accurate", "no figure, PSNR here", _features_help, True),
    Claim(
        "000 Fig. 6; 001 4.2", "adjacent slices are more alike at s = 500 than at 50", "0.76 against 0.73",
        _depth((500, "generated"), (50, "generated")),
    ),
    Claim(
        "000 Fig. 6; 001 4.2", "at s = 50 they are less alike than in the true volume", "0.82 true, 0.73 generated",
        _depth((50, "true"), (50, "generated")),
    ),
    Claim(
        "000 Fig. 6; 001 4.2", "even at s = 500 they are less alike than true ones at 50", "0.82 true, 0.76 generated",
        _depth((50, "true"), (500, "generated")),
    ),
    Claim(
        "000 Table IV; 001 Table 2", f"intermediate slices keep the anatomy (at most {_MARGIN_DB:g} dB less PSNR)",
        "pictures, PSNR here", _depth((500, "psnr"), (50, "psnr"), _MARGIN_DB),
    ),
    Claim(
        "001 4.3.3", "soft tissue is less accurate than bone", "no figure, mean absolute error here",
        _soft_tissue_is_worse,
    ),
)  # fmt: skip
"""About the bundle that the other studies look into."""
