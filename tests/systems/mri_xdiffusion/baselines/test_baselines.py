"""Baselines on cones: those without a network by what they must give, the others with one that knows the truth."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.cones import Cones, draw_cones
from monai_xray2mri.systems.mri_xdiffusion.baselines.exploding import (
    PlanePrior,
    langevin_step,
    noise_like,
    reverse_step,
)
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import Extent, GivenSlices
from monai_xray2mri.systems.mri_xdiffusion.baselines.interpolation import interpolated
from monai_xray2mri.systems.mri_xdiffusion.baselines.kriging import KrigedSlices
from monai_xray2mri.systems.mri_xdiffusion.baselines.perpendicular import PerpendicularPlanes
from monai_xray2mri.systems.mri_xdiffusion.baselines.score_mri import ScoreMRI
from monai_xray2mri.systems.mri_xdiffusion.baselines.total_variation import TotalVariationDiffusion
from monai_xray2mri.systems.mri_xdiffusion.baselines.undersampling import Undersampling
from monai_xray2mri.systems.mri_xdiffusion.baselines.untrained import (
    AnotherVolume,
    MeanVolume,
    NearestVolume,
    ZeroVolume,
)
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.planes import places, plane_rotation, section_grid, ticks

SIZE = 16


@dataclass(frozen=True)
class Trained:
    voxels: np.ndarray
    domain: str = "cones"
    extent: Extent = field(default_factory=Extent)


@pytest.fixture(scope="module")
def cones() -> Cones:
    return draw_cones([2])


@pytest.fixture(scope="module")
def truth(cones: Cones) -> Tensor:
    return cones.volume(SIZE)[0]


def given(volume: Tensor, axis: int, *indices: int) -> GivenSlices:
    place = places(plane_rotation(axis).expand(len(indices), 3, 3), ticks(SIZE)[list(indices)])
    return GivenSlices("9000", "cones", Extent().sampled(volume).sections(place, SIZE)[0], place)


def test_kriging_keeps_slices_and_comes_nearer_than_mean_and_interpolation() -> None:
    seen, unseen = draw_cones(range(60)).volume(SIZE), draw_cones(range(8000, 8020)).volume(SIZE)
    training = [Trained(volume.numpy()) for volume in seen]
    mean, kriged = MeanVolume(), KrigedSlices()
    mean.fit(training)
    kriged.fit(training)
    errors = np.zeros(3)
    for volume in unseen:
        slices = given(volume, 1, 2, 7, 12)
        found = [method.predict(slices, 1, 0)[0] for method in (kriged, mean)]
        found.append(interpolated(slices.slices, slices.places).numpy())
        errors += [float(np.square(other - volume.numpy()).mean()) for other in found]
        np.testing.assert_allclose(found[0][:, 7], volume[:, 7], atol=5e-3)
    assert errors[0] < 0.9 * errors[1:].min()
    with pytest.raises(ValueError, match="fit the method to volumes of cones"):
        KrigedSlices().predict(slices, 1, 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_interpolation_keeps_slices_and_is_straight_between(truth: Tensor, axis: int) -> None:
    found = interpolated(*_parts(given(truth, axis, 4, 8))).movedim(axis, 0)
    wanted = truth.movedim(axis, 0)
    torch.testing.assert_close(found[[4, 8]], wanted[[4, 8]], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[5], 0.75 * wanted[4] + 0.25 * wanted[8], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[[0, 15]], wanted[[4, 8]], atol=1e-4, rtol=0)


def test_slices_of_several_axes_all_stay(truth: Tensor) -> None:
    first, second = given(truth, 0, 6), given(truth, 2, 9)
    found = interpolated(torch.cat([first.slices, second.slices]), torch.cat([first.places, second.places]))
    torch.testing.assert_close(found[6], truth[6], atol=0.02, rtol=0)
    torch.testing.assert_close(found[:, :, 9], truth[:, :, 9], atol=0.02, rtol=0)


def test_a_pixel_outside_the_ball_is_taken_from_the_slice_that_knows_it(truth: Tensor) -> None:
    slices = given(truth, 0, 2, 8)
    ball = torch.ones(2, SIZE, SIZE, dtype=torch.bool)
    ball[0, :, :4] = False
    ball[:, 0] = False
    found = interpolated(slices.slices, slices.places, ball)
    torch.testing.assert_close(found[2, 1:, :4], truth[8, 1:, :4], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[2, 1:, 4:], truth[2, 1:, 4:], atol=1e-4, rtol=0)
    assert (found[:, 0] == 0).all()


def test_methods_without_a_network_give_what_their_names_say(truth: Tensor) -> None:
    others = draw_cones([0, 1]).volume(SIZE)
    cases = [Trained(others[0].numpy()), Trained(others[1].numpy()), Trained(np.ones((4, 4, 4), np.float32), "cubes")]
    slices = given(others[1] * 0.9, 1, 8)
    mean, another, nearest = MeanVolume(), AnotherVolume(), NearestVolume()
    for method in (mean, another, nearest):
        method.fit(iter(cases))
    assert not ZeroVolume().predict(slices, 1, 0).any()
    np.testing.assert_allclose(mean.predict(slices, 1, 0)[0], others.mean(dim=0).numpy(), atol=1e-6)
    np.testing.assert_allclose(nearest.predict(slices, 1, 0)[0], others[1].numpy(), atol=0.5 / 255 + 1e-6)
    drawn = another.predict(slices, 8, 0)
    assert len({volume.tobytes() for volume in drawn}) == 2
    np.testing.assert_array_equal(drawn, another.predict(slices, 8, 0))
    with pytest.raises(ValueError, match="volumes of knees"):
        mean.predict(GivenSlices("1", "knees", slices.slices, slices.places), 1, 0)


def test_the_exploding_process_only_adds_noise() -> None:
    schedule = NoiseSchedule(100, "exploding")
    sigma = (1 / schedule.alpha_bar.double() - 1).sqrt()
    torch.testing.assert_close(sigma[1:] / sigma[:-1], torch.full((99,), 10 ** (4 / 99)).double(), rtol=1e-2, atol=0)
    assert sigma[0] == pytest.approx(0.01, rel=0.01) and sigma[-1] == pytest.approx(100, rel=1e-3)


def test_reverse_steps_of_a_normal_variable_draw_from_it() -> None:
    """With x_0 ~ N(0,1) the estimate is x / (1 + sigma^2)."""
    generator = torch.Generator().manual_seed(0)
    sigmas = torch.cat([torch.logspace(2, -2, 200), torch.zeros(1)])
    x = 100 * noise_like(torch.empty(20_000), generator)
    for sigma, lower in itertools.pairwise(sigmas):
        x = reverse_step(x, x / (1 + sigma**2), sigma, lower, noise_like(x, generator))
        if lower > 0:
            x = langevin_step(x, x / (1 + lower**2), lower, noise_like(x, generator))
    assert x.mean().abs() < 0.03 and x.std() == pytest.approx(1, abs=0.05)


def test_undersampled_slices_keep_what_was_acquired(truth: Tensor) -> None:
    lines = Undersampling.draw(SIZE, 4)
    assert int(lines.lines.sum()) == 4 and lines.lines[0]
    measured = lines.measured(truth)
    other = lines.consistent(torch.zeros_like(truth), measured)
    torch.testing.assert_close(other, lines.filled(measured))
    first, second = torch.rand_like(truth), torch.rand_like(truth)
    product = (lines.measured(first).conj() * lines.measured(second)).real.sum()
    torch.testing.assert_close(product, (first * lines.filled(lines.measured(second))).sum())
    with pytest.raises(UsageError, match="acceleration"):
        Undersampling.draw(SIZE, 40)


@pytest.fixture
def priors(make_network: object, cones: Cones, monkeypatch: pytest.MonkeyPatch) -> tuple[PlanePrior, PlanePrior]:
    """Priors whose estimate of x_0 is the cone, whatever the noise."""
    network: CrossSectionDiffusion = make_network()  # type: ignore[operator]
    network.schedule = NoiseSchedule(100, "exploding")

    def denoise(z_t: Tensor, t: Tensor, condition: Condition, place: Tensor) -> Tensor:
        z_0 = network.encode(cones.values(section_grid(place, SIZE)[None])[0][:, None] * 2 - 1)
        a, s = network.schedule.coefficients(t, z_t)
        return network.schedule.target(z_0, t, (z_t - a * z_0) / s)

    monkeypatch.setattr(network, "denoise", denoise)
    return PlanePrior(network, 0, chunk=5), PlanePrior(network, 2)


def test_a_prior_that_knows_the_volume_gives_it(priors: tuple[PlanePrior, PlanePrior], truth: Tensor) -> None:
    noisy = torch.randn(SIZE, SIZE, SIZE)
    for prior in priors:
        torch.testing.assert_close(prior.denoised(noisy, 1, 4), truth, atol=1e-3, rtol=0)
    slices = given(truth, 0, 8)
    for method in (ScoreMRI(priors[0], 4, trusted=0.01), PerpendicularPlanes(*priors, 3)):
        drawn = method.predict(slices, 2, 0)
        assert drawn.shape == (2, SIZE, SIZE, SIZE) and np.abs(drawn - truth.numpy()).max() < 0.3
        np.testing.assert_array_equal(drawn, method.predict(slices, 2, 0))
    lines = Undersampling.draw(SIZE, 4)
    measured = lines.measured(truth)
    exact, smooth = (
        TotalVariationDiffusion(priors[0], 4, weight).reconstruct("9000", measured, lines) for weight in (0.0, 0.01)
    )
    torch.testing.assert_close(exact, truth, atol=0.01, rtol=0)
    torch.testing.assert_close(lines.measured(smooth - truth).abs().max(), torch.tensor(0.0), atol=0.3, rtol=0)
    assert smooth.diff(dim=0).abs().sum() < truth.diff(dim=0).abs().sum()
    with pytest.raises(UsageError, match="two planes"):
        PerpendicularPlanes(priors[0], priors[0])


def test_untrained_priors_obey_what_was_measured(network: CrossSectionDiffusion, truth: Tensor) -> None:
    """Slices stay as they were acquired under ScoreMRI; DPS pulls a volume towards them."""
    prior, other = PlanePrior(network, 0), PlanePrior(network, 2)
    slices = given(truth, 0, 3, 12)
    drawn = ScoreMRI(prior, 2).predict(slices, 1, 0)[0]
    np.testing.assert_allclose(drawn[[3, 12]], truth[[3, 12]].numpy(), atol=1e-4)
    distance = {
        strength: np.square(
            PerpendicularPlanes(prior, other, 3, strength).predict(slices, 1, 0)[0][[3, 12]] - truth[[3, 12]].numpy()
        ).mean()
        for strength in (0.0, 1.0)
    }
    assert distance[1.0] < distance[0.0]


def _parts(slices: GivenSlices) -> tuple[Tensor, Tensor]:
    return slices.slices, slices.places
