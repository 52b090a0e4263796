"""Brings a T1 volume to the intensities that the networks know: one fixed rule for OAI's and simulated series.

The scanner's units have no absolute meaning: coil, receiver gain and body change them from knee to knee. Zero does
mean something (no signal), so it stays zero and nothing is subtracted. One factor per volume brings the 97th
percentile of the modelled slices to ``REFERENCE_LEVEL``. In this sequence it is the upper edge of muscle, the large
bright tissue. What is brighter does not decide: it is cartilage, fluid and inflow in vessels, and a rule by it would
make knees brighter the more cartilage they have lost. Nor do the end slices, which are not modelled, so that the rule
can be applied to a generated volume too. Over 16 simulated knees of KL grades 0 to 4 (10 of the validation range, 6
lesion-enriched) no percentile from the 80th to the 99.9th varied less: 4.2 %, against 8.6 % for the 80th and 4.8 % for
the 99.5th; that includes the simulator's own drawn gain.

The level is the mean of the same volumes in the simulator's units (0.638): simulated series pass through nearly
unchanged, and prepared and simulated sets share one scale.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.data.arrays import MODELED_SLICES

PERCENTILE: Final = 97
REFERENCE_LEVEL: Final = 0.64
RULE: Final = (
    f"0 stays 0; the {PERCENTILE}th percentile of the modelled slices becomes {REFERENCE_LEVEL}; clipped to 0..1"
)
"""The rule in words, as stored with the data."""


def normalize(voxels: np.ndarray, name: str) -> tuple[np.ndarray, float]:
    """Scale a volume.

    Args:
        voxels: [80,H,W] in the scanner's units, slice 0 posterior.
        name: how messages call it.

    Returns:
        [80,H,W] float32 in [0,1], and the factor by which the scanner's units were multiplied.

    Raises:
        InputRefused: the modelled slices are empty or not finite.
    """
    first, last = MODELED_SLICES
    level = float(np.percentile(voxels[first : last + 1], PERCENTILE))
    if not np.isfinite(level) or level <= 0:
        raise InputRefused(f"MR series {name}", "must show something", "empty slices", "Fetch the series again.")
    factor = REFERENCE_LEVEL / level
    return np.clip(voxels * np.float32(factor), 0, 1).astype(np.float32), factor
