"""From a photograph of a foot to samples of its radiograph: the one way that all callers of the network take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.core.system import Progress
from monai_xray2mri.diffusion.precision import DTYPES
from monai_xray2mri.systems.foot_xray_sccdm.case import FootCase
from monai_xray2mri.systems.foot_xray_sccdm.lead_letter import without_lead_letters
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion
from monai_xray2mri.systems.foot_xray_sccdm.options import FootSampling


@dataclass(frozen=True)
class FootView:
    """What the network is given of one foot.

    Attributes:
        photograph: [H,W] grey in [-1,1], a right foot, toes up, -1 beside it.
        identity: of the foot, from which the random numbers follow.
    """

    photograph: Tensor
    identity: str

    @classmethod
    def of(cls, case: FootCase) -> FootView:
        """The foot of a case."""
        return cls(torch.from_numpy(case.foot.grey.copy()).float() / 127.5 - 1, case.identity)


def draw_radiographs(
    network: DifferenceDiffusion, view: FootView, sampling: FootSampling, progress: Progress | None = None
) -> Iterator[Tensor]:
    """Draw the radiographs of a foot one after another, each with its own noise.

    Args:
        network: the network.
        view: what it is given.
        sampling: how.
        progress: called with 1 after each step.

    Yields:
        [H,W] float32 on the CPU in [0,1], bone bright, in the frame of the photograph, without lead letters.
    """
    foot = (view.photograph > -1).cpu().numpy()
    photograph = view.photograph.to(network.null_context)[None, None]  # [1,1,H,W]
    settings = {"steps": sampling.sampler.steps, "guidance": sampling.sampler.guidance, "eta": sampling.sampler.eta}
    for sample in range(sampling.samples):
        generator = case_generator(sampling.seed, view.identity, "sample", sample)
        drawn = network.radiographs(
            photograph,
            [generator],
            refinement=sampling.refinement,
            dtype=DTYPES[sampling.dtype],
            progress=progress,
            **settings,
        )
        radiograph = (drawn[0, 0].float().cpu() + 1) / 2
        yield torch.from_numpy(without_lead_letters(radiograph.numpy(), foot))
