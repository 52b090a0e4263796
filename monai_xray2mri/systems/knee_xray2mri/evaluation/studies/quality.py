"""What a bundle can do: its autoencoder, one step, one sample, the mean of samples, and kinds of noise along depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from monai_xray2mri.diffusion.sampler_settings import SHORTEST_MM, SamplerSettings
from monai_xray2mri.evaluation.alignment import psnr_aligned
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, psnr_per_slice
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.evaluation.study import Profile, ResultTable, Study
from monai_xray2mri.knee.measures.crop import SPACING_MM
from monai_xray2mri.knee.measures.rssim import rssim
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import WHOLE, EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import RADIOGRAPH_INPUT, NetworkMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import RANGE, KneeRuler
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import SAMPLES, KneeSetting, condition_table, sampling_work

WINDOWS: Final = ((5, 11), (17, 23), (27, 33), (39, 45))
"""Runs of neighbouring slices that continuity is measured on in the profile of a CPU."""
KERNELS: Final[Mapping[str, Mapping[str, float]]] = {
    "shared noise (Wang 2024a)": {"noise_shared": 1.0},
    "independent noise": {"noise_shared": 0.0, "noise_length_mm": SHORTEST_MM, "noise_aspect": 0.0},
}
"""Name to the noise along depth that the bundle's own is compared with."""
WHOLE_VOLUMES: Final[Mapping[str, Callable[[NetworkMethod], NetworkMethod]]] = {
    "one step": lambda bundle: bundle.with_sampler(steps=1),
    "one sample": lambda bundle: bundle,
    "one sample, radiograph and depth only": lambda bundle: bundle.restrict(RADIOGRAPH_INPUT),
}
"""Condition to the bundle that generates a whole volume under it."""
MEASURES: Final = {
    "psnr": "PSNR dB",
    "psnr_volume": "PSNR of the volume dB",
    "psnr_aligned": "PSNR aligned dB",
    "psnr_noise_free": "PSNR against noise-free dB",
    "ssim": "SSIM",
    "rssim": "RSSIM",
    "adjacent_slice_correlation": "adjacent-slice correlation",
}


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """Rows of all conditions for one knee; the PSNR of few slices compares only with that of the same slices."""
    few, bundle, ruler = setting.few, setting.bundle, KneeRuler(knee)
    parts = bundle.predictor.reconstruct(knee.volume[list(few)])
    yield {"condition": "autoencoder (few slices)", **_against(parts, knee, few)}
    samples = generate(bundle, knee.inputs.at(few), SAMPLES, setting.seed)
    yield {"condition": "one sample (few slices)", **_against(samples[0], knee, few)}
    yield {"condition": f"mean of {SAMPLES} samples (few slices)", **_against(samples.mean(axis=0), knee, few)}
    for name, method in setting.methods.items():
        if name == "mean slice":
            mean = generate(method, knee.inputs, 1, setting.seed)[0]
            yield {"condition": name, **_whole(mean, knee, ruler)}
    for name, variant in WHOLE_VOLUMES.items():
        volume = generate(variant(bundle), knee.inputs, 1, setting.seed)[0]
        yield {"condition": name, **_whole(volume, knee, ruler)}
    yield from _continuity(setting, knee)


def _against(prediction: np.ndarray, knee: EvaluationKnee, positions: Sequence[int]) -> Row:
    chosen = list(positions)
    row: Row = {"psnr": psnr_per_slice(prediction, knee.volume[chosen], RANGE)}
    if knee.noise_free is not None:
        row["psnr_noise_free"] = psnr_per_slice(prediction, knee.noise_free[chosen], RANGE)
    return row


def _whole(prediction: np.ndarray, knee: EvaluationKnee, ruler: KneeRuler) -> Row:
    aligned = psnr_aligned(prediction, knee.volume, SPACING_MM, RANGE)
    return {
        **_against(prediction, knee, WHOLE),
        "psnr_volume": psnr_of_volume(prediction, knee.volume),
        "psnr_aligned": aligned,
        "ssim": ssim_per_slice(prediction, knee.volume, RANGE),
        "rssim": rssim(prediction, knee.volume, ruler.region, RANGE),
        "adjacent_slice_correlation": adjacent_slice_correlation(prediction),
    }


def psnr_of_volume(prediction: np.ndarray, truth: np.ndarray) -> float:
    """PSNR over all voxels, which the aligned one compares with."""
    return psnr_per_slice(prediction.reshape(1, *prediction.shape), truth.reshape(1, *truth.shape), RANGE)


def _continuity(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """Adjacent-slice correlation in the same windows for noises along depth, and of the truth."""
    bundle = setting.bundle
    kernels = {**KERNELS, _own_noise(bundle.sampler_settings): {}}
    windows = windows_of(setting.profile)
    for name, kernel in kernels.items():
        method = bundle.with_sampler(**kernel)
        found = [generate(method, knee.inputs.at(window), 1, setting.seed)[0] for window in windows]
        mean = float(np.mean([adjacent_slice_correlation(each) for each in found]))
        yield {"noise": name, "adjacent_slice_correlation": mean}
    true = float(np.mean([adjacent_slice_correlation(knee.volume[list(window)]) for window in windows]))
    yield {"noise": "true volume", "adjacent_slice_correlation": true}


def _own_noise(own: SamplerSettings) -> str:
    kernel = f"share {own.noise_shared:g}, {own.noise_length_mm:g} mm, aspect {own.noise_aspect:g}"
    return f"the bundle's own noise ({kernel})"


def windows_of(profile: Profile) -> list[tuple[int, ...]]:
    """Runs of slices for continuity: all of the volume, or the windows."""
    return [WHOLE] if profile.stride == 1 else [tuple(range(first, end)) for first, end in WINDOWS]


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    bundle, windows = setting.bundle, sum(map(len, windows_of(setting.profile)))
    whole = sum(
        sampling_work(setting, len(WHOLE), steps=variant(bundle).sampler_settings.steps)
        for variant in WHOLE_VOLUMES.values()
    )
    return SAMPLES * len(setting.few) + whole + (len(KERNELS) + 1) * windows


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Two tables: quality, and continuity by noise."""
    quality = [row for row in rows if "condition" in row]
    noise = [row for row in rows if "noise" in row]
    note = "PSNR: mean over slices; lines marked 'few slices' compare among themselves."
    correlation = {"adjacent_slice_correlation": "adjacent-slice correlation"}
    return [
        condition_table(quality, "quality", "What the bundle can do", MEASURES, note),
        condition_table(noise, "quality_noise", "Continuity by the noise along depth", correlation, by="noise"),
    ]


QUALITY: Final = Study(
    "quality",
    "What the bundle can do",
    ("test",),
    {"cpu": 7, "full": 100},
    measure,
    work,
    tables,
    fitted=True,
)
