"""What the studies of knees are run with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.evaluation import conditions
from monai_xray2mri.evaluation.study import ResultTable, Setting
from monai_xray2mri.evaluation.suite import Words
from monai_xray2mri.knee.data.arrays import SLICES
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import NetworkMethod

SAMPLES: Final = 8
"""Volumes of one knee whose mean and spread are measured."""
WORDS: Final = Words("knee", "knees", "slice", "slices", "volume", "volumes", SLICES)
_DECODING_CALLS: Final = 7
"""Calls of the denoiser that take as long as decoding a slice."""

condition_table: Callable[..., ResultTable] = partial(conditions.condition_table, counted=WORDS.cases)
"""The table of conditions, which counts knees."""


@dataclass(frozen=True)
class KneeSetting(Setting):
    """A setting whose main method is a network."""

    @property
    def bundle(self) -> NetworkMethod:
        """The method of the bundle."""
        return self.main_method(NetworkMethod)

    @property
    def few(self) -> tuple[int, ...]:
        """Positions of the slices that are looked at where a study needs many samples."""
        return self.profile.positions(SLICES)


def sampling_work(setting: KneeSetting, slices: int, **settings: Any) -> float:
    """Cost of slices with other settings of the sampler, in slices with the bundle's own."""
    own = setting.bundle.sampler_settings

    def calls(sampler: SamplerSettings) -> float:
        both, features = sampler.guidance, sampler.feature_guidance
        conditions_computed = sum(share != 0 for share in (1 - both, both - features, features))
        return sampler.steps * conditions_computed + _DECODING_CALLS

    return slices * calls(own.altered(**settings)) / calls(own)
