"""Radiographs with Kellgren-Lawrence grades, as the classifier of Wang 2024b is trained and judged on them.

Two sources give the same thing, a square of about 95 mm around the joint of a right knee: the public crops of OAI
films (Chen, Mendeley Data 10.17632/56rmx5bjcr.1, CC BY 4.0), and simulated knees of a training set.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.data.arrays import GEOMETRY, WIDE_SIZE, KneeStore
from monai_xray2mri.knee.detection.networks.koa_classifier import GRADES, VIEW_MM
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.radiograph.resampling import REGION_SIZE, cut_box
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.seeds import TRAINING
from monai_xray2mri.types import Box

CROP_SIZE: Final = 160
"""Pixels per side of a stored crop: a quarter more than the classifier's view, so that turned crops stay sharp."""
_KL_COLUMN: Final = sum(feature.width for feature in FEATURES[: [f.stem for f in FEATURES].index("XRKL")])


@dataclass(frozen=True)
class GradedCrops:
    """Crops of N knees with their grades.

    Attributes:
        images: [N,160,160] uint8, 0 to 255 for grey values -1 to 1, right-knee space.
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

    def halves(self) -> tuple[GradedCrops, GradedCrops]:
        """People of even and of odd number: one half to choose and calibrate with, the other to judge by."""
        even = np.array([int(person) % 2 == 0 for person in self.people])
        return self.select(even), self.select(~even)


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


def load_public_crops(folder: Path, excluded: Collection[str] = ()) -> GradedCrops:
    """Read the public crops of a folder, left knees mirrored.

    Args:
        folder: with subfolders by grade.
        excluded: participants to leave out.

    Raises:
        InputRefused: no such file, or all are excluded.
    """
    files = [path for path in public_crop_files(folder) if path.stem[:-1] not in set(excluded)]
    if not files:
        raise InputRefused(f"folder {Path(folder).name}", "must hold crops of people that are not excluded", "none")
    images = np.empty((len(files), CROP_SIZE, CROP_SIZE), np.uint8)
    for position, path in enumerate(files):
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"), dtype=np.float32) / 255
        images[position] = _stored(pixels, mirrored=path.stem.endswith("L"))
    grades = np.array([int(path.parent.name) for path in files])
    return GradedCrops(images, grades, tuple(path.stem[:-1] for path in files))


def load_simulated_crops(directory: Path, knees: int | None = None) -> GradedCrops:
    """Read the complete knees of a training set (:class:`~monai_xray2mri.knee.data.arrays.KneeStore`) that are graded.

    Args:
        directory: the set.
        knees: only the first so many rows; None takes all.

    Raises:
        UsageError: no training set there, or none of its knees is complete and graded.
    """
    store = KneeStore.open(Path(directory))
    code = np.asarray(store.array("features"))[:knees, _KL_COLUMN : _KL_COLUMN + GRADES]
    rows = np.flatnonzero(store.done[:knees] & (code.sum(axis=1) == 1))
    if not len(rows):
        raise UsageError(
            f"training set {store.directory.name}",
            "must hold complete knees with a Kellgren-Lawrence grade",
            "none",
            "Make the set first, or name another.",
        )
    side = REGION_SIZE * VIEW_MM / GEOMETRY["region_mm"]
    box = Box((WIDE_SIZE - side) / 2, (WIDE_SIZE - side) / 2, side, side)
    films = store.array("radiographs")
    crops = [_stored(cut_box(films[row].astype(np.float32) / 65535, box), mirrored=False) for row in rows]
    people = tuple(str(store.index["knees"][row]) for row in rows)
    return GradedCrops(np.stack(crops), code[rows].argmax(axis=1), people)


def simulated_crops(knees: int) -> GradedCrops:
    """The middle 95 mm of the radiographs of simulated knees of the training range, a second of one core each.

    Args:
        knees: how many, from the first seed on.
    """
    seeds, side = TRAINING[:knees], REGION_SIZE * VIEW_MM / GEOMETRY["region_mm"]
    box = Box((REGION_SIZE - side) / 2, (REGION_SIZE - side) / 2, side, side)
    crops = [_stored(cut_box(simulate_radiograph(seed), box), mirrored=False) for seed in seeds]
    grades = np.array([draw_patient_knee(seed)[1].grade("XRKL") for seed in seeds], dtype=np.int64)
    images = np.stack(crops) if crops else np.empty((0, CROP_SIZE, CROP_SIZE), np.uint8)
    return GradedCrops(images, grades, tuple(f"simulated {seed}" for seed in seeds))


def _stored(pixels: np.ndarray, mirrored: bool) -> np.ndarray:
    scaled = normalize_region(pixels, mirrored, CROP_SIZE)
    return np.rint((scaled + 1) * 127.5).astype(np.uint8)
