"""Predictors without a network, which every method must beat: the mean slice and the nearest radiograph.

The mean slice minimises the squared error among all predictors that do not look at the input, so its PSNR is high
although it shows no knee in particular; the nearest radiograph shows a real knee, sharp, and the wrong one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from typing import IO, Final

import numpy as np
import torch

from monai_xray2mri.knee.grading.features import one_hot

FEATURE_SIZE: Final = 32
"""Side in pixels to which a radiograph is averaged down."""

Case = tuple[np.ndarray, np.ndarray, Mapping[str, int | None]]
"""Radiograph region [H,W], volume [S,H,W] in [0,1], OAI stem to grade."""


def mean_volume(volumes: Iterable[np.ndarray]) -> np.ndarray:
    """The mean slice per depth over training knees: volumes [S,H,W] to [S,H,W] float32.

    Raises:
        ValueError: no volumes, or volumes of different shapes.
    """
    total: np.ndarray | None = None
    count = 0
    for volume in volumes:
        if total is None:
            total = np.zeros(volume.shape, np.float64)
        _require_shape(volume, total.shape)
        total += volume
        count += 1
    if total is None:
        raise ValueError("needs one volume at least, got none")
    return (total / count).astype(np.float32)


class NearestRadiograph:
    """Predicts the volume of the training knee whose radiograph is most alike.

    A radiograph's features are its region averaged down to 32 x 32 pixels, minus their mean, at norm 1, so that
    exposure and contrast count for nothing; the distance is Euclidean, sqrt(2 - 2 correlation), 0 to 2. With a weight
    above 0 the gradings count too: their one-hot code of width 61 at norm 1, its distance (0 to sqrt(2)) times the
    weight is added in quadrature; unknown features add nothing in common.

    Memory holds the features alone (4 kB a knee); the volumes lie in a temporary file that the system removes, in 8
    bits (an error of 1/510 at most: PSNR of 59 dB at least), as the training set has them.

    Args:
        grade_weight: weight of the gradings' distance.
    """

    def __init__(self, grade_weight: float = 0.0) -> None:
        if grade_weight < 0:
            raise ValueError(f"grade_weight must not be negative, got {grade_weight}")
        self.grade_weight = grade_weight
        self._features = np.empty((0, 0), np.float32)
        self._volumes: IO[bytes] | None = None
        self._shape: tuple[int, ...] = ()

    def fit(self, cases: Iterable[Case]) -> NearestRadiograph:
        """Remember the cases, one at a time; an earlier fit is forgotten.

        Raises:
            ValueError: no cases, volumes of different shapes, or intensities outside 0 to 1.
        """
        self.close()
        volumes, features = tempfile.TemporaryFile(), []  # noqa: SIM115 - it lives as long as the predictor
        try:
            shape: tuple[int, ...] = ()
            for radiograph, volume, grades in cases:
                shape = shape or volume.shape
                _require_shape(volume, shape)
                if volume.min() < 0 or volume.max() > 1:
                    raise ValueError(f"volumes must lie in 0 to 1, got {volume.min():.3g} to {volume.max():.3g}")
                volumes.write(np.rint(volume * 255).astype(np.uint8).tobytes())
                features.append(self._code(radiograph, grades))
            if not features:
                raise ValueError("needs one case at least, got none")
        except BaseException:
            volumes.close()
            raise
        self._volumes, self._shape, self._features = volumes, shape, np.stack(features)
        return self

    def nearest(self, radiograph: np.ndarray, grades: Mapping[str, int | None] | None = None) -> tuple[int, float]:
        """Position of the nearest case in the order of fitting, and its distance; the first among equals.

        Raises:
            ValueError: nothing was fitted.
        """
        self._fitted()
        distances = np.linalg.norm(self._features - self._code(radiograph, grades or {}), axis=1)
        position = int(distances.argmin())
        return position, float(distances[position])

    def predict(self, radiograph: np.ndarray, grades: Mapping[str, int | None] | None = None) -> np.ndarray:
        """The volume [S,H,W] float32 of the nearest case.

        Raises:
            ValueError: nothing was fitted.
        """
        position, _ = self.nearest(radiograph, grades)
        volumes, size = self._fitted(), int(np.prod(self._shape))
        volumes.seek(position * size)
        stored = np.frombuffer(volumes.read(size), np.uint8).reshape(self._shape)
        return stored.astype(np.float32) / 255

    def close(self) -> None:
        """Forget the cases and free the temporary file."""
        if self._volumes is not None:
            self._volumes.close()
        self._volumes, self._features = None, np.empty((0, 0), np.float32)

    def _fitted(self) -> IO[bytes]:
        if self._volumes is None:
            raise ValueError("fit the predictor before use")
        return self._volumes

    def _code(self, radiograph: np.ndarray, grades: Mapping[str, int | None]) -> np.ndarray:
        picture = radiograph_features(radiograph)
        if not self.grade_weight:
            return picture
        code = np.asarray(one_hot(grades), np.float32)
        return np.concatenate([picture, self.grade_weight * code / max(float(np.linalg.norm(code)), 1e-6)])


def radiograph_features(radiograph: np.ndarray) -> np.ndarray:
    """A radiograph region [H,W] averaged down to 32 x 32 pixels, minus their mean, at norm 1: [1024] float32.

    Raises:
        ValueError: not a picture of 32 x 32 pixels at least.
    """
    if radiograph.ndim != 2 or min(radiograph.shape) < FEATURE_SIZE:
        raise ValueError(f"needs {FEATURE_SIZE} x {FEATURE_SIZE} pixels at least, got {radiograph.shape}")
    picture = torch.from_numpy(np.array(radiograph, np.float32))[None, None]  # [1,1,H,W]
    small = torch.nn.functional.adaptive_avg_pool2d(picture, FEATURE_SIZE).flatten().double().numpy()
    small = small - small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-9), np.float32)


def _require_shape(volume: np.ndarray, shape: tuple[int, ...]) -> None:
    if volume.shape != shape:
        raise ValueError(f"all volumes must have one shape, got {volume.shape} after {shape}")
