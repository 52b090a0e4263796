from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_xray2mri.simulation.radiography import (
    MAGNIFICATION,
    MU_MUSCLE,
    Exposure,
    draw_exposure,
    draw_region,
    exposed,
)
from monai_xray2mri.simulation.seeds import knee_generator

from .conftest import COARSE_PIXEL_MM


def test_bone_is_bright(knee):
    assert knee.radiograph[220:280, 120:180].mean() > knee.radiograph[150:290, -8:].mean()


def test_fibula_is_at_the_left(projected):
    """In a band below its head, where a right knee has the fibula at x = -37 mm and nothing at +37 mm."""
    band = projected()[100:128]
    fibula, opposite = (band[:, int((51.0 + x) / COARSE_PIXEL_MM)].mean() for x in (-40.0, 40.0))
    assert fibula > opposite + 0.1


def test_joint_space_is_a_dark_line_at_three_fifths_of_the_height(projected):
    total = projected()
    profile = total[:, [99, 98, 97, 38, 37, 36]].mean(1).numpy()
    row = 60 + int(profile[60:95].argmin())
    assert 0.52 * 136 < row < 0.64 * 136
    assert profile[row] < profile[row - 12] - 0.1
    assert profile[row] < profile[row + 8] - 0.1


def test_attenuation_of_the_soft_tissue_is_that_of_a_leg(projected):
    """A leg of 10 to 14 cm of about muscle: Beer-Lambert with MU_MUSCLE per mm."""
    total = projected()
    beside_bone = float(total[75, 4:7].mean())
    assert 60 * MU_MUSCLE < beside_bone < 130 * MU_MUSCLE
    assert float(total.max()) < 140 * MU_MUSCLE + 60 * 0.06


def test_condyles_fill_most_of_the_region(projected):
    row = projected()[45]
    inside = row > row.min() + 0.55 * (row.max() - row.min())
    width = float(inside.sum()) * COARSE_PIXEL_MM
    assert 0.65 < width * MAGNIFICATION / 110 < 0.95


def test_region_is_110_mm_at_the_detector_give_or_take():
    sides, offsets = [], []
    for seed in range(200):
        region = draw_region(knee_generator(seed, "film"))
        sides.append(region.pixel_mm * 299 * MAGNIFICATION)
        offsets.append(float(region.x.mean()))
    assert np.mean(sides) == pytest.approx(110, abs=0.5)
    assert 0.015 < np.std(sides) / 110 < 0.025
    assert 1.6 < np.std(offsets) < 2.4
    assert np.abs(offsets).max() <= 4.01


def test_exposure_shows_more_attenuation_brighter_with_quantum_noise():
    exposure = Exposure(level=0.6, contrast=0.3, scatter=0.2, photons=5e4, blur_px=0.5)
    total = torch.full((64, 128), 2.5)
    total[:, 64:] = 3.5
    grey = exposed(total, exposure, 2.5, 0.35, knee_generator(1, "film"))
    dark, bright = grey[:, :40], grey[:, 90:]
    assert bright.mean() > dark.mean() + 0.05
    assert 0 < float(dark.std()) < 0.02
    assert float(grey.min()) >= 0
    assert float(grey.max()) <= 1


def test_exposures_differ_as_films_do():
    levels = [draw_exposure(knee_generator(seed, "film")).level for seed in range(100)]
    assert max(levels) - min(levels) > 0.25
    assert math.isclose(np.mean(levels), 0.71, abs_tol=0.05)
