"""What the joint detector reaches on films that it has not seen.

``xray2mri measure detector --films DIR --real knee_xray_rois/val`` prints as JSON what is found on simulated films of
the validation range, on the same films with real joints pasted in, and on the same films with every joint covered. The
time is that of the processor, with one thread, for films at 1 mm per pixel.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from monai_xray2mri.knee.detection.joints import find_joints
from monai_xray2mri.knee.detection.networks.yolo import overlap
from monai_xray2mri.knee.detection.training.films import STORED_MM, Film, films_of
from monai_xray2mri.knee.detection.training.joints import read_crops
from monai_xray2mri.knee.detection.training.views import paste_patches
from monai_xray2mri.radiograph.knee.joint import REGION_MM
from monai_xray2mri.radiograph.knee.region import LEAST_CONFIDENCE
from monai_xray2mri.radiograph.knee.roi import FoundJoint, Locator
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, VALIDATION

MATCHED_MM = 40.0
"""A joint found this near to a true one is that one; further away it is a false knee."""


@dataclass
class Score:
    """What was found on some films.

    Attributes:
        films: how many.
        joints: true joints on them.
        found: of those.
        false: joints found where there is none.
        overlaps: intersection over union of each found box of 110 mm with the true one.
        errors_mm: distance of each found center from the true one.
        kinds_right: found joints whose class (knee or prosthesis) is right.
        seconds: of the processor for each film.
    """

    films: int = 0
    joints: int = 0
    found: int = 0
    false: int = 0
    overlaps: list[float] = field(default_factory=list)
    errors_mm: list[float] = field(default_factory=list)
    kinds_right: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, film: Film, locate: Locator) -> None:
        """Count what is found on a film."""
        start = time.process_time()
        found = [joint for joint in locate(film.pixels, (STORED_MM, STORED_MM)) if joint.confidence >= LEAST_CONFIDENCE]
        self.seconds.append(time.process_time() - start)
        self.films += 1
        self.joints += len(film.joints)
        left = list(found)
        for true, kind in zip(film.joints, film.kinds, strict=True):
            near = nearest(left, true)
            if near is None or distance(near, true) > MATCHED_MM:
                continue
            left.remove(near)
            self.found += 1
            self.overlaps.append(float(overlap(_square(near.row, near.column), _square(*true))))
            self.errors_mm.append(distance(near, true))
            self.kinds_right += (near.prosthesis > 0.5) == (kind == "prosthesis")
        self.false += len(left)

    def summary(self) -> dict[str, float | int | None]:
        """The table of these films."""
        return {
            "films": self.films,
            "joints": self.joints,
            "recall": round(self.found / max(self.joints, 1), 4),
            "mean overlap": _rounded(self.overlaps),
            "false knees": self.false,
            "mean error mm": _rounded(self.errors_mm),
            "largest error mm": round(max(self.errors_mm, default=0.0), 2),
            "class right": round(self.kinds_right / max(self.found, 1), 4),
            "processor seconds per film": _rounded(self.seconds),
        }


def nearest(joints: Sequence[FoundJoint], place: tuple[float, float]) -> FoundJoint | None:
    """The joint nearest to a place (row, column) in mm; None of none."""
    return min(joints, key=lambda joint: distance(joint, place), default=None)


def distance(joint: FoundJoint, place: tuple[float, float]) -> float:
    """Distance in mm of a found joint from a place (row, column) in mm."""
    return float(np.hypot(joint.row - place[0], joint.column - place[1]))


def cover_joints(film: Film, random: np.random.Generator) -> Film:
    """The film with a grey patch over each joint: it shows none."""
    patch = np.full((110, 110), random.uniform(0.2, 0.8), np.float32)
    return paste_patches(film, [patch] * len(film.joints), random, knees=False)


def paste_real_joints(film: Film, crops: np.ndarray, random: np.random.Generator) -> Film:
    """The film with real joints, right-knee crops [N,95,95] uint8, in place of its own."""
    picked = crops[random.integers(len(crops), size=len(film.joints))].astype(np.float32) / 255
    patches = [crop[:, ::-1] if number else crop for number, crop in enumerate(picked)]
    return paste_patches(film, patches, random, knees=True)


def scores(films: Sequence[Film], crops: np.ndarray, locate: Locator = find_joints, seed: int = 0) -> dict[str, Score]:
    """Scores on simulated films, on the same with real joints, and on the same without any.

    Args:
        films: films that the detector has not seen.
        crops: real joints that it has not seen; may be empty.
        locate: the detector.
        seed: of what is pasted.
    """
    random = np.random.default_rng(seed)
    tables = {"simulated": Score(), "real joints": Score(), "joints covered": Score()}
    for film in tqdm(films, desc="films", disable=None):
        tables["simulated"].add(film, locate)
        tables["joints covered"].add(cover_joints(film, random), locate)
        if len(crops):
            tables["real joints"].add(paste_real_joints(film, crops, random), locate)
    return tables


def _square(row: float, column: float) -> torch.Tensor:
    return torch.tensor([row, column, REGION_MM, REGION_MM])


def _rounded(values: Sequence[float]) -> float | None:
    return round(statistics.fmean(values), 4) if values else None


@one_thread()
def report(films: Path, real: Path | None = None, details: bool = False) -> dict[str, dict[str, Any]]:
    """What the shipped detector reaches, ready for JSON.

    Args:
        films: folder of simulated films; those of the validation range count.
        real: public crops of the validation split.
        details: every overlap and error instead of the means.
    """
    seeds = sorted(int(path.stem.split("-")[1]) for path in films.glob(f"{SIMULATOR_VERSION}-*[0-9].npz"))
    unseen = [film for seed in seeds if seed in VALIDATION for film in films_of(seed, films)]
    crops = np.empty((0, 95, 95), np.uint8) if real is None else read_crops(real)
    return {name: asdict(score) if details else score.summary() for name, score in scores(unseen, crops).items()}
