"""Uncertainty: intervals calibrated on knees of their own, and what they hold on others.

K samples of each knee give the mean, the spread and the loss curve of :mod:`~monai_xray2mri.evaluation.conformal`. The
profile for a CPU looks at one slice of each knee, at another depth for each knee, so that all depths count.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.core.calibration import Calibration
from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.bootstrap import summarize
from monai_xray2mri.evaluation.conditions import mean_cell
from monai_xray2mri.evaluation.conformal import (
    FLOOR,
    LEVEL,
    NOMINAL,
    SCALES,
    controlled_scale,
    loss_curve,
    needed_scales,
    risk_controlling_scale,
)
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study, distinct, where
from monai_xray2mri.knee.data.arrays import SLICES
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import MODELED, EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import SAMPLES, KneeSetting

WIDTHS: Final = np.geomspace(0.005, 1.0, 121)
"""Half widths of the interval of one width for all voxels that are tried."""
DELTA: Final = 0.1
NOT_RECORDED: Final[Mapping[str, Any]] = {"simulator": "", "weights_sha256": "", "sampling": {}}
"""What stands in for it in a calibration that is drawn and not kept."""
ALL: Final = "all voxels"
_BONE: Final = (Tissue.FEMUR, Tissue.TIBIA, Tissue.FIBULA, Tissue.PATELLA, Tissue.CORTEX)
_CARTILAGE: Final = (Tissue.FEMORAL_CARTILAGE, Tissue.TIBIAL_CARTILAGE, Tissue.PATELLAR_CARTILAGE, Tissue.MENISCUS)
_FEWEST_VOXELS: Final = 10


def positions_of(name: str, stride: int) -> tuple[int, ...]:
    """Slices of a knee that are looked at: one that its name decides; with stride 1 also every fifth from there on."""
    first = zlib.crc32(name.encode()) % SLICES
    return (first,) if stride > 1 else tuple(sorted((first + offset) % SLICES for offset in range(0, SLICES, 5)))


def regions(knee: EvaluationKnee, positions: Sequence[int]) -> dict[str, np.ndarray]:
    """Name to mask [S,H,W] of these slices; only all voxels where tissues are unknown."""
    chosen = list(positions)
    masks = {ALL: np.ones((len(chosen), *knee.volume.shape[1:]), bool)}
    if knee.simulated is None or knee.lesions is None:
        return masks
    labels, lesion = knee.simulated.labels[MODELED][chosen], knee.lesions[chosen] > 0
    bone, cartilage = (np.isin(labels, kinds) & ~lesion for kinds in (_BONE, _CARTILAGE))
    body = labels != Tissue.AIR
    return masks | {
        "bone": bone,
        "cartilage and meniscus": cartilage,
        "soft tissue": body & ~bone & ~cartilage & ~lesion,
        "lesion": lesion,
        "outside": ~body,
    }


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """For each region the loss curves of both intervals, and the mean of spread + floor."""
    positions = positions_of(knee.name, setting.profile.stride)
    samples = generate(setting.bundle, knee.inputs.at(positions), SAMPLES, setting.seed)
    truth = knee.volume[list(positions)]
    needed, error = needed_scales(samples, truth), np.abs(truth - samples.mean(axis=0))
    spread = samples.std(axis=0, ddof=1)
    for name, mask in regions(knee, positions).items():
        if mask.sum() >= _FEWEST_VOXELS:
            yield {
                "region": name,
                "losses": _rounded(loss_curve(needed[mask])),
                "constant_losses": _rounded(loss_curve(error[mask], WIDTHS)),
                "spread": float(spread[mask].mean()),
                "nominal": float((error[mask] <= NOMINAL * spread[mask]).mean()),
            }


def _rounded(curve: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in curve]


def calibrate(rows: Sequence[Row], made_with: Mapping[str, Any], split: str) -> Calibration:
    """The calibration by the knees of a split.

    Args:
        rows: of :func:`measure`, with the entry ``split``.
        made_with: ``weights_sha256``, ``simulator`` and ``sampling``, for the record.
        split: whose knees calibrate.

    Raises:
        UsageError: too few knees.
    """
    chosen = where(rows, split=split, region=ALL)
    if not chosen:
        raise UsageError("calibration", "needs knees", f"none of the {split} split")
    losses, constant = (participant_mean(chosen, name) for name in ("losses", "constant_losses"))
    alpha = 1 - LEVEL
    names = sorted(str(row["case"]).rpartition("/")[2] for row in chosen)
    return Calibration(
        LEVEL,
        controlled_scale(losses, alpha),
        risk_controlling_scale(losses, alpha, DELTA),
        DELTA,
        controlled_scale(constant, alpha, WIDTHS),
        FLOOR,
        SAMPLES,
        dict(made_with["sampling"]),
        len(losses),
        (names[0], names[-1]),
        str(made_with["simulator"]),
        str(made_with["weights_sha256"]),
    )


def participant_mean(rows: Sequence[Row], name: str) -> np.ndarray:
    """Curves [n,L], one for each participant: the mean of their knees."""
    people = distinct(rows, "participant")
    return np.stack([np.mean([row[name] for row in where(rows, participant=person)], axis=0) for person in people])


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Coverage by region on the test knees, and widths; empty where there are too few knees to calibrate."""
    splits = distinct(rows, "split")
    try:
        found = calibrate(rows, NOT_RECORDED, splits[0])
    except (UsageError, IndexError):
        return []
    tested = where(rows, split=splits[-1])
    at, one_sided = (int(np.searchsorted(SCALES, s)) for s in (found.scale, found.one_sided_scale))
    width = int(np.searchsorted(WIDTHS, found.constant))
    cells = []
    for region in distinct(tested, "region"):
        chosen = where(tested, region=region)
        people = [str(row["participant"]) for row in chosen]
        curves = {
            "calibrated": [1 - row["losses"][at] for row in chosen],
            "one-sided": [1 - row["losses"][one_sided] for row in chosen],
            "constant": [1 - row["constant_losses"][width] for row in chosen],
            "nominal": [row["nominal"] for row in chosen],
        }
        spread = float(np.mean([row["spread"] for row in chosen]))
        cells.append([
            region, *(mean_cell(summarize(values, people)) for values in curves.values()),
            f"{2 * found.scale * (spread + FLOOR):.3f}", f"{2 * found.constant:.3f}", len(chosen),
        ])  # fmt: skip
    level = f"level {LEVEL:.0%}, scale {found.scale:.2f} from {found.participants} people"
    note = (
        f"Mean share of voxels inside at the {level}. The one-sided bound ({found.one_sided_scale:.2f}) covers more on "
        f"purpose. Nominal: {NOMINAL:.2f} standard deviations of the samples, uncalibrated. Intervals reach beyond 0 "
        "and 1."
    )
    head = ["region", "calibrated", "one-sided bound", "constant width", "nominal", "mean width", "constant", "knees"]
    return [ResultTable("calibration", "Coverage on unseen knees", head, cells, note)]


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    return SAMPLES * len(positions_of("", setting.profile.stride))


CALIBRATION: Final = Study(
    "calibration", "Uncertainty", ("calibration", "test"), {"cpu": 200, "full": 400}, measure, work, tables
)
