"""The bars that were stated for X-Diffusion's networks before they were trained, and what a run says of each.

A bar is held against the mean over cases. Bars of the profile ``cpu`` are for networks that half a million sections of
cones, or 0.2 million of knees, were shown on one core; those of ``full`` for networks that were trained on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import summarize
from monai_xray2mri.evaluation.claims import ByCase, difference, mean_by_case, participants_of
from monai_xray2mri.evaluation.conditions import mean_cell
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, where
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import PLANES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies import calibration, comparison, given, views

HOLDS, MISSED, ABSENT, REFERENCE = "holds", "missed", "not measured", "reference"
ONE, BESIDE, ORTHOGONAL = "1 slice", "1 slice beside the middle", "2 orthogonal slices"
MANY: Final = "psnr_mean8"

Values = tuple[ByCase, Mapping[str, str]]
"""Case to a number, and case to participant."""
Found = Callable[[Rows, VolumeSetting], Values | None]


@dataclass(frozen=True)
class QualityBar:
    """One line of the table.

    Attributes:
        words: what is measured.
        unit: of it.
        bars: profile to lowest and highest allowed mean; empty: a reference without a bar.
        found: rows and setting to the values; None where it was not measured.
    """

    words: str
    unit: str
    bars: Mapping[str, tuple[float, float]]
    found: Found


def quality_table(rows: Rows, setting: VolumeSetting) -> ResultTable | None:
    """All bars of the profile with what this run says; None where it measured none."""
    cells = [_cells(bar, rows, setting) for bar in QUALITY]
    if all(line[-1] in (ABSENT, REFERENCE) for line in cells):
        return None
    note = (
        f"Mean and its 95 % bootstrap interval over participants, of the mean of {comparison.SAMPLES} samples unless "
        "said otherwise. The mean decides. One middle slice cannot tell a cone from its mirror image: the mean of both "
        "is the ceiling of any estimate of the posterior mean. PSNR is that of Eq. 4."
    )
    head = ["measure", "bar", "here", "volumes", "verdict"]
    return ResultTable("quality", f"Stated bars ({setting.profile.name})", head, cells, note)


def _cells(bar: QualityBar, rows: Rows, setting: VolumeSetting) -> list[Any]:
    limits = bar.bars.get(setting.profile.name)
    stated = "-" if limits is None else _stated(limits, bar.unit)
    values = bar.found(rows, setting)
    if values is None or not values[0]:
        return [bar.words, stated, "-", 0, ABSENT]
    by_case, people = values
    summary = summarize(list(by_case.values()), [people[case] for case in by_case])
    shown = f"{mean_cell(summary, 2 if bar.unit == 'dB' else 3)} {bar.unit}".strip()
    if limits is None:
        return [bar.words, stated, shown, summary.n, REFERENCE]
    mean = float(np.mean(list(by_case.values())))
    return [bar.words, stated, shown, summary.n, HOLDS if limits[0] <= mean <= limits[1] else MISSED]


def _stated(limits: tuple[float, float], unit: str) -> str:
    low, high = limits
    text = f"at least {low:g}" if np.isinf(high) else f"at most {high:g}" if np.isinf(low) else f"{low:g} to {high:g}"
    return f"{text} {unit}".strip()


def _over(study: str, condition: str, other: str) -> Found:
    """The bundle over another method with the same slices, PSNR of the mean of its samples."""

    def found(rows: Rows, setting: VolumeSetting) -> Values | None:
        chosen = where(rows.get(study, ()), condition=condition)
        own, against = where(chosen, method=setting.main), where(chosen, method=other)
        return difference(mean_by_case(own, MANY), mean_by_case(against, "psnr")), participants_of(chosen)

    return found


def _own_slice(study: str) -> Found:
    """Its own slice over another volume's."""

    def found(rows: Rows, setting: VolumeSetting) -> Values | None:
        chosen = rows.get(study, ())
        own, other = (mean_by_case(where(chosen, condition=name), MANY) for name in (given.OWN, given.ANOTHER))
        return difference(own, other), participants_of(chosen)

    return found


