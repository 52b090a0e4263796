"""Methods without a network, which every other must beat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np
import torch

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.systems.foot_xray_sccdm.baselines.given import FittingPair, GivenPhotograph


class PhotographItself:
    """The photograph in the place of the radiograph."""

    def predict(self, given: GivenPhotograph, samples: int, seed: int) -> np.ndarray:
        """[1,S,S]."""
        return given.photograph[None]


class MeanRadiograph:
    """The mean of the training radiographs, whatever the photograph: the least squared error without one."""

    def __init__(self) -> None:
        self._mean: np.ndarray | None = None

    def fit(self, cases: Iterable[FittingPair]) -> None:
        """Average the radiographs.

        Raises:
            ValueError: there are none.
        """
        radiographs = [case.radiograph for case in cases]
        if not radiographs:
            raise ValueError("needs one training pair at least, got none")
        self._mean = np.asarray(np.mean(radiographs, axis=0, dtype=np.float64), np.float32)

    def predict(self, given: GivenPhotograph, samples: int, seed: int) -> np.ndarray:
        """[1,S,S]; raises ValueError before it is fitted."""
        if self._mean is None:
            raise ValueError("fit the method to training pairs before use")
        return self._mean[None]


class _Memory:
    """Training pairs in 8 bits."""

    def __init__(self) -> None:
        self.photographs = self.radiographs = np.empty((0, 0, 0), np.uint8)

    def fit(self, cases: Iterable[FittingPair]) -> None:
        """Remember the pairs."""
        pairs = [(_bytes(case.photograph), _bytes(case.radiograph)) for case in cases]
        self.photographs, self.radiographs = (np.stack(pictures) for pictures in zip(*pairs, strict=True))

    def _require(self) -> None:
        if not len(self.radiographs):
            raise ValueError("fit the method to training pairs before use")


class AnotherRadiograph(_Memory):
    """The radiograph of another foot, drawn: what a sharp and wrong answer scores."""

    def predict(self, given: GivenPhotograph, samples: int, seed: int) -> np.ndarray:
        """[1,S,S]; raises ValueError before it is fitted."""
        return _floats(self.radiographs[self._drawn(given, seed)])[None]

    def photograph(self, given: GivenPhotograph, seed: int) -> np.ndarray:
        """[S,S] of that foot; raises ValueError before it is fitted."""
        return _floats(self.photographs[self._drawn(given, seed)])

    def _drawn(self, given: GivenPhotograph, seed: int) -> int:
        self._require()
        generator = case_generator("another radiograph", seed, given.name)
        return int(torch.randint(len(self.radiographs), (), generator=generator))


class NearestPhotograph(_Memory):
    """The radiograph of the training pair whose photograph is most alike by squared error, brightness aside."""

    def predict(self, given: GivenPhotograph, samples: int, seed: int) -> np.ndarray:
        """[1,S,S]; raises ValueError before it is fitted."""
        self._require()
        wanted = even_brightness(given.photograph)
        errors = [np.square(even_brightness(_floats(each)) - wanted).mean() for each in self.photographs]
        return _floats(self.radiographs[int(np.argmin(errors))])[None]


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


def _floats(picture: np.ndarray) -> np.ndarray:
    return np.asarray(picture, np.float32) / 255


def even_brightness(photograph: np.ndarray) -> np.ndarray:
    """A photograph [S,S] whose foot has the mean brightness 1, so that neither skin nor exposure tells feet apart."""
    foot = photograph[photograph > 0]
    return photograph / max(float(foot.mean()) if foot.size else 0.0, 1e-3)


BASELINES: Final[Mapping[str, Callable[[], Method]]] = {
    "photograph itself": PhotographItself,
    "mean radiograph": MeanRadiograph,
    "another radiograph": AnotherRadiograph,
    "nearest photograph": NearestPhotograph,
}
"""Methods without weights by the names that tables have for them."""
