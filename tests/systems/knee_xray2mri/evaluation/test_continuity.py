"""Continuity along depth: measures with a known answer, and a fit that finds the kernel it was given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_xray2mri.cli import main
from monai_xray2mri.diffusion.depth_noise import DepthKernel, DepthProcess
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation
from monai_xray2mri.systems.knee_xray2mri.evaluation.continuity import (
    depth_spectrum,
    describe,
    lag_correlation,
    mean_of,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.noise_fit import LARGEST, aspect_that_reaches, fit_noise

LAGS = (1, 2, 4)


def process(share: float, length_mm: float, seed: int = 0, aspect: float = 0.0) -> np.ndarray:
    """A volume [50,64,64] of nothing but noise of the kernel."""
    kernel = DepthKernel(share, length_mm, aspect=aspect)
    drawn = DepthProcess((1, 64, 64), kernel, torch.Generator().manual_seed(seed))
    return drawn.at(torch.linspace(0, 1, 50) * kernel.range_mm)[:, 0].numpy()


def test_lag_one_is_the_adjacent_slice_correlation() -> None:
    volume = process(0.3, 2.0)
    assert lag_correlation(volume, [1])[0] == pytest.approx(adjacent_slice_correlation(volume))


def test_correlations_of_a_known_process() -> None:
    kernel = DepthKernel(0.3, 2.0)
    expected = kernel.correlation(1.5 * torch.tensor(LAGS))
    np.testing.assert_allclose(lag_correlation(process(0.3, 2.0), LAGS), expected, atol=0.03)


@pytest.mark.parametrize("lags", [(), (0, 1), (50,)])
def test_impossible_lags_are_refused(lags: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="lags must be within"):
        lag_correlation(process(0.0, 1.0), lags)


def test_a_waves_power_lies_at_its_frequency_and_sums_to_its_variance() -> None:
    depth = 1.5 * np.arange(64)
    volume = np.broadcast_to(0.2 * np.sin(2 * np.pi * 0.125 * depth)[:, None, None] + 5, (64, 3, 3))
    frequency, power = depth_spectrum(volume, 1.5)
    assert frequency[power.argmax()] == pytest.approx(0.125, abs=0.01)
    assert power.sum() * frequency[1] == pytest.approx(0.2**2 / 2, rel=0.05)


@pytest.mark.parametrize("count", [50, 51])
def test_white_noise_has_a_flat_spectrum(count: int) -> None:
    volume = 0.1 * np.random.default_rng(0).standard_normal((count, 64, 64))
    frequency, power = depth_spectrum(volume, 1.5)
    inner = slice(3, -1)  # the mean is taken off, and the ends are one-sided
    np.testing.assert_allclose(power[inner], 0.01 / (1 / 3), rtol=0.1)
    assert frequency[-1] == pytest.approx(1 / 3, rel=0.03)


def test_too_few_slices_have_no_spectrum() -> None:
    with pytest.raises(ValueError, match="four slices"):
        depth_spectrum(np.zeros((3, 2, 2)), 1.5)


def test_smoother_volumes_have_less_power_at_high_frequencies() -> None:
    rough, smooth = (describe(process(0.0, length), 1.5)["power_per_octave"] for length in (0.5, 4.0))
    assert isinstance(rough, dict)
    assert isinstance(smooth, dict)
    highest = list(rough)[-1]
    assert smooth[highest] < 0.01 * rough[highest]


def test_means_of_records() -> None:
    assert mean_of([{"a": 1.0, "b": {"c": 2}}, {"a": 3.0, "b": {"c": 4}}]) == {"a": 2.0, "b": {"c": 3.0}}
    with pytest.raises(ValueError, match="one record"):
        mean_of([])


@pytest.mark.parametrize(("aspect", "length"), [(0.04, 0.75), (0.1, 2.0)])
def test_the_fit_finds_the_kernel_of_the_truth(aspect: float, length: float) -> None:
    """The "method" returns its noise as the volume: the kernel of the truth is the answer."""

    def drawn(aspect: float, length: float, seed: int = 2) -> list[float]:
        return lag_correlation(process(0.0, length, seed, aspect), LAGS)

    wanted = drawn(aspect, length, seed=1)
    fit = fit_noise(drawn, wanted, (0.75, 2.0, 5.0), 0.002)
    assert fit.reached
    assert fit.length_mm == length
    assert fit.aspect == pytest.approx(aspect, abs=0.01)
    assert fit.correlation == pytest.approx(wanted[0], abs=0.002)
    assert fit.beyond < 0.03


def test_the_fit_says_when_no_aspect_reaches_the_truth() -> None:
    def method(aspect: float, _: float) -> list[float]:
        return [0.5 + 0.2 * aspect / LARGEST, 0.4]

    too_smooth, too_rough = (fit_noise(method, [wanted, 0.4], [1.0]) for wanted in (0.4, 0.9))
    assert (too_smooth.aspect, too_smooth.correlation, too_smooth.reached) == (0.0, 0.5, False)
    assert (too_rough.aspect, too_rough.correlation, too_rough.reached) == (LARGEST, 0.7, False)
    with pytest.raises(ValueError, match="must hold 2"):
        fit_noise(method, [0.6], [1.0])
    with pytest.raises(ValueError, match="one length"):
        fit_noise(method, [0.6, 0.4], [])


def test_a_bent_curve_is_met_in_few_measurements() -> None:
    asked: list[float] = []

    def measure(aspect: float) -> tuple[float, ...]:
        asked.append(aspect)
        return ((aspect / LARGEST) ** 4,)

    aspect, found = aspect_that_reaches(measure, 0.5, tolerance=0.01, most=8)
    assert found[0] == pytest.approx(0.5, abs=0.01)
    assert aspect == pytest.approx(LARGEST * 0.5**0.25, abs=0.01)
    assert len(asked) <= 10


@pytest.fixture
def small_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A tiny network of random weights for slices of full size, 20 of them about the joint."""
    folder = tmp_path / "small"
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    config = json.loads((tiny_bundle / "configs" / "inference.json").read_text())
    config["encoder_def"]["image_size"] = 256
    config["network_def"].update({"image_size": 256, "pixel_mm": 0.625, "modeled_slices": [28, 47], "steps": 1})
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_bytes((tiny_bundle / "configs" / "metadata.json").read_bytes())
    torch.save(ConfigParser(config).get_parsed_content("network_def").state_dict(), folder / "models" / "model.pt")
    return folder


def test_the_report_is_printed_and_written(
    small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "continuity.json"
    given = ["--bundle", str(small_bundle), "--split", "lesion-enriched", "--knees", "1", "--lengths-mm", "1.5"]
    assert main(["measure", "continuity", *given, "--output", str(output)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert json.loads(output.read_text()) == found
    assert (found["knees"], found["slice_mm"], found["steps"], found["target"]) == (1, 1.5, 1, "reconstructed")
    volumes = found["volumes"]
    assert set(volumes) == {"acquired", "noise-free", "reconstructed", "shared", "independent", "fitted"}
    adjacent = {name: record["correlation"]["1"] for name, record in volumes.items()}
    assert adjacent["acquired"] < adjacent["noise-free"] < 1
    assert adjacent["independent"] < adjacent["shared"]
    assert found["fit"]["wanted"] == pytest.approx(adjacent["reconstructed"])
    assert found["fit"]["correlation"] == pytest.approx(adjacent["fitted"])
    assert found["knees_with_lesions"] == 1
    assert found["lesion_contrast"]["shared"]["acquired"] == pytest.approx(1, abs=0.3)
