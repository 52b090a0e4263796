"""The joint space that volumes and films show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.plots import png
from monai_xray2mri.knee.data.arrays import REGION_MM
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
    simulated_case,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.figures import FIGURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import radiograph_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies import (
    joint_space,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.real_films import FilmCohort, film_gap_mm
from tests.systems.knee_xray2mri.evaluation.conftest import Rows, recorded


def test_joint_space(case: EvaluationKnee, setting: KneeSetting) -> None:
    rows = recorded(joint_space.measure(setting, case), case)
    assert len(rows) == 5 * 2
    read = [row for row in rows if row["condition"] == "true volume, as read"]
    assert all(abs(row["found_mm"] - row["true_mm"]) < 1 for row in read)


def test_joint_space_beside_what_the_grade_alone_tells() -> None:
    widths = {0: [5.0, 6.0, 4.0, 5.5], 2: [2.0, 3.0, 2.5]}
    rows: Rows = []
    for grade, values in widths.items():
        for place, width in enumerate(values):
            knee = f"{grade}/{place}"
            rows.append({"condition": "film", "side": "M", "narrowing": grade, "true_mm": width,
                         "found_mm": width + 0.1 if place else None, "case": knee, "participant": knee})  # fmt: skip
    film, mean = joint_space.tables(rows)[0].rows
    assert film == ["film", "1.00", "1.00", "0.10", "2", "7"]
    assert mean[0] == "mean of the grade" and float(mean[3]) == pytest.approx(0.69, abs=0.005)
    assert float(mean[2]) == pytest.approx(-1.0)  # without the knee itself the mean runs against it
    assert png(FIGURES["joint_space"][0].draw(rows))


def test_crops_of_real_films(tmp_path: Path) -> None:
    for grade, name in ((0, "9000001L"), (0, "9000002R"), (3, "9000003R"), (3, "9000004")):
        picture = np.full((299, 299), 200, np.uint8)
        picture[170:180, 60:240] = 40  # a gap of 10 pixels
        (tmp_path / str(grade)).mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / str(grade) / f"{name}.png")
    cohort = FilmCohort(tmp_path, 10)
    assert list(cohort.names) == ["9000001L", "9000003R", "9000002R", "9000004"]  # the grades in turn
    knee = cohort[1]
    assert knee.grade == 3 and knee.participant == "9000003" and knee.inputs.radiograph is not None
    gap = film_gap_mm(knee.inputs.radiograph)
    assert gap["M"] == pytest.approx(10 * REGION_MM / 299, abs=0.7)
    with pytest.raises(InputRefused, match="side"):
        cohort[3]
    with pytest.raises(UsageError, match="must hold pictures"):
        FilmCohort(tmp_path / "nowhere", 3)


def test_the_gap_of_a_film_follows_the_true_joint_space(case: EvaluationKnee) -> None:
    """The same knee, its medial joint space lost: read there, and not at the other side."""
    lost = simulated_case(simulate_knee(int(case.name), grades=dict.fromkeys(LESION_FEATURES, 0) | {"XRJSM": 3}))
    before, after = (film_gap_mm(radiograph_of(knee.inputs)) for knee in (case, lost))
    assert case.joint_space_mm is not None and lost.joint_space_mm is not None
    true = case.joint_space_mm["M"] - lost.joint_space_mm["M"]
    assert true > 2 and before["M"] - after["M"] > true / 2
    assert abs(before["L"] - after["L"]) < 1
