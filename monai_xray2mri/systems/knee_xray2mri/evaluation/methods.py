"""Methods that are evaluated: anything with one method ``predict``, registered under a name.

A method of one's own needs no change here: ``xray2mri evaluate --method NAME=package.module:Class`` takes any class
with ``predict``, ``NAME=FOLDER`` volumes that were generated elsewhere. A class that also has ``fit`` is shown training
knees first. See docs/benchmark.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from monai_xray2mri.core.calibration import Calibration
from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.conformal import NOMINAL
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.systems.knee_xray2mri.evaluation.baselines import MeanSlice, NearestRadiograph
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import MODELLED, EvaluationKnee, KneeInputs
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.types import Side

RADIOGRAPH: Final = "radiograph"
FEATURES: Final = "features"


def generated(method: Method, knee: KneeInputs, samples: int, seed: int, size: int = 256) -> np.ndarray:
    """What a method predicts, if it is what was asked for.

    Returns:
        [samples or 1,S,H,W] float32.

    Raises:
        InputRefused: another shape, a voxel that is no number, or intensities beyond 0 to 1.
    """
    volumes = np.asarray(method.predict(knee, samples, seed))
    wanted, what = (len(knee.depths), size, size), f"volume of knee {knee.name}"
    if volumes.ndim != 4 or volumes.shape[1:] != wanted or len(volumes) not in (1, samples):
        raise InputRefused(what, f"must have the shape {('samples', *wanted)}", f"{volumes.shape}")
    if not np.isfinite(volumes).all():
        raise InputRefused(what, "must hold numbers", f"{int((~np.isfinite(volumes)).sum())} voxels are none")
    if volumes.min() < -1e-3 or volumes.max() > 1 + 1e-3:
        raise InputRefused(what, "must lie in 0 to 1", f"{volumes.min():.3g} to {volumes.max():.3g}")
    return volumes.astype(np.float32, copy=False)


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
        self._mean = MeanSlice()

    def fit(self, cases: Iterable[EvaluationKnee]) -> None:
        """Average the volumes."""
        self._mean.fit((np.empty(0), case.volume, {}) for case in cases)

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """The mean volume."""
        return at_depths(self._mean.predict(np.empty(0)), knee.depths)[None]


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
    """The same simulated knee examined again: what a sample of a perfect method would reach (the ceiling)."""

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """Examinations with everything drawn again that no radiograph can tell."""
        again = (simulate_knee(int(knee.name), nuisance=1 + seed * samples + number) for number in range(samples))
        return np.stack([at_depths(other.volume[MODELLED], knee.depths) for other in again])


class FolderMethod:
    """Volumes that were generated elsewhere: ``FOLDER/<knee>.npy``, [S,H,W] or [samples,S,H,W], 0 to 1.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """Read the knee's volumes.

        Raises:
            InputRefused: there is none, or it is no array of volumes of the modelled slices.
        """
        what, path = f"volume of knee {knee.name}", self.folder / f"{knee.name}.npy"
        try:
            stored = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            raise InputRefused(what, f"must lie in {self.folder.name}", "no such file") from None
        except ValueError as error:
            raise InputRefused(what, "must be an array", type(error).__name__) from error
        if stored.ndim == 3:
            stored = stored[None]
        expected = MODELLED.stop - MODELLED.start
        if stored.ndim != 4 or stored.shape[1] != expected:
            raise InputRefused(what, f"must hold {expected} slices [S,H,W]", f"{stored.shape}")
        kept = stored if len(stored) in (1, samples) else stored[: max(1, min(samples, len(stored)))]
        kept = kept if len(kept) in (1, samples) else kept[:1]
        return np.stack([at_depths(volume, knee.depths) for volume in kept])


@dataclass(frozen=True)
class NetworkMethod:
    """A trained network with its sampler.

    Attributes:
        network: on its device.
        given: which of ``"radiograph"`` and ``"features"`` it is given; a baseline that was trained without one is not
            given it.
        sampler: settings; None = the network's own.
        record: name, version and hash of its weights, for the records.
        calibration: of its uncertainty, see :mod:`~monai_xray2mri.core.calibration`; None: not calibrated.
    """

    network: SliceDiffusion
    given: frozenset[str] = frozenset((RADIOGRAPH, FEATURES))
    sampler: SamplerSettings | None = None
    record: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None

    def given_only(self, *given: str) -> NetworkMethod:
        """The same network, given no more than this."""
        return replace(self, given=self.given.intersection(given))

    def sampled_with(self, **settings: Any) -> NetworkMethod:
        """The same network with other settings of its sampler."""
        return replace(self, sampler=(self.sampler or self.network.settings).altered(**settings))

    def sampling(self) -> dict[str, float]:
        """The settings of the sampler by name."""
        return asdict(self.sampler or self.network.settings)

    @torch.inference_mode()
    def condition(self, knee: KneeInputs) -> Condition:
        """Encode what is given of a knee; what is not is the null condition."""
        network, null = self.network, self.network.null_condition(1)
        features = None
        if FEATURES in self.given:
            features = torch.from_numpy(one_hot(knee.grades))[None].to(null.context)  # [1,61]
        if knee.radiograph is None or RADIOGRAPH not in self.given:
            return network.null_condition(1, features)
        film = torch.from_numpy(knee.radiograph)[None, None].to(null.context)  # [1,1,H,W]
        whole = network.condition(film, features)
        # Wang 2024b reads its guide in the radiograph, so that it comes and goes with it.
        return whole if FEATURES in self.given else whole._replace(guide=null.guide)

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """Sample, each volume with its own noise."""
        condition, network, depths = self.condition(knee), self.network, torch.tensor(knee.depths)
        volumes = []
        for sample in range(samples):
            generator = case_generator(seed, knee.name, Side.RIGHT, sample)
            noise = network.draw_noise(generator, self.sampler)
            volume = network.sample_volume(condition, noise=noise, settings=self.sampler, depths=depths)[
                0, 0
            ]  # [S,H,W]
            volumes.append(((volume + 1) / 2).cpu().numpy())
        return np.stack(volumes)


def bounds_of(method: Method) -> tuple[float, float]:
    """Scale and floor of a method's interval at 90 %: of its calibration, else 1.64 standard deviations of samples."""
    calibration = method.calibration if isinstance(method, NetworkMethod) else None
    return (NOMINAL, 0.0) if calibration is None else (calibration.scale, calibration.floor)


def radiograph_of(knee: KneeInputs) -> np.ndarray:
    """The radiograph of a knee that must have one.

    Raises:
        InputRefused: it has none.
    """
    if knee.radiograph is None:
        raise InputRefused(f"knee {knee.name}", "needs a radiograph", "none")
    return knee.radiograph


def weights_record(weights: Path, bundle: Path) -> dict[str, Any]:
    """Name, version and hash of weights."""
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    return {
        "bundle": bundle.resolve().name,
        "version": metadata["version"],
        "simulator": metadata.get("simulator_version"),
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }


METHODS: dict[str, type] = {"mean slice": MeanSliceMethod, "nearest neighbour": NearestNeighbourMethod}
"""Methods without weights, which every other must beat; ``register`` adds to them."""


def register(name: str, method: type) -> None:
    """Add a method under a name.

    Raises:
        UsageError: the name is taken.
    """
    if name in METHODS:
        raise UsageError(f"method {name}", "must have a name of its own", "taken")
    METHODS[name] = method
