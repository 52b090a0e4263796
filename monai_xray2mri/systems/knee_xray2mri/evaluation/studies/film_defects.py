"""Radiographs with a defect: noisy, blurred, of another size, of the wrong side, of another knee, or none at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.metrics import psnr_per_slice
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.knee.data.arrays import REGION_MM
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import radiograph_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import RANGE
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting, condition_table

NOISE: Final = 0.15
"""Standard deviation of the noise of a bad film, the film's range being 2."""


def move(film: np.ndarray, shift_mm: float = 0.0, size: float = 1.0, degrees: float = 0.0) -> np.ndarray:
    """The film [H,W] in [-1,1] of a region that is shifted along the columns, larger by a factor, or turned.

    Beyond the border of the film it is black.
    """
    angle = np.radians(degrees)
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    theta = np.column_stack([turn, [2 * shift_mm / REGION_MM, 0.0]])
    image = torch.from_numpy(np.ascontiguousarray(film))[None, None] + 1
    grid = F.affine_grid(torch.from_numpy(theta[None]).float(), list(image.shape), align_corners=False)
    return np.asarray(F.grid_sample(image, grid, align_corners=False)[0, 0] - 1)


def blur(film: np.ndarray) -> np.ndarray:
    """A film [H,W] averaged over 7 x 7 pixels."""
    return np.asarray(F.avg_pool2d(torch.from_numpy(film)[None, None], 7, 1, 3, count_include_pad=False)[0, 0])


def add_noise(film: np.ndarray) -> np.ndarray:
    """A film [H,W] with noise of :data:`NOISE`, the same for every film."""
    noise = np.random.default_rng(0).standard_normal(film.shape).astype(np.float32)
    return np.asarray(np.clip(film + NOISE * noise, -1, 1))


DEFECTS: Final[Mapping[str, Callable[[np.ndarray], np.ndarray | None]]] = {
    "as it is": lambda film: film,
    "noisy": add_noise,
    "blurred over 7 pixels": blur,
    "dark (gamma 2)": lambda film: np.asarray(2 * ((film + 1) / 2) ** 2 - 1),
    "region 5 mm off": lambda film: move(film, shift_mm=5),
    "region 10 % too large": lambda film: move(film, size=1.1),
    "turned by 5 degrees": lambda film: move(film, degrees=5),
    "the wrong side": lambda film: np.ascontiguousarray(film[:, ::-1]),
    "none": lambda film: None,
}
"""Name to what becomes of a film [H,W] in [-1,1]."""


def films(knee: EvaluationKnee) -> dict[str, np.ndarray | None]:
    """Films of one knee by their defect; a simulated knee also has the film of another one."""
    film = radiograph_of(knee.inputs)
    found = {name: defect(film) for name, defect in DEFECTS.items()}
    if knee.simulated is not None:
        other = simulate_radiograph(knee.simulated.seed + 1)
        found["of another knee"] = normalize_region(other, mirrored=False)
    return found


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """A row for each film; features as they are."""
    few = setting.few
    truth = knee.volume[list(few)]
    for name, film in films(knee).items():
        found = generate(setting.bundle, replace(knee.inputs.at(few), radiograph=film), 1, setting.seed)[0]
        yield {
            "condition": name,
            "psnr": psnr_per_slice(found, truth, RANGE),
            "ssim": ssim_per_slice(found, truth, RANGE),
        }


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    return (len(DEFECTS) + setting.simulated) * len(setting.few)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table, a line for each film."""
    headings = {"psnr": "PSNR dB", "ssim": "SSIM"}
    note = "One sample each, the same noise; on every fifth slice in the profile of a CPU."
    return [condition_table(rows, "films", "Films that are not as they should be", headings, note)]


FILMS: Final = Study(
    "films", "Films", ("test",), {"cpu": 8, "full": 100}, measure, work, tables, simulations=lambda _: 2
)
