"""The bars that were stated for X-Diffusion's networks before they were trained, and what a run says of each.

A bar is held against the mean over cases. Bars of the profile ``cpu`` are for networks that half a million sections of
cones, or 0.2 million of knees, were shown on one core; those of ``full`` for networks that were trained on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from monai_xray2mri.evaluation.claims import difference, mean_by_case, participants_of
from monai_xray2mri.evaluation.quality import QualityBar, Values, at_least, at_most, bars_table
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, where
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEAN_OF_SAMPLES, PLANES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import WORDS, VolumeSetting
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies import calibration, comparison, given, views
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.comparison import BESIDE, ONE, ORTHOGONAL

Found = Callable[[Rows, VolumeSetting], Values | None]


def quality_table(rows: Rows, setting: VolumeSetting) -> ResultTable | None:
    """All bars of the profile with what this run says; None where it measured none."""
    note = (
        f"Mean and its 95 % bootstrap interval over participants, of the mean of {comparison.SAMPLES} samples unless "
        "said otherwise. The mean decides. One middle slice cannot tell a cone from its mirror image: the mean of both "
        "is the ceiling of any estimate of the posterior mean. PSNR is that of Eq. 4."
    )
    return bars_table(QUALITY, rows, setting, note, WORDS.cases)


def _over(study: str, condition: str, other: str) -> Found:
    """The bundle over another method with the same slices, PSNR of the mean of its samples."""

    def found(rows: Rows, setting: VolumeSetting) -> Values | None:
        chosen = where(rows.get(study, ()), condition=condition)
        own, against = where(chosen, method=setting.main), where(chosen, method=other)
        return difference(mean_by_case(own, MEAN_OF_SAMPLES), mean_by_case(against, "psnr")), participants_of(chosen)

    return found


def _own_slice(study: str) -> Found:
    """Its own slice over another volume's."""

    def found(rows: Rows, setting: VolumeSetting) -> Values | None:
        chosen = rows.get(study, ())
        own, other = (
            mean_by_case(where(chosen, condition=name), MEAN_OF_SAMPLES) for name in (given.OWN, given.ANOTHER)
        )
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


def _bars() -> Iterator[QualityBar]:
    for condition in (ONE, BESIDE):
        words = f"cones, {condition}, over the mean volume"
        yield QualityBar(words, "dB", at_least(2.0, 3.5), _over("cones", condition, "mean volume"))
    words = f"cones, {ORTHOGONAL}, over the mean volume"
    yield QualityBar(words, "dB", at_least(3.5, 6.5), _over("cones", ORTHOGONAL, "mean volume"))
    yield QualityBar(
        "cones, the mean of truth and mirror image (ceiling of one middle slice)", "dB", {},
        _measured("cones", "psnr", method=comparison.WITH_MIRROR),
    )  # fmt: skip
    for domain, study in (("cones", "cone_views"), ("bodies", "body_views")):
        words = f"{domain}, 5 views of the truth (ceiling of resampling)"
        yield QualityBar(words, "dB", {}, _measured(study, "psnr", views=views.CEILING))
    for domain, study in (("cones", "cone_inputs"), ("bodies", "body_inputs")):
        words = f"{domain}, own slice over another volume's"
        yield QualityBar(words, "dB", at_least(2.0, 4.0) if domain == "cones" else {}, _own_slice(study))
        words = f"{domain}, input slice at its own place"
        place = _measured(study, given.PLACE_OF_MEAN, condition=given.OWN)
        yield QualityBar(words, "dB", at_least(28.0, 35.0), place)
    for other in ("mean volume", "nearest volume"):
        yield QualityBar(
            f"bodies, 1 slice, over the {other}", "dB", at_least(1.0, 2.5), _over("comparison", ONE, other)
        )
    for number, cpu, full in ((5, 1.5, 3.0), (10, 0.5, 1.5)):
        found = _over("comparison", f"{number} slices", "interpolation")
        yield QualityBar(f"bodies, {number} slices, over interpolation", "dB", at_least(cpu, full), found)
    for domain, study in (("cones", "cones"), ("bodies", "comparison")):
        words = f"{domain}, adjacent-slice correlation off the truth's, worst plane, one sample"
        limits = at_most(0.05, 0.02)
        yield QualityBar(words, "", limits, _correlation(study))
    limits = {"cpu": (0.88, 0.92), "full": (0.88, 0.92)}
    yield QualityBar("bodies, coverage of 90 % intervals", "", limits, _coverage)


QUALITY: Final = tuple(_bars())
