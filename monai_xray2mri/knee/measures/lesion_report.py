"""Accuracy of the segmenter's measures (lesions and joint space) on simulated knees, whose truth is known.

``xray2mri measure lesions --split test --knees 100`` prints sensitivity, specificity and the error of the joint space
as JSON. With ``--choose-thresholds`` it first chooses the thresholds of the lesion reading on validation knees and
stores them in the package.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from monai_xray2mri.knee.measures.crop import SIDES, SPACING_MM
from monai_xray2mri.knee.measures.joint_space import joint_space, joint_space_from_labels
from monai_xray2mri.knee.measures.lesions import THRESHOLDS, best_threshold, lesion_volumes, shipped_thresholds
from monai_xray2mri.knee.measures.parts import PART_OF_LESION
from monai_xray2mri.knee.measures.segmentation_training import training_grades
from monai_xray2mri.knee.measures.surfaces import read_volume
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.runtime.workers import Runner
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.patient import Patient
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION, VALIDATION

_NORMAL_95: Final = 1.959964
SHOWN_MM3: Final = 20.0
"""A graded lesion with a smaller true volume counts as not shown. Chondrocalcinosis, for example, lies in cartilage and
meniscus, and narrowing may have removed both."""


@dataclass(frozen=True)
class MeasuredKnee:
    """The measures of one knee, and its truth.

    Attributes:
        grades: OAI stem to grade.
        true_sizes: feature to the true volume of its lesion in mm3.
        sizes: feature to the volume in mm3 that the segmenter finds in the acquired volume.
        clean_sizes: feature to the volume in mm3 that it finds in the volume without noise.
        true_joint_space: compartment to the true width in mm.
        joint_space: compartment to the width in mm from the acquired volume.
        label_joint_space: compartment to the width in mm from the label map.
    """

    grades: dict[str, int]
    true_sizes: dict[str, float]
    sizes: dict[str, float]
    clean_sizes: dict[str, float]
    true_joint_space: dict[str, float]
    joint_space: dict[str, float]
    label_joint_space: dict[str, float]

    def shows(self, stem: str) -> bool | None:
        """Whether the truth holds a lesion; None if the knee has the grade but the lesion is too small to show."""
        if not self.grades[stem]:
            return False
        return True if self.true_sizes[stem] >= SHOWN_MM3 else None


def measure_knee(seed: int) -> MeasuredKnee:
    """Simulate a knee with ``training_grades`` (half of the lesions, all grades of narrowing), and measure it.

    Raises:
        InputRefused: the seed lies outside all ranges.
    """
    scan = Patient.draw(seed, training_grades(seed)).scan()
    made, affine = scan.slices(), scan.placement.affine
    reading = read_volume(made.volume.numpy(), affine)
    voxels = np.bincount(made.lesions.numpy().ravel(), minlength=len(LESION_FEATURES) + 1)[1:]
    return MeasuredKnee(
        scan.grades,
        dict(zip(LESION_FEATURES, (float(np.prod(SPACING_MM)) * voxels).tolist(), strict=True)),
        lesion_volumes(reading),
        lesion_volumes(read_volume(made.noise_free.numpy(), affine)),
        scan.joint_space_mm,
        joint_space(reading),
        joint_space_from_labels(made.labels.numpy(), affine),
    )


def choose_thresholds(knees: Sequence[MeasuredKnee]) -> dict[str, float]:
    """The best threshold of the volume in mm3 by kind of lesion (name of its :class:`~.parts.Part`, lower case).

    Raises:
        ValueError: all knees or no knees have a lesion of a kind.
    """
    chosen = {}
    for part in sorted(set(PART_OF_LESION.values())):
        stems = [stem for stem in LESION_FEATURES if PART_OF_LESION[stem] is part]
        shown = [(knee.sizes[stem], knee.shows(stem)) for knee in knees for stem in stems]
        pairs = [(size, bool(present)) for size, present in shown if present is not None]
        chosen[part.name.lower()] = round(best_threshold(*zip(*pairs, strict=True)), 2)
    return chosen


def lesion_table(knees: Sequence[MeasuredKnee], clean: bool = False) -> dict[str, dict[str, Any]]:
    """Sensitivity and specificity by feature, each with its 95 % interval (Wilson) and the number of knees.

    A knee with the grade of a lesion that is too small to show counts for neither; ``"graded, not shown"`` is the
    number of these knees.

    Args:
        knees: the measured knees.
        clean: take the volumes without noise instead of the acquired ones.
    """
    limits = shipped_thresholds()
    table: dict[str, dict[str, Any]] = {}
    for stem in LESION_FEATURES:
        truth = [knee.shows(stem) for knee in knees]
        present, absent = (np.array([each is wanted for each in truth]) for wanted in (True, False))
        sizes = np.array([(knee.clean_sizes if clean else knee.sizes)[stem] for knee in knees])
        seen = sizes >= limits[PART_OF_LESION[stem]]
        table[stem] = {
            "sensitivity": _share(int((seen & present).sum()), int(present.sum())),
            "specificity": _share(int((~seen & absent).sum()), int(absent.sum())),
            "graded, not shown": truth.count(None),
        }
    return table


def _share(count: int, total: int) -> dict[str, Any]:
    low, high = wilson_interval(count, total)
    return {"value": round(count / total, 3) if total else None, "interval": [low, high], "of": total}


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, JASA 1927;22:209), rounded to three places; (0, 1) if ``total`` is 0."""
    if not total:
        return 0.0, 1.0
    z2, share = _NORMAL_95**2, count / total
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _NORMAL_95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return round(middle - half, 3), round(middle + half, 3)


