"""Hidden features: do lesions follow the features that are given (Wang 2024a, Table III)?

The knees are of the lesion-enriched range, in which a toss decides each of the eight features on its own: neither the
other findings of the radiograph nor the training set's frequencies tell them. All conditions of a knee share their
noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study, column, distinct, where
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.measures.lesions import lesion_contrast, lesion_response, shown_lesions
from monai_xray2mri.knee.measures.surfaces import read_volume
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import simulate_knee, simulate_radiograph
from monai_xray2mri.simulation.knee.people.grades import patient_grades
from monai_xray2mri.simulation.knee.people.seeds import LESION_ENRICHED
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
    KneeInputs,
    modeled_affine,
    simulated_case,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import JOINT, KneeRuler
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting, condition_table

KINDS: Final[Mapping[str, str]] = {
    "XRCYF": "femoral cyst", "XRCYT": "tibial cyst", "XRCH": "chondrocalcinosis", "XRATT": "attrition",
}  # fmt: skip
VISIBILITIES: Final = (0.0, 1.0)
"""Of the radiograph, in addition to the 0.5 of the other conditions."""
_FEWEST_VOXELS: Final = 10
TOLD: Final = ("as graded", "all absent", "all unknown", "shuffled")
"""What a method is told of the hidden features of one knee, each with the same film."""


def with_hidden(grades: Mapping[str, int | None], hidden: Mapping[str, int | None] | int | None) -> dict[str, Any]:
    """Grades with the hidden features replaced: by others, by one grade for all, or by None (unknown)."""
    new = hidden if isinstance(hidden, Mapping) else dict.fromkeys(LESION_FEATURES, hidden)
    return {**grades, **new}


def conditions(knee: EvaluationKnee) -> dict[str, KneeInputs]:
    """Inputs of each condition; the radiograph of the last ones shows hidden features not at all, or fully."""
    own, seed = knee.inputs.grades, int(knee.name)
    other = patient_grades(seed + 1 if seed + 1 in LESION_ENRICHED else seed - 1)
    shuffled = {stem: other[stem] for stem in LESION_FEATURES}
    inputs = knee.inputs.at(JOINT)
    hidden: tuple[Mapping[str, int | None] | int | None, ...] = ({}, 0, None, shuffled)
    found = {name: inputs.with_grades(with_hidden(own, new)) for name, new in zip(TOLD, hidden, strict=True)}
    for visibility in VISIBILITIES:
        film = normalize_region(simulate_radiograph(seed, visibility=visibility), mirrored=False)
        shown = KneeInputs(inputs.name, film, with_hidden(own, None), inputs.depths)
        found[f"all unknown, visibility {visibility:g}"] = shown
    return found


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """For each condition and feature whether it is given, truly there, and shown; and the contrast of true lesions."""
    ruler = KneeRuler(knee)
    volumes = {}
    for name, inputs in conditions(knee).items():
        volumes[name] = generate(setting.bundle, inputs, 1, setting.seed)[0]
        for row in shown_rows(ruler, volumes[name], inputs):
            yield {"condition": name, **row}
    shown = shown_lesions(ruler.reading)
    for stem, there in ruler.lesions.items():
        if there is not None:
            yield {"condition": "true volume", "feature": stem, "given": None, "there": there,
                   "shown": float(shown[stem])}  # fmt: skip
    yield from contrasts(knee, without_lesions(knee), volumes["as graded"], volumes["all absent"])


def shown_rows(ruler: KneeRuler, volume: np.ndarray, inputs: KneeInputs) -> Iterator[Row]:
    """For each feature of known truth whether it was given, is there, and is shown in the joint's slices [S,H,W]."""
    shown = shown_lesions(read_volume(volume, modeled_affine(JOINT[0])))
    for stem in LESION_FEATURES:
        there = ruler.lesions[stem]
        if there is not None:
            yield {"feature": stem, "given": inputs.grades[stem], "there": there, "shown": float(shown[stem])}


def without_lesions(knee: EvaluationKnee) -> EvaluationKnee:
    """The same knee without its hidden features."""
    without = {stem: grade or 0 for stem, grade in with_hidden(knee.inputs.grades, 0).items()}
    return simulated_case(simulate_knee(int(knee.name), grades=without))


def contrasts(knee: EvaluationKnee, healthy: EvaluationKnee, present: np.ndarray, absent: np.ndarray) -> Iterator[Row]:
    """Contrast generated and true, and the response, within each kind of lesion in the joint's slices."""
    if knee.noise_free is None or healthy.noise_free is None or knee.lesions is None:
        return
    joint = list(JOINT)
    true = knee.noise_free[joint], healthy.noise_free[joint]
    codes = knee.lesions[joint]
    for stem in KINDS:
        mask = np.isin(codes, [1 + LESION_FEATURES.index(f"{stem}{side}") for side in "ML"])
        if mask.sum() >= _FEWEST_VOXELS:
            yield {
                "kind": KINDS[stem],
                "contrast_true": lesion_contrast(*true, mask),
                "contrast_generated": lesion_contrast(present, absent, mask),
                "response": lesion_response((present, absent), true, mask),
            }


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    return (len(TOLD) + len(VISIBILITIES)) * len(JOINT)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Expression by condition, by feature, and contrast."""
    return [expression_table(rows), _by_feature(rows), contrast_table(rows)]


def _share(rows: Sequence[Row]) -> str:
    return f"{np.mean(column(rows, 'shown')):.2f} of {len(rows)}" if rows else "-"


def expression_table(rows: Sequence[Row]) -> ResultTable:
    """Lesions shown by condition, where they are and are not, given and not given."""
    seen = [row for row in rows if "condition" in row]
    cells = []
    for condition in distinct(seen, "condition"):
        chosen = where(seen, condition=condition)
        given = [_share([row for row in chosen if _is_given(row, present)]) for present in (True, False)]
        truly = [_share(where(chosen, there=there)) for there in (True, False)]
        cells.append([condition, *truly, *given])
    note = "Share of compartments in which the detector finds the lesion, and their number. One noise per knee."
    head = ["condition", "truly there", "truly absent", "given grade >= 1", "given grade 0"]
    return ResultTable("hidden", "Lesions shown, by what the method is told", head, cells, note)


def _is_given(row: Row, present: bool) -> bool:
    return row["given"] is not None and (row["given"] > 0) is present


def _by_feature(rows: Sequence[Row]) -> ResultTable:
    seen, cells = [row for row in rows if "condition" in row], []
    for feature in FEATURES:
        for condition in distinct(where(seen, feature=feature.stem), "condition"):
            chosen = where(seen, feature=feature.stem, condition=condition)
            truly = [_share(where(chosen, there=there)) for there in (True, False)]
            cells.append([feature.stem, condition, *truly])
    head = ["feature", "condition", "truly there", "truly absent"]
    return ResultTable("hidden_features", "Lesions shown, feature by feature", head, cells)


def contrast_table(rows: Sequence[Row]) -> ResultTable:
    """Contrast and response by kind of lesion."""
    measured = [row for row in rows if "kind" in row]
    headings = {"contrast_true": "true", "contrast_generated": "generated", "response": "response"}
    note = "Change of intensity within true lesions, hidden features from absent to as graded; truth without noise."
    return condition_table(measured, "hidden_contrast", "Contrast of lesions", headings, note, by="kind")


HIDDEN_FEATURES: Final = Study(
    "hidden",
    "Hidden features",
    ("lesion-enriched",),
    {"cpu": 12, "full": 200},
    measure,
    work,
    tables,
    simulations=lambda _: 3,
    needs_simulation=True,
)
