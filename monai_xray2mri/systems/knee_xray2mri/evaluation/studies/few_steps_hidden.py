"""Fewer steps and a smaller decoder: do lesions still follow the features that are given, and do intervals still hold.

Beside the study ``few_steps``, on knees of the lesion-enriched range: test knees have too few lesions for it. All lines
of a knee begin with the same noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.conformal import interval
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import NetworkMethod, bounds_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import JOINT, KneeRuler
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import SAMPLES, KneeSetting, condition_table, sampling_work
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies import hidden
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.few_steps import variants

COVERED: Final = JOINT[2::5]
"""Positions of the slices of which :data:`SAMPLES` are drawn for the interval."""
COVERAGES: Final[Mapping[str, str]] = {"coverage90": "all voxels", "coverage90_lesions": "within true lesions"}
_FEWEST_VOXELS: Final = 10


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """For each line: features given, there and shown, as graded and all absent; contrast of lesions; coverage."""
    ruler, healthy, own = KneeRuler(knee), hidden.without_lesions(knee), knee.inputs.at(JOINT)
    inputs = {"as graded": own, "all absent": own.with_grades(hidden.with_hidden(own.grades, 0))}
    for name, options in variants(setting.bundle).items():
        method = setting.bundle.with_sampler(**options)
        volumes = {told: generate(method, given, 1, setting.seed)[0] for told, given in inputs.items()}
        for told, volume in volumes.items():
            for row in hidden.shown_rows(ruler, volume, inputs[told]):
                yield {"method": name, "condition": f"{name}, {told}", **row}
        for row in hidden.contrasts(knee, healthy, *volumes.values()):
            yield {"method": name, **row}
        yield {"method": name, **_coverage(setting, knee, method)}


def _coverage(setting: KneeSetting, knee: EvaluationKnee, method: NetworkMethod) -> Row:
    """Share of voxels inside the interval, all and those of true lesions."""
    samples = generate(method, knee.inputs.at(COVERED), SAMPLES, setting.seed)
    low, high = interval(samples, *bounds_of(method))
    truth = knee.volume[list(COVERED)]
    inside = (truth >= low) & (truth <= high)
    lesion = np.zeros(truth.shape, bool) if knee.lesions is None else knee.lesions[list(COVERED)] > 0
    return {
        "coverage90": float(inside.mean()),
        "coverage90_lesions": float(inside[lesion].mean()) if lesion.sum() >= _FEWEST_VOXELS else None,
    }


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    slices = 2 * len(JOINT) + SAMPLES * len(COVERED)
    return sum(sampling_work(setting, slices, steps=options["steps"]) for options in variants(setting.bundle).values())


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Lesions shown, their contrast, and coverage, a line for each way of sampling."""
    shown = replace(hidden.expression_table(rows), name="few_steps_hidden", title="Few steps: lesions shown")
    kinds = [{**row, "kind": f"{row['method']}, {row['kind']}"} for row in rows if "kind" in row]
    contrast = hidden.contrast_table(kinds)
    covered = [row for row in rows if "coverage90" in row]
    note = "Share of voxels inside the interval of 90 %. Its calibration, if any, is that of the bundle's steps."
    return [
        shown,
        replace(contrast, name="few_steps_hidden_contrast", title="Few steps: contrast of lesions"),
        condition_table(covered, "few_steps_coverage", "Few steps: coverage", COVERAGES, note, by="method"),
    ]


FEW_STEPS_HIDDEN: Final = Study(
    "few_steps_hidden",
    "Few steps and hidden features",
    ("lesion-enriched",),
    {"cpu": 12, "full": 200},
    measure,
    work,
    tables,
    simulations=lambda _: 2,
    needs_simulation=True,
    on_request=True,
)
