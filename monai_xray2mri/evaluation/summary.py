"""The figures of a bundle's model card: a few unseen knees, the bundle against the mean slice.

``python -m monai_xray2mri.evaluation.summary --bundle bundle/knee_xray2mri --split test --knees 10``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from monai_xray2mri.bundles import default_bundle, load_network
from monai_xray2mri.diffusion.depth_noise import VolumeNoise
from monai_xray2mri.diffusion.slice_diffusion import SliceDiffusion
from monai_xray2mri.evaluation.baselines import mean_volume
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, psnr_per_slice
from monai_xray2mri.grading.features import one_hot
from monai_xray2mri.radiograph.region import normalise_region
from monai_xray2mri.simulation.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.seeds import SIMULATOR_VERSION, TEST, TRAINING, VALIDATION

SPLITS = {"validation": VALIDATION, "test": TEST}
HIDDEN = ("XRCY", "XRCH", "XRATT")
"""Stems of cysts, chondrocalcinosis and attrition: what a radiograph shows badly (paper 000, Table III)."""


def true_slices(knee: SimulatedKnee, network: SliceDiffusion) -> np.ndarray:
    """The modelled slices [S,H,W] of a simulated knee, intensities 0..1, slice 0 posterior."""
    first, last = network.modelled_slices
    return np.asarray(knee.volume[first : last + 1])


def generate(
    network: SliceDiffusion,
    knee: SimulatedKnee,
    grades: Mapping[str, int | None],
    noise: VolumeNoise,
    steps: int | None,
) -> np.ndarray:
    """[S,H,W] in 0..1 from a simulated knee's radiograph and the given grades."""
    film = torch.from_numpy(normalise_region(np.asarray(knee.radiograph), mirrored=False))[None, None]  # [1,1,H,W]
    features = torch.from_numpy(one_hot(grades))[None]  # [1,61]
    volume = network.generate(film, features, noise=noise, steps=steps)[0, 0]
    return np.asarray((volume + 1) / 2)


def summarise_knee(network: SliceDiffusion, seed: int, mean: np.ndarray) -> dict[str, float]:
    """PSNR in dB (range 1, mean over slices) and adjacent-slice correlation of one unseen knee; lesion contrast.

    ``lesion_true`` and ``lesion_generated`` are the mean absolute change of intensity inside the true lesions when
    cysts, chondrocalcinosis and attrition are graded as they are instead of absent; the same noise is used for both.
    """
    knee = simulate_knee(seed)
    truth, noise = true_slices(knee, network), network.draw_noise(torch.Generator().manual_seed(seed))
    one_step = generate(network, knee, knee.grades, noise, 1)
    sample = generate(network, knee, knee.grades, noise, None)
    unknown = generate(network, knee, {}, noise, 1)
    other = simulate_knee(seed + 1)
    wrong = generate(network, other, knee.grades, noise, 1)
    record = {
        "psnr_mean_slice": psnr_per_slice(mean, truth, 1.0),
        "psnr_one_step": psnr_per_slice(one_step, truth, 1.0),
        "psnr_one_step_features_unknown": psnr_per_slice(unknown, truth, 1.0),
        "psnr_one_step_radiograph_of_another_knee": psnr_per_slice(wrong, truth, 1.0),
        "psnr_sample": psnr_per_slice(sample, truth, 1.0),
        "adjacent_slice_correlation_sample": adjacent_slice_correlation(sample),
        "adjacent_slice_correlation_true": adjacent_slice_correlation(truth),
    }
    first, last = network.modelled_slices
    lesions = np.asarray(knee.lesions[first : last + 1]) > 0
    if lesions.any():
        without = {name: 0 if name.startswith(HIDDEN) else grade for name, grade in knee.grades.items()}
        clean = true_slices(simulate_knee(seed, grades=without), network)
        absent = generate(network, knee, without, noise, None)
        record["lesion_true"] = float(np.abs(truth - clean)[lesions].mean())
        record["lesion_generated"] = float(np.abs(sample - absent)[lesions].mean())
    return record


def summarise(network: SliceDiffusion, seeds: Sequence[int], training_knees: int = 100) -> dict[str, float]:
    """Means over knees of :func:`summarise_knee`; the mean slice is that of ``training_knees`` training knees."""
    volumes = (true_slices(simulate_knee(seed), network) for seed in TRAINING[:training_knees])
    mean = mean_volume(tqdm(volumes, "mean slice", training_knees, disable=not sys.stderr.isatty()))
    records = [summarise_knee(network, seed, mean) for seed in tqdm(seeds, "knees", disable=not sys.stderr.isatty())]
    names = dict.fromkeys(name for record in records for name in record)
    return {name: float(np.mean([record[name] for record in records if name in record])) for name in names}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the summary as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--split", choices=sorted(SPLITS), default="validation")
    parser.add_argument("--knees", type=int, default=10)
    parser.add_argument("--training-knees", type=int, default=100, help="for the mean slice")
    parser.add_argument("--steps", type=int, help="sampling steps (default: the bundle's)")
    options = parser.parse_args(arguments)
    network = load_network(options.bundle)
    network.steps = options.steps or network.steps
    found = summarise(network, SPLITS[options.split][: options.knees], options.training_knees)
    settings = {"split": options.split, "knees": options.knees, "simulator": SIMULATOR_VERSION, "steps": network.steps}
    print(json.dumps(settings | {name: round(value, 3) for name, value in found.items()}, indent=2))


if __name__ == "__main__":
    main()
