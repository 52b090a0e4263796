"""The cohort's whole way: simulated release, prepared data, a training batch, a step of training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch.utils.data import DataLoader

from monai_xray2mri.cli import main
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.knee.data.latents import LatentSlices
from monai_xray2mri.knee.data.slices import TrainingSlices
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.condition import DepthEmbedding, FeatureEmbedding, ImageEncoder
from monai_xray2mri.networks.denoiser import SliceDenoiser
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.training.denoiser import ConditionalDenoising, ForwardDiffusion, WeightedSquaredError

SEED = 40


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two knees, simulated as a release with OAI's oddities and prepared by the OAI reader."""
    folder = tmp_path_factory.mktemp("cohort")
    release, output = folder / "release", folder / "prepared"
    options = ["--knees", "2", "--seed", str(SEED), "--oddities", "oai", "--structural-missingness", "-q"]
    assert main(["simulate", *options, "--output", str(release)]) == ExitCode.DONE
    assert main(["prepare", "--release", str(release), "--output", str(output), "-q"]) == ExitCode.DONE
    return output


def test_everything_simulated_is_prepared(prepared: Path) -> None:
    listed = json.loads((prepared / "dataset.json").read_text())
    entries = [entry for split in ("training", "validation", "test") for entry in listed.get(split, [])]
    assert len(entries) == 2
    assert {entry["side"] for entry in entries} == {"R"}
    assert listed["options"]["simulated"]["simulator_version"] == SIMULATOR_VERSION
    assert (prepared / "report.txt").read_text().startswith("Preparation of an OAI release")


def test_the_volume_is_the_knee_that_was_simulated(prepared: Path) -> None:
    """Through DICOM and back: the modelled slices, in order and on the right side, but for the intensity rule."""
    found = set()
    truths = [simulate_knee(seed).volume[13:63] for seed in (SEED, SEED + 1)]
    for file in sorted(prepared.glob("knees/*/mri.nii.gz")):
        volume = sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(file)), "LPS"))  # [z,y,x]
        slices = volume[::-1].transpose(1, 0, 2)[::-1]  # posterior first, head up
        alike = [float(np.corrcoef(slices.ravel(), truth.ravel())[0, 1]) for truth in truths]
        assert max(alike) > 0.999
        found.add(int(np.argmax(alike)))
    assert found == {0, 1}


def test_a_training_batch_and_a_step_come_out_of_it(prepared: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SliceDiffusion(
        SliceAutoencoder(channels=(8, 8, 8), groups=4),
        SliceDenoiser(
            DepthEmbedding(32), FeatureEmbedding(61, 32), channels=(8, 8, 16, 16), context=8, heads=2, groups=4
        ),
        ImageEncoder(channels=(8, 8, 8, 8), context=8),
        NoiseSchedule(),
    )
    source = TrainingSlices(prepared / "store")
    assert len(source) in (50, 100)
    item = source[20]
    assert item["target"].shape == item["image"].shape == (1, 256, 256)
    assert -1 <= float(item["target"].min()) < float(item["target"].max()) <= 1
    assert item["guide"].shape == one_hot({}).shape
    latents = LatentSlices(source, network, draws=1, directory=tmp_path)
    batch = next(iter(DataLoader(latents, batch_size=8, shuffle=True)))
    groups = [highest + 1 for highest in MAXIMAL_GRADES.values()]
    noisy, target, _, conditions = ForwardDiffusion(network, groups)(batch, torch.device("cpu"))
    loss = WeightedSquaredError()(ConditionalDenoising(network)(noisy, **conditions), target)
    loss.backward()
    assert torch.isfinite(loss)
    gradients = [parameter.grad for parameter in network.denoiser.parameters() if parameter.grad is not None]
    assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0
