"""Hallux valgus and intermetatarsal angle of generated radiographs, with what is known of how far they can be trusted.

The angles of a generated radiograph are measured on a synthetic image. Each sample is measured by itself, since a mean
of samples blurs the bones; the median is told, with an interval. The interval is conformal where the bundle holds a
measured half width for this way of drawing, otherwise the range of the samples, which has no coverage to speak of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from monai_xray2mri.core.bundles import configuration
from monai_xray2mri.errors import WeightsError
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.completeness import TAU, keypoint_completeness
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.detector import Keypoints, find_keypoints
from monai_xray2mri.systems.foot_xray_sccdm.options import FootSampling

ANGLES: Final = ("hallux_valgus", "intermetatarsal")
NAMES: Final = {"hallux_valgus": "hallux valgus angle", "intermetatarsal": "intermetatarsal angle"}
AXES: Final = {
    "hallux_valgus": (
        ("metatarsal 1 base", "metatarsal 1 head"),
        ("proximal phalanx base", "proximal phalanx head"),
    ),
    "intermetatarsal": (
        ("metatarsal 1 base", "metatarsal 1 head"),
        ("metatarsal 2 base", "metatarsal 2 head"),
    ),
}
"""The two axes that each angle is measured between, by keypoints."""
MEASURED_ON: Final = "Measured on a synthetic image, not on the patient."


@dataclass(frozen=True)
class AngleInterval:
    """Half widths that a suite measured for a bundle: entry ``angle_interval`` of its ``inference.json``.

    Attributes:
        level: share of feet whose true angle the interval held.
        samples: radiographs of which the median was taken.
        sampling: how they were drawn, see :meth:`FootSampling.sampler_record`.
        half_width_deg: by angle, in degrees.
        feet: number of simulated feet that it was measured on.
    """

    level: float
    samples: int
    sampling: Mapping[str, object]
    half_width_deg: Mapping[str, float]
    feet: int

    @classmethod
    def of(cls, bundle: Path, weights_sha256: str) -> AngleInterval | None:
        """That of a bundle; None where none was measured, or where it was measured with other weights.

        Raises:
            WeightsError: the entry is damaged.
        """
        entry = configuration(bundle).get("angle_interval")
        if entry is None:
            return None
        try:
            widths = {name: float(entry["half_width_deg"][name]) for name in ANGLES}
            found = cls(
                float(entry["level"]), int(entry["samples"]), dict(entry["sampling"]), widths, int(entry["feet"])
            )
            same = entry["weights_sha256"] == weights_sha256
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"bundle {bundle.name}",
                "must hold a whole angle_interval, or none",
                f"{type(error).__name__} in inference.json",
                "Measure it again, or set the entry to null.",
            ) from error
        return found if same else None

    def holds_for(self, sampling: FootSampling) -> bool:
        """Whether it was measured for this way of drawing."""
        return sampling.samples == self.samples and sampling.sampler_record() == dict(self.sampling)


@dataclass(frozen=True)
class MeasuredAngle:
    """One angle in degrees.

    Attributes:
        samples: of each radiograph.
        median: of these.
        low: lower end of the interval; None without an interval.
        high: upper end.
    """

    samples: tuple[float, ...]
    median: float
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """``24.1 degrees (21.9 to 26.0)``."""
        interval = "" if self.low is None else f" ({self.low:.1f} to {self.high:.1f})"
        return f"{self.median:.1f} degrees{interval}"


@dataclass(frozen=True)
class FootMeasures:
    """What is measured on the radiographs of one foot.

    Attributes:
        points: [10,2] float64 (row, column), the median of the samples, on the network's grid: right foot, toes up.
        confidence: [10] in [0,1], the mean of the samples, in the order of
            :data:`~monai_xray2mri.simulation.foot.skeleton.KEYPOINTS`.
        completeness: KCC (Wan 2025, Eq. 12), the mean of the samples.
        angles: by name, see :data:`ANGLES`.
        interval: what the interval is.
        meaning: the same in words.
    """

    points: np.ndarray
    confidence: np.ndarray
    completeness: float
    angles: Mapping[str, MeasuredAngle]
    interval: Literal["conformal", "range of the samples", "none"]
    meaning: str

    @property
    def unsure(self) -> tuple[str, ...]:
        """Keypoints of the angles that the detector is not sure of."""
        used = {point for axes in AXES.values() for axis in axes for point in axis}
        known = zip(KEYPOINTS, self.confidence, strict=True)
        return tuple(name for name, sure in known if name in used and sure < TAU)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What makes the angles doubtful."""
        if not self.unsure:
            return ()
        names = ", ".join(self.unsure)
        return (f"keypoints below the confidence {TAU:g}, so that the angles are doubtful: {names}",)

    def points_shown(self, mirrored: bool, size: int) -> dict[str, tuple[float, float]]:
        """(row, column) of the keypoints by name, on the picture of ``size`` columns as it is shown."""
        rows, columns = self.points.T
        columns = size - 1 - columns if mirrored else columns
        return {name: (float(r), float(c)) for name, r, c in zip(KEYPOINTS, rows, columns, strict=True)}

    def record(self) -> dict[str, Any]:
        """For ``report.json``: degrees to a hundredth."""
        angles = {
            name: {
                "median_deg": round(angle.median, 2),
                "low_deg": None if angle.low is None else round(angle.low, 2),
                "high_deg": None if angle.high is None else round(angle.high, 2),
                "samples_deg": [round(value, 2) for value in angle.samples],
            }
            for name, angle in self.angles.items()
        }
        return {
            **angles,
            "interval": self.interval,
            "meaning": self.meaning,
            "measured_on": MEASURED_ON,
            "keypoint_completeness": round(self.completeness, 4),
            "remarks": list(self.remarks),
        }


