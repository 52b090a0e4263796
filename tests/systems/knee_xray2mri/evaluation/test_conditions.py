"""Studies of what a knee is conditioned on: hidden features, groups of them, depth, films."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monai_xray2mri.evaluation.plots import png
from monai_xray2mri.evaluation.study import Profile
from monai_xray2mri.knee.data.arrays import REGION_MM
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.systems.knee_xray2mri.evaluation import pictures
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    MODELED,
    EvaluationKnee,
    KneeInputs,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.figures import FIGURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies import (
    depth,
    feature_groups,
    few_steps_hidden,
    film_defects,
    hidden,
)
from tests.systems.knee_xray2mri.evaluation.conftest import recorded


def test_hidden_features(case: EvaluationKnee, setting: KneeSetting) -> None:
    rows = recorded(hidden.measure(setting, case), case)
    seen = [row for row in rows if "condition" in row]
    assert len({row["condition"] for row in seen}) == 7 and len(seen) == 7 * 8
    given = {row["condition"]: row["given"] for row in seen if row["feature"] == "XRCYFM"}
    assert (given["as graded"], given["all absent"], given["all unknown"]) == (1, 0, None)
    (contrast,) = [row for row in rows if "kind" in row]
    assert contrast["kind"] == "femoral cyst" and contrast["contrast_true"] > 0.2
    assert abs(contrast["response"]) < 0.5  # a network of random weights
    assert pictures.one_of_each_kind(rows) == {"femoral cyst": case.name}
    assert png(pictures.lesion_sheet(setting, {"femoral cyst": case}))
    table = hidden.tables(rows)[0]
    assert table.rows[-1][:3] == ["true volume", "1.00 of 1", table.rows[-1][2]]
    for figure in FIGURES["hidden"]:
        assert png(figure.draw(rows))


def test_hidden_features_in_fewer_steps(
    case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network of two steps; the truth is generated for the second line, so that its lesions are shown."""
    monkeypatch.setattr(few_steps_hidden, "variants", lambda bundle: {"2 steps": {"steps": 2}, "1 step": {"steps": 1}})
    asked: list[tuple[int, int]] = []

    def generate(method: NetworkMethod, inputs: KneeInputs, samples: int, seed: int) -> np.ndarray:
        asked.append((method.sampler_settings.steps, samples))
        true = np.stack([case.volume[list(hidden.JOINT if samples == 1 else few_steps_hidden.COVERED)]] * samples)
        return true if method.sampler_settings.steps == 1 else true * 0

    monkeypatch.setattr(few_steps_hidden, "generate", generate)
    rows = recorded(few_steps_hidden.measure(setting, case), case)
    assert asked == [(2, 1), (2, 1), (2, 8), (1, 1), (1, 1), (1, 8)]
    shown, contrast, covered = few_steps_hidden.tables(rows)
    cells = {row[0]: row for row in shown.rows}
    assert list(cells) == ["2 steps, as graded", "2 steps, all absent", "1 step, as graded", "1 step, all absent"]
    assert cells["1 step, as graded"][1] == "1.00 of 1" and cells["2 steps, as graded"][1] == "0.00 of 1"
    assert [row[0] for row in contrast.rows] == ["2 steps, femoral cyst", "1 step, femoral cyst"]
    found = {row["method"]: (row["coverage90"], row["coverage90_lesions"]) for row in rows if "coverage90" in row}
    assert found["1 step"] == (1, 1) and found["2 steps"][0] < 0.9 and found["2 steps"][1] == 0
    assert [row[0] for row in covered.rows] == ["2 steps", "1 step"] and covered.rows[1][1].startswith("1.000")


def test_groups_of_features(case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_groups, "GROUPS", {"cysts": feature_groups.GROUPS["cysts"]})
    rows = recorded(feature_groups.measure(setting, case), case)
    assert [row["group"] for row in rows] == ["cysts", "cysts"]
    assert all(abs(value) < 0.5 for row in rows for name, value in row.items() if name.startswith("response"))
    assert feature_groups.tables(rows)[0].rows[0][0] == "cysts"


def test_the_profile_for_a_gpu_asks_for_each_feature(
    case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = replace(setting, profile=Profile("full", 1))
    asked = feature_groups.groups_of(full.profile)
    assert set(feature_groups.GROUPS) < asked.keys() and asked["XRCYFM"] == ("XRCYFM",) and len(asked) == 6 + 18
    assert (
        feature_groups.FEATURE_GROUPS.simulations(full) == 25
        and feature_groups.work(full) == 24 * 3 * feature_groups.SLICES
    )
    monkeypatch.setattr(feature_groups, "GROUPS", {"cysts": feature_groups.GROUPS["cysts"]})
    rows = recorded(feature_groups.measure(full, case), case)
    assert [row[0] for row in feature_groups.tables(rows[::-1])[0].rows] == ["cysts", "XRCYFM"]  # the only one it has


def test_more_slices(case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 50 slices the field of view moves by one slice: the true pairs are neighbors up to their noise."""
    monkeypatch.setattr(depth, "STEPS", (50,))
    (row,) = recorded(depth.measure(setting, case), case)
    assert row["spacing_mm"] == pytest.approx(1.5)
    chosen = np.array(depth.PAIRS)
    neighbors = depth.pair_correlation(case.volume[chosen], case.volume[chosen + 1])
    assert row["true"] == pytest.approx(neighbors, abs=0.03)
    assert row["psnr_interpolated_truth"] > 20 > row["psnr"]
    assert depth.tables([row])[0].rows[0][0] == 50
    assert png(FIGURES["depth"][0].draw([row])) and png(pictures.depth_sheet(setting, case))


def test_where_bone_begins(case: EvaluationKnee) -> None:
    """Behind it lies less than a square centimetre of femur and tibia, before it more."""
    place = pictures.first_bone(case)
    assert case.simulated is not None and 0 < place < 25
    labels = case.simulated.labels[MODELED]
    square_cm = np.isin(labels, (Tissue.FEMUR, Tissue.TIBIA)).sum(axis=(1, 2)) * 0.625**2 / 100
    assert square_cm[place] < 1 <= square_cm[place + 1]
    assert pictures.first_bone(replace(case, simulated=None)) == 0


def test_films(case: EvaluationKnee, setting: KneeSetting) -> None:
    made = film_defects.films(case)
    film = made["as it is"]
    assert film is not None
    np.testing.assert_allclose(film_defects.move(film), film, atol=1e-5)
    assert all(other is None or other.shape == film.shape for other in made.values())
    shifted = film_defects.move(film, shift_mm=10 * REGION_MM / 256)
    np.testing.assert_allclose(shifted[:, :200], film[:, 10:210], atol=1e-4)
    few = replace(setting, profile=Profile("cpu", 50))
    rows = recorded(film_defects.measure(few, case), case)
    assert [row["condition"] for row in rows] == list(made)
