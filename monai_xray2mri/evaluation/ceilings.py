"""What no method can exceed: a simulated knee against another examination of the same knee.

Everything that a radiograph cannot tell is drawn again (field of view, texture, coil, noise) while the anatomy stays.
A method that reaches these figures knows all there is to know.

``python -m monai_xray2mri.evaluation.ceilings --split validation --knees 6`` prints them as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import SimpleITK as sitk
from tqdm import tqdm

from monai_xray2mri.evaluation.alignment import psnr_aligned
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, psnr
from monai_xray2mri.evaluation.region import JointRegion, region_from_labels
from monai_xray2mri.evaluation.structure import edge_agreement, rssim, rssim_floor, ssim_per_slice
from monai_xray2mri.simulation.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.mr import PIXEL_MM, SLICE_MM
from monai_xray2mri.simulation.seeds import SEED_RANGES, SIMULATOR_VERSION

MODELLED: Final = slice(13, 63)
"""The slices that methods generate, counted from the posterior end (DESIGN section 4)."""
SPACING: Final = (SLICE_MM, PIXEL_MM, PIXEL_MM)
_RANGE = 1.0


def knee_ceilings(seed: int, nuisance: int = 1) -> dict[str, dict[str, float]]:
    """Ceilings of one knee over its modelled slices.

    Args:
        seed: the knee's.
        nuisance: number of the other examination, not 0.

    Returns:
        What differs to measure to value. ``"noise"``: the acquired volume against its own noise-free one, the ceiling
        of a method without noise. ``"placement"``: the noise-free volume against itself moved by as much as the field
        of view moved between both examinations. ``"texture and bias"``: both noise-free volumes, the second moved back
        by that known amount. ``"all"``: both acquired volumes. ``"all, against noise-free"``: the second examination's
        noise-free volume against the first's.

    Raises:
        InputRefused: the seed lies in no range.
        UsageError: scikit-image is not installed.
    """
    first, second = simulate_knee(seed), simulate_knee(seed, nuisance=nuisance)
    region = _within_modelled(region_from_labels(first.labels, first.affine))
    offset = (second.affine - first.affine)[:3, 3]
    pairs = {
        "noise": (first.noise_free, first.volume),
        "placement": (moved_grid(first.noise_free, first.affine, offset), first.noise_free),
        "texture and bias": (moved_grid(second.noise_free, second.affine, -offset), first.noise_free),
        "all": (second.volume, first.volume),
        "all, against noise-free": (second.noise_free, first.noise_free),
    }
    return {name: _measures(one[MODELLED], other[MODELLED], region) for name, (one, other) in pairs.items()} | {
        "true volume": _of_truth(first, region)
    }


def moved_grid(volume: np.ndarray, affine: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The same object on a field of view whose origin lies elsewhere, by cubic B-splines.

    Args:
        volume: [S,H,W].
        affine: [4,4] of it.
        offset: [3] by how much the new origin lies from the old, in LPS mm.

    Returns:
        [S,H,W] float32; beyond the border the nearest voxel goes on.
    """
    steps = np.linalg.solve(affine[:3, :3], offset)  # (column, row, slice)
    resampler = sitk.ResampleImageFilter()
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume, np.float32))
    resampler.SetReferenceImage(image)
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.SetUseNearestNeighborExtrapolator(True)
    resampler.SetTransform(sitk.TranslationTransform(3, steps.tolist()))
    return np.asarray(sitk.GetArrayFromImage(resampler.Execute(image)), np.float32)


def _measures(prediction: np.ndarray, truth: np.ndarray, region: JointRegion) -> dict[str, float]:
    return {
        "psnr_db": psnr(prediction, truth, _RANGE),
        "psnr_aligned_db": psnr_aligned(prediction, truth, SPACING, _RANGE),
        "ssim": ssim_per_slice(prediction, truth, _RANGE),
        "rssim": rssim(prediction, truth, region, _RANGE),
        "edge_agreement": edge_agreement(prediction, truth, region, _RANGE),
    }


def _of_truth(knee: SimulatedKnee, region: JointRegion) -> dict[str, float]:
    truth = knee.volume[MODELLED]
    return {
        "adjacent_slice_correlation": adjacent_slice_correlation(truth),
        "rssim_floor": rssim_floor(truth, region, _RANGE),
    }


def _within_modelled(region: JointRegion) -> JointRegion:
    kept = (position - MODELLED.start for position in region.slices if MODELLED.start <= position < MODELLED.stop)
    return JointRegion(region.top, region.bottom, region.left, region.right, tuple(kept))


def ceilings(seeds: Iterable[int]) -> dict[str, dict[str, float]]:
    """Means over knees of :func:`knee_ceilings`.

    Raises:
        ValueError: no seeds.
        InputRefused: a seed lies in no range.
        UsageError: scikit-image is not installed.
    """
    records = [knee_ceilings(seed) for seed in seeds]
    if not records:
        raise ValueError("needs one seed at least, got none")
    return {
        kind: {name: float(np.mean([record[kind][name] for record in records])) for name in measures}
        for kind, measures in records[0].items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the ceilings as JSON."""
    parser = argparse.ArgumentParser(prog="python -m monai_xray2mri.evaluation.ceilings", description=__doc__)
    parser.add_argument("--split", choices=sorted(SEED_RANGES), default="validation")
    parser.add_argument("--knees", type=int, default=6)
    options = parser.parse_args(arguments)
    seeds = SEED_RANGES[options.split][: options.knees]
    found = ceilings(tqdm(seeds, "knees", disable=not sys.stderr.isatty()))
    settings = {"split": options.split, "knees": len(seeds), "simulator": SIMULATOR_VERSION, "data_range": _RANGE}
    rounded = {kind: {name: round(value, 3) for name, value in each.items()} for kind, each in found.items()}
    sys.stdout.write(json.dumps(settings | {"ceilings": rounded}, indent=2) + "\n")


if __name__ == "__main__":
    main()