def _measured(study: str, measure: str, **entries: Any) -> Found:
    """A measure of some rows."""

    def found(rows: Rows, setting: VolumeSetting) -> Values | None:
        chosen = where(rows.get(study, ()), **entries)
        return mean_by_case(chosen, measure), participants_of(chosen)

    return found


def _correlation(study: str) -> Found:
    """The largest difference of adjacent-slice correlations from the truth's, of the three planes."""

    def found(rows: Rows, setting: VolumeSetting) -> Values | None:
        chosen: Sequence[Row] = rows.get(study, ())
        own = where(chosen, method=setting.main, condition=ONE)
        gaps: dict[str, list[float]] = {}
        for plane in PLANES:
            name = f"correlation_{plane}"
            truth = mean_by_case(where(chosen, method=comparison.TRUE), name)
            for case, gap in difference(mean_by_case(own, name), truth).items():
                gaps.setdefault(case, []).append(abs(gap))
        return {case: max(each) for case, each in gaps.items()}, participants_of(chosen)

    return found


def _coverage(rows: Rows, setting: VolumeSetting) -> Values | None:
    covered = calibration.coverage(rows.get("calibration", ()))
    chosen = where(rows.get("calibration", ()), split="bodies")
    return None if covered is None else (covered, participants_of(chosen))


def _at_least(cpu: float, full: float) -> dict[str, tuple[float, float]]:
    return {"cpu": (cpu, np.inf), "full": (full, np.inf)}


def _bars() -> Iterator[QualityBar]:
    for condition in (ONE, BESIDE):
        words = f"cones, {condition}, over the mean volume"
        yield QualityBar(words, "dB", _at_least(2.0, 3.5), _over("cones", condition, "mean volume"))
    words = f"cones, {ORTHOGONAL}, over the mean volume"
    yield QualityBar(words, "dB", _at_least(3.5, 6.5), _over("cones", ORTHOGONAL, "mean volume"))
    yield QualityBar(
        "cones, the mean of truth and mirror image (ceiling of one middle slice)", "dB", {},
        _measured("cones", "psnr", method=comparison.WITH_MIRROR),
    )  # fmt: skip
    for domain, study in (("cones", "cone_views"), ("bodies", "body_views")):
        words = f"{domain}, 5 views of the truth (ceiling of resampling)"
        yield QualityBar(words, "dB", {}, _measured(study, "psnr", views=views.CEILING))
    for domain, study in (("cones", "cone_inputs"), ("bodies", "body_inputs")):
        words = f"{domain}, own slice over another volume's"
        yield QualityBar(words, "dB", _at_least(2.0, 4.0) if domain == "cones" else {}, _own_slice(study))
        words = f"{domain}, input slice at its own place"
        place = _measured(study, given.PLACE_OF_MEAN, condition=given.OWN)
        yield QualityBar(words, "dB", _at_least(28.0, 35.0), place)
    for other in ("mean volume", "nearest volume"):
        yield QualityBar(
            f"bodies, 1 slice, over the {other}", "dB", _at_least(1.0, 2.5), _over("comparison", ONE, other)
        )
    for number, cpu, full in ((5, 1.5, 3.0), (10, 0.5, 1.5)):
        found = _over("comparison", f"{number} slices", "interpolation")
        yield QualityBar(f"bodies, {number} slices, over interpolation", "dB", _at_least(cpu, full), found)
    for domain, study in (("cones", "cones"), ("bodies", "comparison")):
        words = f"{domain}, adjacent-slice correlation off the truth's, worst plane, one sample"
        limits = {"cpu": (-np.inf, 0.05), "full": (-np.inf, 0.02)}
        yield QualityBar(words, "", limits, _correlation(study))
    limits = {"cpu": (0.88, 0.92), "full": (0.88, 0.92)}
    yield QualityBar("bodies, coverage of 90 % intervals", "", limits, _coverage)


QUALITY: Final = tuple(_bars())
