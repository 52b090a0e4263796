"""What SCCDM claims, the controls that it lacks, and what a run says of each.

How a verdict is found: :mod:`monai_xray2mri.evaluation.claims`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from monai_xray2mri.evaluation import claims
from monai_xray2mri.evaluation.claims import (
    OPEN,
    ByCase,
    Claim,
    Finding,
    all_of,
    difference,
    mean_by_case,
    participants_of,
)
from monai_xray2mri.evaluation.kid import frechet_distance
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, distinct, where
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import WORDS, FootSetting
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.comparison import AGAIN, TRUE
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.inputs import ANOTHER, OWN
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.variants import (
    CDDPM,
    CYCLEGAN,
    EQUAL,
    NO_ATTENTION,
    NO_DIFFERENCE,
    NO_SCALES,
    PIX2PIX,
    PUBLISHED,
    REGRESSION,
    SAG,
    WIDER,
)

verdict_on = partial(claims.verdict_on, cases=WORDS.cases)
"""The verdict, which counts feet."""
LEAST: Final = ("mae", "perceptual", "hva_error", "keypoint_mm")
"""Measures of which less is better."""
THRESHOLD: Final = 0.75
"""KCC below which the paper's section 4 calls skeletal information incorrect."""

_FOLLOWED: Final = ("visibility 1", "visibility 0")
"""Feet whose skin follows the bones, and the same feet where it does not."""
_DRAWS: Final = 300
"""Bootstrap samples of feet in which Fréchet distances are compared."""

Test = Callable[[Rows, FootSetting], Finding | None]


def claims_table(rows: Rows, setting: FootSetting) -> ResultTable | None:
    """All claims with what this run says; None where it says nothing of any."""
    note = (
        "Brackets: 95 % bootstrap interval over participants of the mean paired difference. Holds: above zero; does "
        "not hold: below; not decided: between. Not measured: the study was not run, weights are missing, or fewer "
        f"than {claims.FEWEST_CASES} feet. The paper's figures are of other data: what compares is whether a "
        f'difference is there. Variants are compared with "{EQUAL}".'
    )
    return claims.claims_table(CLAIMS, rows, setting, "Claims of SCCDM", note)


def better(rows: Sequence[Row], one: str, other: str, measure: str, entry: str = "method") -> ByCase:
    """By how much one value of an entry is better than another in a measure, foot by foot."""
    sign = -1.0 if measure in LEAST else 1.0
    first, second = (mean_by_case(where(rows, **{entry: each}), measure) for each in (one, other))
    return {case: sign * value for case, value in difference(first, second).items()}


def _beats(measure: str, others: Sequence[str], one: str | None = None) -> Test:
    """The bundle, or another method, is better than each of others."""

    def test(rows: Rows, setting: FootSetting) -> Finding | None:
        chosen = rows.get("comparison", ())
        found = {
            other: verdict_on(better(chosen, one or setting.main, other, measure), participants_of(chosen))
            for other in others
        }
        return all_of(found)

    return test


def _figure(measure: str, published: float) -> Test:
    """The bundle is as good as a published figure."""

    def test(rows: Rows, setting: FootSetting) -> Finding | None:
        chosen = where(rows.get("comparison", ()), method=setting.main)
        sign = -1.0 if measure in LEAST else 1.0
        own = {case: sign * (value - published) for case, value in mean_by_case(chosen, measure).items()}
        return verdict_on(own, participants_of(chosen))

    return test


def _lpips(rows: Rows, setting: FootSetting) -> Finding | None:
    """As good as the published LPIPS; only where LPIPS by its published weights was measured."""
    return None if setting.lpips is None else _figure("perceptual", 0.1673)(rows, setting)


def _fid(rows: Rows, setting: FootSetting) -> Finding | None:
    """The bundle's Fréchet distance. No verdict: the published one is of Inception's features, of 15 pictures."""
    found = _looks_of(rows, (setting.main, TRUE))
    if found is None:
        return None
    own, true = found[setting.main], found[TRUE]
    return Finding(f"{frechet_distance(own, true):.2f} on other features, {len(own)} {WORDS.cases}", OPEN)


