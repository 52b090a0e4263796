"""What the studies of SCCDM are run with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation import conditions
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.study import ResultTable, Setting
from monai_xray2mri.evaluation.suite import Words
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import FootCase
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.measures import Finder, FootRuler
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.foot_xray_sccdm.keypoints import find_keypoints

WORDS: Final = Words("foot", "feet", "radiograph", "radiographs", "radiograph", "radiographs")
SAMPLES: Final = 8
"""Radiographs of one photograph whose spread is measured."""
OWN_STEPS: Final = 10
"""Steps of the bundle's sampler, which a unit of work has."""

condition_table: Callable[..., ResultTable] = partial(conditions.condition_table, counted=WORDS.cases)
"""The table of conditions, which counts feet."""


@dataclass(frozen=True)
class FootSetting(Setting):
    """A setting whose main method is SCCDM.

    Attributes:
        find: the keypoint finder.
    """

    find: Finder = find_keypoints

    @property
    def bundle(self) -> NetworkMethod:
        """The method of the bundle."""
        return self.main_method(NetworkMethod)

    def ruler(self, case: FootCase) -> FootRuler:
        """The ruler of a case."""
        return FootRuler(case, self.find, self.lpips)

    def drawn(self, case: FootCase, samples: int = 1, **options: Any) -> np.ndarray:
        """Radiographs [samples,S,S] of a case's photograph by the bundle."""
        return generate(self.bundle.with_options(**options), case.given(), samples, self.seed)
