"""Knees that nobody graded: does the bundle's interval hold where grades are estimated from the film, or unknown?

The calibration knees come with their grades. In a clinic most films come without: the app then has the KOA classifier
estimate the Kellgren-Lawrence grade, or leaves all features unknown
(:func:`monai_xray2mri.systems.knee_xray2mri.gradings.add_gradings`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.conformal import interval
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.metrics import psnr_per_slice
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.knee.detection.koa import grading_from_koa, koa_probability
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee, KneeInputs, unknown_grades
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import bounds_of, radiograph_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import RANGE
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import SAMPLES, KneeSetting, condition_table
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import ALL, positions_of, regions

_REGIONS: Final = {ALL: "covered", "cartilage and meniscus": "covered_cartilage"}


def estimated_grades(knee: KneeInputs) -> dict[str, int | None]:
    """The Kellgren-Lawrence grade that the classifier sees in the film; all else unknown."""
    return unknown_grades() | dict(grading_from_koa(koa_probability(radiograph_of(knee))).grades)


GRADINGS: Final[Mapping[str, Callable[[KneeInputs], Mapping[str, int | None]]]] = {
    "as graded": lambda knee: knee.grades,
    "grade estimated from the film": estimated_grades,
    "unknown": lambda knee: unknown_grades(),
}
"""Name to what the method is told of a knee's grades."""


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """A row for each grading: share of voxels inside the interval, its width, PSNR of the mean; equal noise."""
    positions = positions_of(knee.name, setting.profile.stride)
    truth, masks = knee.volume[list(positions)], regions(knee, positions)
    for name, grading in GRADINGS.items():
        samples = generate(
            setting.bundle, knee.inputs.with_grades(grading(knee.inputs)).at(positions), SAMPLES, setting.seed
        )
        low, high = interval(samples, *bounds_of(setting.bundle))
        inside = (truth >= low) & (truth <= high)
        yield {
            "condition": name,
            **{entry: float(inside[mask].mean()) for region, entry in _REGIONS.items()
               if (mask := masks.get(region)) is not None and mask.any()},
            "width": float(np.mean(high - low)),
            "psnr_mean8": psnr_per_slice(samples.mean(axis=0), truth, RANGE),
        }  # fmt: skip


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    return len(GRADINGS) * SAMPLES * len(positions_of("", setting.profile.stride))


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table, a line for each grading."""
    headings = {
        "covered": "voxels inside",
        "covered_cartilage": "inside, cartilage and meniscus",
        "width": "mean width",
        "psnr_mean8": "PSNR of the mean of 8, dB",
    }
    note = "The bundle's calibrated interval at 90 %, or 1.64 standard deviations where it has none; within 0 to 1."
    return [condition_table(rows, "ungraded", "The interval where nobody graded the knee", headings, note)]


UNGRADED: Final = Study("ungraded", "Knees without grades", ("test",), {"cpu": 12, "full": 200}, measure, work, tables)
