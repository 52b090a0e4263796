"""What X-Diffusion claims, the controls that it lacks, and what a run says of each.

How a verdict is found: :mod:`monai_xray2mri.evaluation.claims`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation import claims
from monai_xray2mri.evaluation.agreement import DIFFERENT, EQUIVALENT, equivalence
from monai_xray2mri.evaluation.bootstrap import correlation
from monai_xray2mri.evaluation.claims import (
    FAILS,
    HOLDS,
    OPEN,
    Claim,
    Finding,
    all_of,
    difference,
    mean_by_case,
    participants_of,
)
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, column, where
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.systems.mri_xdiffusion.data.making import KNEE_SIDE_MM
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODY_SIZE
from monai_xray2mri.systems.mri_xdiffusion.evaluation.joint import PARTS, REAL
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEAN_OF_SAMPLES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import PriorMethod
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import WORDS, VolumeSetting
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies import (
    anatomy,
    comparison,
    given,
    lesions,
    slices,
    test_time,
    views,
)

verdict_on = partial(claims.verdict_on, cases=WORDS.cases)
"""The verdict, which counts volumes."""

_PLATEAU_DB: Final = 0.1
"""PSNR that 800 and 1,000 steps may differ by and still count as equal, stated before."""
_PROJECTED: Final = f"X-Diffusion, {given.PROJECTION}"

Test = Callable[[Rows, VolumeSetting], Finding | None]


def claims_table(rows: Rows, setting: VolumeSetting) -> ResultTable | None:
    """All claims with what this run says; None where it says nothing of any."""
    note = (
        "Brackets: 95 % bootstrap interval over participants of the mean paired difference, dB unless said otherwise. "
        "Holds: above zero; does not hold: below; not decided: between. Not measured: the study was not run, weights "
        f"are missing, or fewer than {claims.FEWEST_CASES} volumes. The paper's figures are of other data: what "
        "compares is whether a difference is there."
    )
    return claims.claims_table(CLAIMS, rows, setting, "Claims of X-Diffusion", note)


def _pair(rows: Sequence[Row], entry: str, first: Any, second: Any, measure: str = "psnr") -> Finding | None:
    """A measure is more under one value of an entry than under another."""
    one, other = (mean_by_case(where(rows, **{entry: value}), measure) for value in (first, second))
    return verdict_on(difference(one, other), participants_of(rows))


def _conditions(study: str, first: str, second: str, entry: str = "condition", measure: str = "psnr") -> Test:
    return lambda rows, setting: _pair(rows.get(study, ()), entry, first, second, measure)


def _methods(study: str, condition: str, others: Sequence[str], measure: str = "psnr") -> Test:
    """The bundle has more of a measure than each of these methods, with the same slices."""

    def test(rows: Rows, setting: VolumeSetting) -> Finding | None:
        chosen = where(rows.get(study, ()), condition=condition)
        return all_of({other: _pair_of_methods(chosen, setting, other, measure) for other in others})

    return test


def _pair_of_methods(rows: Sequence[Row], setting: VolumeSetting, other: str, measure: str) -> Finding | None:
    own = mean_by_case(where(rows, method=setting.main), measure)
    against = mean_by_case(where(rows, method=other), "psnr")
    return verdict_on(difference(own, against), participants_of(rows))


def _entered(study: str, first: str, second: str, **entries: Any) -> Test:
    """A method that ``--method`` entered under a name has more PSNR than one of another name."""
    return lambda rows, setting: _pair(where(rows.get(study, ()), **entries), "method", first, second)


def _published(study: str, sign: float = 1.0, **entries: Any) -> Test:
    """The bundle has more (less, with sign -1) PSNR than ScoreMRI and TPDM, one sample of each."""

    def test(rows: Rows, setting: VolumeSetting) -> Finding | None:
        chosen = where(rows.get(study, ()), **entries)
        own = mean_by_case(where(chosen, method=setting.main), "psnr")
        names = [name for name, method in setting.methods.items() if isinstance(method, PriorMethod)]
        found = {
            name: verdict_on(
                {
                    case: sign * value
                    for case, value in difference(own, mean_by_case(where(chosen, method=name), "psnr")).items()
                },
                participants_of(chosen),
            )
            for name in names
        }
        return all_of({name: each for name, each in found.items() if each is not None})

    return test


def _methods_of_slices(study: str, number: str, other: str) -> Test:
    """The bundle has more PSNR than a method, at a number of slices."""

    def test(rows: Rows, setting: VolumeSetting) -> Finding | None:
        return _pair_of_methods(where(rows.get(study, ()), slices=number), setting, other, "psnr")

    return test


def _more_slices(study: str) -> Test:
    def test(rows: Rows, setting: VolumeSetting) -> Finding | None:
        return _pair(where(rows.get(study, ()), method=setting.main), "slices", "10", "1")

    return test


def _masked(rows: Rows, setting: VolumeSetting) -> Finding | None:
    own = [
        mean_by_case(where(rows.get(study, ()), method=setting.main, condition=comparison.ONE), "psnr")
        for study in ("masked_cones", "cones")
    ]
    return verdict_on(difference(*own), participants_of(rows.get("masked_cones", ())))


def _volumes_kept(rows: Rows, setting: VolumeSetting) -> Finding | None:
    chosen = where(rows.get("anatomy", ()), condition="X-Diffusion, 1")
    words, verdicts = [], set()
    for part in PARTS:
        found, true = column(chosen, f"{part}_ml"), column(chosen, f"{part}_true_ml")
        differences = [one - other for one, other in zip(found, true, strict=True)]
        bound = anatomy.BOUND_SHARE * sum(true) / max(len(true), 1)
        tested = equivalence(differences, bound) if bound > 0 and len(true) >= claims.FEWEST_CASES else None
        if tested is None:
            return None
        low, high = tested.ci90
        words.append(f"{part} {tested.mean:+.2f} [{low:+.2f}, {high:+.2f}] ml, bound {bound:.2f}")
        verdicts.add(tested.verdict)
    verdict = HOLDS if verdicts == {EQUIVALENT} else FAILS if DIFFERENT in verdicts else OPEN
    return Finding("; ".join(words), verdict)


def _correlated(found: str, true: str, claimed: float) -> Test:
    """Correlation of generated and true values, with its 95 % interval (Fisher's transformation), above a claim."""

    def test(rows: Rows, setting: VolumeSetting) -> Finding | None:
        rows_of_one = where(rows.get("anatomy", ()), condition="X-Diffusion, 1")
        values = np.array([column(rows_of_one, name) for name in (found, true)], float)  # NaN where nothing was read
        ours, theirs = values[:, np.isfinite(values).all(axis=0)]
        r = correlation(ours, theirs) if len(ours) >= claims.FEWEST_CASES else None
        if r is None:
            return None
        reach = 1.96 / math.sqrt(len(ours) - 3)
        low, high = (math.tanh(math.atanh(min(max(r, -0.9999), 0.9999)) + step) for step in (-reach, reach))
        verdict = HOLDS if low > claimed else FAILS if high < claimed else OPEN
        return Finding(f"r {r:.2f} [{low:.2f}, {high:.2f}], {len(ours)} {WORDS.cases}", verdict)

    return test


def _plateau(rows: Rows, setting: VolumeSetting) -> Finding | None:
    """From 800 steps on nothing is gained: equivalence within a bound."""
    last, before = (
        mean_by_case(where(rows.get("sampler", ()), condition=f"{steps} steps"), "psnr") for steps in (1000, 800)
    )
    tested = equivalence(list(difference(last, before).values()), _PLATEAU_DB)
    if tested is None or tested.n < claims.FEWEST_CASES:
        return None
    low, high = tested.ci90
    verdict = {EQUIVALENT: HOLDS, DIFFERENT: FAILS}.get(tested.verdict, OPEN)
    words = f"{tested.mean:+.3f} [{low:+.3f}, {high:+.3f}] (90 %), bound {_PLATEAU_DB:g} dB, {tested.n} {WORDS.cases}"
    return Finding(words, verdict)


def _projected(rows: Rows, setting: VolumeSetting) -> Finding | None:
    """A projection in the place of a slice tells more than the mean volume."""
    chosen = rows.get("projection", ())
    own = mean_by_case(where(chosen, condition=_PROJECTED), MEAN_OF_SAMPLES)
    mean = mean_by_case(where(chosen, condition="mean volume"), "psnr")
    return verdict_on(difference(own, mean), participants_of(chosen))


def _farthest(rows: Rows, setting: VolumeSetting) -> Finding | None:
    chosen = rows.get("lesions", ())
    near, far = (lesions.slice_at(lesions.DISTANCES[end], KNEE_SIDE_MM / BODY_SIZE) for end in (0, -1))
    return _pair(chosen, "condition", near, far, "shown")


CLAIMS: Final = (
    Claim(
        "one slice tells more than the mean volume and another volume (cones)",
        "Table 1, 5.1",
        "23.10 dB; random pair 19.89",
        _methods("cones", comparison.ONE, ("mean volume", "another volume"), MEAN_OF_SAMPLES),
    ),
    Claim(
        "one slice tells more than mean and nearest volume (bodies)",
        "Table 1, 5.1",
        "23.10 dB; random pair 19.89",
        _methods("comparison", comparison.ONE, ("mean volume", "nearest volume"), MEAN_OF_SAMPLES),
    ),
    Claim(
        "ten slices tell more than their interpolation (bodies)",
        "control",
        "-",
        _methods("comparison", "10 slices", ("interpolation",), MEAN_OF_SAMPLES),
    ),
    Claim("more slices, more PSNR: 10 against 1", "Table 1", "33.27 against 23.10", _more_slices("cone_slices")),
    Claim(
        "one slice: better than ScoreMRI and TPDM",
        "Table 1",
        "23.10 against 9.37 and 10.48, both below its random pair",
        _published("cones", condition=comparison.ONE),
    ),
    Claim(
        "a dense input: the baselines are better",
        "D.7, Fig. XVII",
        "no figure",
        _published("cone_slices", -1.0, slices=slices.DENSE),
    ),
    Claim(
        "every second slice: better than their interpolation (1 x 1 x 2 mm to isotropic, cones)",
        "D.11, Table XIII",
        "33.14; interpolation not reported",
        _methods_of_slices("cone_slices", slices.DENSE, "interpolation"),
    ),
    Claim(
        "the product of slices is better than an MLP on them (ten slices; methods mean_product, mlp)",
        "Table VIII",
        "23.1 against 22.7, to 35.48 against 35.16",
        _entered("cone_slices", "mean_product", "mlp", slices="10"),
    ),
    Claim(
        "tokens of each slice are better than their product (ten slices; methods tokens, mean_product)",
        "control",
        "-",
        _entered("cone_slices", "tokens", "mean_product", slices="10"),
    ),
    Claim(
        "the network must be told which slice it is given (methods tokens, untold)",
        "control",
        "-",
        _entered("cones", "tokens", "untold", condition=comparison.BESIDE),
    ),
    Claim(
        "sections of all directions are better to train on than three planes (methods all_directions, planes)",
        "3.2, Eq. 2",
        "no figure",
        _entered("cones", "all_directions", "planes", condition=comparison.ONE),
    ),
    Claim(
        "pretrained weights are better than none, from one slice (methods pretrained, scratch)",
        "6.3, Table XII",
        "23.13 (Zero-123) against 17.14",
        _entered("comparison", "pretrained", "scratch", condition=comparison.ONE),
    ),
    Claim(
        "the network looks at its slice: its own is better than another's",
        "control",
        "-",
        _conditions("cone_inputs", given.OWN, given.ANOTHER),
    ),
    Claim(
        "five views are better than one",
        "Table V",
        "37.40 against 35.48",
        _conditions("cone_views", "5 views, mean", "1 views, mean", "views"),
    ),
    Claim(
        "five views are better than five samples of one view",
        "control",
        "-",
        _conditions("cone_views", "5 views, mean", "5 samples of one view, mean", "views"),
    ),
    Claim(
        "the mean of views is better than their maximum",
        "Table V",
        "37.40 against about 35.4",
        _conditions("cone_views", "5 views, mean", "5 views, max", "views"),
    ),
    Claim(
        "three planes are better than three samples of one view",
        "Table XIV, control",
        "planes without such a control",
        _conditions("cone_views", views.PLANES, "3 samples of one view, mean", "views"),
    ),
    Claim(
        "two orthogonal slices are better than two of one axis",
        "6.2",
        "25.61 against 25.20",
        _conditions("cone_inputs", "2 orthogonal slices", "2 slices of one axis"),
    ),
    Claim(
        "three orthogonal slices are better than three of one axis",
        "6.2",
        "29.77 against 29.43",
        _conditions("cone_inputs", "3 orthogonal slices", "3 slices of one axis"),
    ),
    Claim(
        "the same slice ten times is better than once",
        "C.1",
        "25.1 against 23.1",
        _conditions("cone_inputs", "its own slice 10 times", given.OWN),
    ),
    Claim("Fourier-masked cones are easier", "C.1", "27.30 against 26.79", _masked),
    Claim(
        "test-time augmentation helps, by little",
        "Table XI",
        "35.61 against 35.48",
        _conditions("test_time", "all of them", test_time.PLAIN),
    ),
    Claim(
        "test-time augmentation is more than averaging as many samples",
        "control",
        "-",
        _conditions("test_time", "all of them", "as many samples"),
    ),
    Claim(
        "test-time optimization helps (entropy maximized)",
        "Table XV, D.17",
        "35.97 against 35.48",
        _conditions("test_time", "entropy maximized (as printed)", test_time.PLAIN),
    ),
    Claim(
        "estimates drawn towards the given slice help",
        "control",
        "-",
        _conditions("test_time", "consistent with the given slice (ours)", test_time.PLAIN),
    ),
    Claim("1,000 steps are as good as 800", "D.12, Table XVIII", "a plateau from 800 on", _plateau),
    Claim(
        "compressed sensing: X-Diffusion is better than zero filling",
        "Table VII",
        "35.17 at factor 2; DiffusionMBIR 37.16",
        _conditions("compressed", f"X-Diffusion, {31} slices, factor 4", "zero filling, factor 4"),
    ),
    Claim(
        "volumes of structures are kept, from one slice",
        "5.2, B.2",
        "brain 1.28e6 against 1.31e6 mm3, called equal",
        _volumes_kept,
    ),
    Claim(
        "subcutaneous fat is kept, from one slice: r above 0.9",
        "B.1, Table IX",
        "body composition, r above 0.9",
        _correlated(f"{anatomy.FAT}_ml", f"{anatomy.FAT}_true_ml", 0.9),
    ),
    Claim(
        "the joint keeps its angle, from one slice: r above 0.89 (for spine curvature)",
        "5.2, B.3",
        "r 0.89",
        _correlated("line", "line_true", 0.89),
    ),
    Claim(
        "lesions are kept better, the nearer the slice (share shown)",
        "5.2, Fig. VII",
        "Dice 83.68 through, 77.21 at 80 mm",
        _farthest,
    ),
    Claim(
        "absent lesions are shown more often than in true volumes (share)",
        "6.4",
        "11.3 against 9.9 %",
        _conditions("anatomy", "X-Diffusion, 1", REAL, measure="lesions_hallucinated"),
    ),
    Claim(
        "foreign data: better than a random volume of them (bodies by the network of cones)",
        "5.3, Table II, 6.4",
        "34.17 and 35.86, above 23.10 on its own; no random pair",
        _conditions("foreign_bodies", "network of cones, 1 slices", "another volume, 1 slices"),
    ),
    Claim(
        "a projection in the place of a slice tells more than the mean volume (bodies)",
        "DXA",
        "26.38; mean volume not reported",
        _projected,
    ),
)
"""In the order of the paper; "control" marks what it lacks."""