def _looks_of(rows: Rows, methods: Sequence[str]) -> dict[str, np.ndarray] | None:
    """Method to the features [N,D] of the same N feet; None unless there are more feet than features."""
    chosen = [
        {str(row["case"]): row["moments"] for row in where(rows.get("comparison", ()), method=name) if "moments" in row}
        for name in methods
    ]
    cases = [case for case in chosen[0] if all(case in each for each in chosen)]
    if not cases or len(cases) <= len(chosen[0][cases[0]]):
        return None
    return {name: np.array([each[case] for case in cases]) for name, each in zip(methods, chosen, strict=True)}


def _nearer(others: Sequence[str]) -> Test:
    """SCCDM is nearer to the true radiographs in Fréchet distance than each of others; feet are drawn anew."""

    def test(rows: Rows, setting: FootSetting) -> Finding | None:
        looks = _looks_of(rows, (EQUAL, TRUE, *others))
        if looks is None:
            return None
        count = len(looks[TRUE])
        drawn = np.random.default_rng(0).integers(count, size=(_DRAWS, count))

        def gains(other: str, some: np.ndarray) -> float:
            far, near = (frechet_distance(looks[name][some], looks[TRUE][some]) for name in (other, EQUAL))
            return far - near

        found = {}
        for other in others:
            low, high = np.quantile([gains(other, some) for some in drawn], (0.025, 0.975))
            verdict = claims.HOLDS if low > 0 else claims.FAILS if high < 0 else OPEN
            words = f"{gains(other, np.arange(count)):+.2f} [{low:+.2f}, {high:+.2f}], {count} {WORDS.cases}"
            found[other] = Finding(words, verdict)
        return all_of(found)

    return test


def _percent(measure: str, published: float) -> Test:
    """SCCDM gains so many per cent over the mean of the others."""

    def test(rows: Rows, setting: FootSetting) -> Finding | None:
        chosen = rows.get("comparison", ())
        own = mean_by_case(where(chosen, method=EQUAL), measure)
        others = [mean_by_case(where(chosen, method=name), measure) for name in PUBLISHED]
        if not own or not all(others):
            return None
        gains = {
            case: float(np.mean([100 * (value / each[case] - 1) for each in others])) - published
            for case, value in own.items()
            if all(case in each for each in others)
        }
        found = verdict_on(gains, participants_of(chosen))
        return found and Finding(f"less {published:g}: {found.words} per cent", found.verdict)

    return test


def _most(part: str, others: Sequence[str], measure: str) -> Test:
    """Leaving out one part costs more than leaving out each of others."""

    def test(rows: Rows, setting: FootSetting) -> Finding | None:
        chosen = rows.get("comparison", ())
        return all_of(
            {other: verdict_on(better(chosen, other, part, measure), participants_of(chosen)) for other in others}
        )

    return test


def _spoiled(rows: Rows, setting: FootSetting) -> Finding | None:
    """The error of the hallux valgus angle is larger where KCC is below 0.75, over all methods of a foot."""
    chosen = [
        row for row in rows.get("comparison", ()) if row["method"] != TRUE and "hva_error" in row and "kcc" in row
    ]
    low = mean_by_case([row for row in chosen if row["kcc"] < THRESHOLD], "hva_error")
    high = mean_by_case([row for row in chosen if row["kcc"] >= THRESHOLD], "hva_error")
    return verdict_on(difference(low, high), participants_of(chosen))


def _way(share: float) -> Test:
    """SSIM goes at least a share of the way from the nearest photograph to the foot radiographed again."""

    def test(rows: Rows, setting: FootSetting) -> Finding | None:
        chosen = rows.get("comparison", ())
        own, floor, ceiling = (
            mean_by_case(where(chosen, method=name), "ssim")
            for name in (setting.main, "nearest photograph", AGAIN[0.0])
        )
        over = {
            case: value - floor[case] - share * (ceiling[case] - floor[case])
            for case, value in own.items()
            if case in floor and case in ceiling
        }
        return verdict_on(over, participants_of(chosen))

    return test


