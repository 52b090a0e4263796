"""Calibrated intervals, and knees that nobody graded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monai_xray2mri.core.calibration import Calibration
from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.conformal import SCALES
from monai_xray2mri.evaluation.plots import png
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.figures import FIGURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies import (
    calibration,
    ungraded,
)
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from tests.systems.knee_xray2mri.evaluation.conftest import Rows, recorded


def curves(rng: np.random.Generator, sizes: np.ndarray) -> list[list[float]]:
    """Loss curves of knees with errors of these sizes in units of their spread."""
    errors = np.abs(sizes[:, None] * rng.standard_normal((len(sizes), 200)))
    return [calibration.loss_curve(each).tolist() for each in errors]


def test_calibration_covers_what_it_says_on_other_knees() -> None:
    rng = np.random.default_rng(0)
    rows: Rows = []
    for split in ("calibration", "test"):
        sizes = np.exp(0.3 * rng.standard_normal(200))
        for number, losses in enumerate(curves(rng, sizes)):
            rows.append({"split": split, "region": calibration.ALL, "losses": losses, "spread": 0.05, "nominal": 0.8,
                         "constant_losses": np.linspace(1, 0, len(calibration.WIDTHS)).tolist(),
                         "case": f"{split}/{number}", "participant": f"{split}/{number}"})  # fmt: skip
    made_with = {"simulator": "1.0", "weights_sha256": "abc", "sampling": {"steps": 10}}
    found = calibration.calibrate(rows, made_with, "calibration")
    assert (
        found.participants == 200 and found.one_sided_scale > found.scale and found.record()["weights_sha256"] == "abc"
    )
    at = int(np.searchsorted(SCALES, found.scale))
    covered = np.mean([1 - row["losses"][at] for row in rows if row["split"] == "test"])
    assert 0.88 < covered < 0.92
    (table,) = calibration.tables(rows)
    assert table.rows[0][0] == calibration.ALL and png(FIGURES["calibration"][0].draw(rows))
    assert calibration.tables(rows[:3]) == []  # too few to promise anything
    with pytest.raises(UsageError, match="none of the x split"):
        calibration.calibrate(rows, {"simulator": "", "weights_sha256": "", "sampling": {}}, "x")


def test_one_knee_of_the_calibration(case: EvaluationKnee, setting: KneeSetting) -> None:
    rows = recorded(calibration.measure(setting, case), case)
    assert rows[0]["region"] == calibration.ALL
    assert {row["region"] for row in rows} <= {calibration.ALL, "bone", "cartilage and meniscus", "soft tissue",
                                               "lesion", "outside"}  # fmt: skip
    for row in rows:
        assert (np.diff(row["losses"]) <= 0).all() and row["spread"] > 0
    positions = {calibration.positions_of(str(name), 5)[0] for name in range(400)}
    assert len(positions) == 50  # all depths come up


def test_knees_that_nobody_graded(case: EvaluationKnee, setting: KneeSetting) -> None:
    """The interval is the bundle's own: wide enough it holds all, narrow enough next to nothing."""
    told = {name: grading(case.inputs) for name, grading in ungraded.GRADINGS.items()}
    assert told["as graded"]["XRCYFM"] == 1 and set(told["unknown"].values()) == {None}
    estimated = {stem for stem, grade in told["grade estimated from the film"].items() if grade is not None}
    assert estimated == {"XRKL"}  # as the app does where no report grades the knee

    def inside(scale: float) -> Rows:
        known = Calibration(0.9, scale, scale, 0.1, 0.1, 0.02, 8, {}, 200, ("a", "b"), "1.0", "abc")
        predictor = Xray2MRI(setting.bundle.predictor.network, "tiny 1", "abc", "cpu", known)
        bundle = replace(setting.bundle, predictor=predictor)
        return recorded(ungraded.measure(replace(setting, methods={setting.main: bundle}), case), case)

    wide, narrow = inside(50.0), inside(0.05)
    assert [row["condition"] for row in wide] == list(told)
    assert all(row["covered"] > 0.99 and row["width"] > 0.5 for row in wide)
    assert all(row["covered"] < 0.2 and row["width"] < 0.1 for row in narrow)
    (table,) = ungraded.tables(wide)
    assert len(table.rows) == 3 and png(FIGURES["ungraded"][0].draw(wide))