def joint_space_table(knees: Iterable[MeasuredKnee]) -> dict[str, dict[str, float]]:
    """Error of the joint space in mm by grade of narrowing, of compartments with attrition, and of all."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for knee in knees:
        for side in SIDES:
            true = knee.true_joint_space[side]
            errors = knee.joint_space[side] - true, knee.label_joint_space[side] - true
            name = "attrition" if knee.grades[f"XRATT{side}"] else f"narrowing {knee.grades[f'XRJS{side}']}"
            rows.setdefault(name, []).append(errors)
            rows.setdefault("all", []).append(errors)
    return {name: _errors(np.array(errors)) for name, errors in sorted(rows.items())}


def _errors(errors: np.ndarray) -> dict[str, float]:
    volume, labels = np.abs(errors[:, 0]), np.abs(errors[:, 1])
    found = {
        "compartments": float(len(errors)),
        "not_found": float(np.isnan(volume).sum()),
        "bias_mm": float(np.nanmean(errors[:, 0])),
        "mean_absolute_mm": float(np.nanmean(volume)),
        "percentile_95_mm": float(np.nanpercentile(volume, 95)),
        "labels_mean_absolute_mm": float(np.nanmean(labels)),
    }
    return {name: round(value, 3) for name, value in found.items()}


def store_thresholds(knees: int, run: Runner) -> dict[str, float]:
    """Choose the thresholds of the lesion reading on validation knees, and store them in the package.

    Args:
        knees: number of knees, from the end of the validation range.
        run: applies a function to each of many tasks, in one or several processes.
    """
    seeds = VALIDATION[-knees:]
    chosen = choose_thresholds(list(run(measure_knee, seeds)))
    record = {"simulator": SIMULATOR_VERSION, "validation_knees": len(seeds), "least_volume_mm3": chosen}
    write_whole(Path(__file__).with_name(THRESHOLDS), (json.dumps(record, indent=2) + "\n").encode())
    shipped_thresholds.cache_clear()
    return chosen


def report(split: str, knees: int, run: Runner) -> dict[str, Any]:
    """Accuracy of the segmenter's measures, ready for JSON.

    Args:
        split: name of a seed range.
        knees: number of knees, from the start of the range.
        run: applies a function to each of many tasks, in one or several processes.
    """
    found = list(run(measure_knee, SEED_RANGES[split][:knees]))
    return {
        "simulator": SIMULATOR_VERSION,
        "split": split,
        "knees": len(found),
        "lesions": lesion_table(found),
        "lesions_without_noise": lesion_table(found, clean=True),
        "joint_space": joint_space_table(found),
    }
