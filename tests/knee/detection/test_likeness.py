"""The region judge: real and simulated knees pass on their side; what is none, or the other side, is doubted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import DoubtfulInput, WeightsError
from monai_xray2mri.knee.detection import likeness
from monai_xray2mri.knee.detection.likeness import (
    LARGEST_DISTANCE,
    LEAST_KNEE,
    judge_region,
    likeness_doubts,
    shipped_judge,
)
from monai_xray2mri.knee.detection.networks.region_judge import JUDGED_SIZE, RegionJudge, judged_view
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.types import Box, Side
from tests.helpers.films import read_picture, simulated_crop


def region(pixels: np.ndarray, side: Side = Side.RIGHT, width_mm: float = 110.0) -> KneeROI:
    size = pixels.shape[0]
    return KneeROI(side, Box(0, 0, size, size), np.ascontiguousarray(pixels, np.float32), width_mm, "whole image")


def test_a_simulated_knee_is_one_on_both_sides():
    crop = simulated_crop()
    assert likeness_doubts(region(crop)) == []
    assert likeness_doubts(region(crop[:, ::-1], Side.LEFT)) == []


def test_the_other_side_is_doubted():
    crop = simulated_crop()
    for pixels, side, named in ((crop[:, ::-1], Side.RIGHT, "left"), (crop, Side.LEFT, "right")):
        assert judge_region(region(pixels, side)).side < 0.5
        (doubt,) = likeness_doubts(region(pixels, side), "film.dcm")
        assert isinstance(doubt, DoubtfulInput)
        assert f"{side.word} knee of film.dcm" in str(doubt)
        assert f"of a {named} one" in str(doubt) and "Patient Orientation" in str(doubt)
        assert judge_region(region(pixels, side)).mirrored <= LARGEST_DISTANCE


def unlike() -> dict[str, np.ndarray]:
    crop, random = simulated_crop(), np.random.default_rng(0)
    rows, columns = np.mgrid[:299, :299] / 299
    return {
        "turned": np.rot90(crop),
        "upside down": crop[::-1],
        "noise": random.random((299, 299)),
        "shading": rows,
        "disc": ((rows - 0.5) ** 2 + (columns - 0.5) ** 2 < 0.1).astype(float) + 0.01 * random.random((299, 299)),
        "stripes": np.sin(40 * columns) + 0.0 * rows,
    }


@pytest.mark.parametrize("kind", list(unlike()))
def test_what_is_no_knee_is_doubted_with_its_distance(kind):
    (doubt,) = likeness_doubts(region(unlike()[kind]))
    assert "must look like a frontal radiograph of a knee" in str(doubt) and "distance" in doubt.found
    seen = judge_region(region(unlike()[kind]))
    assert seen.distance > LARGEST_DISTANCE or seen.knee < LEAST_KNEE


@pytest.mark.parametrize("folder", ["knee_xray_rois", "knee_xray_rois_299"])
def test_real_knees_pass_and_turned_ones_do_not(shared_data, folder):
    files = sorted((shared_data / folder / "val").rglob("*.jpg"))[::12]
    severe = sorted((shared_data / folder / "val" / "4").glob("*.jpg"))
    assert np.mean([passes(file) for file in files]) >= 0.97  # 1.7 % are stored as negatives
    assert np.mean([passes(file) for file in severe]) >= 0.96  # one of 27 is
    assert np.mean([passes(file, 1) for file in files]) <= 0.02


def passes(file: Path, quarter_turns: int = 0) -> bool:
    picture = np.rot90(read_picture(file), quarter_turns)
    return likeness_doubts(region(picture, Side(file.stem[-1]), 95.0)) == []


def test_distance_is_that_of_mahalanobis():
    network = RegionJudge(features=3)
    features = torch.randn(5000, 3) * torch.tensor([1.0, 2.0, 0.5]) + 4
    network.fit_distance(features, shrinkage=0.0)
    assert network.distance(features).square().mean().item() == pytest.approx(3, rel=0.01)
    far = torch.tensor([[4.0, 4.0, 4.0 + 5.0]])  # ten standard deviations
    assert network.distance(far).item() == pytest.approx(10, rel=0.05)


def test_view_is_the_middle_of_the_region():
    ramp = torch.linspace(0, 1, 220).expand(220, 220)[None, None]
    view = judged_view(ramp, 110.0)
    assert view.shape == (1, 1, JUDGED_SIZE, JUDGED_SIZE)
    assert view.min().item() == pytest.approx(7.5 / 110, abs=0.01)
    assert judged_view(ramp, 90.0).min().item() < 0.01


def test_weights_are_shipped_and_damage_is_named(monkeypatch):
    assert not shipped_judge().training
    assert Path(likeness.__file__).with_name(likeness.WEIGHTS).stat().st_size < 500_000
    monkeypatch.setattr(likeness, "WEIGHTS", "koa.pt")
    with pytest.raises(WeightsError, match=r"koa\.pt.*region judge"):
        shipped_judge.__wrapped__()
