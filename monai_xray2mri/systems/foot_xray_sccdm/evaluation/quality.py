"""The bars that were stated for SCCDM before it was trained: of one core for four hours (cpu), and of a GPU (full)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import correlation
from monai_xray2mri.evaluation.claims import difference, mean_by_case, participants_of
from monai_xray2mri.evaluation.quality import QualityBar, Single, Values, at_least, at_most, bars_table
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, column, where
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import TEST
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.measures import ANGLES
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import WORDS, FootSetting
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies import intervals
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.comparison import AGAIN, SKIN, TRUE

NEAREST, MEAN = "nearest photograph", "mean radiograph"
Found = Callable[[Rows, FootSetting], Values | Single | None]


def quality_table(rows: Rows, setting: FootSetting) -> ResultTable | None:
    """All bars of the profile with what this run says; None where it measured none."""
    note = (
        "One sample of each foot. Brackets: 95 % bootstrap interval over participants; the mean decides. Ceiling: the "
        "same foot radiographed again at the same place. The median of keypoints is over feet and keypoints. "
        "What the skin tells bounds what any method can know of an angle."
    )
    return bars_table(QUALITY, rows, setting, note, WORDS.cases)


def _of(rows: Rows, method: str) -> list[Row]:
    return where(rows.get("comparison", ()), method=method)


def _gain(other: str) -> Found:
    """PSNR of a sample over a method without a network."""

    def found(rows: Rows, setting: FootSetting) -> Values:
        own, against = (mean_by_case(_of(rows, name), "psnr") for name in (setting.main, other))
        return difference(own, against), participants_of(rows.get("comparison", ()))

    return found


def _way(rows: Rows, setting: FootSetting) -> Single | None:
    """Share of the way of the mean SSIM from the nearest photograph to the ceiling."""
    chosen = [column(_of(rows, name), "ssim") for name in (setting.main, NEAREST, AGAIN[0.0])]
    if not all(chosen):
        return None
    own, floor, ceiling = (float(np.mean(values)) for values in chosen)
    return Single((own - floor) / (ceiling - floor), len(chosen[0]))


def _keypoints(rows: Rows, setting: FootSetting) -> Single | None:
    own = [row["keypoints_mm"] for row in _of(rows, setting.main) if "keypoints_mm" in row]
    return Single(float(np.median(own)), len(own)) if own else None


def _measure(name: str) -> Found:
    """A measure of the bundle's own radiographs."""

    def found(rows: Rows, setting: FootSetting) -> Values:
        own = _of(rows, setting.main)
        return mean_by_case(own, name), participants_of(own)

    return found


def _skin_error(rows: Rows, setting: FootSetting) -> Values:
    told = _of(rows, SKIN)
    return mean_by_case(told, "hva_error"), participants_of(told)


def _correlated(rows: Rows, setting: FootSetting, method: str | None = None) -> Single | None:
    own = [row for row in _of(rows, method or setting.main) if "hva_true" in row]
    r = correlation(column(own, "hva"), column(own, "hva_true"))
    return None if r is None else Single(r, len(own))


def _completeness(rows: Rows, setting: FootSetting) -> Single | None:
    own, true = (column(_of(rows, name), "kcc") for name in (setting.main, TRUE))
    if not own or not true or not np.mean(true):
        return None
    return Single(float(np.mean(own) / np.mean(true)), len(own))


def _coverage(angle: str) -> Found:
    def found(rows: Rows, setting: FootSetting) -> Values | None:
        of_study = rows.get("intervals", ())
        covered = intervals.coverage(of_study)
        if angle not in covered:
            return None
        tested: Sequence[Row] = where(of_study, split=TEST)
        return dict(zip((str(row["case"]) for row in tested), covered[angle], strict=True)), participants_of(tested)

    return found


_COVERED: Final = {"cpu": (0.88, 0.92), "full": (0.88, 0.92)}
QUALITY: Final = (
    QualityBar("PSNR over the nearest photograph", "dB", at_least(1.5, 3.0), _gain(NEAREST)),
    QualityBar("PSNR over the mean radiograph", "dB", at_least(1.5, 3.0), _gain(MEAN)),
    QualityBar("way from nearest photograph to ceiling, SSIM", "", at_least(1 / 3, 2 / 3), _way),
    QualityBar("keypoints, median", "mm", at_most(3.0, 1.5), _keypoints),
    QualityBar("HVA, mean absolute error", "degrees", at_most(5.0, 3.0), _measure("hva_error")),
    QualityBar("HVA, mean absolute error of what the skin tells (ceiling)", "degrees", {}, _skin_error),
    QualityBar("HVA, r with the truth", "", at_least(0.8, 0.9), _correlated),
    QualityBar("HVA, r of what the skin tells (ceiling)", "", {}, partial(_correlated, method=SKIN)),
    QualityBar("KCC as a share of the true radiographs'", "", at_least(0.85, 0.95), _completeness),
    *(
        QualityBar(f"coverage of 90 % intervals, {name}", "", _COVERED, _coverage(angle))
        for angle, (name, _) in ANGLES.items()
    ),
)
