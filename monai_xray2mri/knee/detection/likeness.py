"""Whether a region shows what the networks know, an upright frontal knee, and of the side that it is said to be.

The network, how it was trained and what it reaches: :mod:`monai_xray2mri.knee.detection.networks.region_judge`,
docs/knee/detection.md.
Weights: ``region.pt`` beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.errors import DoubtfulInput, NoFrontalKnee
from monai_xray2mri.knee.detection.networks.region_judge import RegionJudge, judged_view
from monai_xray2mri.radiograph.knee.one_knee import OneKneeShown
from monai_xray2mri.radiograph.knee.region import network_input
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.runtime.shipped import load_shipped
from monai_xray2mri.types import Side

WEIGHTS: Final = "region.pt"
LARGEST_DISTANCE: Final = 18.0
"""Distance from the known knees above which a region is doubted (docs/knee/detection.md has what it accepts and
refuses)."""
LEAST_KNEE: Final = 0.2
"""Probability of a frontal knee below which a region is doubted."""
OTHER_SIDE: Final = 0.05
"""Probability of the stated side below which the picture contradicts it."""


@dataclass(frozen=True)
class Likeness:
    """What the picture of a region says.

    Attributes:
        distance: Mahalanobis distance of its features from those of known knees of that side; 5 is usual.
        mirrored: the same distance from known knees of the other side.
        knee: probability that it shows an upright frontal knee and nothing else.
        side: probability that it shows the side that it is said to be, by fibula and condyles.
    """

    distance: float
    mirrored: float
    knee: float
    side: float


@cache
def shipped_judge() -> RegionJudge:
    """The network with its shipped weights, in evaluation mode.

    Raises:
        WeightsError: they are missing or damaged.
    """
    return load_shipped(RegionJudge, "monai_xray2mri.knee.detection", WEIGHTS, "region judge")


@torch.inference_mode()
def judge_region(roi: KneeROI, network: RegionJudge | None = None) -> Likeness:
    """Compare a region with the knees that the networks know.

    Args:
        roi: the region; what it shows is compared with knees of its side.
        network: None takes the shipped one.
    """
    network = network or shipped_judge()
    view = judged_view(torch.from_numpy(network_input(roi)), roi.width_mm)
    features = network.describe(torch.cat([view, view.flip(-1)]))  # [2,N]
    distance, mirrored = network.distance(features).tolist()
    knee, right = network.head(features)[0].sigmoid().tolist()
    return Likeness(distance, mirrored, knee, right)


def is_known(distance: Tensor, knee: Tensor) -> Tensor:
    """Whether regions are taken for frontal knees.

    Args:
        distance: from known knees of either side, the smaller one, [B].
        knee: probability of a frontal knee, [B].

    Returns:
        [B] bool.
    """
    return (distance <= LARGEST_DISTANCE) & (knee >= LEAST_KNEE)


def likeness_doubts(roi: KneeROI, name: str = "") -> list[DoubtfulInput]:
    """Why a region may be something else than the knee that it is said to be; nothing if all is well.

    Args:
        roi: the region.
        name: how messages call its film.
    """
    what = f"{roi.side.word} knee of {name}" if name else f"{roi.side.word} knee"
    seen = judge_region(roi)
    near = min(seen.distance, seen.mirrored) <= LARGEST_DISTANCE
    if seen.side < OTHER_SIDE and seen.knee >= LEAST_KNEE and near:
        return [
            DoubtfulInput(
                what,
                f"must look like a {roi.side.word} knee",
                f"fibula and condyles of a {roi.side.opposite.word} one (probability {1 - seen.side:.2f})",
                "Check the side in the header and Patient Orientation (0020,0020).",
            )
        ]
    if seen.distance > LARGEST_DISTANCE or seen.knee < LEAST_KNEE:
        return [
            NoFrontalKnee(
                what,
                f"must look like a frontal radiograph of a knee (probability {LEAST_KNEE:g} or more, distance of known "
                f"ones at most {LARGEST_DISTANCE:g})",
                f"probability {seen.knee:.2f}, distance {seen.distance:.1f}",
                "Give a frontal (AP or PA) radiograph of a knee.",
            )
        ]
    return []


def with_side_seen(refusal: OneKneeShown) -> OneKneeShown:
    """The refusal of a film whose only knee has no side, with the side that fibula and condyles look like."""
    if refusal.roi is None:
        return refusal
    seen = judge_region(replace(refusal.roi, side=Side.RIGHT))
    known = min(seen.distance, seen.mirrored) <= LARGEST_DISTANCE
    if known and seen.side > 1 - OTHER_SIDE:
        looks = f"fibula and condyles of a right one (probability {seen.side:.2f})"
    elif known and seen.side < OTHER_SIDE:
        looks = f"fibula and condyles of a left one (probability {1 - seen.side:.2f})"
    else:
        looks = "which looks like either side"
    return OneKneeShown(refusal.what, refusal.rule, f"{refusal.found}: {looks}", refusal.remedy)
