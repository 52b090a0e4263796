"""What a sample of a perfect method would reach: a simulated knee against another examination of the same knee.

Everything that a radiograph cannot tell is drawn again (pose, field of view, texture, coil, noise), and the anatomy
stays. A sample that reaches these figures knows all that can be known. The mean of many samples adds no second draw and
lies up to 3 dB higher.

``xray2mri measure ceilings --split validation --knees 6`` prints them as JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from tqdm import tqdm

from monai_xray2mri.evaluation.alignment import psnr_aligned
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, psnr
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.knee.measures.crop import SPACING_MM
from monai_xray2mri.knee.measures.joint_region import JointRegion, region_from_labels
from monai_xray2mri.knee.measures.rssim import edge_agreement, rssim, rssim_floor
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import build_anatomy
from monai_xray2mri.simulation.knee.mri import mr
from monai_xray2mri.simulation.knee.mri.painting import paint_knee
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION, knee_generator
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import MODELED

_RANGE = 1.0

REDRAWN: Final[Mapping[str, tuple[str, ...]]] = {
    "noise and bias": ("mr",),
    "texture": ("mr texture",),
    "field of view": ("mr placement",),
    "pose": ("mr pose",),
    "all": ("mr", "mr texture", "mr placement", "mr pose"),
}
"""What differs between two examinations, to the random streams that are drawn again for it."""


@dataclass(frozen=True)
class Examination:
    """One MR examination of a simulated knee: both volumes [80,256,256] and the label map."""

    volume: np.ndarray
    noise_free: np.ndarray
    labels: np.ndarray
    affine: np.ndarray


@one_thread()
def examine_again(seed: int, redrawn: Collection[str] = (), nuisance: int = 1, forward_mm: float = 0.0) -> Examination:
    """The MR examination of a simulated knee with some of its streams drawn again.

    With no stream drawn again it is the examination of ``simulate_knee(seed)``, with all of them that of
    ``simulate_knee(seed, nuisance=nuisance)``.

    Args:
        seed: the knee's.
        redrawn: names of streams, see :data:`REDRAWN`.
        nuisance: number of the other examination, not 0.
        forward_mm: how far the field of view is moved forward, which shows what lies between the slices.

    Raises:
        InputRefused: the seed lies in no range.
    """

    def generator(stream: str) -> torch.Generator:
        return knee_generator(seed, f"{stream} {nuisance}" if stream in redrawn else stream)

    shape, pathology = draw_patient_knee(seed)
    placement = mr.draw_placement(generator("mr placement"))
    placement = replace(placement, y=placement.y - forward_mm)  # y runs backwards
    grid = mr.mr_grid(placement, shape.scale)
    low, high = grid.z_range
    anatomy = build_anatomy(shape, pathology, mr.draw_pose(generator("mr pose")), (low - 2, high + 2))
    canvas, _ = paint_knee(anatomy, grid, generator("mr texture"))
    volume, noise_free = mr.Receiver.draw(grid, generator("mr")).acquire(canvas.signal, range(mr.SLICES))
    return Examination(volume.numpy(), noise_free.numpy(), canvas.labels.numpy(), placement.affine)


def knee_ceilings(seed: int, nuisance: int = 1, kinds: Sequence[str] = tuple(REDRAWN)) -> dict[str, dict[str, float]]:
    """Ceilings of one knee over its modelled slices.

    Args:
        seed: the knee's.
        nuisance: number of the other examination, not 0.
        kinds: which of :data:`REDRAWN`.

    Returns:
        What differs to measure to value: each kind between two acquired volumes; ``"noise, one side"``, the noise-free
        volume against the acquired one, the ceiling of a method without noise; with the kind ``"all"`` also
        ``"all, without noise"``, both its noise-free volumes; and figures of the ``"true volume"`` alone.

    Raises:
        InputRefused: the seed lies in no range.
        UsageError: scikit-image is not installed.
    """
    first = examine_again(seed)
    region = _within_modeled(region_from_labels(first.labels, first.affine))
    again = {kind: examine_again(seed, REDRAWN[kind], nuisance) for kind in kinds}
    pairs = {kind: (other.volume, first.volume) for kind, other in again.items()}
    pairs["noise, one side"] = (first.noise_free, first.volume)
    if "all" in again:
        pairs["all, without noise"] = (again["all"].noise_free, first.noise_free)
    found = {kind: _measures(one[MODELED], other[MODELED], region) for kind, (one, other) in pairs.items()}
    return found | {"true volume": _of_truth(first, region)}


def _measures(prediction: np.ndarray, truth: np.ndarray, region: JointRegion) -> dict[str, float]:
    return {
        "psnr_db": psnr(prediction, truth, _RANGE),
        "psnr_aligned_db": psnr_aligned(prediction, truth, SPACING_MM, _RANGE),
        "ssim": ssim_per_slice(prediction, truth, _RANGE),
        "rssim": rssim(prediction, truth, region, _RANGE),
        "edge_agreement": edge_agreement(prediction, truth, region, _RANGE),
    }


def _of_truth(knee: Examination, region: JointRegion) -> dict[str, float]:
    truth = knee.volume[MODELED]
    return {
        "adjacent_slice_correlation": adjacent_slice_correlation(truth),
        "rssim_floor": rssim_floor(truth, region, _RANGE),
    }


def _within_modeled(region: JointRegion) -> JointRegion:
    kept = (position - MODELED.start for position in region.slices if MODELED.start <= position < MODELED.stop)
    return JointRegion(region.top, region.bottom, region.left, region.right, tuple(kept))


def ceilings(seeds: Iterable[int], kinds: Sequence[str] = tuple(REDRAWN)) -> dict[str, dict[str, float]]:
    """Means over knees of :func:`knee_ceilings`.

    Raises:
        ValueError: no seeds.
        InputRefused: a seed lies in no range.
        UsageError: scikit-image is not installed.
    """
    records = [knee_ceilings(seed, kinds=kinds) for seed in seeds]
    if not records:
        raise ValueError("needs one seed at least, got none")
    return {
        kind: {name: float(np.mean([record[kind][name] for record in records])) for name in measures}
        for kind, measures in records[0].items()
    }


def report(split: str, knees: int, kinds: Sequence[str] = tuple(REDRAWN), progress: bool = False) -> dict[str, object]:
    """Ceilings of knees of a seed range, ready for JSON.

    Args:
        split: name of the range.
        knees: how many.
        kinds: which of :data:`REDRAWN`.
        progress: show a progress bar on stderr.
    """
    seeds = SEED_RANGES[split][:knees]
    found = ceilings(tqdm(seeds, "knees", disable=not progress), kinds)
    settings = {"split": split, "knees": len(seeds), "simulator": SIMULATOR_VERSION, "data_range": _RANGE}
    return settings | {
        "ceilings": {kind: {name: round(value, 3) for name, value in each.items()} for kind, each in found.items()}
    }
