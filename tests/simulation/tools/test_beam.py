from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.tools.beam import (
    ENERGIES_KEV,
    MU_BONE,
    MU_FAT,
    MU_MUSCLE,
    SPECTRUM,
    TUBE_KILOVOLT,
    Exposure,
    draw_exposure,
    exposed,
    line_integral,
    look_up,
    reference_attenuation,
)

PIXEL_MM = 0.35


def paths(fat: float, muscle: float, bone: float) -> torch.Tensor:
    return line_integral(*(torch.full((1, 1), float(length)) for length in (fat, muscle, bone)))[0, 0]


def test_coefficients_are_those_of_nist_at_tabulated_energies():
    """NISTIR 5632, Table 4, times ICRU-44 densities, at 30 and 50 keV."""
    at_30, at_50 = ENERGIES_KEV.index(30), ENERGIES_KEV.index(50)
    assert MU_BONE[at_30] == pytest.approx(1.331 * 1.92 / 10)
    assert MU_BONE[at_50] == pytest.approx(0.4242 * 1.92 / 10)
    assert MU_MUSCLE[at_30] == pytest.approx(0.3783 * 1.05 / 10)
    assert MU_FAT[at_50] == pytest.approx(0.2123 * 0.95 / 10)


def test_spectrum_is_that_of_a_filtered_tube():
    assert sum(SPECTRUM) == pytest.approx(1)
    assert max(ENERGIES_KEV) < TUBE_KILOVOLT
    mean = sum(energy * share for energy, share in zip(ENERGIES_KEV, SPECTRUM, strict=True))
    assert 38 < mean < 50


def test_thin_objects_attenuate_by_the_mean_coefficient():
    thin = 0.01
    mean = sum(share * mu for share, mu in zip(SPECTRUM, MU_BONE, strict=True))
    assert float(paths(0, 0, thin)) == pytest.approx(mean * thin, rel=0.01)
    assert float(paths(0, 0, 0)) == pytest.approx(0, abs=1e-6)


def test_the_beam_hardens():
    first = float(paths(20, 60, 10) - paths(20, 60, 0))
    fourth = float(paths(20, 60, 40) - paths(20, 60, 30))
    assert fourth < 0.9 * first


def test_noise_is_that_of_the_quanta():
    """Relative noise of n quanta is 1 / sqrt(n), times what the blur of the last step leaves of white noise."""
    exposure = Exposure(level=0.5, contrast=0.1, scatter=0.0, photons=4e3, blur_mm=0.0, corner=200.0)
    flat = torch.full((256, 256), 3.0)
    signal = (exposed(flat, exposure, 3.0, PIXEL_MM, knee_generator(1, "noise")) - 0.5) / 0.1
    offsets = torch.arange(-1, 2)
    kernel = torch.exp(-0.5 * (offsets / 0.41) ** 2)
    left = float((kernel / kernel.sum()).square().sum())
    expected = math.sqrt(1 / (4e3 * PIXEL_MM**2) + 1.2e-5 / PIXEL_MM**2) * left
    assert float(signal.std()) == pytest.approx(expected, rel=0.05)


def test_less_dose_behind_bone_is_noisier():
    exposure = Exposure(level=0.5, contrast=0.1, scatter=0.0, photons=5e3, blur_mm=0.1, corner=200.0)
    total = torch.full((64, 128), 3.0)
    total[:, 64:] = 4.5
    gray = exposed(total, exposure, 3.0, PIXEL_MM, knee_generator(1, "film"))
    assert gray[:, 80:].mean() > gray[:, :48].mean() + 0.1
    assert gray[:, 80:].std() > 1.5 * gray[:, :48].std()


def test_scatter_fogs_bone_and_leaves_the_mean_of_a_broad_leg():
    total = torch.full((128, 128), 3.0)
    total[:, 62:66] = 5.0
    clean, fogged = (
        exposed(total, Exposure(0.5, 0.1, share, 1e9, 0.0, corner=200.0), 3.0, PIXEL_MM, knee_generator(1, "film"))
        for share in (0.0, 0.4)
    )
    assert fogged[64, 64] - fogged[64, 20] < 0.8 * (clean[64, 64] - clean[64, 20])
    assert float(fogged[64, 2]) == pytest.approx(float(clean[64, 2]), abs=0.01)


def test_open_beam_sends_no_scatter_onto_a_lead_marker():
    total = torch.zeros(128, 128)
    total[50:70, 50:70] = 60.0
    exposure = Exposure(0.5, 0.1, 0.3, 1e9, 0.1)
    gray = exposed(total, exposure, 4.2, PIXEL_MM, knee_generator(1, "film"))  # a usual knee's reference
    assert torch.isfinite(gray).all()
    assert gray[55:65, 55:65].min() > 0.8
    assert gray[:40].max() < 0.02


def test_flattening_takes_coarse_contrast_and_edges_add_fine_contrast():
    total = torch.full((256, 256), 3.0)
    total[:, 128:] = 3.6
    total[:, 60] = 3.2

    def contrasts(**processing: float) -> tuple[float, float]:
        exposure = Exposure(0.5, 0.2, 0.0, 1e9, 0.0, corner=200.0, **processing)
        gray = exposed(total, exposure, 3.2, PIXEL_MM, knee_generator(1, "film"))
        return float(gray[:, 220:].mean() - gray[:, :30].mean()), float(gray[:, 60].mean() - gray[:, 54].mean())

    plain, flat, sharp = contrasts(), contrasts(flattening=0.5), contrasts(edges=1.0)
    assert flat[0] == pytest.approx(0.5 * plain[0], rel=0.1)
    assert sharp[1] > 1.3 * plain[1]
    assert sharp[0] == pytest.approx(plain[0], rel=0.02)


def test_look_up_table_is_straight_between_shoulder_and_toe():
    gray = torch.linspace(-1, 2, 301)
    shown = look_up(gray, 8.0)
    assert (shown.diff() >= 0).all()
    assert 0 <= float(shown.min()) < 0.01
    assert 0.99 < float(shown.max()) <= 1
    assert float(look_up(torch.tensor(0.6), 40.0) - look_up(torch.tensor(0.4), 40.0)) == pytest.approx(0.2, abs=1e-3)


def test_exposure_is_the_same_for_the_same_generator():
    total = torch.full((32, 32), 3.0)
    first, second = (
        exposed(total, draw_exposure(knee_generator(5, "film")), 3.0, PIXEL_MM, knee_generator(6, "film"))
        for _ in range(2)
    )
    assert torch.equal(first, second)


def test_exposures_differ_as_films_do():
    drawn = [draw_exposure(knee_generator(seed, "film")) for seed in range(200)]
    assert np.ptp([one.level for one in drawn]) > 0.4
    assert max(one.contrast for one in drawn) > 2 * min(one.contrast for one in drawn)
    assert 0.3 < np.mean([one.flattening > 0 for one in drawn]) < 0.7


def test_reference_is_the_median_of_the_middle():
    total = torch.zeros(40, 40)
    total[10:30, 10:30] = torch.arange(400.0).reshape(20, 20)
    assert reference_attenuation(total) == 200.0
