"""Numbers that guide beside the 19 features: age, sex, body mass index, and the joint spaces of the film.

Each is coded as one group of two numbers, and zeros mean *unknown*, as in the features' one-hot code:

============  ==============================================================
group         code
============  ==============================================================
sex           (1, 0) a woman, (0, 1) a man
age           ((years - 61) / 9, 1)
BMI           ((kg/m2 - 28.6) / 4.9, 1)
medial space  ((mm - 4.5) / 1.5, 1)
lateral space ((mm - 4.5) / 1.5, 1)
============  ==============================================================

Means and spreads are about those of OAI's participants at baseline and of the simulated films.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

AGE_YEARS: Final = (61.0, 9.0)
BMI: Final = (28.6, 4.9)
JOINT_SPACE_MM: Final = (4.5, 1.5)
TRAIT_GROUPS: Final = (2, 2, 2)
JOINT_SPACE_GROUPS: Final = (2, 2)


def trait_code(woman: float | None = None, age_years: float | None = None, bmi: float | None = None) -> np.ndarray:
    """Code of sex, age and body mass index, [6] float32.

    Args:
        woman: 1 for a woman, 0 for a man; None: unknown.
        age_years: None: unknown.
        bmi: in kg/m2; None: unknown.

    Example:
        >>> trait_code(woman=1.0, bmi=28.6).tolist()
        [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    """
    sex = (0.0, 0.0) if woman is None else (float(woman), 1.0 - float(woman))
    return np.array([*sex, *_number(age_years, AGE_YEARS), *_number(bmi, BMI)], np.float32)


def joint_space_code(medial_lateral_mm: Sequence[float | None]) -> np.ndarray:
    """Code of the medial and lateral joint space, [4] float32; None: unknown."""
    return np.array([part for space in medial_lateral_mm for part in _number(space, JOINT_SPACE_MM)], np.float32)


def _number(value: float | None, scale: tuple[float, float]) -> tuple[float, float]:
    return (0.0, 0.0) if value is None else ((float(value) - scale[0]) / scale[1], 1.0)
