"""What the studies of X-Diffusion are run with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.evaluation import conditions
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.perceptual import PerceptualDistance, activations
from monai_xray2mri.evaluation.study import ResultTable, Setting
from monai_xray2mri.evaluation.suite import Words
from monai_xray2mri.networks.condition import ImageEncoder
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import GivenSlices
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODY_SIZE, CONES, Anatomy, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEAN_OF_SAMPLES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import NetworkMethod, PriorMethod

SAMPLES: Final = 8
"""Volumes of one case whose mean and spread are measured."""
MEAN_HEAD: Final = {MEAN_OF_SAMPLES: f"PSNR of the mean of {SAMPLES} dB"}
"""Heading of that measure."""
WORDS: Final = Words("volume", "volumes", "section", "sections", "view", "views", BODY_SIZE)
_CONE_VIEW: Final = 0.3
"""What a view of a cone costs, in views of a body: 1.1 CPU seconds against 3.5, five steps each."""
_PRIOR_CALLS: Final = 75
"""Calls of its network that a section costs by a prior: 59 by ScoreMRI, 31 with gradients, worth 93, by TPDM."""

condition_table: Callable[..., ResultTable] = partial(conditions.condition_table, counted=WORDS.cases)
"""The table of conditions, which counts volumes."""


@dataclass(frozen=True)
class VolumeSetting(Setting):
    """A setting whose main method is X-Diffusion."""

    @property
    def bundle(self) -> NetworkMethod:
        """The method of the bundle."""
        return self.main_method(NetworkMethod)

    @property
    def stride(self) -> int:
        """Of sections, where few of them are looked at."""
        return self.profile.stride

    def own_steps(self, domain: str) -> int:
        """Steps of the sampler that the bundle's network of a domain brings, or another's where it has none."""
        networks = self.bundle.networks
        return (networks.get(domain) or next(iter(networks.values()))).settings.steps

    def perceptual(self, domain: str) -> PerceptualDistance | None:
        """LPIPS by published weights, else on the image encoder of the bundle's network of a domain; None: none."""
        if self.lpips is not None or not self.bundle.knows(domain):
            return self.lpips
        encoder = self.bundle.networks[domain].image_encoder.encoder
        if not isinstance(encoder, ImageEncoder):  # a published one has no features of its own size
            return None
        folded = partial(F.pixel_unshuffle, downscale_factor=4)  # as the encoder itself does
        return PerceptualDistance(activations(encoder.convolutions, nn.SiLU, folded))

    def another(self, case: VolumeCase) -> VolumeCase:
        """A training volume in the place of a case: whose slice it is not."""
        volume = generate(self.methods["another volume"], case.given(case.even_places(1)), 1, self.seed)[0]
        return VolumeCase(case.name, case.participant, case.domain, volume, case.extent, case.side_mm)


def work_of(domain: str, views: float, steps: float = 1.0) -> float:
    """Cost of views in sections of a body with the bundle's own sampler.

    Args:
        domain: whose views they are.
        views: their number.
        steps: their steps, as a multiple of the bundle's own.
    """
    return views * steps * BODY_SIZE * (_CONE_VIEW if domain == CONES else 1.0)


def work_of_methods(setting: VolumeSetting, domain: str, volumes: int, samples: int = 1) -> float:
    """Cost of volumes by every method that draws and that the case has not been measured with.

    Args:
        setting: what is run.
        domain: whose volumes they are.
        volumes: of each method.
        samples: of each volume; priors draw one.
    """
    views = 0.0
    for method in setting.todo.values():
        if isinstance(method, NetworkMethod) and method.knows(domain):
            views += volumes * samples
        elif isinstance(method, PriorMethod) and method.knows(domain):
            views += volumes * _PRIOR_CALLS / setting.own_steps(domain)
    return work_of(domain, views)


def one_sample(setting: VolumeSetting, given: GivenSlices, **options: Any) -> np.ndarray:
    """A volume [D,D,D] by the bundle."""
    return generate(setting.bundle.with_options(**options), given, 1, setting.seed)[0]


def sections_of(
    setting: VolumeSetting, case: VolumeCase, given: GivenSlices, indices: Sequence[int], samples: int, **options: Any
) -> np.ndarray:
    """Single sections [samples,S,D,D] of the volume's own direction: what is looked at where a view costs too much.

    A section does not depend on the others that are drawn with it.
    """
    method = setting.bundle.with_options(**options)
    place = case.places_at(list(indices))
    return np.stack([method.sections(given, place, setting.seed, number).numpy() for number in range(samples)])


def orthogonal_places(case: VolumeCase, count: int) -> Tensor:
    """Places [K,10] of the middle planes of K axes: slices first, then columns, then rows."""
    return torch.cat([case.even_places(1, axis) for axis in (0, 2, 1)[:count]])


def beside_middle(case: VolumeCase) -> Tensor:
    """Place [1,10] of the slice a quarter of what was acquired before the middle."""
    along = case.box[0]
    return case.places_at([(along.start + along.stop) // 2 - (along.stop - along.start) // 4])


def anatomy_of(case: VolumeCase) -> Anatomy:
    """The anatomy of a case.

    Raises:
        InputRefused: it is no simulated knee.
    """
    if case.anatomy is None:
        raise InputRefused(f"volume {case.name}", "must be a simulated knee", "a volume of unknown anatomy")
    return case.anatomy


Places = Mapping[str, Callable[[VolumeCase], Tensor]]
"""Name of a condition to the places of the slices that are given under it."""
