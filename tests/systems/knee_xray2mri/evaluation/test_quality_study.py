"""The study of what a bundle can do, and that of its sampler, once each with a tiny network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.evaluation import alignment
from monai_xray2mri.evaluation.plots import png
from monai_xray2mri.evaluation.study import Profile
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee, simulated_case
from monai_xray2mri.systems.knee_xray2mri.evaluation.figures import FIGURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import MeanSliceMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies import quality, sampler
from tests.helpers.bundles import make_tiny_bundle
from tests.helpers.knee_settings import make_setting


@pytest.fixture(scope="module")
def case(knee: SimulatedKnee) -> EvaluationKnee:
    return simulated_case(knee)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory, bundle: Path, case: EvaluationKnee) -> KneeSetting:
    mean = MeanSliceMethod()
    mean.fit([case])
    folder = make_tiny_bundle(tmp_path_factory.mktemp("quality") / "tiny", bundle)
    return make_setting(folder, Profile("cpu", 25), **{"mean slice": mean})


def test_what_the_bundle_can_do(case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "_STEPS", 5)  # a rough alignment is enough here
    rows = [{"case": case.name, "participant": case.participant, **row} for row in quality.measure(setting, case)]
    named = {row["condition"]: row for row in rows if "condition" in row}
    one_step, sample = named["one step"], named["one sample"]
    assert one_step == {**sample, "condition": "one step"}  # the tiny network samples in one step
    assert sample["psnr_aligned"] >= sample["psnr_volume"] - 1e-9
    assert sample["psnr"] >= sample["psnr_volume"]
    mean = named["mean slice"]
    assert mean["psnr"] == mean["psnr_volume"] == np.inf and mean["rssim"] == pytest.approx(1)
    assert 25 < mean["psnr_noise_free"] < 40  # the knee itself: the noise of the acquisition is left
    noise = {row["noise"]: row["adjacent_slice_correlation"] for row in rows if "noise" in row}
    assert noise["shared noise (Wang 2024a)"] > noise["independent noise"]
    assert 0.8 < noise["true volume"] < 0.99
    tables = quality.tables(rows)
    assert [table.name for table in tables] == ["quality", "quality_noise"]
    assert len(tables[0].rows) == len(named) and len(tables[1].rows) == 4


def test_samplers(case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "SAMPLERS", ({"steps": 1}, {"steps": 3}, {"guidance": 2.0}, {"eta": 1.0}))
    monkeypatch.setattr(sampler, "WINDOW", (20, 21))
    rows = [{"case": case.name, "participant": case.participant, **row} for row in sampler.measure(setting, case)]
    assert [row["condition"] for row in rows] == ["steps 1", "steps 3", "guidance 2", "eta 1"]
    assert len({round(row["psnr"], 4) for row in rows[:3]}) == 3
    assert rows[3]["psnr"] == pytest.approx(rows[0]["psnr"])  # one step adds no noise
    assert sampler.work(replace(setting, profile=Profile("full", 1))) > 0
    assert png(FIGURES["sampler"][0].draw(rows))