def measure_foot(
    radiographs: Sequence[np.ndarray], sampling: FootSampling, interval: AngleInterval | None, *, forced: bool = False
) -> FootMeasures:
    """Measure the radiographs of one foot.

    Args:
        radiographs: samples [256,256] in [0,1], right foot, toes up, bone bright.
        sampling: how they were drawn.
        interval: of the bundle; used where it holds for this sampling.
        forced: the photograph is one that a check doubts: what was measured on others does not hold for it.
    """
    found: list[Keypoints] = [find_keypoints(image) for image in radiographs]
    measured = np.array([keypoints.angles for keypoints in found], dtype=np.float64)  # [K,2]
    known = interval if interval is not None and interval.holds_for(sampling) and not forced else None
    angles = {}
    for name, values in zip(ANGLES, measured.T, strict=True):
        median, low, high = float(np.median(values)), None, None
        if known is not None:
            low, high = median - known.half_width_deg[name], median + known.half_width_deg[name]
        elif len(values) > 1:
            low, high = float(values.min()), float(values.max())
        angles[name] = MeasuredAngle(tuple(map(float, values)), median, low, high)
    confidence = np.array([keypoints.confidence for keypoints in found], dtype=np.float64)  # [K,10]
    points = np.median(np.array([keypoints.points for keypoints in found], dtype=np.float64), axis=0)
    completeness = float(np.mean([keypoint_completeness(one) for one in confidence]))
    kind, meaning = _meaning(known, len(found))
    return FootMeasures(points, confidence.mean(axis=0), completeness, angles, kind, meaning)


def _meaning(
    known: AngleInterval | None, samples: int
) -> tuple[Literal["conformal", "range of the samples", "none"], str]:
    if known is not None:
        words = (
            f"median of {samples} samples; an interval of this width held {known.level:.0%} of the true angles of "
            f"{known.feet} simulated feet, which says nothing of patients"
        )
        return "conformal", words
    if samples > 1:
        return "range of the samples", f"median and range of {samples} samples; not calibrated: no coverage is known"
    return "none", "one sample was drawn: no interval can be given"