def _looks(rows: Rows, setting: FootSetting) -> Finding | None:
    chosen = rows.get("inputs", ())
    return verdict_on(better(chosen, OWN, ANOTHER, "psnr", "condition"), participants_of(chosen))


def _visible(rows: Rows, setting: FootSetting) -> Finding | None:
    """The bundle's angle is nearer to the truth where the skin follows the bones wholly than where it does not."""
    chosen = where(rows.get("visibility", ()), entered=setting.main)
    paired = [{**row, "case": row["participant"]} for row in chosen]  # cases of several splits are named by the split
    return verdict_on(better(paired, *_FOLLOWED, "hva_error", "split"), participants_of(paired))


def _variants(measure: str, variant: str, than: str) -> Test:
    """One variant of sampling with 50 steps is better than another."""

    def test(rows: Rows, setting: FootSetting) -> Finding | None:
        chosen = rows.get("sampler", ())
        names = (f"{variant}, 50 steps", f"{than}, 50 steps")
        if not set(names) <= set(distinct(chosen, "condition")):
            return None
        return verdict_on(better(chosen, *names, measure, "condition"), participants_of(chosen))

    return test


_TABLE_2: Final = {
    NO_DIFFERENCE: ("the difference domain", {"ssim": "0.775", "psnr": "18.91", "mae": "0.0473", "fid": "147.21",
                                              "perceptual": "0.1660, which is better", "kcc": "0.75"}),
    NO_SCALES: ("the multi-scale module", {"ssim": "0.743", "psnr": "17.42", "mae": "0.0503", "fid": "150.44",
                                           "perceptual": "0.1742", "kcc": "0.69"}),
    NO_ATTENTION: ("self-attention", {"ssim": "0.768", "psnr": "19.03", "mae": "0.0453", "fid": "144.02",
                                      "perceptual": "0.1739", "kcc": "0.78"}),
}  # fmt: skip
"""Network without a part to that part, and to its figures in Table 2."""
_WHOLE: Final = {
    "ssim": ("SSIM", "0.794"), "psnr": ("PSNR", "21.40"), "mae": ("MAE", "0.0326"), "fid": ("FID", "132.34"),
    "perceptual": ("LPIPS", "0.1673"), "kcc": ("KCC", "0.85"),
}  # fmt: skip
"""Measure to its name and to SCCDM's own figure."""


def _needed() -> list[Claim]:
    """That each part of Table 2 is needed, measure by measure."""
    return [
        Claim(
            f"{part} is needed: {name}", "Table 2", f"{own} against {figures[measure]}",
            _nearer((without,)) if measure == "fid" else _beats(measure, (without,), EQUAL),
        )
        for without, (part, figures) in _TABLE_2.items()
        for measure, (name, own) in _WHOLE.items()
    ]  # fmt: skip


