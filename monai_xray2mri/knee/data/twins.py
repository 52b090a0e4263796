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


def even_positions(seed: int, slices: int, count: int, stack: int = 1, step: int = 1) -> np.ndarray:
    """``count`` of ``slices`` positions, [count]: stacks of neighbors, one begins in each of as many equal parts.

    Args:
        seed: of the simulated knee.
        slices: positions there are.
        count: positions to choose, a multiple of ``stack``.
        stack: positions of a stack; 1 chooses single ones, in order, one in each equal part of the depth.
        step: from one of a stack to the next.
    """
    starts = slices - (stack - 1) * step
    edges = np.linspace(0, starts, count // stack + 1).round().astype(int)
    generator = draw_generator("positions", seed)
    firsts = np.array([generator.integers(low, high) for low, high in pairwise(edges)])
    return (firsts[:, None] + step * np.arange(stack)).ravel()
