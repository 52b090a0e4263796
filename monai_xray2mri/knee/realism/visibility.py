"""Test of the option ``visibility``: how well classifiers read the hidden features from radiograph and other grades.

``xray2mri measure visibility [--knees N] [--visibility V ...]``

The option determines how visible cysts, chondrocalcinosis and attrition are in the radiograph. In patients they are
correlated with other grades, so the other grades alone predict them in part. To separate both effects, the knees are
those of the lesion-enriched range, where each of the eight features is drawn independently. There the other grades
predict nothing (``grades`` below is 0.5 within chance), and a score above 0.5 of a classifier of radiograph and grades
comes from the radiograph. :func:`grades_alone` measures what the grades predict in patients with OAI's prevalences.

The classifiers see the radiograph as a perfect joint detector cuts it out, so a feature is always at about the same
position. This makes them better readers than the synthesis network, whose joint detector makes errors. They are linear,
and their features are bright and dark blobs, fine speckle and coarse shading around the usual site of the lesion. Every
score is cross-validated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.knee.realism.discrimination import (
    area_under_curve,
    cross_validated_scores,
    discrimination,
    logistic_scores,
)
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES, patient_grades
from monai_xray2mri.simulation.knee.people.seeds import LESION_ENRICHED, SIMULATOR_VERSION, TEST
from monai_xray2mri.simulation.knee.xray.radiography import JOINT_ROW, MAGNIFICATION, REGION_MM, REGION_PIXELS
from monai_xray2mri.simulation.tools.noise import blurred

_MARGIN: Final = 0.02
_PIXEL_MM: Final = REGION_MM / MAGNIFICATION / REGION_PIXELS
_SITES: Final[Mapping[str, tuple[float, float]]] = {
    "XRCYF": (22.0, 12.0),
    "XRCYT": (22.0, -11.0),
    "XRCH": (22.0, 2.0),
    "XRATT": (25.0, -5.0),
}
"""Kind of feature to the absolute x and the z of its usual site on the radiograph, in mm for a mean knee."""
_HALF_MM: Final = (9.0, 13.0)
"""Half height and half width in mm of the window around a site."""
_BLOBS_MM: Final = (1.0, 1.8, 3.0)
_WIDER: Final = 1.6
_COARSE: Final = (6, 8)
_REPEATS: Final = 2
_FEWEST: Final = 10


@dataclass(frozen=True)
class Leak:
    """How well one hidden feature is read: areas under the ROC curve of three classifiers.

    Attributes:
        both: area of a classifier that sees the radiograph and the other grades.
        low, high: its 95 % interval.
        radiograph: area of a classifier that sees only the radiograph.
        grades: area of a classifier that sees only the other grades; 0.5 within chance if they are independent.
    """

    both: float
    low: float
    high: float
    radiograph: float
    grades: float

    @property
    def gain(self) -> float:
        """Gain in area by the radiograph, compared with the other grades alone."""
        return self.both - self.grades


def radiographs(seeds: Sequence[int], visibility: float) -> np.ndarray:
    """Radiographs [N,H,W] in [0,1] of the region that a perfect joint detector cuts out."""
    return np.stack([simulate_radiograph(seed, visibility=visibility, margin=_MARGIN) for seed in seeds])


def other_grades(grades: Sequence[Mapping[str, int]], stem: str) -> np.ndarray:
    """Features [N,36] of the other grades: each scaled to 0 to 1, and whether it is above 0."""
    others = [name for name in MAXIMAL_GRADES if name != stem]
    values = np.array([[knee[name] / MAXIMAL_GRADES[name] for name in others] for knee in grades])
    return np.concatenate((values, values > 0), 1)


def site_features(images: np.ndarray, stem: str) -> np.ndarray:
    """Image features [N,F] around the usual site of a lesion.

    Args:
        images: [N,H,W] of :func:`radiographs`.
        stem: OAI stem.
    """
    return np.stack([_site_features(torch.from_numpy(image), stem) for image in images])


def _site_features(image: Tensor, stem: str) -> np.ndarray:
    rows, columns = _window(stem)
    reach = round(3 * _WIDER * _BLOBS_MM[-1] / _PIXEL_MM)  # reach of the blur in pixels
    around = image[max(0, rows.start - reach) : rows.stop + reach, max(0, columns.start - reach) : columns.stop + reach]
    window = tuple(slice(min(s.start, reach), min(s.start, reach) + s.stop - s.start) for s in (rows, columns))
    local = image[rows, columns]
    spread = local.std().clamp(min=1e-3)
    coarse = F.adaptive_avg_pool2d(((local - local.mean()) / spread)[None, None], _COARSE).flatten()
    found = [coarse, _texture((local - local.mean()) / spread)]
    for width in _BLOBS_MM:
        sigma = width / _PIXEL_MM
        blob = (blurred(around, sigma, sigma) - blurred(around, _WIDER * sigma, _WIDER * sigma))[window] / spread
        found.append(torch.stack((blob.max(), blob.min(), blob.std())))
        found.append(F.adaptive_max_pool2d(blob[None, None], (2, 3)).flatten())
        found.append(-F.adaptive_max_pool2d(-blob[None, None], (2, 3)).flatten())
    return torch.cat(found).double().numpy()


def _texture(local: Tensor) -> Tensor:
    """Strength of the fine structure along rows and columns."""
    return torch.stack([local.diff(dim=dim, n=order).abs().mean() for dim in (0, 1) for order in (1, 2)])


def _window(stem: str) -> tuple[slice, slice]:
    x, z = _SITES[stem[:-1]]
    sign = 1.0 if stem.endswith("M") else -1.0
    extra, side = round(_MARGIN * REGION_PIXELS), REGION_PIXELS * _PIXEL_MM
    row = extra + (JOINT_ROW * side - z) / _PIXEL_MM
    column = extra + (side / 2 + sign * x) / _PIXEL_MM
    rows, columns = (round(half / _PIXEL_MM) for half in _HALF_MM)
    return slice(round(row) - rows, round(row) + rows), slice(round(column) - columns, round(column) + columns)


def leaks(images: np.ndarray, grades: Sequence[Mapping[str, int]]) -> dict[str, Leak]:
    """How well each hidden feature is read, by OAI stem.

    Args:
        images: [N,H,W] of :func:`radiographs`.
        grades: grades of each knee, by OAI stem.
    """
    found = {}
    groups = np.array([str(number) for number in range(len(images))])
    for stem in LESION_FEATURES:
        truth = np.array([float(knee[stem] > 0) for knee in grades])
        known = other_grades(grades, stem)
        seen = site_features(images, stem)
        scores = [
            cross_validated_scores(inputs, truth, groups, logistic_scores, _REPEATS, 0)
            for inputs in (np.concatenate((seen, known), 1), seen, known)
        ]
        both = discrimination(scores[0], truth, groups)
        alone = [area_under_curve(each, truth) for each in scores[1:]]
        found[stem] = Leak(both.auc, both.low, both.high, *alone)
    return found


def grades_alone(knees: int) -> dict[str, float | None]:
    """Area under the ROC curve by the other grades alone, with OAI's prevalences; None if too few have the feature."""
    grades = [patient_grades(seed) for seed in TEST[:knees]]
    groups = np.array([str(number) for number in range(knees)])
    found: dict[str, float | None] = {}
    for stem in LESION_FEATURES:
        truth = np.array([float(knee[stem] > 0) for knee in grades])
        if truth.sum() < _FEWEST:
            found[stem] = None
            continue
        scores = cross_validated_scores(other_grades(grades, stem), truth, groups, logistic_scores, 1, 0)
        found[stem] = round(area_under_curve(scores, truth), 3)
    return found


@one_thread()
def report(knees: int, visibilities: Sequence[float], patients: int) -> dict[str, object]:
    """How well the hidden features are read, ready for JSON.

    Args:
        knees: number of knees of the lesion-enriched range.
        visibilities: visibilities of the radiographs, each 0 to 1.
        patients: number of knees of :func:`grades_alone`.
    """
    seeds = LESION_ENRICHED[:knees]
    grades = [patient_grades(seed) for seed in seeds]
    record: dict[str, object] = {"simulator": SIMULATOR_VERSION, "knees": knees}
    for visibility in visibilities:
        found = leaks(radiographs(seeds, visibility), grades)
        record[f"visibility {visibility:g}"] = {
            stem: {name: round(value, 3) for name, value in {**asdict(leak), "gain": leak.gain}.items()}
            for stem, leak in found.items()
        }
    record["grades alone, as in OAI"] = grades_alone(patients)
    return record
