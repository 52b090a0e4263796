"""What X-Diffusion costs: views and volumes of the compact networks, their training, and the paper's size.

The paper reports 141.5 s for its size. A volume of it is 155 sections of 1,000 steps, each of which calls the U-Net
with and without its condition: 310,000 calls.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.evaluation.speed import Bar, Job, Part
from monai_xray2mri.runtime.devices import choose_device
from monai_xray2mri.systems.mri_xdiffusion.data.making import KNEE_SIDE_MM
from monai_xray2mri.systems.mri_xdiffusion.data.store import VolumeStore
from monai_xray2mri.systems.mri_xdiffusion.denoiser import SectionDenoiser
from monai_xray2mri.systems.mri_xdiffusion.drawing import SliceView, draw_cube
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.options import slice_sampling
from monai_xray2mri.systems.mri_xdiffusion.planes import PLACE_NUMBERS, POSE_NUMBERS, places, poses
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import Cube
from monai_xray2mri.training.configurations import configuration_files
from monai_xray2mri.training.configured import read_configurations, run_configured
from monai_xray2mri.training.dry_run import measure_step

PAPER_SECTIONS: Final = 155
PAPER_STEPS: Final = 1000
_WARM_UP: Final = 8
"""Training steps before time is taken: kernels are chosen and files are read."""
_STEPS: Final = 24
_BATCH: Final = 16
_VOLUMES: Final = 8


def volume(names: tuple[str, ...], views: int, steps: int, bundle: Path, device: str) -> Job:
    """A job that draws a volume from one slice, as ``xray2mri synthesize`` does, with weights at random.

    Args:
        names: configurations after the bundle's own: ``("cones",)``.
        views: of the volume.
        steps: of the sampler, whatever the bundle's own: the bars are stated for these.
        bundle: whose configurations these are.
        device: where to compute.
    """
    parser = read_configurations(configuration_files(bundle, names, bundle), {})
    network: CrossSectionDiffusion = parser.get_parsed_content("network_def").to(choose_device(device)).eval()
    size = network.image_size
    pose = poses(places(torch.eye(3)[None], torch.zeros(1)))[None]
    given = SliceView(torch.rand(1, 1, size, size) * 2 - 1, pose, "benchmark")
    draw_cube(network, given, slice_sampling(network, steps=1))  # kernels are chosen
    return partial(draw_cube, network, given, slice_sampling(network, views=views, steps=steps))


def training(names: tuple[str, ...], bundle: Path, device: str) -> Job:
    """A job that trains a few steps by the bundle's own configuration, and returns sections a second.

    Volumes of noise stand for the knees: what a step costs does not depend on what they show.
    """
    return partial(_sections_a_second, names, bundle, device)


def _sections_a_second(names: tuple[str, ...], bundle: Path, device: str) -> float:
    moments: list[float] = []

    def after_step(_: Any) -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        moments.append(time.perf_counter())

    files = configuration_files(bundle, names, bundle)
    parser = read_configurations(files, {})
    steps = _WARM_UP + _STEPS
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "bundle_root": str(bundle), "output_dir": folder, "dataset_dir": f"{folder}/volumes", "iterations": steps,
            "epoch_length": steps, "save_interval": steps, "device": f"$torch.device('{choose_device(device)}')",
        }  # fmt: skip
        _write_noise(Path(folder) / "volumes", int(parser["network_def"]["image_size"]))
        run_configured(files, bundle / "configs" / "metadata.json", given, "denoiser", after_step)
    return _STEPS * int(parser["batch_size"]) / (moments[-2] - moments[_WARM_UP - 2])  # the last step saves


def _write_noise(folder: Path, size: int) -> None:
    names = [str(number) for number in range(_VOLUMES)]
    store = VolumeStore.of_cubes(folder, names, ["training"] * _VOLUMES, size, KNEE_SIDE_MM, source="noise")
    dice = np.random.default_rng(0)
    acquired = np.array([[-1.0, -1.0, -0.75], [1.0, 1.0, 0.75]])
    for row in range(_VOLUMES):
        store.write_cube(row, Cube(dice.random((size, size, size), np.float32), acquired, np.eye(4)))


def paper_call(bundle: Path, device: str) -> Job:
    """A job that counts the operations of one call of the paper's U-Net, in GFLOP; nothing is computed."""
    return partial(_paper_gflop, bundle)


def paper_volume(bundle: Path, device: str) -> Job:
    """A job that counts the operations of a view of the paper's size, in PFLOP: two calls a step, for its guidance."""
    return lambda: _paper_gflop(bundle) * 1e-6 * PAPER_SECTIONS * PAPER_STEPS * 2


def _paper_gflop(bundle: Path) -> float:
    parser = read_configurations(configuration_files(bundle, ("paper", "train_paper"), bundle), {})
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        denoiser: SectionDenoiser = parser.get_parsed_content("diffusion_def")
        channels, side = denoiser.latent_channels, int(parser["diffusion_def"]["sample_size"])
        latent, t = torch.zeros(1, channels, side, side), torch.zeros(1, dtype=torch.long)
        context = torch.zeros(1, 1, int(parser["diffusion_def"]["context"]))
        denoiser(latent, t, latent, context, torch.zeros(1, PLACE_NUMBERS), torch.zeros(1, POSE_NUMBERS))
    return counter.get_total_flops() / 1e9


def paper_step(bundle: Path, device: str) -> Job:
    """A job that says what memory a training step of the paper's size needs, in GB; nothing is computed."""
    parser = read_configurations(configuration_files(bundle, ("paper", "train_paper"), bundle), {"precision": None})
    return lambda: measure_step(parser, "denoiser").peak_gb


_CONES: Final = ("cones",)
_MEMORY_MB: Final = 1500.0

PARTS: Final[Mapping[str, Part]] = {
    "cone_view": Part("view of a cone, 64^3, 8 steps", "s", partial(volume, _CONES, 1, 8), Bar(4.0), _MEMORY_MB),
    "knee_view": Part("view of a knee, 96^3, 10 steps", "s", partial(volume, (), 1, 10), Bar(15.0), _MEMORY_MB),
    "knee_5_views": Part("knee from 5 views, 10 steps", "s", partial(volume, (), 5, 10), Bar(75.0), _MEMORY_MB),
    "cone_training": Part("training on cones", "sections/s", partial(training, _CONES), Bar(25.0, "at least")),
    "knee_training": Part("training on knees", "sections/s", partial(training, ()), Bar(25.0, "at least")),
    "paper_call": Part("one call of the paper's U-Net", "GFLOP", paper_call, Bar(176.3, "is"), timed=False),
    "paper_view": Part("a view of the paper's size", "PFLOP", paper_volume, Bar(55.0, "is"), timed=False),
    "paper_step": Part("a training step of the paper's size, batch of 32", "GB", paper_step, timed=False),
}
"""What ``xray2mri benchmark xdiffusion`` measures."""
