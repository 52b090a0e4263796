"""Knees of smooth blobs in the place of simulated ones, for what is built on a cache of knees."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import torch

from monai_xray2mri.knee.data.arrays import ACQUIRED_SLICES, IMAGE_SIZE, WIDE_SIZE
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.people.grades import patient_grades


def blob_knee(seed: int, grades: Mapping[str, int] | None = None, *_: object, **__: object) -> SimpleNamespace:
    """What :func:`simulate_knee` would give: hidden feature n is a bright square in the acquired slices 20 + 4 n on."""
    grades = {**patient_grades(seed), **(grades or {})}
    rows, columns = np.mgrid[-1 : 1 : IMAGE_SIZE * 1j, -1 : 1 : IMAGE_SIZE * 1j]
    middles = np.linspace(-0.5, 0.5, ACQUIRED_SLICES) * (1 + seed % 7 / 7)
    volume = np.exp(-3 * ((rows - middles[:, None, None]) ** 2 + columns**2)).astype(np.float32)
    lesions = np.zeros(volume.shape, np.uint8)
    for number, stem in enumerate(LESION_FEATURES):
        if grades[stem]:
            where = slice(20 + 4 * number, 23 + 4 * number), slice(16 * number, 16 * number + 8), slice(0, 8)
            lesions[where], volume[where] = number + 1, 1.0
    wide = np.linspace(0, 1, WIDE_SIZE)
    space = {"M": 4.0 + seed % 3, "L": 5.0}
    truth = SimpleNamespace(film_joint_space_mm=space, joint_space_mm=space)
    radiograph = np.outer(wide, wide ** (1 + seed % 5)).astype(np.float32)
    return SimpleNamespace(volume=volume, lesions=lesions, radiograph=radiograph, grades=grades, truth=truth)


class BlobPatient:
    """What :class:`~monai_xray2mri.simulation.knee.patient.Patient` would give of the same knee."""

    def __init__(self, knee: SimpleNamespace) -> None:
        self._knee = knee

    @classmethod
    def draw(cls, seed: int, grades: Mapping[str, int] | None = None) -> BlobPatient:
        return cls(blob_knee(seed, grades))

    def stand(self, *_: object) -> SimpleNamespace:
        return SimpleNamespace(
            joint_space_mm=self._knee.truth.film_joint_space_mm, image=lambda: torch.from_numpy(self._knee.radiograph)
        )

    def scan(self) -> SimpleNamespace:
        return SimpleNamespace(
            grades=self._knee.grades, joint_space_mm=self._knee.truth.joint_space_mm, slices=self._slices
        )

    def _slices(self, numbers: list[int]) -> SimpleNamespace:
        volume, lesions = (torch.from_numpy(each[numbers]) for each in (self._knee.volume, self._knee.lesions))
        return SimpleNamespace(volume=volume, lesions=lesions)
