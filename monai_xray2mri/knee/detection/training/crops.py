"""Radiographs with Kellgren-Lawrence grades, as the classifier of Wang 2024b is trained and judged on them.

Two sources give the same thing, a square of about 95 mm around the joint of a right knee: the public crops of OAI
films (Chen, Mendeley Data 10.17632/56rmx5bjcr.1, CC BY 4.0), enhanced (CLAHE) or as they were, and simulated knees.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from tqdm import tqdm

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.detection.networks.koa_classifier import VIEW_MM
from monai_xray2mri.radiograph.knee.joint import REGION_MM
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.radiograph.resampling import cut_box
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.seeds import TRAINING
from monai_xray2mri.types import Box

CROP_SIZE: Final = 160
"""Pixels per side of a crop, unless more is asked for: more than a view has, so that turned crops stay sharp."""


@dataclass(frozen=True)
class GradedCrops:
    """Crops of N knees with their grades.

    Attributes:
        images: [N,S,S] uint8, 0 to 255 for grey values -1 to 1, right-knee space.
        grades: [N] int64, Kellgren-Lawrence 0 to 4.
        people: participant of each knee; nobody may be on both sides of a split.
    """

    images: np.ndarray
    grades: np.ndarray
    people: tuple[str, ...]

    def __len__(self) -> int:
        """Number of knees."""
        return len(self.grades)

    def __add__(self, other: GradedCrops) -> GradedCrops:
        """The knees of both."""
        return GradedCrops(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.grades, other.grades]),
            self.people + other.people,
        )

    def select(self, wanted: np.ndarray) -> GradedCrops:
        """The knees that are wanted, [N] bool."""
        people = tuple(person for person, take in zip(self.people, wanted, strict=True) if take)
        return GradedCrops(self.images[wanted], self.grades[wanted], people)

    def part(self, fold: int, folds: int) -> tuple[GradedCrops, GradedCrops]:
        """The people whose number leaves ``fold`` when divided by ``folds``, and the others."""
        taken = np.array([int(person) % folds == fold for person in self.people])
        return self.select(taken), self.select(~taken)


def public_crop_files(folder: Path) -> list[Path]:
    """The files ``<grade>/<participant><R|L>.<jpg|png>`` below a folder, sorted.

    Raises:
        InputRefused: there is none.
    """
    files = sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix in (".png", ".jpg")
        and path.stem[-1:] in ("R", "L")
        and path.stem[:-1].isdigit()
        and path.parent.name in set("01234")
    )
    if not files:
        raise InputRefused(
            f"folder {Path(folder).name}",
            "must hold crops named <grade 0 to 4>/<participant><R|L>.png or .jpg",
            "none",
            "Give the folder of the unpacked data set.",
        )
    return files


def load_public_crops(folder: Path, size: int = CROP_SIZE) -> GradedCrops:
    """Read the public crops of a folder, left knees mirrored.

    Args:
        folder: with subfolders by grade.
        size: pixels per side.

    Raises:
        InputRefused: no such file.
    """
    files = public_crop_files(folder)
    images = np.empty((len(files), size, size), np.uint8)
    for position, path in enumerate(files):
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"), dtype=np.float32) / 255
        images[position] = _stored(pixels, path.stem.endswith("L"), size)
    grades = np.array([int(path.parent.name) for path in files])
    return GradedCrops(images, grades, tuple(path.stem[:-1] for path in files))


def simulated_crops(knees: int, size: int = CROP_SIZE) -> GradedCrops:
    """The middle 95 mm of the radiographs of simulated knees of the training range, a second of one core each.

    Args:
        knees: how many, from the first seed on.
        size: pixels per side.

    Raises:
        UsageError: fewer than one knee.
    """
    if knees < 1:
        raise UsageError("number of simulated knees", "must be at least 1", str(knees))
    seeds = TRAINING[:knees]
    images = np.empty((knees, size, size), np.uint8)
    for position, seed in enumerate(tqdm(seeds, "simulated knees", disable=not sys.stderr.isatty())):
        film = simulate_radiograph(seed)
        side = film.shape[0] * VIEW_MM / REGION_MM
        corner = (film.shape[0] - side) / 2
        images[position] = _stored(cut_box(film, Box(corner, corner, side, side)), False, size)
    grades = np.array([draw_patient_knee(seed)[1].grade("XRKL") for seed in seeds], dtype=np.int64)
    return GradedCrops(images, grades, tuple(f"simulated {seed}" for seed in seeds))


def _stored(pixels: np.ndarray, mirrored: bool, size: int) -> np.ndarray:
    scaled = normalize_region(pixels, mirrored, size)
    return np.rint((scaled + 1) * 127.5).astype(np.uint8)
