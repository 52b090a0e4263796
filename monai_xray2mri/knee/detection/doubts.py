"""Everything that the networks doubt about a region.

Likeness comes first: of what is no knee from the front the map of metal knows nothing, and may show some.
"""

from __future__ import annotations

from monai_xray2mri.errors import DoubtfulInput
from monai_xray2mri.knee.detection.likeness import likeness_doubts
from monai_xray2mri.knee.detection.metal import metal_doubts
from monai_xray2mri.radiograph.knee.roi import KneeROI


def network_doubts(roi: KneeROI, name: str = "") -> list[DoubtfulInput]:
    """Why a region may be something else than the natural knee, from the front, that it is said to be.

    Args:
        roi: the region.
        name: how messages call its film.
    """
    return [*likeness_doubts(roi, name), *metal_doubts(roi, name)]
