"""Does a volume keep the anatomy? Volumes of bones and fat, Dice, joint line, lesions shown and hallucinated.

Stands for brain volume (Eq. 6 and 7), tumor Dice (Table I of the appendix), body composition (B.1), spine curvature
(B.3) and hallucination (section 6.4) of X-Diffusion. Volumes are compared by equivalence within bounds, not by
"p > 0.05".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.agreement import equivalence, limits_of_agreement
from monai_xray2mri.evaluation.bootstrap import correlation
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study, column, distinct, where
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.fat import fat_ml
from monai_xray2mri.systems.mri_xdiffusion.evaluation.joint import (
    PARTS,
    REAL,
    joint_line_degrees,
    lesion_row,
    part_dice,
    part_volumes_ml,
    read_joint,
)
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import (
    VolumeSetting,
    condition_table,
    one_sample,
    work_of,
)

BOUND_SHARE: Final = 0.05
"""Volumes of a bone that differ by less count as equal."""
BOUND_DEGREES: Final = 1.0
NUMBERS: Final = (1, 5, 10)
FAT: Final = "fat"
VOLUMES: Final = (*PARTS, FAT)
"""Structures whose volumes are compared; fat is the subcutaneous fat at the sides of the knee."""
_HEAD: Final = {
    **{f"dice_{part}": f"Dice of the {part}" for part in PARTS},
    "lesions_shown": "share of true lesions shown",
    "lesions_hallucinated": "share of absent lesions shown",
}


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """A row for the truth, interpolation, and X-Diffusion by number of slices."""
    true = read_joint(case.voxels, case)
    sizes, line = part_volumes_ml(true) | {FAT: fat_ml(case.voxels, case)}, joint_line_degrees(true)
    for name, volume in _volumes(setting, case):
        reading = read_joint(volume, case)
        found = part_volumes_ml(reading) | {FAT: fat_ml(volume, case)}
        row: Row = {"condition": name, **{f"dice_{part}": value for part, value in part_dice(reading, true).items()}}
        row |= {f"{part}_ml": found[part] for part in VOLUMES} | {f"{part}_true_ml": sizes[part] for part in VOLUMES}
        yield row | {"line": joint_line_degrees(reading), "line_true": line} | lesion_row(reading, case)


def _volumes(setting: VolumeSetting, case: VolumeCase) -> Iterator[tuple[str, np.ndarray]]:
    yield REAL, case.voxels
    for number in NUMBERS:
        given = case.given(case.even_places(number))
        yield f"interpolation, {number}", generate(setting.methods["interpolation"], given, 1, setting.seed)[0]
        yield f"X-Diffusion, {number}", one_sample(setting, given)


def work(setting: VolumeSetting) -> float:
    """Sections that one knee costs."""
    return work_of(BODIES, len(NUMBERS))


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Dice and lesions; volumes with equivalence; the joint line with limits of agreement."""
    note = "One sample. Every volume, the true one too, is read by the same segmenter from the cube."
    return [
        condition_table(rows, "anatomy", "Anatomy by number of slices", _HEAD, note),
        ResultTable(
            "anatomy_volumes", "Volumes of parts: equivalence",
            ["condition", "part", "true ml", "difference ml", "90 % interval", "bound ml", "p", "verdict", "r"],
            list(_volume_cells(rows)),
            f"Two one-sided t tests of paired differences; bound: {BOUND_SHARE:.0%} of the mean true volume, stated "
            "before. Fat is subcutaneous, at the sides. X-Diffusion reports r above 0.9 for body composition.",
        ),
        ResultTable(
            "anatomy_joint_line", "Angle of the joint lines, degrees",
            ["condition", "bias", "limits of agreement", "r", "equivalence within 1 degree", "volumes"],
            list(_line_cells(rows)),
            "Bland and Altman 1986. Stands for X-Diffusion's spine curvature (r 0.89, without limits).",
        ),
    ]  # fmt: skip


def _volume_cells(rows: Sequence[Row]) -> Iterator[list[Any]]:
    for condition in distinct(rows, "condition"):
        chosen = where(rows, condition=condition)
        for part in VOLUMES:
            true, found = column(chosen, f"{part}_true_ml"), column(chosen, f"{part}_ml")
            r = correlation(found, true)
            mean = sum(true) / len(true)
            tested = equivalence([one - other for one, other in zip(found, true, strict=True)], BOUND_SHARE * mean)
            if tested is not None:
                low, high = tested.ci90
                yield [
                    condition, part, f"{mean:.1f}", f"{tested.mean:+.2f}", f"{low:+.2f} to {high:+.2f}",
                    f"{tested.bound:.2f}", tested.p, tested.verdict, "-" if r is None else f"{r:.2f}",
                ]  # fmt: skip


def _line_cells(rows: Sequence[Row]) -> Iterator[list[Any]]:
    for condition in distinct(rows, "condition"):
        chosen = where(rows, condition=condition)
        found, true = column(chosen, "line"), column(chosen, "line_true")
        differences = [one - other for one, other in zip(found, true, strict=True)]
        tested = equivalence(differences, BOUND_DEGREES)
        if tested is not None:
            bias, low, high = limits_of_agreement(differences)
            r = correlation(found, true)
            cells = [condition, f"{bias:+.2f}", f"{low:+.2f} to {high:+.2f}", "-" if r is None else f"{r:.2f}"]
            yield [*cells, tested.verdict, tested.n]


ANATOMY: Final = Study(
    "anatomy", "Anatomy", (BODIES,), {"cpu": 5, "full": 200}, measure, work, tables, needs_simulation=True
)
