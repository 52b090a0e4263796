"""Fewer steps and a smaller decoder: what they cost in every measure.

The bundle's own weights at 10, 4, 2 and 1 steps, and, as far as the bundle brings them, its weights for few steps and
its small decoder. All lines of a knee begin with the same noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import KneeRuler
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting, sampling_work
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.comparison import (
    kernel_distances,
    measure_tables,
    measured_row,
    slices_drawn,
    true_row,
)

STEPS: Final = (10, 4, 2, 1)


def variants(bundle: NetworkMethod) -> dict[str, Mapping[str, Any]]:
    """Name of a line to the sampling options that it takes; lines of parts that the bundle lacks are left out."""
    parts = bundle.predictor.faster
    found: dict[str, Mapping[str, Any]] = {_steps(steps): {"steps": steps} for steps in STEPS}
    if parts.few_steps is not None:
        found |= {f"fast, {_steps(steps)}": {"fast": True, "steps": steps} for steps in STEPS[1:]}
    if parts.small_decoder is not None:
        small = {name: options for name, options in found.items() if options["steps"] in (STEPS[0], STEPS[1])}
        found |= {f"{name}, small decoder": {**options, "decoder": "small"} for name, options in small.items()}
    return found


def _steps(steps: int) -> str:
    return f"{steps} step{'s' * (steps > 1)}"


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """A row for each line, and one for the true volume itself."""
    ruler = KneeRuler(knee)
    yield true_row(setting, knee, ruler)
    for name, options in variants(setting.bundle).items():
        method = setting.bundle.with_sampler(**options)
        yield {"method": name, **measured_row(setting, knee, method, ruler)}


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    slices = slices_drawn(setting)
    return sum(sampling_work(setting, slices, steps=options["steps"]) for options in variants(setting.bundle).values())


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """All measures, and the kernel distance."""
    made = [*measure_tables(rows), kernel_distances(rows)]
    return [
        replace(table, name=table.name.replace("comparison", "few_steps"), title=f"Few steps: {table.title}")
        for table in made
    ]


FEW_STEPS: Final = Study(
    "few_steps",
    "Few steps and the small decoder",
    ("test",),
    {"cpu": 6, "full": 100},
    measure,
    work,
    tables,
    on_request=True,
)
