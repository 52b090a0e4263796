"""Ceilings from redrawn nuisance."""

from __future__ import annotations

import json

import numpy as np
import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION
from monai_xray2mri.systems.knee_xray2mri.evaluation.ceilings import REDRAWN, Examination, ceilings, examine_again

SEED = VALIDATION[7]


@pytest.fixture(scope="module")
def first() -> Examination:
    """The knee of ``SEED`` with nothing drawn again."""
    return examine_again(SEED)


@pytest.fixture(scope="module")
def drawn() -> SimulatedKnee:
    """The same from the simulator."""
    return simulate_knee(SEED)


def test_with_nothing_drawn_again_it_is_the_simulators_knee(first: Examination, drawn: SimulatedKnee) -> None:
    for name in ("volume", "noise_free", "labels", "affine"):
        np.testing.assert_array_equal(getattr(first, name), getattr(drawn, name))


def test_with_everything_drawn_again_it_is_the_simulators_other_examination() -> None:
    again, expected = examine_again(SEED, REDRAWN["all"], 3), simulate_knee(SEED, nuisance=3)
    for name in ("volume", "noise_free", "labels", "affine"):
        np.testing.assert_array_equal(getattr(again, name), getattr(expected, name))


def test_streams_are_drawn_again_one_by_one(first: Examination) -> None:
    noise, texture = (examine_again(SEED, REDRAWN[kind]) for kind in ("noise and bias", "texture"))
    np.testing.assert_array_equal(noise.labels, first.labels)
    assert 0 < np.abs(noise.volume - first.volume).mean() < 0.1
    np.testing.assert_array_equal(texture.affine, first.affine)
    assert (texture.labels == first.labels).mean() > 0.99
    assert (texture.noise_free != first.noise_free).any()


def test_ceilings_order_as_they_must(capsys: pytest.CaptureFixture[str]) -> None:
    """More that differs never raises the ceiling, and alignment never lowers it."""
    assert main(["measure", "ceilings", "--knees", "1", "--kinds", "noise and bias", "all"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["split"], report["data_range"]) == ("validation", 1.0)
    found = report["ceilings"]
    assert found["noise, one side"]["psnr_db"] > found["noise and bias"]["psnr_db"]
    for kind in ("noise and bias", "all, without noise"):
        assert found[kind]["psnr_db"] > found["all"]["psnr_db"]
    for row in found.values():
        if "psnr_db" in row:
            assert row["psnr_aligned_db"] >= row["psnr_db"]
            assert 0 < row["ssim"] < 1


def test_no_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="one seed"):
        ceilings([])
