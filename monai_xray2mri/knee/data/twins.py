"""Counterfactual twins: the same knee with its hidden features drawn again, and which slices of both are kept.

Hidden features (cysts, chondrocalcinosis, attrition) are few, small and hardly seen in a radiograph: in knees as they
come, a network has little reason to listen to them. A twin has the sites, the shape and the examination of its knee, so
that nothing but these features tells it from the knee as drawn, slice by slice.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES


def hidden_grades(seed: int) -> dict[str, int]:
    """Grades of the hidden features of a knee's twin: each of the eight is there with probability one half.

    Args:
        seed: of the simulated knee.

    Returns:
        OAI stem to grade, 0 or 1; independent of each other and of the knee as drawn.
    """
    there = draw_generator("twin", seed).random(len(LESION_FEATURES)) < 0.5
    return {stem: int(one) for stem, one in zip(LESION_FEATURES, there, strict=True)}


def even_positions(seed: int, slices: int, count: int) -> np.ndarray:
    """``count`` of ``slices`` positions in order, one in each of as many equal parts of the depth, [count]."""
    edges = np.linspace(0, slices, count + 1).round().astype(int)
    generator = draw_generator("positions", seed)
    return np.array([generator.integers(low, high) for low, high in pairwise(edges)])
