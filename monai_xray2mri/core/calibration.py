"""The calibration of a bundle's uncertainty: how wide an interval of samples must be to hold what it says.

``xray2mri evaluate --studies calibration`` makes it (:mod:`monai_xray2mri.evaluation.conformal` has the mathematics)
and it travels with the bundle. The interval is mean +- scale * (standard deviation + floor) of K samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import WeightsError

CALIBRATION_FILE: Final = "models/calibration.json"
"""Where the calibration lies in a bundle."""


@dataclass(frozen=True)
class Calibration:
    """A calibration that travels with a bundle.

    Attributes:
        level: share of a case's voxels that the interval is to hold, in the mean over participants.
        scale: of the interval, by conformal risk control.
        one_sided_scale: by the risk-controlling bound, with ``delta``.
        delta: chance that the loss exceeds 1 - level all the same.
        constant: half width in intensity of the interval of one width for all voxels at the same level.
        floor: of the interval, in intensity.
        samples: K of each case.
        sampling: the sampler that they were drawn with, see ``SamplerSettings``.
        participants: people whose cases calibrated.
        seeds: first and last name of their cases.
        simulator: its version.
        weights_sha256: of the weights it is for.
    """

    level: float
    scale: float
    one_sided_scale: float
    delta: float
    constant: float
    floor: float
    samples: int
    sampling: Mapping[str, float]
    participants: int
    seeds: tuple[str, str]
    simulator: str
    weights_sha256: str

    def record(self) -> dict[str, Any]:
        """As the file holds it."""
        return asdict(self)

    def holds_for(self, samples: int, sampling: Mapping[str, float]) -> bool:
        """Whether it holds for this number of samples, drawn with these settings of the sampler."""
        return samples == self.samples and dict(sampling) == dict(self.sampling)


def read_calibration(bundle: Path, weights_sha256: str, renamed: Mapping[str, str] | None = None) -> Calibration | None:
    """The calibration of a bundle; None where there is none, or where it is of other weights.

    Args:
        bundle: its folder.
        weights_sha256: of its weights.
        renamed: names of entries in files of earlier versions, and the fields that they are now.

    Raises:
        WeightsError: the file is damaged.
    """
    path = bundle / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        names, content = renamed or {}, dict(json.loads(path.read_text()))
        stored = Calibration(**{names.get(name, name): value for name, value in content.items()})
        float(stored.scale), float(stored.floor), dict(stored.sampling)
    except (OSError, ValueError, TypeError) as error:
        rule = "must be the JSON that `xray2mri evaluate` writes"
        raise WeightsError(f"calibration {path.name}", rule, type(error).__name__, "Calibrate again.") from error
    return stored if stored.weights_sha256 == weights_sha256 else None
