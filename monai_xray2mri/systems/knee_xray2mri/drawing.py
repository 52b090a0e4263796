"""From the radiograph of one knee to slices of its volume: the one way that all callers of the network take.

The predictor, its evaluation and MONAI's inferer differ in where a radiograph comes from and in what becomes of the
slices. What the network is given, and how a volume is sampled, is defined here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.core.system import Progress
from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.precision import DTYPES
from monai_xray2mri.diffusion.samplers import consistency, ddim
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.options import KneeSampling
from monai_xray2mri.types import Side


@dataclass(frozen=True)
class KneeView:
    """What the network is given of one knee, in right-knee space.

    Attributes:
        film: [H,W] float32 in [-1,1], bone bright; None gives the network no radiograph.
        features: one-hot code r [61] of the features, zeros where one is unknown; None gives the network no guide at
            all, neither features nor what it reads in the radiograph itself (Wang 2024b).
        identity: identity of the radiograph, from which the random numbers of the knee follow.
        side: side of the knee, for the random numbers.
    """

    film: Tensor | None
    features: Tensor | None
    identity: str
    side: Side = Side.RIGHT

    def generator(self, seed: int, sample: int) -> torch.Generator:
        """Generator of the noise of one sample, on the CPU."""
        return case_generator(seed, self.identity, self.side, sample)


@torch.inference_mode()
def condition_of(network: SliceDiffusion, view: KneeView) -> Condition:
    """Encode the view of a knee; what is not given is the null condition."""
    null = network.null_condition(1)
    features = None if view.features is None else view.features[None].to(null.context)  # [1,61]
    if view.film is None:
        return network.null_condition(1, features)
    condition = network.condition(view.film[None, None].to(null.context), features)
    return condition if features is not None else condition._replace(guide=null.guide)


def draw_slices(
    network: SliceDiffusion,
    condition: Condition,
    generator: torch.Generator,
    sampling: KneeSampling,
    depths: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Draw one sample of a knee.

    Args:
        network: the network; with ``sampling.fast`` the one that was tuned to few steps.
        condition: :func:`condition_of` the knee.
        generator: generator of the noise of this sample, on the CPU.
        sampling: sampler, number of slices, precision and chunk; ``seed`` and ``samples`` are not used.
        depths: depths d [S] of the slices, 0 (posterior) to 1; None takes ``sampling.slices`` over the whole range. A
            slice does not depend on the others, or they are drawn with it.
        progress: called with the number of slices done since the last call.

    Returns:
        [S,H,W] float32 in [-1,1] on the network's device, right-knee space, slice 0 posterior.
    """
    volume = network.sample_volume(
        condition,
        noise=network.draw_noise(generator, sampling.sampler),
        sampler=consistency if sampling.fast else ddim,
        settings=sampling.sampler,
        slices=sampling.slices,
        depths=depths,
        chunk=sampling.chunk,
        dtype=DTYPES[sampling.dtype],
        callback=progress,
    )  # [1,1,S,H,W]
    return volume[0, 0]
