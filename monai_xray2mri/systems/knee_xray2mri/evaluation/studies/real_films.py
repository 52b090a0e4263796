"""Real radiographs: does the generated joint space fall with the Kellgren-Lawrence grade? A trend, no truth.

Nobody knows the MR of these knees, and the model was trained on simulated films. The study asks only whether the
generated joint space follows the reader's grade and the width of the gap on the film itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.bootstrap import correlation, summarize
from monai_xray2mri.evaluation.conditions import mean_cell
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study, column, distinct, where
from monai_xray2mri.knee.data.arrays import REGION_MM
from monai_xray2mri.knee.measures.crop import SIDES
from monai_xray2mri.knee.measures.joint_space import joint_space_from_volume
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
    KneeInputs,
    modeled_affine,
    unknown_grades,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import radiograph_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import JOINT
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting

_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_GAP_ROWS: Final = (0.44, 0.70)
_GAP_COLUMNS: Final[dict[str, tuple[float, float]]] = {"M": (0.66, 0.80), "L": (0.20, 0.34)}
"""Where the gap is looked for, as shares of the region: about the joint line, over either plateau."""
_WIDEST_GAP_MM: Final = 12.0


class FilmCohort:
    """Crops of knee radiographs: ``<grade>/<participant><L or R>.png`` under a folder, right and left mixed.

    Args:
        folder: with one folder per Kellgren-Lawrence grade.
        knees: how many at most, the grades in turn.

    Raises:
        UsageError: no such pictures.
    """

    def __init__(self, folder: Path, knees: int) -> None:
        by_grade = [
            sorted(file for file in folder.glob(f"{grade}/*") if file.suffix.lower() in _SUFFIXES) for grade in range(5)
        ]
        longest = max(map(len, by_grade))
        spread = [files[i] for i in range(longest) for files in by_grade if i < len(files)]
        if not spread:
            raise UsageError(f"folder {folder.name}", "must hold pictures in folders 0 to 4", "none")
        self.files = spread[:knees]
        self.names: Sequence[str] = [file.stem for file in self.files]

    def __getitem__(self, index: int) -> EvaluationKnee:
        """The crop at an index; the volume is unknown and empty."""
        file = self.files[index]
        if file.stem[-1] not in "LR":
            raise InputRefused(f"film {index + 1}", "must be named with its side, L or R, at the end", "neither")
        with Image.open(file) as picture:
            pixels = np.asarray(picture.convert("L"), np.float32) / 255
        view = normalize_region(pixels, mirrored=file.stem[-1] == "L")
        grades = unknown_grades() | {"XRKL": int(file.parent.name)}
        return EvaluationKnee(
            KneeInputs(file.stem, view, grades, ()), np.empty((0, *view.shape), np.float32), file.stem[:-1]
        )


def film_gap_mm(film: np.ndarray) -> dict[str, float]:
    """Width in mm at the detector of the dark gap on a film [H,W] in right-knee space, by compartment.

    In each column over a plateau: from where the brightness falls to where it rises below; of all such pairs at most
    12 mm apart the one whose weaker edge is steepest; the median over columns. On films of the simulated training knees
    36 to 71, which it was not fitted to, r with the true width is 0.88 and the mean error 0.6 mm. Where bone meets bone
    it finds other edges: a reading for a trend.
    """
    height, width = film.shape
    rows = slice(round(_GAP_ROWS[0] * height), round(_GAP_ROWS[1] * height))
    found = {}
    for side, (left, right) in _GAP_COLUMNS.items():
        lines = film[rows, round(left * width) : round(right * width)].astype(np.float64).T  # [W,rows]
        slope = np.diff([np.convolve(line, np.ones(3) / 3, mode="valid") for line in lines])
        place = np.arange(slope.shape[1])
        apart = place[None, :] - place[:, None]  # [above,below]
        allowed = (apart > 0) & (apart * REGION_MM / height <= _WIDEST_GAP_MM)
        weaker = np.where(allowed, np.minimum(-slope[:, :, None], slope[:, None, :]), -np.inf)  # [W,above,below]
        widths = apart.ravel()[weaker.reshape(len(lines), -1).argmax(axis=1)]
        found[side] = float(np.median(widths)) * REGION_MM / height
    return found


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """Joint space generated from the film alone, and the film's own gap, by compartment."""
    inputs = knee.inputs.at(JOINT).with_grades(unknown_grades())
    volume = generate(setting.bundle, inputs, 1, setting.seed)[0]
    found = joint_space_from_volume(volume, modeled_affine(JOINT[0]))
    film = film_gap_mm(radiograph_of(knee.inputs))
    for side in SIDES:
        width = found[side] if np.isfinite(found[side]) else None
        yield {"grade": knee.grade, "side": side, "generated_mm": width, "film_mm": film[side]}


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    return len(JOINT)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table: least width of both compartments by grade, and correlations."""
    knees = _narrower(rows)
    cells: list[list[Any]] = []
    for grade in sorted(distinct(knees, "grade")):
        chosen = where(knees, grade=grade)
        people = [str(row["participant"]) for row in chosen]
        cells.append(
            [str(grade), *(mean_cell(summarize(column(chosen, name), people)) for name in _NAMES), len(chosen)]
        )
    grades = [float(row["grade"]) for row in knees]
    with_grade = [correlation(grades, column(knees, name)) for name in _NAMES]
    cells.append(["r with the grade", *map(_r, with_grade), len(knees)])
    both = correlation(column(rows, "generated_mm"), column(rows, "film_mm"))
    cells.append(["r of both widths, per compartment", _r(both), "", len(rows)])
    head = ["KL grade", "generated, narrower compartment mm", "on the film, narrower compartment mm", "knees"]
    note = "Real films: a trend, no truth. The film's gap is read crudely and under load, at the detector."
    return [ResultTable("real_films", "Real films: generated joint space and grade", head, cells, note)]


_NAMES: Final = ("generated_mm", "film_mm")


def _r(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _narrower(rows: Sequence[Row]) -> list[Row]:
    """One row for each knee, with the smaller width of its compartments."""
    found = []
    for knee in distinct(rows, "case"):
        chosen = where(rows, case=knee)
        widths = {name: column(chosen, name) for name in _NAMES}
        known = {name: float(np.nanmin(w)) if np.isfinite(w).any() else None for name, w in widths.items()}
        found.append({**chosen[0], **known})
    return found


REAL_FILMS: Final = Study(
    "real_films",
    "Real films",
    ("films",),
    {"cpu": 40, "full": 200},
    measure,
    work,
    tables,
    simulations=lambda _: 0,
    needs_films=True,
)
