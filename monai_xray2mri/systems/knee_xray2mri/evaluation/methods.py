"""Methods that are evaluated on knees: anything that has ``predict``.

A method of one's own needs no change here: ``xray2mri evaluate --method NAME=package.module:Class`` takes any class
with ``predict``, and ``--method NAME=FOLDER`` takes volumes that were generated elsewhere. A class that also has
``fit`` is shown training knees first. See docs/evaluation/benchmark.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
import torch

from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.evaluation.conformal import NOMINAL
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView
from monai_xray2mri.systems.knee_xray2mri.evaluation.baselines import NearestRadiograph, mean_volume
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import MODELED, EvaluationKnee, KneeInputs
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI

RADIOGRAPH_INPUT: Final = "radiograph"
FEATURES_INPUT: Final = "features"
"""What a network may be given of a knee."""


def at_depths(volume: np.ndarray, depths: Iterable[float]) -> np.ndarray:
    """Slices of [S,H,W] at depths 0 to 1, between slices interpolated."""
    places = np.asarray(list(depths)) * (len(volume) - 1)
    low = np.clip(np.floor(places + 1e-6).astype(int), 0, len(volume) - 1)
    share = np.clip(places - low, 0, 1).astype(np.float32)[:, None, None]
    share[share < 1e-6] = 0
    return np.asarray((1 - share) * volume[low] + share * volume[np.minimum(low + 1, len(volume) - 1)], np.float32)


class MeanSliceMethod:
    """The mean of the training volumes, whatever the radiograph."""

    def __init__(self) -> None:
        self._mean: np.ndarray | None = None

    def fit(self, cases: Iterable[EvaluationKnee]) -> None:
        """Average the volumes."""
        self._mean = mean_volume(case.volume for case in cases)

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """The mean volume.

        Raises:
            ValueError: it was not fitted.
        """
        if self._mean is None:
            raise ValueError("fit the method before use")
        return at_depths(self._mean, knee.depths)[None]


class NearestNeighbourMethod:
    """The volume of the training knee whose radiograph is most alike."""

    def __init__(self) -> None:
        self._nearest = NearestRadiograph()

    def fit(self, cases: Iterable[EvaluationKnee]) -> None:
        """Remember the knees."""
        self._nearest.fit((radiograph_of(case.inputs), case.volume, case.inputs.grades) for case in cases)

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """The nearest knee's volume."""
        return at_depths(self._nearest.predict(radiograph_of(knee), knee.grades), knee.depths)[None]


class AnotherExamination:
    """The same simulated knee examined again: the ceiling, which a sample of a perfect method would reach."""

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """Examinations in which everything is drawn again that no radiograph can tell."""
        again = (simulate_knee(int(knee.name), nuisance=1 + seed * samples + number) for number in range(samples))
        return np.stack([at_depths(other.volume[MODELED], knee.depths) for other in again])


def modeled_slices(volume: np.ndarray, knee: KneeInputs) -> np.ndarray:
    """The slices [S,H,W] that are asked for, of a stored volume of all modelled slices.

    Raises:
        InputRefused: it has another number of slices.
    """
    expected = MODELED.stop - MODELED.start
    if volume.ndim != 3 or len(volume) != expected:
        raise InputRefused(f"volume of {knee.title}", f"must hold {expected} slices [S,H,W]", f"{volume.shape}")
    return at_depths(volume, knee.depths)


@dataclass(frozen=True)
class NetworkMethod:
    """A trained network, run by its predictor.

    Attributes:
        predictor: of the network.
        given: which of ``"radiograph"`` and ``"features"`` the network is given; a baseline that was trained without
            one of them is not given it.
        options: sampling options in place of the network's own.
        record: name, version and hash of its weights.
    """

    predictor: Xray2MRI
    given: frozenset[str] = frozenset((RADIOGRAPH_INPUT, FEATURES_INPUT))
    options: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    def restrict(self, *given: str) -> NetworkMethod:
        """The same network, given no more than this."""
        return replace(self, given=self.given.intersection(given))

    def with_sampler(self, **options: Any) -> NetworkMethod:
        """The same network with other sampling options."""
        return replace(self, options={**self.options, **options})

    @property
    def sampler_settings(self) -> SamplerSettings:
        """Settings of the sampler."""
        return self.predictor.resolve(**self.options).sampler

    def settings(self) -> dict[str, Any]:
        """What determines its volumes, for the records."""
        return {**self.record, "sampling": asdict(self.sampler_settings)}

    def view(self, knee: KneeInputs) -> KneeView:
        """What the network is given of a knee."""
        film = None if knee.radiograph is None else torch.from_numpy(knee.radiograph)  # [H,W]
        features = torch.from_numpy(one_hot(knee.grades))  # [61]
        return KneeView(
            film if RADIOGRAPH_INPUT in self.given else None,
            features if FEATURES_INPUT in self.given else None,
            knee.name,
        )

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """Sample, each volume with its own noise."""
        sampling = self.predictor.resolve(**self.options, samples=samples, seed=seed)
        drawn = self.predictor.samples(self.view(knee), sampling, knee.depths)
        return np.stack([(volume + 1) / 2 for volume in drawn])


def bounds_of(method: Method) -> tuple[float, float]:
    """Scale and floor of a method's interval at 90 %: of its calibration, else 1.64 standard deviations of samples."""
    calibration = method.predictor.calibration if isinstance(method, NetworkMethod) else None
    return (NOMINAL, 0.0) if calibration is None else (calibration.scale, calibration.floor)


def radiograph_of(knee: KneeInputs) -> np.ndarray:
    """The radiograph of a knee that must have one.

    Raises:
        InputRefused: it has none.
    """
    if knee.radiograph is None:
        raise InputRefused(f"knee {knee.name}", "needs a radiograph", "none")
    return knee.radiograph


BASELINES: Final[Mapping[str, Callable[[], Method]]] = {
    "mean slice": MeanSliceMethod,
    "nearest neighbour": NearestNeighbourMethod,
}
"""Methods without weights, which every other must beat."""
