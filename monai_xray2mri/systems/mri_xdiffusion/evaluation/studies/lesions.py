"""Lesions by where the input slice lies: through them, or at rising distance (X-Diffusion, section 5.2, Fig. VII)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.knee.measures.lesions import shown_lesions
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.joint import REAL, lesion_row, read_joint, true_lesions
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import (
    VolumeSetting,
    anatomy_of,
    condition_table,
    one_sample,
    work_of,
)

DISTANCES: Final = (0, 4, 8, 16, 24)
"""Of the input slice from the middle of the lesion, in voxels of 1.67 mm."""


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """A row per distance for the largest lesion of a knee; of a knee without one, the share of hallucinated lesions."""
    reading = read_joint(case.voxels, case)
    found = largest_lesion(case)
    stem, middle = found or ("", (case.box[0].start + case.box[0].stop) // 2)

    def row(name: str, shown: bool | None, free: Row) -> Row:
        return {"condition": name, "shown": None if shown is None else float(shown), **free}

    yield row(REAL, shown_lesions(reading)[stem] if stem else None, lesion_row(reading, case))
    for distance in DISTANCES if stem else (0,):
        volume = one_sample(setting, case.given(case.places_at([moved(middle, distance, case)])))
        reading = read_joint(volume, case)
        name = slice_at(distance, case.side_mm / case.size) if stem else "no lesion"
        yield row(name, shown_lesions(reading)[stem] if stem else None, lesion_row(reading, case))


def slice_at(distance: int, voxel_mm: float) -> str:
    """The condition of an input slice that lies so many voxels from the lesion: ``slice at 6.7 mm``."""
    return f"slice at {distance * voxel_mm:.1f} mm"


def largest_lesion(case: VolumeCase) -> tuple[str, int] | None:
    """Feature of the largest lesion that can be seen, and the slice of the cube through its middle."""
    lesions = anatomy_of(case).lesions[::-1]  # the cube counts from the front
    there = [stem for stem, seen in true_lesions(case).items() if seen]
    if not there:
        return None
    sizes = {stem: int((lesions == LESION_FEATURES.index(stem) + 1).sum()) for stem in there}
    stem = max(sizes, key=lambda each: sizes[each])
    slices = np.flatnonzero((lesions == LESION_FEATURES.index(stem) + 1).any(axis=(1, 2)))
    share = (float(slices.mean()) + 0.5) / len(lesions)
    along = case.box[0]
    return stem, along.start + int(share * (along.stop - along.start))


def moved(index: int, distance: int, case: VolumeCase) -> int:
    """A slice at a distance from another, towards the middle of what was acquired, so that there is one."""
    along = case.box[0]
    step = 1 if index < (along.start + along.stop) / 2 else -1
    return int(np.clip(index + step * distance, along.start, along.stop - 1))


def work(setting: VolumeSetting) -> float:
    """Sections that one knee costs."""
    return work_of(BODIES, len(DISTANCES))


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table."""
    head = {
        "shown": "largest lesion shown",
        "lesions_shown": "share of true lesions shown",
        "lesions_hallucinated": "share of absent lesions shown",
    }
    note = "X-Diffusion reports a tumor Dice of 83.68 with the slice through it, 79.23 off it, 77.21 at 80 mm."
    return [condition_table(rows, "lesions", "Lesions by the place of the input slice", head, note)]


LESIONS: Final = Study(
    "lesions", "Lesions", ("lesions",), {"cpu": 2, "full": 100}, measure, work, tables, needs_simulation=True
)