CLAIMS: Final = (
    Claim(
        "more PSNR than the nearest photograph and the mean radiograph", "control", "-",
        _beats("psnr", ("nearest photograph", "mean radiograph")),
    ),
    Claim("SSIM: a third of the way from the nearest photograph to the ceiling", "control", "-", _way(1 / 3)),
    Claim("the network looks at its photograph: its own is better than another's (PSNR)", "control", "-", _looks),
    Claim("SSIM", "Table 1", "0.794", _figure("ssim", 0.794)),
    Claim("PSNR", "Table 1", "21.40", _figure("psnr", 21.40)),
    Claim("MAE", "Table 1", "0.0326", _figure("mae", 0.0326)),
    Claim("FID", "Table 1", "132.34, of 15 pictures", _fid),
    Claim("LPIPS", "Table 1", "0.1673", _lpips),
    Claim("KCC", "Table 1", "0.85", _figure("kcc", 0.85)),
    Claim("best SSIM of all", "Table 1", "0.794 against 0.713 to 0.785", _beats("ssim", PUBLISHED, EQUAL)),
    Claim("best PSNR of all", "Table 1", "21.40 against 17.13 to 20.21", _beats("psnr", PUBLISHED, EQUAL)),
    Claim("best MAE of all", "Table 1", "0.0326 against 0.0398 to 0.0667", _beats("mae", PUBLISHED, EQUAL)),
    Claim("best FID of all", "Table 1", "132.34 against 135.56 to 274.15", _nearer(PUBLISHED)),
    Claim("best LPIPS of all", "Table 1", "0.1673 against 0.1724 to 0.2147", _beats("perceptual", PUBLISHED, EQUAL)),
    Claim("best KCC of all", "Table 1", "0.85 against 0.44 to 0.78", _beats("kcc", PUBLISHED, EQUAL)),
    Claim("5.72 % more SSIM than the others in the mean", "section 4", "its Table 1 gives 5.5", _percent("ssim", 5.72)),
    Claim(
        "18.34 % more PSNR than the others in the mean", "section 4", "its Table 1 gives 17.6", _percent("psnr", 18.34)
    ),
    *_needed(),
    *(
        Claim(
            f"multi-scale is needed most: {name}", "Table 2", figures,
            _most(NO_SCALES, (NO_DIFFERENCE, NO_ATTENTION), measure),
        )
        for measure, name, figures in (
            ("ssim", "SSIM", "0.743 against 0.775 and 0.768"), ("psnr", "PSNR", "17.42 against 18.91 and 19.03"),
            ("kcc", "KCC", "0.69 against 0.75 and 0.78"), ("keypoint_mm", "keypoints, mm", "no figure"),
        )
    ),
    Claim(
        "multi-scale is more than its parameters: better than as large a network without it (PSNR)", "control", "-",
        _beats("psnr", (WIDER,), EQUAL),
    ),
    Claim(
        "more than the same U-Net without diffusion: PSNR", "control", "-", _beats("psnr", (REGRESSION,), EQUAL)
    ),
    Claim(
        "more than the same U-Net without diffusion: LPIPS", "control", "-", _beats("perceptual", (REGRESSION,), EQUAL)
    ),
    *(
        Claim(f"1,500 pairs are better than {fewer}: PSNR", "control", "-", _beats("psnr", (f"{fewer} pairs",), EQUAL))
        for fewer in (115, 500)
    ),
    Claim("a KCC below 0.75 spoils angles (HVA error, degrees)", "section 4", "no figure", _spoiled),
    Claim(
        "diffusion keeps bones and joints, adversarial networks do not: KCC", "section 4", "0.65 against 0.44 and 0.62",
        _beats("kcc", (CYCLEGAN, PIX2PIX), CDDPM),
    ),
    Claim(
        "of the others only self-attention guidance draws joints accurately (keypoints, mm)", "section 4",
        "its KCC is 0.74, MSF-DDPM's 0.78", _beats("keypoint_mm", [name for name in PUBLISHED if name != SAG], SAG),
    ),
    Claim("self-attention guidance keeps joints (KCC)", "section 4", "0.74 against 0.65", _beats("kcc", (CDDPM,), SAG)),
    Claim(
        "self-attention guidance keeps joints (keypoints, mm)", "control", "-", _beats("keypoint_mm", (CDDPM,), SAG)
    ),
    Claim(
        "KCC knows nothing of the foot: another foot's radiograph has more than the generated one", "control", "-",
        lambda rows, setting: _beats("kcc", (setting.main,), "another radiograph")(rows, setting),
    ),
    Claim(
        "angles come from the skin: HVA is nearer to the truth where the skin follows the bones", "control", "-",
        _visible,
    ),
    Claim(
        "refinement (Eq. 6 to 8) is better than none (PSNR, 50 steps)", "section 2.3", "no figure",
        _variants("psnr", "paper", "none"),
    ),
    Claim(
        "refinement keeps bone edges: gradient on outlines, against none", "section 2.3", "no figure",
        _variants("edges", "paper", "none"),
    ),
    Claim(
        "guidance, its opposite, keeps bone edges: gradient on outlines, against none", "control", "-",
        _variants("edges", "guidance", "none"),
    ),
)  # fmt: skip
"""In the order of the paper; "control" marks what it lacks."""
