"""Training sets of simulated knees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.data.latents import LatentSlices
from monai_xray2mri.data.simulated import SimulatedSlices, simulate_training_set, training_arrays
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.diffusion.slice_diffusion import SliceDiffusion
from monai_xray2mri.errors import ExitCode, InputRefused, UsageError
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.condition import RadiographEncoder
from monai_xray2mri.networks.denoiser import SliceDenoiser
from monai_xray2mri.simulation.knee import simulate_knee
from monai_xray2mri.simulation.seeds import CALIBRATION, LESION_ENRICHED, TEST, TRAINING, VALIDATION


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("knees")
    simulate_training_set(directory, range(2), workers=2)
    return directory


def test_a_set_holds_what_the_simulator_made(folder: Path) -> None:
    source = SimulatedSlices(folder)
    assert len(source) == 100
    knee, item = simulate_knee(1), source[50 + 20]
    stored = (item["slice"][0].numpy() + 1) / 2
    assert np.abs(stored - np.asarray(knee.volume[13 + 20])).max() <= 0.5 / 255 + 1e-6
    assert float(item["depth"]) == pytest.approx(20 / 49)
    assert int(item["knee"]) == 1
    assert item["features"].sum() == 19
    assert item["radiograph"].shape == (1, 256, 256)
    assert item["radiograph"].abs().max() <= 1


def test_lesions_are_kept_at_the_resolution_of_the_latent(folder: Path) -> None:
    source = SimulatedSlices(folder)
    for knee in (0, 1):
        truth = np.asarray(simulate_knee(knee).lesions[13:63])
        stored = source.arrays["lesions"][knee]
        assert stored.any() == truth.any()
        assert stored.any(axis=(1, 2)).tolist() == truth.any(axis=(1, 2)).tolist()


def test_it_resumes_where_it_was_interrupted(folder: Path, tmp_path: Path) -> None:
    for name in ("slices", "radiographs", "features", "lesions", "done"):
        np.save(tmp_path / f"{name}.npy", np.load(folder / f"{name}.npy"))
    (tmp_path / "index.json").write_text((folder / "index.json").read_text())
    done = np.load(tmp_path / "done.npy", mmap_mode="r+")
    slices = np.load(tmp_path / "slices.npy", mmap_mode="r+")
    done[1], slices[1], slices[0, 0, 0, 0] = 0, 0, 77  # knee 1 was interrupted, knee 0 carries a mark
    assert len(SimulatedSlices(tmp_path)) == 50
    simulate_training_set(tmp_path, range(2))
    assert slices[0, 0, 0, 0] == 77
    np.testing.assert_array_equal(slices[1], np.load(folder / "slices.npy")[1])


def test_a_folder_is_not_mixed(folder: Path) -> None:
    with pytest.raises(UsageError, match="another set"):
        simulate_training_set(folder, range(3))


@pytest.mark.parametrize("held_out", [VALIDATION, CALIBRATION, TEST, LESION_ENRICHED])
def test_held_out_seeds_are_refused(held_out: range, tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputRefused) as refusal:
        simulate_training_set(tmp_path / "new", [TRAINING[0], held_out[0]])
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED
    assert not (tmp_path / "new").exists()
    for file in folder.glob("*.npy"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    index = json.loads((folder / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps(index | {"seeds": [held_out[0], 1]}))
    with pytest.raises(InputRefused):
        SimulatedSlices(tmp_path)


def test_a_missing_set_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"monai_xray2mri\.data\.simulated"):
        SimulatedSlices(tmp_path)


def test_arrays_depend_on_the_seed_alone(folder: Path) -> None:
    for name, value in training_arrays(0).items():
        np.testing.assert_array_equal(value, np.load(folder / f"{name}.npy")[0])


def test_latents_are_those_of_the_slices_with_unit_variance(folder: Path) -> None:
    network = SliceDiffusion(
        SliceAutoencoder(channels=(8, 8, 8), groups=4),
        SliceDenoiser(channels=(8, 8, 16, 16), context=8, heads=2, groups=4),
        RadiographEncoder(channels=(8, 8, 8, 8), context=8),
        NoiseSchedule(),
    ).eval()
    source = SimulatedSlices(folder)
    latents = LatentSlices(source, network)
    item = latents[70]
    with torch.no_grad():
        expected = network.encode_slices(source[70]["slice"][None])[0]
        film = network.radiograph_latent(source[70]["radiograph"][None])[0]
    torch.testing.assert_close(item["latent"], expected, atol=5e-3, rtol=5e-3)
    torch.testing.assert_close(item["radiograph_latent"], film, atol=5e-3, rtol=5e-3)
    everything = torch.stack([latents[index]["latent"] for index in range(len(latents))])
    assert float(everything.std()) == pytest.approx(1, abs=0.01)
    assert sorted(file.suffix for file in folder.glob("latents_*")) == [".npz"]
    before = next(folder.glob("latents_*")).stat().st_mtime_ns
    LatentSlices(source, network)
    assert next(folder.glob("latents_*")).stat().st_mtime_ns == before


def test_lesion_slices_are_drawn_as_often_as_asked(folder: Path) -> None:
    latents = LatentSlices.__new__(LatentSlices)
    latents.lesions = torch.zeros(2, 50, 4, 4, dtype=torch.uint8)
    latents.lesions[0, :5, 1, 1] = 1
    drawn = torch.tensor(list(latents.sampler(4000, lesion_share=0.4)))
    assert float((drawn < 5).float().mean()) == pytest.approx(0.4, abs=0.03)
