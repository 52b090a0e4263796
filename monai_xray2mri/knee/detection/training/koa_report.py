"""How good the KOA classifier is: on public crops, enhanced and raw, and on simulated knees.

``xray2mri measure koa --real ENHANCED --real RAW --knees 100`` prints accuracy, balanced accuracy, quadratic weighted
kappa, calibration and confusion matrices as JSON. Epoch and temperature were chosen on people of the training split;
the validation split judges.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tqdm import tqdm

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.detection.koa import koa_probability, shipped_classifier
from monai_xray2mri.knee.detection.networks.koa_classifier import GRADES, KOAClassifier
from monai_xray2mri.knee.detection.training.crops import GradedCrops, load_public_crops
from monai_xray2mri.knee.detection.training.koa import STORED_SIZE, predict
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION

_CALIBRATION_BINS: Final = 10
_RESAMPLES: Final = 1000


def confusion_matrix(grades: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """Number of knees of each grade (rows) that were given each grade (columns): [5,5]."""
    matrix = np.zeros((GRADES, GRADES), dtype=np.int64)
    np.add.at(matrix, (grades, estimates), 1)
    return matrix


def balanced_accuracy(matrix: np.ndarray) -> float:
    """Mean over the grades that occur of the share that was graded right."""
    counts = matrix.sum(axis=1)
    return float((np.diag(matrix)[counts > 0] / counts[counts > 0]).mean())


def quadratic_weighted_kappa(matrix: np.ndarray) -> float:
    """Agreement beyond chance, errors weighted by the square of their size (Cohen 1968); NaN for one grade alone."""
    place = np.arange(GRADES)
    weight = np.square(place[:, None] - place)
    chance = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / max(matrix.sum(), 1)
    expected = float((weight * chance).sum())
    return 1 - float((weight * matrix).sum()) / expected if expected else float("nan")


def expected_calibration_error(probability: np.ndarray, grades: np.ndarray, bins: int = _CALIBRATION_BINS) -> float:
    """Mean distance of confidence and accuracy over bins of equal width, weighted by their knees (Guo et al., Eq. 3).

    Args:
        probability: [N,5].
        grades: [N].
        bins: of confidence in 0 to 1.
    """
    confidence, right = probability.max(axis=1), probability.argmax(axis=1) == grades
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[place == b].sum() - right[place == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(grades))


def measures(probability: np.ndarray, grades: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """All measures of probabilities [N,5] against grades [N]; accuracy and kappa with a 95 % bootstrap interval."""
    estimates = probability.argmax(axis=1)
    matrix = confusion_matrix(grades, estimates)
    draws = np.random.default_rng(seed).integers(0, len(grades), (_RESAMPLES, len(grades)))
    again = [confusion_matrix(grades[rows], estimates[rows]) for rows in draws]
    balanced = [balanced_accuracy(each) for each in again]
    accuracy = [np.trace(each) / len(grades) for each in again]
    kappa = [quadratic_weighted_kappa(each) for each in again]
    return {
        "knees": len(grades),
        "accuracy": _rounded(np.trace(matrix) / len(grades)),
        "accuracy_95": [_rounded(value) for value in np.percentile(accuracy, (2.5, 97.5))],
        "within_one_grade": _rounded((np.abs(estimates - grades) <= 1).mean()),
        "balanced_accuracy": _rounded(balanced_accuracy(matrix)),
        "balanced_accuracy_95": [_rounded(value) for value in np.percentile(balanced, (2.5, 97.5))],
        "quadratic_weighted_kappa": _rounded(quadratic_weighted_kappa(matrix)),
        "quadratic_weighted_kappa_95": [_rounded(value) for value in np.nanpercentile(kappa, (2.5, 97.5))],
        "expected_calibration_error": _rounded(expected_calibration_error(probability, grades)),
        "confusion": matrix.tolist(),
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)


def judge(network: KOAClassifier, crops: GradedCrops) -> dict[str, Any]:
    """Measures of a classifier on crops; also the calibration error that it would have without its temperature."""
    logits = predict(network, crops)
    found = measures((logits / network.temperature).softmax(dim=1).numpy(), crops.grades)
    plain = expected_calibration_error(logits.softmax(dim=1).numpy(), crops.grades)
    return {**found, "expected_calibration_error_at_temperature_1": _rounded(plain)}


def judge_simulated(network: KOAClassifier, seeds: Sequence[int]) -> dict[str, Any]:
    """Measures on the 110 mm regions of simulated knees, by the way that a film of the application goes."""
    found, grades = [], []
    for seed in tqdm(seeds, "knees", disable=not sys.stderr.isatty()):
        found.append(koa_probability(normalize_region(simulate_radiograph(seed), mirrored=False), network))
        grades.append(draw_patient_knee(seed)[1].grade("XRKL"))
    return measures(np.stack(found), np.array(grades))


def report(real: Sequence[Path] = (), knees: int = 0, weights: Path | None = None) -> dict[str, Any]:
    """What a classifier reaches, ready for JSON.

    Args:
        real: folders of public crops, enhanced or not, each with the folder ``val``.
        knees: simulated knees of the validation range.
        weights: of the classifier; None takes the shipped ones.

    Raises:
        UsageError: weights or crops cannot be read.
    """
    network = shipped_classifier() if weights is None else _load(weights)
    found: dict[str, Any] = {"temperature": _rounded(float(network.temperature))}
    for folder in real:
        found[f"validation crops of {folder.name}"] = judge(
            network, load_public_crops(folder / "val", size=STORED_SIZE)
        )
    if knees:
        found["simulated validation knees"] = judge_simulated(network, VALIDATION[:knees])
    return found


def _load(path: Path) -> KOAClassifier:
    network = KOAClassifier()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UsageError(f"weights {path.name}", "must be a readable file", type(error).__name__) from error
    network.load_state_dict({name: value.float() for name, value in state.items()})
    return network.eval()
