"""Continuity along depth: generated volumes against true ones, and the noise that makes them equally continuous.

Wang 2024a (Fig. 6) measures the correlation of neighboring slices and takes the value of true volumes as the benchmark.
The benchmark has two sides: above it slices are too similar, below it they jump. The correlation depends on what the
initial noise of the slices has in common (:mod:`~monai_xray2mri.diffusion.depth_noise`). The fit here finds the length
and the aspect at which a bundle reaches the correlation of true volumes, on knees that it was not trained on.

``xray2mri measure continuity --bundle bundle/knee_xray2mri --knees 4 --output continuity.json``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from monai_xray2mri.diffusion.sampler_settings import SHORTEST_MM
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.knee.measures.lesions import lesion_response
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView
from monai_xray2mri.systems.knee_xray2mri.evaluation.noise_fit import fit_noise
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI

HIDDEN: Final = ("XRCY", "XRCH", "XRATT")
"""Stems of cysts, chondrocalcinosis and attrition: what a radiograph shows badly (Wang 2024a, Table III)."""
LAGS: Final = (1, 2, 3, 4, 6, 8)
"""Slices apart at which correlations are compared."""
LENGTHS_MM: Final = (0.75, 1.5, 3.0)
TARGETS: Final = ("acquired", "noise-free", "reconstructed")
"""True volumes: as acquired, without noise, or as acquired through the bundle's own autoencoder."""


