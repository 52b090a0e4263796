"""Every group of features: what changes without it, against what truly changes (Wang 2024a, Table III)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import PROFILES, Profile, ResultTable, Study
from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM
from monai_xray2mri.knee.measures.lesions import lesion_response
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee, simulated_case
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting, condition_table

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
WITHOUT: Final[Mapping[str, int | None]] = {"absent": 0, "unknown": None}
"""How features are taken away, to their grade then."""
_CHANGED: Final = 0.05
_FEWEST_VOXELS: Final = 50


def groups_of(profile: Profile) -> dict[str, tuple[str, ...]]:
    """What is taken away at one time: each group; in the profile that looks at all slices each feature as well."""
    groups = {group: members(group) for group in GROUPS}
    single = {stem: (stem,) for stems in groups.values() for stem in stems}
    return groups if profile.stride > 1 else groups | single


def members(group: str) -> tuple[str, ...]:
    """Features of a group, both compartments."""
    return tuple(f"{stem}{side}" for stem in GROUPS[group] for side in "ML" if f"{stem}{side}" in FEATURE_BY_STEM)


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """For each group that the knee has: response when its grades go from 0, and from unknown, to what they are.

    The same for each feature where :func:`groups_of` names it. The response is that of
    :func:`~monai_xray2mri.knee.measures.lesions.lesion_response` over all voxels that truly change by more than 0.05
    without noise, wherever they lie: 1 is the truth, 0 no effect.
    """
    own = knee.inputs.grades
    if knee.noise_free is None:
        return
    for group, stems in groups_of(setting.profile).items():
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
        present = generate(setting.bundle, inputs, 1, setting.seed)[0]
        for name, grade in WITHOUT.items():
            grades = {**own, **dict.fromkeys(stems, grade)}
            if name == "absent":
                grades["XRKL"] = None  # the grade would contradict the features that are taken away
            absent = generate(setting.bundle, inputs.with_grades(grades), 1, setting.seed)[0]
            yield {"group": group, f"response_{name}": lesion_response((present, absent), true, mask)}


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs at most: if it has every group and feature."""
    return (1 + len(WITHOUT)) * SLICES * len(groups_of(setting.profile))


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table, a line for each group, and for each feature that was measured."""
    order = list(groups_of(PROFILES["full"]))
    ordered = sorted(rows, key=lambda row: order.index(row["group"]))
    headings = {"response_absent": "response, from absent", "response_unknown": "response, from unknown"}
    note = "Least-squares share of the true change in the voxels that truly change; the same film and noise."
    return [condition_table(ordered, "features", "What each group of features changes", headings, note, by="group")]


FEATURE_GROUPS: Final = Study(
    "features", "Groups of features", ("lesion-enriched",), {"cpu": 5, "full": 100}, measure, work, tables,
    simulations=lambda setting: 1 + len(groups_of(setting.profile)), needs_simulation=True,
)  # fmt: skip
