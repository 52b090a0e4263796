"""Sheets of generated slices, as the tables of the papers show them (Wang 2024a, Tables II to IV)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.plots import new_figure
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import PictureSheet
from monai_xray2mri.knee.data.arrays import SLICES
from monai_xray2mri.knee.measures.crop import SPACING_MM
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import MODELED, EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.sobel import sobel_difference
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.hidden import KINDS, with_hidden

MIDDLE: Final = 22
"""Position of the shown slice, through the middle of the joint."""
GRADES: Final = (0, 2, 4)
_BETWEEN: Final = 5
_BONE_MM2: Final = 100.0


def grid(pictures: Sequence[Sequence[tuple[str, np.ndarray | None, str]]]) -> Any:
    """A figure of rows of pictures: title, [H,W], and kind (``"film"``, ``"slice"``, ``"difference"``)."""
    columns = max(map(len, pictures))
    figure, _ = new_figure(1, 1.5 * columns, 1.62 * len(pictures))
    figure.clear()
    axes = figure.subplots(len(pictures), columns, squeeze=False)
    ranges = {"film": (-1, 1, "gray"), "slice": (0, 0.9, "gray"), "difference": (0, 0.15, "magma")}
    for row, line in zip(axes, pictures, strict=True):
        for panel in row:
            panel.axis("off")
        for panel, (title, image, kind) in zip(row, line, strict=False):
            if image is not None:
                low, high, colormap = ranges[kind]
                panel.imshow(image, cmap=colormap, vmin=low, vmax=high, interpolation="antialiased")
            panel.set_title(title, fontsize=6)
    return figure


def comparison_sheet(setting: KneeSetting, knees: Sequence[EvaluationKnee]) -> Any:
    """Film, true slice and each method's, with the Sobel differences below (Table II)."""
    lines = []
    for knee in knees:
        truth = knee.volume[MIDDLE]
        found = {
            name: generate(method, knee.inputs.at((MIDDLE,)), 1, setting.seed)[0, 0]
            for name, method in setting.methods.items()
        }
        slices = [(name, image, "slice") for name, image in found.items()]
        lines.append([(f"film, KL {knee.grade}", knee.inputs.radiograph, "film"), ("true", truth, "slice"), *slices])
        differences = [("", sobel_difference(image[None], truth[None])[0], "difference") for image in found.values()]
        lines.append([("", None, "film"), ("", None, "slice"), *differences])
    return grid(lines)


def lesion_sheet(setting: KneeSetting, knees: Mapping[str, EvaluationKnee]) -> Any:
    """For each kind of hidden feature a knee that has it: true slice, generated as graded, as absent, as unknown."""
    lines = []
    for stem, name in KINDS.items():
        if name not in knees:
            continue
        knee = knees[name]
        codes = [1 + LESION_FEATURES.index(f"{stem}{side}") for side in "ML"]
        mask = np.isin(knee.lesions if knee.lesions is not None else np.zeros_like(knee.volume), codes)
        place = int(mask.sum(axis=(1, 2)).argmax())
        inputs, own = knee.inputs.at((place,)), knee.inputs.grades
        gradings = {"as graded": own, "absent": with_hidden(own, 0), "unknown": with_hidden(own, None)}
        line = [(f"{name}: film", knee.inputs.radiograph, "film"), ("true", knee.volume[place], "slice")]
        for title, grades in gradings.items():
            image = generate(setting.bundle, inputs.with_grades(grades), 1, setting.seed)[0, 0]
            line.append((title, image, "slice"))
        lines.append(line)
    return grid(lines)


def depth_sheet(setting: KneeSetting, knee: EvaluationKnee) -> Any:
    """Slices generated between two neighbors, with the true neighbors at the ends (Table IV; Wang 2024b, Table 2).

    Two stages, as Wang 2024b shows them: where muscle gives way to bone, and through the joint.
    """
    lines = []
    for stage, place in (("bone begins", first_bone(knee)), ("joint", MIDDLE)):
        depths = tuple(np.linspace(place, place + 1, _BETWEEN + 2) / (SLICES - 1))
        found = generate(setting.bundle, replace(knee.inputs, depths=depths), 1, setting.seed)[0]
        line = [(f"{stage}: true", knee.volume[place], "slice")]
        line += [(f"d {depth:.4f}", image, "slice") for depth, image in zip(depths, found, strict=True)]
        lines.append([*line, ("true, next", knee.volume[place + 1], "slice")])
    return grid(lines)


def first_bone(knee: EvaluationKnee) -> int:
    """Position of the last slice, from behind, in which femur and tibia cover less than 1 cm2; 0 if nobody knows."""
    if knee.simulated is None:
        return 0
    bone = np.isin(knee.simulated.labels[MODELED], (Tissue.FEMUR, Tissue.TIBIA)).sum(axis=(1, 2))
    return max(0, int(np.argmax(bone * float(np.prod(SPACING_MM[1:])) >= _BONE_MM2)) - 1)


def one_of_each_grade(rows: Sequence[Row]) -> list[str]:
    """Names of the first knee of each shown grade; the first knee's where no knee has one of these grades."""
    first: dict[Any, str] = {row.get("grade"): str(row["case"]) for row in reversed(rows)}
    return [first[grade] for grade in GRADES if grade in first] or [str(rows[0]["knee"])]


def one_of_each_kind(rows: Sequence[Row]) -> dict[str, str]:
    """Kind of hidden feature to the first knee in which its contrast was measured."""
    return {str(row["kind"]): str(row["case"]) for row in reversed(rows) if "kind" in row}


def draw_comparison(setting: KneeSetting, rows: Sequence[Row], knee: Callable[[str], EvaluationKnee]) -> Any:
    """:func:`comparison_sheet` of a knee of each grade."""
    return comparison_sheet(setting, [knee(name) for name in one_of_each_grade(rows)])


def draw_lesions(setting: KneeSetting, rows: Sequence[Row], knee: Callable[[str], EvaluationKnee]) -> Any:
    """:func:`lesion_sheet` of a knee of each kind of lesion; None where no knee has one."""
    chosen = one_of_each_kind(rows)
    return lesion_sheet(setting, {kind: knee(name) for kind, name in chosen.items()}) if chosen else None


def draw_depths(setting: KneeSetting, rows: Sequence[Row], knee: Callable[[str], EvaluationKnee]) -> Any:
    """:func:`depth_sheet` of the first knee."""
    return depth_sheet(setting, knee(str(rows[0]["case"])))


SHEETS: Final[Mapping[str, PictureSheet[KneeSetting, EvaluationKnee]]] = {
    "comparison": PictureSheet(
        "slices", "Slices of the methods, and Sobel differences (after Wang 2024a, Table II)", draw_comparison
    ),
    "hidden": PictureSheet("hidden_slices", "Hidden features on and off (after Wang 2024a, Table III)", draw_lesions),
    "depth": PictureSheet("between", "Slices between two true ones (after Wang 2024a, Table IV)", draw_depths),
}
"""Study to its sheet."""
