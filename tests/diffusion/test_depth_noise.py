"""Noise as a process over depth (Wang 2024a, Algorithm 2, and beyond it)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.depth_noise import DepthKernel, DepthProcess, VolumeNoise, cosine_transform

SHAPE = (4, 32, 32)
KERNELS = [
    DepthKernel(0.0, 0.25),
    DepthKernel(0.3, 1.5),
    DepthKernel(0.5, 6.0),
    DepthKernel(0.7, 60.0),
    DepthKernel(1.0, 1.5),
]
LAYERED = DepthKernel(0.1, 1.0, aspect=0.125)
"""Coarse noise reaches further along depth than fine noise."""


def depths(slices: int, kernel: DepthKernel) -> Tensor:
    return torch.linspace(0, 1, slices) * kernel.range_mm


def draw(kernel: DepthKernel, seed: int = 0) -> DepthProcess:
    return DepthProcess(SHAPE, kernel, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_spectrum_is_that_of_the_kernel(kernel: DepthKernel) -> None:
    """Exactly stationary with variance 1; the correlation is the stated one up to the other end of the range."""
    omega, variance = kernel.spectrum(torch.tensor(kernel.length_mm, dtype=torch.float64))
    distance = torch.linspace(0, kernel.range_mm, 500, dtype=torch.float64)
    series = kernel.share + (1 - kernel.share) * (torch.cos(distance[:, None] * omega) @ variance)
    assert float(variance.sum()) == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(series, kernel.correlation(distance), atol=5e-6, rtol=0)


@pytest.mark.parametrize("kernel", [*KERNELS, LAYERED])
def test_the_noise_of_each_slice_is_standard_normal(kernel: DepthKernel) -> None:
    noise = draw(kernel).at(depths(50, kernel))
    assert noise.shape == (50, *SHAPE)
    assert noise.dtype == torch.float32
    flat = noise.flatten(1)
    assert flat.mean(dim=1).abs().max() < 5 / 64  # standard error 1/64
    assert (flat.var(dim=1) - 1).abs().max() < 5 * (2 / 4096) ** 0.5
    assert abs(float((flat**4).mean()) - 3) < 0.3


@pytest.mark.parametrize("kernel", KERNELS)
def test_neighbors_are_as_alike_as_the_kernel_says(kernel: DepthKernel) -> None:
    place = depths(50, kernel)
    flat = draw(kernel).at(place).flatten(1)  # [50,4096]
    for lag in (1, 2, 5, 20):
        found = float((flat[lag:] * flat[:-lag]).mean())
        assert found == pytest.approx(float(kernel.correlation(place[lag])), abs=0.06), lag


def test_noise_reaches_as_far_as_its_wavelength_says() -> None:
    """In the cosine transform: component k of 32 pixels of 5 mm has a wavelength of 320 / k mm."""
    place, transform = depths(50, LAYERED), cosine_transform(32)
    torch.testing.assert_close(transform @ transform.T, torch.eye(32), atol=1e-5, rtol=0)
    assert LAYERED.lengths(32, 32)[3, 4] == pytest.approx((1 + (0.125 * 64) ** 2) ** 0.5)
    assert LAYERED.lengths(32, 32)[0, 0] == LAYERED.range_mm / 2  # the mean of a slice
    drawn = torch.cat([draw(LAYERED, seed).at(place) for seed in range(20)], dim=1)  # [50,80,32,32]
    parts = transform @ drawn @ transform.T
    assert (parts.square().mean(dim=(0, 1)) - 1).abs().mean() < 0.1  # coarse parts have few independent depths
    for row, column in ((3, 4), (5, 12), (20, 21)):
        part = parts[:, :, row, column]
        for lag in (1, 2, 4, 8):
            found = float((part[lag:] * part[:-lag]).mean() / part.square().mean())
            expected = LAYERED.correlation(place[lag], 320 / (row**2 + column**2) ** 0.5)
            assert found == pytest.approx(float(expected), abs=0.12), (row, column, lag)


@pytest.mark.parametrize("kernel", [*KERNELS, LAYERED])
def test_any_number_of_slices_samples_one_process(kernel: DepthKernel) -> None:
    process = draw(kernel)
    coarse = process.at(depths(50, kernel))
    torch.testing.assert_close(process.at(depths(99, kernel))[::2], coarse, atol=1e-4, rtol=0)  # rounded depths
    torch.testing.assert_close(process.at(depths(491, kernel))[::10], coarse, atol=1e-4, rtol=0)
    parts = [process.at(part) for part in depths(50, kernel).split(7)]
    torch.testing.assert_close(torch.cat(parts), coarse, atol=2e-5, rtol=0)
    torch.testing.assert_close(process.at(depths(50, kernel).flip(0)).flip(0), coarse, atol=2e-5, rtol=0)


def test_a_share_of_one_is_the_papers_noise() -> None:
    """One draw for all slices, the very numbers of a plain draw."""
    noise = draw(DepthKernel(1.0), seed=3).at(torch.linspace(0, 73.5, 9))
    plain = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(3))
    assert torch.equal(noise, plain.expand(9, -1, -1, -1))


def test_memory_does_not_grow_with_slices_or_steps() -> None:
    for kernel in (*KERNELS, LAYERED):
        noise = VolumeNoise(SHAPE, kernel, torch.Generator().manual_seed(0))
        noise.initial(torch.linspace(0, 1, 500))
        noise.step(999, torch.linspace(0, 1, 5))
        held = noise.process.common.nbytes + (0 if noise.process.waves is None else noise.process.waves.nbytes)
        assert held < 9e6


def test_each_step_has_a_process_of_its_own() -> None:
    kernel = DepthKernel(0.4, 3.0)
    place = torch.linspace(0, 1, 50)
    noise, again = (VolumeNoise(SHAPE, kernel, torch.Generator().manual_seed(1)) for _ in range(2))
    first, second, initial = noise.step(0, place), noise.step(1, place), noise.initial(place)
    assert torch.equal(again.step(1, place), second)  # whatever was asked before
    torch.testing.assert_close(noise.step(1, place[20:30]), second[20:30], atol=2e-6, rtol=0)
    for one, other in ((first, second), (first, initial), (second, initial)):
        assert abs(float((one * other).mean())) < 0.03
    assert float((first[1:] * first[:-1]).mean()) == pytest.approx(
        float(kernel.correlation(place[1] * kernel.range_mm)), abs=0.05
    )


def test_other_generators_give_other_noise() -> None:
    place = torch.linspace(0, 1, 5)
    for kernel in (DepthKernel(0.5), DepthKernel(1.0)):
        one, other = (VolumeNoise(SHAPE, kernel, torch.Generator().manual_seed(seed)) for seed in (1, 2))
        assert abs(float((one.initial(place) * other.initial(place)).mean())) < 0.06
        assert abs(float((one.step(0, place) * other.step(0, place)).mean())) < 0.06


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"share": -0.1}, "share must be within"),
        ({"share": 1.1}, "share must be within"),
        ({"share": float("nan")}, "share must be within"),
        ({"length_mm": 0.1}, "length_mm must be at least 0.25"),
        ({"length_mm": float("nan")}, "length_mm"),
        ({"range_mm": -1.0}, "range_mm"),
        ({"aspect": -0.1}, "aspect must be within"),
        ({"aspect": float("nan")}, "aspect"),
    ],
)
def test_impossible_kernels_are_refused(values: dict[str, float], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        DepthKernel(**values)
