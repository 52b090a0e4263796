"""Joint space: does the generated width follow this knee's own, and does it come from the film or from the features?

Who knows the grade of narrowing knows the mean width of that grade; a method must know more. So the error is compared
with that of the mean of the grade (without the knee itself), and the correlation is given within grade 0 too, where the
grade says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import correlation
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study, column, distinct, where
from monai_xray2mri.knee.measures.crop import SIDES
from monai_xray2mri.knee.measures.surfaces import read_volume
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
    KneeInputs,
    modeled_affine,
    unknown_grades,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import JOINT, KneeRuler
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting

CONDITIONS: Final[Mapping[str, Callable[[KneeInputs], KneeInputs]]] = {
    "film and features": lambda inputs: inputs,
    "film only": lambda inputs: inputs.with_grades(unknown_grades()),
    "features only": lambda inputs: replace(inputs, radiograph=None),
}
"""Name to what is given of a knee's own inputs."""


def conditions(knee: EvaluationKnee) -> dict[str, KneeInputs]:
    """Inputs of each condition; a simulated knee also gets the film of another one."""
    inputs = knee.inputs.at(JOINT)
    found = {name: condition(inputs) for name, condition in CONDITIONS.items()}
    if knee.simulated is not None:
        other = normalize_region(simulate_radiograph(knee.simulated.seed + 1), mirrored=False)
        found["another knee's film, own features"] = replace(inputs, radiograph=other)
    return found


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """A row for each condition and compartment, and for the true volume itself, read in the same way."""
    ruler = KneeRuler(knee)
    for condition, inputs in conditions(knee).items():
        volume = generate(setting.bundle, inputs, 1, setting.seed)[0]
        found = ruler.joint(read_volume(volume, modeled_affine(JOINT[0])))
        yield from _rows(condition, knee, ruler, found)
    yield from _rows("true volume, as read", knee, ruler, ruler.joint(ruler.reading))


def _rows(condition: str, knee: EvaluationKnee, ruler: KneeRuler, found: Row) -> Iterator[Row]:
    for side in SIDES:
        grade = knee.inputs.grades.get(f"XRJS{side}")
        true, read = ruler.joint_space_mm[side], found[f"joint_space_{side}"]
        if np.isfinite(true):
            yield {"condition": condition, "side": side, "narrowing": grade, "true_mm": true, "found_mm": read}


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    return (len(CONDITIONS) + setting.simulated) * len(JOINT)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table: correlation and error by condition, with the per-grade mean."""
    cells: list[list[Any]] = []
    for condition in distinct(rows, "condition"):
        chosen = where(rows, condition=condition)
        cells.append([condition, *_figures(chosen, column(chosen, "found_mm"))])
    # The truth is the same in every condition, so that one of them shows what the grade alone tells.
    chosen = where(rows, condition=cells[0][0])
    cells.append(["mean of the grade", *_figures(chosen, grade_means(chosen))])
    note = (
        "Compartments of all knees; joint space in the volume, unloaded. Within grade 0: r of those without narrowing."
    )
    head = ["condition", "r", "r within grade 0", "mean absolute error mm", "not measurable", "compartments"]
    return [ResultTable("joint_space", "Joint space width against the truth", head, cells, note)]


def _figures(rows: Sequence[Row], found: Sequence[float]) -> list[str]:
    true = np.asarray(column(rows, "true_mm"))
    values, healthy = np.asarray(found), np.array([row["narrowing"] == 0 for row in rows])
    known = np.isfinite(values)
    error = f"{np.abs(values - true)[known].mean():.2f}" if known.any() else "-"
    pairs = (correlation(x, y) for x, y in ((true, values), (true[healthy], values[healthy])))
    return [*("-" if r is None else f"{r:.2f}" for r in pairs), error, str(int((~known).sum())), str(len(rows))]


def grade_means(rows: Sequence[Row]) -> list[float]:
    """For each row the mean true width of the other knees' same compartment with the same narrowing; NaN for none."""
    true = np.asarray(column(rows, "true_mm"))
    found = []
    for row in rows:
        alike = [
            other["side"] == row["side"] and other["narrowing"] == row["narrowing"] and other["case"] != row["case"]
            for other in rows
        ]
        found.append(float(true[alike].mean()) if any(alike) else float("nan"))
    return found


JOINT_SPACE: Final = Study(
    "joint_space", "Joint space", ("test",), {"cpu": 16, "full": 200}, measure, work, tables, simulations=lambda _: 2
)
