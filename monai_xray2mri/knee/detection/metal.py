"""Whether there is metal in a joint region: prostheses, screws, plates, nails, staples.

The network, how it was trained and what it reaches: :mod:`monai_xray2mri.knee.detection.networks.metal_map`,
docs/knee/detection.md. Weights: ``metal.pt`` beside this file.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import torch

from monai_xray2mri.errors import DoubtfulInput
from monai_xray2mri.knee.detection.networks.metal_map import MetalMap, metal_view, region_logit
from monai_xray2mri.radiograph.knee.region import network_input
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.runtime.shipped import load_shipped

WEIGHTS: Final = "metal.pt"
LARGEST_METAL: Final = 0.9
"""Probability of metal above which a region is doubted (docs/knee/detection.md has what it accepts and refuses)."""


@cache
def shipped_metal_map() -> MetalMap:
    """The network with its shipped weights, in evaluation mode.

    Raises:
        WeightsError: they are missing or damaged.
    """
    return load_shipped(MetalMap, "monai_xray2mri.knee.detection", WEIGHTS, "metal map")


@torch.inference_mode()
def metal_probability(roi: KneeROI, network: MetalMap | None = None) -> float:
    """Probability that there is metal in a region.

    Args:
        roi: the region.
        network: None takes the shipped one.
    """
    view = metal_view(torch.from_numpy(network_input(roi)), roi.width_mm)
    return float(region_logit((network or shipped_metal_map())(view)).sigmoid())


def metal_doubts(roi: KneeROI, name: str = "") -> list[DoubtfulInput]:
    """Why a region may hold metal; nothing if all is well.

    Args:
        roi: the region.
        name: how messages call its film.
    """
    probability = metal_probability(roi)
    if probability <= LARGEST_METAL:
        return []
    what = f"{roi.side.word} knee of {name}" if name else f"{roi.side.word} knee"
    return [
        DoubtfulInput(
            what,
            "must be without metal",
            f"what looks like a prosthesis, a screw, a plate or a staple (probability {probability:.2f})",
            "The networks know natural knees only: give a film of the other knee, or one from before the operation.",
        )
    ]
