"""What SCCDM costs: checks of a photograph, radiographs of the compact network, its training, and the paper's size.

An image of the paper's size takes 1,000 calls of the network; the released code calls it twice a step, to guide it.
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
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.evaluation.speed import Bar, Job, Part
from monai_xray2mri.photograph.foot.prepare import feet_of
from monai_xray2mri.photograph.reading import HELD_SIDE
from monai_xray2mri.photograph.record import Photograph
from monai_xray2mri.runtime.devices import choose_device
from monai_xray2mri.simulation.foot.foot import photograph_whole_foot
from monai_xray2mri.simulation.foot.people import SEED_RANGES
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion
from monai_xray2mri.training.configurations import configuration_files
from monai_xray2mri.training.configured import read_configurations, run_configured
from monai_xray2mri.training.dry_run import measure_step

PAPER_STEPS: Final = 1000
_WARM_UP: Final = 4
"""Training steps before time is taken: kernels are chosen and files are read."""
_STEPS: Final = 12
_PAIRS: Final = 8
_PAPER: Final = ("paper", "train_paper")


def radiograph(steps: int, bundle: Path, device: str) -> Job:
    """A job that draws a radiograph, with weights at random.

    Args:
        steps: of the sampler.
        bundle: whose configurations are taken.
        device: where to compute.
    """
    parser = read_configurations(configuration_files(bundle, (), bundle), {})
    network: DifferenceDiffusion = parser.get_parsed_content("network_def").to(choose_device(device)).eval()
    photograph = torch.rand(1, 1, network.image_size, network.image_size, device=network.latent_scale.device) * 2 - 1
    network.radiographs(photograph, [torch.Generator()], steps=1)  # kernels are chosen
    return partial(network.radiographs, photograph, [torch.Generator()], steps=steps)


def training(bundle: Path, device: str) -> Job:
    """A job that trains a few steps by the bundle's own configuration, and returns pairs a second.

    Noise stands for the pictures: what a step costs does not depend on what they show.
    """
    return partial(_pairs_a_second, bundle, device)


def _pairs_a_second(bundle: Path, device: str) -> float:
    moments: list[float] = []

    def after_step(_: Any) -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        moments.append(time.perf_counter())

    files = configuration_files(bundle, (), bundle)
    parser = read_configurations(files, {})
    steps = _WARM_UP + _STEPS
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "bundle_root": str(bundle), "output_dir": folder, "dataset_dir": f"{folder}/pairs", "iterations": steps,
            "epoch_length": steps, "save_interval": steps, "device": f"$torch.device('{choose_device(device)}')",
        }  # fmt: skip
        _write_noise(Path(folder) / "pairs" / "training", int(parser["network_def"]["image_size"]))
        run_configured(files, bundle / "configs" / "metadata.json", given, "denoiser", after_step)
    return _STEPS * int(parser["batch_size"]) / (moments[-2] - moments[_WARM_UP - 2])  # the last step saves


def _write_noise(folder: Path, size: int) -> None:
    dice = np.random.default_rng(0)
    for number in range(_PAIRS):
        pair = folder / str(number)
        pair.mkdir(parents=True)
        for name in ("original", "xray"):
            Image.fromarray(dice.integers(0, 256, (size, size), np.uint8)).save(pair / f"{name}.png")


def photograph(bundle: Path, device: str) -> Job:
    """A job that finds, checks and cuts out the foot of a photograph of 2400 x 2400 pixels, its scale included.

    Args:
        bundle: not used.
        device: not used; it is done on the processor.
    """
    whole = np.rint(photograph_whole_foot(SEED_RANGES["test"][0]).photograph.transpose(1, 2, 0) * 255)
    pixels = np.asarray(Image.fromarray(whole.astype(np.uint8)).resize((HELD_SIDE, HELD_SIDE)))
    shown = Photograph(pixels, "photograph", "")
    feet_of(shown, force=True)  # weights are read
    return partial(feet_of, shown, force=True)


def paper_call(bundle: Path, device: str) -> Job:
    """A job that counts the operations of one call of the paper's network, in GFLOP; nothing is computed."""
    return partial(_paper_gflop, bundle)


def paper_image(calls: int, bundle: Path, device: str) -> Job:
    """A job that counts the operations of a radiograph of the paper's size, in TFLOP.

    Args:
        calls: of the network a step.
        bundle: whose configurations are taken.
        device: not used.
    """
    return lambda: _paper_gflop(bundle) * 1e-3 * PAPER_STEPS * calls


def _paper_gflop(bundle: Path) -> float:
    parser = read_configurations(configuration_files(bundle, _PAPER, bundle), {})
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        network: DifferenceDiffusion = parser.get_parsed_content("network_def")
        latent = torch.zeros(1, *network.latent_shape())
        network.denoiser(latent, latent, torch.zeros(1, dtype=torch.long))
    return counter.get_total_flops() / 1e9


def paper_step(bundle: Path, device: str) -> Job:
    """A job that says what memory a training step of the paper's size needs, in GB; nothing is computed."""
    parser = read_configurations(configuration_files(bundle, _PAPER, bundle), {"precision": None})
    return lambda: measure_step(parser, "denoiser").peak_gb


_MEMORY_MB: Final = 1000.0

PARTS: Final[Mapping[str, Part]] = {
    "radiograph": Part("radiograph, 256^2, 50 steps", "s", partial(radiograph, 50), Bar(3.0), _MEMORY_MB),
    "ancestral": Part("radiograph, 256^2, 1,000 steps", "s", partial(radiograph, PAPER_STEPS), Bar(45.0), _MEMORY_MB),
    "photograph": Part("checks of a photograph, 2400^2", "s", photograph, Bar(1.0)),
    "training": Part("training", "pairs/s", training),
    "paper_call": Part("one call of the paper's network", "GFLOP", paper_call, Bar(479.0, "is"), timed=False),
    "paper_image": Part("radiograph of the paper's size", "TFLOP", partial(paper_image, 1), timed=False),
    "paper_guided": Part("the same, released code", "TFLOP", partial(paper_image, 2), Bar(958.0, "is"), timed=False),
    "paper_step": Part("a training step of the paper's size, batch of 2", "GB", paper_step, timed=False),
}
"""What ``xray2mri benchmark sccdm`` measures."""
