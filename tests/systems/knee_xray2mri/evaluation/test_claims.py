"""What a run says of the papers' claims, on rows whose answer is known."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from monai_xray2mri.evaluation.claims import ABSENT, FAILS, HOLDS, OPEN
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.systems.knee_xray2mri.evaluation.claims import claims_table, systems, verdict_on
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import MeanSliceMethod, NetworkMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import WIDTHS

KNEES = [str(index) for index in range(12)]
PEOPLE = {knee: f"p{int(knee) // 2}" for knee in KNEES}


class Network:
    """What a claim asks of a network."""

    def __init__(self, describe: Any = None) -> None:
        self.describe = describe


class Describe:
    """What Wang 2024b reads in the radiograph."""

    def __init__(self, feature_width: int) -> None:
        self.feature_width = feature_width


def network(*given: str, describe: Any = None) -> NetworkMethod:
    return NetworkMethod(SimpleNamespace(network=Network(describe)), frozenset(given))  # type: ignore[arg-type]


METHODS: dict[str, Method] = {
    "ours": network("radiograph", "features"),
    "mean slice": MeanSliceMethod(),
    "xdiff": network("radiograph"),
    "ldm": network(),
    "koa": network("radiograph", "features", describe=Describe(0)),
    "both": network("radiograph", "features", describe=Describe(61)),
}


def comparison(**psnr: float) -> Iterator[Row]:
    """Rows of methods whose PSNR is so much above 20 dB, with the same scatter of knees for all."""
    scatter = np.random.default_rng(0).normal(size=len(KNEES))
    for method, gain in psnr.items():
        for knee, extra in zip(KNEES, scatter, strict=True):
            yield {
                "case": knee, "participant": PEOPLE[knee], "method": method, "grade": int(knee) % 5,
                "psnr": 20 + extra + gain + 0.01 * (int(knee) % 3), "ssim": 0.4, "rssim": None,
                "joint_space_width_error_mm": 1.0 - gain / 10, "dice_femur": 0.8 + gain / 100,
                "dice_tibia": 0.8 + gain / 100,
            }  # fmt: skip


def verdicts(rows: dict[str, list[Row]], main: str = "ours") -> dict[tuple[str, str], tuple[str, str]]:
    table = claims_table(rows, METHODS, main)
    assert table is not None
    return {(row[0].split(",")[0], row[1].rpartition("(")[2]): (row[3], row[4]) for row in table.rows}


def test_systems_are_told_by_what_they_read() -> None:
    assert systems(METHODS) == {"ours": "Wang 2024a", "koa": "Wang 2024b", "both": "Wang 2024a with Wang 2024b"}


def test_a_method_must_beat_each_other() -> None:
    found = verdicts({"comparison": list(comparison(ours=0.5, xdiff=0.2, ldm=-1.0, koa=0.0, both=0.2))})
    words, verdict = found["PSNR is the highest", "ours: Wang 2024a)"]
    assert verdict == HOLDS and "xdiff: +0.300" in words and "ldm: +1.500" in words and "12 knees" in words
    assert found["PSNR is the highest", "koa: Wang 2024b)"][1] == FAILS
    assert found["PSNR is the highest", "both: Wang 2024a with Wang 2024b)"][1] == OPEN  # level with one of them
    assert found["SSIM is the highest", "ours: Wang 2024a)"][1] == OPEN
    assert found["RSSIM is clearly the highest", "ours: Wang 2024a)"] == ("-", ABSENT)


def test_fewer_than_five_knees_decide_nothing() -> None:
    """Grades 3 and 4 are on 4 of the 12 knees."""
    found = verdicts({"comparison": list(comparison(ours=0.5, xdiff=0.2, ldm=-1.0))})
    claim = "narrowed joint spaces (KL 3 and 4) are drawn more accurately than by others"
    assert found[claim, "ours: Wang 2024a)"] == ("-", ABSENT)
    assert verdict_on(dict.fromkeys(KNEES[:4], 1.0), PEOPLE) is None
    assert verdict_on(dict.fromkeys(KNEES[:5], 1.0), PEOPLE) is not None


def test_without_trained_baselines_nothing_is_said() -> None:
    rows = {"comparison": list(comparison(ours=0.5))}
    assert claims_table(rows, {"ours": METHODS["ours"], "mean slice": METHODS["mean slice"]}, "ours") is None


def by_claim(rows: dict[str, list[Row]], main: str = "ours") -> dict[str, str]:
    table = claims_table(rows, METHODS, main)
    assert table is not None
    return {str(row[0]): str(row[4]) for row in table.rows}


def test_bones_with_and_without_radiograph() -> None:
    claim = "with a radiograph bones are nearer to the truth than without"
    assert by_claim({"comparison": list(comparison(ours=1, xdiff=0.2, ldm=-1))})[claim] == HOLDS
    assert by_claim({"comparison": list(comparison(ours=1, xdiff=-1, ldm=0.2))})[claim] == FAILS
    quality = [{"case": "0", "participant": "p", "condition": "one sample", "psnr": 18.0}]
    assert (
        claims_table({"comparison": list(comparison(ours=1, xdiff=0.2)), "quality": quality}, METHODS, "ours") is None
    )


def test_hidden_lesions_and_features() -> None:
    share = {"as graded": 1.0, "all unknown": 0.2, "all absent": 1.0}
    hidden = [
        {"case": knee, "participant": PEOPLE[knee], "condition": name, "there": True, "shown": value}
        for knee in KNEES
        for name, value in share.items()
    ]
    quality = [
        {"case": knee, "participant": PEOPLE[knee], "condition": name, "psnr": value}
        for knee in KNEES
        for name, value in (("one sample", 18.0), ("one sample, radiograph and depth only", 18.5))
    ]
    found = by_claim({"hidden": hidden, "quality": quality})
    assert found["hidden lesions show when their features are told, not when these are unknown"] == HOLDS
    assert found["hidden lesions show when their features are told, not when these are told absent"] == OPEN
    assert found["features make volumes more accurate"] == FAILS
    of_wang_b = by_claim(
        {"hidden": hidden, "quality": quality, "comparison": list(comparison(koa=1, xdiff=0, ldm=0))}, "koa"
    )
    assert not any("features" in claim for claim in of_wang_b)  # Wang 2024b takes none


@pytest.mark.parametrize(("psnr", "verdict"), [(17.6, HOLDS), (17.0, FAILS)])
def test_slices_over_the_same_range(psnr: float, verdict: str) -> None:
    rows = [
        {"case": knee, "participant": PEOPLE[knee], "slices": count, "generated": made, "true": true, "psnr": value}
        for knee in KNEES
        for count, made, true, value in ((50, 0.92, 0.91, 18.0), (500, 0.99, 0.98, psnr))
    ]
    found = by_claim({"depth": rows})
    assert found["adjacent slices are more alike at s = 500 than at 50"] == HOLDS
    assert found["at s = 50 they are less alike than in the true volume"] == FAILS
    assert found["even at s = 500 they are less alike than true ones at 50"] == FAILS
    assert found["intermediate slices keep the anatomy (at most 0.5 dB less PSNR)"] == verdict


def test_error_by_region_is_the_area_below_the_loss_curve() -> None:
    errors = {"bone": 0.05, "soft tissue": 0.12}
    rows = [
        {"case": f"test/{knee}", "participant": PEOPLE[knee], "split": "test", "region": region,
         "constant_losses": np.exp(-WIDTHS / error).tolist()}
        for knee in KNEES
        for region, error in errors.items()
    ]  # fmt: skip
    table = claims_table({"calibration": rows}, METHODS, "ours")
    assert table is not None
    words, verdict = next(row[3:] for row in table.rows if row[0] == "soft tissue is less accurate than bone")
    assert verdict == HOLDS and float(words.split()[0]) == pytest.approx(0.07, abs=0.003)