def lag_correlation(volume: np.ndarray, lags: Sequence[int] = LAGS) -> list[float]:
    """Mean Pearson correlation of slices of [S,H,W] that lie ``lag`` slices apart, for each lag.

    At lag 1 it is :func:`~monai_xray2mri.evaluation.metrics.adjacent_slice_correlation`.

    Raises:
        ValueError: a lag is not within 1 to S - 1.
    """
    if not lags or min(lags) < 1 or max(lags) >= len(volume):
        raise ValueError(f"lags must be within 1..{len(volume) - 1}, got {tuple(lags)}")
    flat = volume.reshape(len(volume), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return [float((flat[lag:] * flat[:-lag]).sum(axis=1).mean()) for lag in lags]


def depth_spectrum(volume: np.ndarray, slice_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Power along depth, mean over the pixels of [S,H,W].

    Each pixel's mean over depth is taken off and a Hann window applied; one-sided, so that a sine wave's power sums up
    to its variance, and white noise of variance v has v / (highest frequency) at every frequency.

    Args:
        volume: intensities, [S,H,W].
        slice_mm: distance of the slices.

    Returns:
        Frequencies [F] in 1/mm from 0 to 1 / (2 slice_mm), and power density [F] in squared intensity times mm.

    Raises:
        ValueError: fewer than four slices.
    """
    count = len(volume)
    if count < 4:
        raise ValueError(f"needs four slices at least, got {count}")
    window = np.hanning(count)[:, None]
    lines = volume.reshape(count, -1).astype(np.float64)
    power = np.abs(np.fft.rfft((lines - lines.mean(axis=0)) * window, axis=0)) ** 2
    density = power.mean(axis=1) * slice_mm / np.square(window).sum()
    density[1 : (count + 1) // 2] *= 2  # frequencies below 0 too; the highest of an even count stands for itself
    return np.fft.rfftfreq(count, slice_mm), density


class SeededView(KneeView):
    """A view whose noise follows from the seed of the sampling alone."""

    def generator(self, seed: int, sample: int) -> torch.Generator:
        """Generator of the noise, on the CPU."""
        return torch.Generator().manual_seed(seed)


@dataclass
class ContinuityKnee:
    """A simulated knee with its truth over the modelled slices, intensities 0 to 1, and a predictor of its volume.

    Attributes:
        knee: the knee.
        predictor: of the bundle.
        steps: sampling steps; None takes the bundle's.
    """

    knee: SimulatedKnee
    predictor: Xray2MRI
    steps: int | None = None

    @property
    def modeled(self) -> slice:
        """The modelled slices of the acquired ones."""
        first, last = self.predictor.network.modeled_slices
        return slice(first, last + 1)

    @property
    def without_lesions(self) -> dict[str, int]:
        """Its grades with cysts, chondrocalcinosis and attrition absent."""
        return {name: 0 if name.startswith(HIDDEN) else grade for name, grade in self.knee.grades.items()}

    @cached_property
    def lesions(self) -> np.ndarray:
        """[S,H,W] bool."""
        return np.asarray(self.knee.lesions[self.modeled] > 0)

    @cached_property
    def healthy(self) -> SimulatedKnee:
        """The same knee without its lesions."""
        return simulate_knee(self.knee.seed, grades=self.without_lesions)

    @cached_property
    def film(self) -> Tensor:
        """The radiograph region [H,W] in [-1,1]."""
        return torch.from_numpy(normalize_region(np.asarray(self.knee.radiograph), mirrored=False))

    def truth(self, target: str) -> np.ndarray:
        """The true volume [S,H,W], see :data:`TARGETS`."""
        if target == "noise-free":
            return np.asarray(self.knee.noise_free[self.modeled])
        volume = np.asarray(self.knee.volume[self.modeled])
        return self.predictor.reconstruct(volume) if target == "reconstructed" else volume

    def generated(self, kernel: Mapping[str, float], lesions: bool = True) -> np.ndarray:
        """A sample [S,H,W] in [0,1] with noise of this kernel, by names of ``SamplerSettings``."""
        features = torch.from_numpy(one_hot(self.knee.grades if lesions else self.without_lesions))
        sampling = self.predictor.resolve(**kernel, steps=self.steps, seed=self.knee.seed)
        view = SeededView(self.film, features, str(self.knee.seed))
        return (next(self.predictor.samples(view, sampling)) + 1) / 2


def describe(volume: np.ndarray, slice_mm: float) -> dict[str, object]:
    """Lag correlations, and mean power in octaves of frequency up to the highest, of [S,H,W]."""
    frequency, power = depth_spectrum(volume, slice_mm)
    edges = frequency[-1] / 2.0 ** np.arange(4, -1, -1)
    octaves = {
        f"{low:.3f}-{high:.3f}": float(power[(frequency > low) & (frequency <= high)].mean())
        for low, high in pairwise(edges)
    }
    return {
        "correlation": dict(zip(map(str, LAGS), lag_correlation(volume), strict=True)),
        "power_per_octave": octaves,
    }


def mean_of(records: Sequence[dict[str, object]]) -> dict[str, object]:
    """Mean of equally nested records of numbers."""
    if not records:
        raise ValueError("needs one record at least, got none")
    answer: dict[str, object] = {}
    for name, first in records[0].items():
        values = [record[name] for record in records]
        answer[name] = mean_of(values) if isinstance(first, dict) else float(np.mean(np.asarray(values)))  # type: ignore[arg-type]
    return answer


def lesion_contrasts(knee: ContinuityKnee, kernel: Mapping[str, float]) -> dict[str, float]:
    """Contrast of a knee's own lesions when its features are switched, in parts of that of the noise-free truth.

    See :func:`~monai_xray2mri.knee.measures.lesions.lesion_response`; the acquired truth differs from 1 by its noise.

    Raises:
        ValueError: the knee shows no lesion.
    """
    healthy = ContinuityKnee(knee.healthy, knee.predictor)
    true, acquired = ((knee.truth(target), healthy.truth(target)) for target in ("noise-free", "acquired"))
    generated = knee.generated(kernel), knee.generated(kernel, lesions=False)
    return {
        "generated": lesion_response(generated, true, knee.lesions),
        "acquired": lesion_response(acquired, true, knee.lesions),
    }


def report(
    knees: Sequence[ContinuityKnee], target: str, lengths_mm: Sequence[float], progress: Callable[[], object]
) -> dict[str, object]:
    """Fit the noise, and compare the paper's shared noise, independent noise and the fitted one with the truth."""

    def correlations(aspect: float, length_mm: float) -> list[float]:
        progress()
        kernel = {"noise_shared": 0.0, "noise_length_mm": length_mm, "noise_aspect": aspect}
        return np.mean([lag_correlation(knee.generated(kernel)) for knee in knees], axis=0).tolist()

    wanted = np.mean([lag_correlation(knee.truth(target)) for knee in knees], axis=0).tolist()
    fit = fit_noise(correlations, wanted, lengths_mm)
    kernels: dict[str, dict[str, float]] = {
        "shared": {"noise_shared": 1.0},
        "independent": {"noise_shared": 0.0, "noise_length_mm": SHORTEST_MM, "noise_aspect": 0.0},
        "fitted": {"noise_shared": 0.0, "noise_length_mm": fit.length_mm, "noise_aspect": fit.aspect},
    }
    spacing = knees[0].predictor.network.spacing()
    volumes = {name: mean_of([describe(knee.truth(name), spacing) for knee in knees]) for name in TARGETS}
    for name, kernel in kernels.items():
        volumes[name] = mean_of([describe(knee.generated(kernel), spacing) for knee in knees])
    diseased = [knee for knee in knees if knee.lesions.any()]
    contrasts = {
        name: mean_of([dict(lesion_contrasts(knee, kernel)) for knee in diseased])
        for name, kernel in kernels.items()
        if diseased
    }
    return {
        "target": target,
        "fit": fit.record(),
        "volumes": volumes,
        "lesion_contrast": contrasts,
        "knees_with_lesions": len(diseased),
    }


def measure_bundle(
    bundle: Path,
    split: str = "validation",
    knees: int = 4,
    *,
    target: str = "reconstructed",
    lengths_mm: Sequence[float] = LENGTHS_MM,
    steps: int | None = None,
    progress: bool = False,
) -> dict[str, object]:
    """:func:`report` of a bundle, with its settings, ready for JSON.

    Args:
        bundle: folder of the bundle.
        split: name of the seed range of the knees.
        knees: how many.
        target: the true volumes whose continuity counts, one of :data:`TARGETS`.
        lengths_mm: lengths to choose among.
        steps: sampling steps; None takes the bundle's.
        progress: show a progress bar on stderr.
    """
    predictor = Xray2MRI.from_bundle(bundle, "cpu")
    shown = [ContinuityKnee(simulate_knee(seed), predictor, steps) for seed in SEED_RANGES[split][:knees]]
    with tqdm(desc="kernels", disable=not progress) as bar:
        found = report(shown, target, lengths_mm, bar.update)
    return {
        "split": split,
        "knees": len(shown),
        "steps": predictor.resolve(steps=steps).sampler.steps,
        "slice_mm": predictor.network.spacing(),
        "simulator": SIMULATOR_VERSION,
        **found,
    }
