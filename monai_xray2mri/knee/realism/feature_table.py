"""The table of feature effects: the change of truth, radiograph and MR volume by each grade of each feature.

``xray2mri measure features [--knees N] [--output FILE.md]``

Each feature alone is added to healthy knees of the test range (:mod:`~monai_xray2mri.knee.realism.feature_effects`).
The table gives means over the knees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from monai_xray2mri.knee.measures.joint_space import joint_space_from_labels
from monai_xray2mri.knee.realism.feature_effects import (
    MR_AFFINE,
    Examined,
    examine,
    film_change,
    film_gap_mm,
    grown_mm3,
    lesion_mm3,
    mr_change,
)
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, TEST

_KINDS: Final = {
    "XRJS": "Joint space narrowing",
    "XROS": "Osteophytes",
    "XRSC": "Subchondral sclerosis",
    "XRCY": "Subchondral cysts",
    "XRATT": "Tibial attrition",
    "XRCH": "Chondrocalcinosis",
}
FEATURES: Final = tuple(stem for stem in MAXIMAL_GRADES if stem != "XRKL")
_FIRST_KNEE: Final = 20
_BONES: Final = {"F": "femur", "T": "tibia"}

Measure = Callable[[Examined, Examined, str], Sequence[float]]
"""Function of a healthy knee, the same knee with a feature, and the feature's OAI stem; it returns a row's numbers."""


def _narrowing(before: Examined, after: Examined, stem: str) -> Sequence[float]:
    side = stem[-1]
    other = "L" if side == "M" else "M"
    shown = joint_space_from_labels(after.labels.numpy(), MR_AFFINE)
    widths = after.widths_mm
    return (
        widths[side],
        widths[other] - before.widths_mm[other],
        widths[f"film {side}"],
        film_gap_mm(after)[side],
        shown[side],
    )


def _osteophyte(before: Examined, after: Examined, stem: str) -> Sequence[float]:
    film, mr = film_change(before, after), mr_change(before, after)
    return grown_mm3(before, after)[_BONES[stem[4]]], film.contrast, film.size, film.x, mr.strength, mr.size


def _sclerosis(before: Examined, after: Examined, stem: str) -> Sequence[float]:
    bone = after.lying.femur if stem[4] == "F" else after.lying.tibia
    peak = float(bone.sclerosis.values.max()) if bone.sclerosis else 0.0
    film, mr = film_change(before, after), mr_change(before, after)
    return peak, film.contrast, film.size, film.x, mr.contrast, mr.size


def _lesion(before: Examined, after: Examined, stem: str) -> Sequence[float]:
    film, mr = film_change(before, after), mr_change(before, after)
    faint, hidden = (film_change(before, _at_visibility(after, visibility)).strength for visibility in (0.5, 0.0))
    return lesion_mm3(after, stem), film.strength, faint, hidden, film.size, film.x, mr.contrast, mr.size


def _at_visibility(knee: Examined, visibility: float) -> Examined:
    return Examined(knee.seed, knee.shape, knee.pathology, visibility)


_LESION_COLUMNS: Final = (
    "mask, mm3",
    "film, mean change",
    "at visibility 0.5",
    "at visibility 0",
    "film, mm2",
    "film, x mm",
    "MR, mean change",
    "MR, mm3",
)
MEASURES: Final[dict[str, tuple[Measure, Sequence[str]]]] = {
    "XRJS": (
        _narrowing,
        (
            "width lying, mm",
            "other compartment, change in mm",
            "width standing, mm",
            "gap on the film, mm",
            "width by MR labels, mm",
        ),
    ),
    "XROS": (
        _osteophyte,
        ("bone grown, mm3", "film, mean change", "film, mm2", "film, x mm", "MR, mean change", "MR, mm3"),
    ),
    "XRSC": (
        _sclerosis,
        ("densest", "film, mean change", "film, mm2", "film, x mm", "MR, mean change", "MR, mm3"),
    ),
    "XRCY": (_lesion, _LESION_COLUMNS),
    "XRATT": (_lesion, _LESION_COLUMNS),
    "XRCH": (_lesion, _LESION_COLUMNS),
}
"""Kind of feature to its measure, and the names of the columns."""


def effects(seeds: Sequence[int], stems: Sequence[str] = FEATURES) -> dict[tuple[str, int], np.ndarray]:
    """Numbers [knees,columns] of ``MEASURES`` by (stem, grade); grade 0 is the healthy knee.

    Args:
        seeds: seeds of the knees.
        stems: OAI stems of the features.
    """
    rows: dict[tuple[str, int], list[Sequence[float]]] = {}
    for seed in seeds:
        before = examine(seed)
        for stem in stems:
            measure, _ = MEASURES[_kind(stem)]
            for grade in range(0 if _kind(stem) == "XRJS" else 1, MAXIMAL_GRADES[stem] + 1):
                after = examine(seed, {stem: grade}) if grade else before
                rows.setdefault((stem, grade), []).append(measure(before, after, stem))
    return {key: np.asarray(found, dtype=float) for key, found in rows.items()}


def _kind(stem: str) -> str:
    return next(kind for kind in _KINDS if stem.startswith(kind))


def table(found: dict[tuple[str, int], np.ndarray]) -> str:
    """The effects as Markdown, with one table for each kind of feature."""
    parts = []
    for kind, title in _KINDS.items():
        columns = MEASURES[kind][1]
        if not any(_kind(stem) == kind for stem, _ in found):
            continue
        lines = [f"## {title}", "", f"| feature | grade | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
        for (stem, grade), numbers in found.items():
            if _kind(stem) == kind:
                cells = " | ".join(_cell(name, value) for name, value in zip(columns, numbers.mean(0), strict=True))
                lines.append(f"| {stem} | {grade} | {cells} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _cell(name: str, value: float) -> str:
    digits = 0 if name.endswith(("mm2", "mm3", "x mm")) else 3 if "change" in name or "visibility" in name else 2
    return f"{value:.{digits}f}"


_HEAD: Final = """# What each feature changes

Made by `xray2mri measure features --knees {knees} --output FILE`, simulator {version}. Means over {knees} healthy
knees of the test range into which one feature is put at a time; nothing else differs and there is no noise. *Film* is
the line integral, 0.01 of which is about 1 % of the signal of the X-ray plate; the site is where the change is more
than 15 % of the largest; x is the site's distance from the midline, + = medial. *MR* is the noise-free signal on the
scale of the volume (cartilage about 0.9, marrow about 0.3). Joint space widths are least distances over the middle of
the plateau: lying as in MR; standing as the film shows them, under load; the gap on the film is measured on the picture
alone, between the steepest edges, in steps of 0.5 mm. Grades in `simulation/knee/anatomy/pathology.py` say where the
millimetres come from. XRKL follows from osteophytes and narrowing and changes nothing of its own.

"""


@one_thread()
def report(knees: int) -> str:
    """The feature effects in ``knees`` healthy knees with their explanation, as a Markdown page."""
    seeds = TEST[_FIRST_KNEE : _FIRST_KNEE + knees]
    return _HEAD.format(knees=knees, version=SIMULATOR_VERSION) + table(effects(seeds))
