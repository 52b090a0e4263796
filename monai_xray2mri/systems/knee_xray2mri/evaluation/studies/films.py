"""Radiographs that are not as they should be: degraded, of another size, the wrong side, of another knee, none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from monai_xray2mri.evaluation.conditions import condition_table
from monai_xray2mri.evaluation.metrics import psnr_per_slice
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.evaluation.study import Setting, Study, Table
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import generated, radiograph_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import RANGE

REGION_MM: Final = 110.0
NOISE: Final = 0.15
"""Standard deviation of the noise of a bad film, the film's range being 2."""


def moved(film: np.ndarray, shift_mm: float = 0.0, size: float = 1.0, degrees: float = 0.0) -> np.ndarray:
    """A film [H,W] in [-1,1] whose region was shifted along the columns, larger by a factor, or turned.

    What lies beyond the film is black.
    """
    angle = np.radians(degrees)
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    theta = np.column_stack([turn, [2 * shift_mm / REGION_MM, 0.0]])
    image = torch.from_numpy(np.ascontiguousarray(film))[None, None] + 1
    grid = F.affine_grid(torch.from_numpy(theta[None]).float(), list(image.shape), align_corners=False)
    return np.asarray(F.grid_sample(image, grid, align_corners=False)[0, 0] - 1)


def films(knee: EvaluationKnee) -> dict[str, np.ndarray | None]:
    """Films of one knee by what is wrong with them."""
    film = radiograph_of(knee.inputs)
    smooth = F.avg_pool2d(torch.from_numpy(film)[None, None], 7, 1, 3, count_include_pad=False)[0, 0]
    noise = np.random.default_rng(0).standard_normal(film.shape).astype(np.float32)
    found: dict[str, np.ndarray | None] = {
        "as it is": film,
        "noisy": np.clip(film + NOISE * noise, -1, 1),
        "blurred over 7 pixels": np.asarray(smooth),
        "dark (gamma 2)": np.asarray(2 * ((film + 1) / 2) ** 2 - 1),
        "region 5 mm off": moved(film, shift_mm=5),
        "region 10 % too large": moved(film, size=1.1),
        "turned by 5 degrees": moved(film, degrees=5),
        "the wrong side": np.ascontiguousarray(film[:, ::-1]),
        "none": None,
    }
    if knee.simulated is not None:
        other = simulate_radiograph(knee.simulated.seed + 1)
        found["of another knee"] = normalize_region(other, mirrored=False)
    return found


def measure(setting: Setting, knee: EvaluationKnee) -> Iterator[Row]:
    """A row for each film; features as they are."""
    few = setting.profile.few
    truth = knee.volume[list(few)]
    for name, film in films(knee).items():
        found = generated(setting.bundle, replace(knee.inputs.at(few), radiograph=film), 1, setting.seed)[0]
        yield {
            "condition": name,
            "psnr": psnr_per_slice(found, truth, RANGE),
            "ssim": ssim_per_slice(found, truth, RANGE),
        }


def slices(setting: Setting) -> float:
    """Slices that one knee costs."""
    return 10 * len(setting.profile.few)


def tables(rows: Sequence[Row]) -> list[Table]:
    """One table, a line for each film."""
    headings = {"psnr": "PSNR dB", "ssim": "SSIM"}
    note = "One sample each, the same noise; on every fifth slice in the profile of a CPU."
    return [condition_table(rows, "films", "Films that are not as they should be", headings, note)]


FILMS: Final = Study(
    "films", "Films", ("test",), {"cpu": 8, "full": 100}, measure, slices, tables, simulations=lambda _: 2
)
