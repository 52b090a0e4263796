"""Angles with their interval."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.errors import WeightsError
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS
from monai_xray2mri.systems.foot_xray_sccdm import angles
from monai_xray2mri.systems.foot_xray_sccdm.angles import AngleInterval, measure_foot
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.detector import Keypoints
from monai_xray2mri.systems.registry import Loaded

BASE = {
    "metatarsal 1 head": (100, 50), "metatarsal 1 base": (200, 50), "metatarsal 2 head": (100, 100),
    "metatarsal 2 base": (200, 100), "metatarsal 5 head": (120, 180), "metatarsal 5 base": (200, 170),
    "proximal phalanx base": (95, 50), "proximal phalanx head": (45, 50), "hallux tip": (20, 50),
    "tibial sesamoid": (105, 45),
}  # fmt: skip
HALF_WIDTHS = {"hallux_valgus": 4.0, "intermetatarsal": 2.0}


def keypoints(valgus: float, sure: float = 0.9) -> Keypoints:
    """Keypoints of parallel metatarsals, whose hallux is turned by some degrees."""
    points = np.array([BASE[name] for name in KEYPOINTS], dtype=np.float32)
    angle = np.radians(valgus)
    points[KEYPOINTS.index("proximal phalanx head")] = (95 - 50 * np.cos(angle), 50 + 50 * np.sin(angle))
    return Keypoints(points, np.full(10, sure, np.float32))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector reads the angle of a picture from its first pixel."""
    monkeypatch.setattr(angles, "find_keypoints", lambda image: keypoints(float(image[0, 0]) * 100))


def pictures(*valgus: float) -> list[np.ndarray]:
    return [np.full((256, 256), value / 100, np.float32) for value in valgus]


@pytest.mark.usefixtures("found")
def test_of_several_samples_median_and_range_are_told(loaded: Loaded) -> None:
    measures = measure_foot(pictures(20, 26, 23), loaded.predictor.resolve(samples=3), None)
    valgus, spread = measures.angles["hallux_valgus"], measures.angles["intermetatarsal"]
    assert (valgus.median, valgus.low, valgus.high) == pytest.approx((23, 20, 26), abs=1e-3)
    assert spread.median == pytest.approx(0, abs=1e-3) and measures.interval == "range of the samples"
    assert "no coverage is known" in measures.meaning and valgus.text == "23.0 degrees (20.0 to 26.0)"
    one = measure_foot(pictures(20), loaded.predictor.resolve(samples=1), None)
    assert one.angles["hallux_valgus"].low is None and one.interval == "none" and "no interval" in one.meaning
    assert json.dumps(measures.record()) and measures.record()["hallux_valgus"]["samples_deg"] == [20.0, 26.0, 23.0]


@pytest.mark.usefixtures("found")
def test_a_measured_half_width_is_used_only_for_what_it_was_measured_with(loaded: Loaded) -> None:
    sampling = loaded.predictor.resolve(samples=3)
    known = AngleInterval(0.9, 3, sampling.sampler_record(), HALF_WIDTHS, 200)
    measures = measure_foot(pictures(20, 26, 23), sampling, known)
    valgus = measures.angles["hallux_valgus"]
    assert (valgus.low, valgus.high) == pytest.approx((19, 27), abs=1e-3) and measures.interval == "conformal"
    assert "held 90% of the true angles of 200 simulated feet" in measures.meaning
    for other in ({"samples": 2}, {"samples": 3, "steps": 1}, {"samples": 3, "variant": "paper"}):
        assert not known.holds_for(loaded.predictor.resolve(**other))
    doubted = measure_foot(pictures(20, 26, 23), sampling, known, forced=True)
    assert doubted.interval == "range of the samples"


def test_half_widths_come_from_the_bundle_and_belong_to_its_weights(small_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "configs").mkdir(parents=True)
    entry = {
        "level": 0.9, "samples": 8, "sampling": {"steps": 2}, "half_width_deg": HALF_WIDTHS, "feet": 200,
        "weights_sha256": "abc",
    }  # fmt: skip

    def write(content: object) -> None:
        (bundle / "configs" / "inference.json").write_text(json.dumps({"angle_interval": content}))

    write(entry)
    known = AngleInterval.of(bundle, "abc")
    assert known is not None and known.half_width_deg == HALF_WIDTHS and AngleInterval.of(bundle, "other") is None
    write(None)
    assert AngleInterval.of(bundle, "abc") is None
    write({**entry, "half_width_deg": {"hallux_valgus": 3}})
    with pytest.raises(WeightsError, match="whole angle_interval"):
        AngleInterval.of(bundle, "abc")


def test_keypoints_that_nobody_is_sure_of_make_the_angles_doubtful(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsure = keypoints(20)
    unsure.confidence[KEYPOINTS.index("metatarsal 2 base")] = 0.3
    unsure.confidence[KEYPOINTS.index("hallux tip")] = 0.3  # no angle needs it
    monkeypatch.setattr(angles, "find_keypoints", lambda image: unsure)
    measures = measure_foot(pictures(0), loaded.predictor.resolve(), None)
    assert measures.unsure == ("metatarsal 2 base",) and "metatarsal 2 base" in measures.remarks[0]
    assert measures.completeness == pytest.approx(float(unsure.confidence.mean()) * 0.8, abs=1e-6)
    sure = replace(measures, confidence=np.ones(10))
    assert sure.remarks == ()


def test_points_of_a_left_foot_are_mirrored_back(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(angles, "find_keypoints", lambda image: keypoints(0))
    measures = measure_foot(pictures(0), loaded.predictor.resolve(), None)
    assert measures.points_shown(False, 256)["metatarsal 5 head"] == (120, 180)
    assert measures.points_shown(True, 256)["metatarsal 5 head"] == (120, 75)
