"""Every group of features: what changes when it is taken away, against what truly changes (Wang 2024a, Table III)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.conditions import condition_table
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import PROFILES, Profile, Setting, Study, Table
from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM
from monai_xray2mri.knee.measures.lesions import lesion_response
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee, simulated_case
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import generated

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "joint space narrowing": ("XRJS",),
    "osteophytes": ("XROSF", "XROST"),
    "sclerosis": ("XRSCF", "XRSCT"),
    "cysts": ("XRCYF", "XRCYT"),
    "chondrocalcinosis": ("XRCH",),
    "attrition": ("XRATT",),
}
"""Group to the stems of its features without their compartment."""
SLICES: Final = 8
"""Slices of a knee in which most of a group's change lies; only they are generated."""
_CHANGED: Final = 0.05
_FEWEST_VOXELS: Final = 50


def asked(profile: Profile) -> dict[str, tuple[str, ...]]:
    """What is taken away at a time: each group; in the profile that looks at all slices each feature as well."""
    groups = {group: members(group) for group in GROUPS}
    single = {stem: (stem,) for stems in groups.values() for stem in stems}
    return groups if profile.stride > 1 else groups | single


def members(group: str) -> tuple[str, ...]:
    """Features of a group, both compartments."""
    return tuple(f"{stem}{side}" for stem in GROUPS[group] for side in "ML" if f"{stem}{side}" in FEATURE_BY_STEM)


def measure(setting: Setting, knee: EvaluationKnee) -> Iterator[Row]:
    """For each group that the knee has: response when its grades go from 0, and from unknown, to what they are.

    The same for each feature where :func:`asked` says so. The response is that of
    :func:`~monai_xray2mri.knee.measures.lesions.lesion_response` over all voxels that truly change by more than 0.05
    without noise, wherever they lie: 1 is the truth, 0 no effect.
    """
    own = knee.inputs.grades
    if knee.noise_free is None:
        return
    for group, stems in asked(setting.profile).items():
        if not any(own[stem] for stem in stems):
            continue
        without = {stem: int(grade or 0) for stem, grade in own.items()} | dict.fromkeys(stems, 0)
        bare = simulated_case(simulate_knee(int(knee.name), grades=without)).noise_free
        if bare is None:
            return
        change = np.abs(knee.noise_free - bare) > _CHANGED
        chosen = sorted(np.argsort(change.sum(axis=(1, 2)))[-SLICES:].tolist())
        mask = change[chosen]
        if mask.sum() < _FEWEST_VOXELS:
            continue
        true, inputs = (knee.noise_free[chosen], bare[chosen]), knee.inputs.at(chosen)
        present = generated(setting.bundle, inputs, 1, setting.seed)[0]
        for name, grade in (("absent", 0), ("unknown", None)):
            grades = {**own, **dict.fromkeys(stems, grade)}
            if name == "absent":
                grades["XRKL"] = None  # the grade would tell against the features that are taken away
            absent = generated(setting.bundle, inputs.given(grades), 1, setting.seed)[0]
            yield {"group": group, f"response_{name}": lesion_response((present, absent), true, mask)}


def slices(setting: Setting) -> float:
    """Slices that one knee costs, if it has every group and feature."""
    return 3 * SLICES * len(asked(setting.profile))


def tables(rows: Sequence[Row]) -> list[Table]:
    """One table, a line for each group, and for each feature if these were asked."""
    order = list(asked(PROFILES["full"]))
    ordered = sorted(rows, key=lambda row: order.index(row["group"]))
    headings = {"response_absent": "response, from absent", "response_unknown": "response, from unknown"}
    note = "Least-squares share of the true change in the voxels that truly change; the same film and noise."
    return [condition_table(ordered, "features", "What each group of features changes", headings, note, by="group")]


FEATURE_GROUPS: Final = Study(
    "features", "Groups of features", ("lesion-enriched",), {"cpu": 5, "full": 100}, measure, slices, tables,
    simulations=lambda setting: 1 + len(asked(setting.profile)), needs_simulation=True,
)  # fmt: skip
