"""Volumes from views (X-Diffusion, Eq. 3 and section 3.2), and the control that the paper lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.samplers import Model, Sampler, ddim
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.planes import azimuth, plane_rotation, view_places
from monai_xray2mri.systems.mri_xdiffusion.refinement import Refinement
from monai_xray2mri.systems.mri_xdiffusion.sections import ViewAverage, turn


@dataclass(frozen=True)
class Views:
    """Which views a volume is the aggregate of.

    Attributes:
        rotations: [3,3] of each view; a rotation that occurs N times stands for N samples of it.
        aggregate: ``"mean"`` or ``"max"`` (Table V).
    """

    rotations: tuple[Tensor, ...]
    aggregate: str = "mean"

    @classmethod
    def around(cls, count: int, aggregate: str = "mean") -> Views:
        """N azimuths i * 360 / N, i = 1..N (section 3.2); the last is the volume's own direction."""
        return cls(tuple(azimuth(360 * number / count) for number in range(1, count + 1)), aggregate)

    @classmethod
    def planes(cls, aggregate: str = "mean") -> Views:
        """The three planes (Table XIV)."""
        return cls(tuple(plane_rotation(axis) for axis in range(3)), aggregate)

    @classmethod
    def samples(cls, count: int, aggregate: str = "mean") -> Views:
        """N samples of the volume's own direction: the control that tells views from averaging."""
        return cls((torch.eye(3),) * count, aggregate)


def generate_view(
    network: CrossSectionDiffusion,
    condition: Condition,
    rotation: Tensor,
    generator: torch.Generator,
    *,
    settings: SamplerSettings | None = None,
    refinement: Refinement | None = None,
    chunk: int = 24,
    dtype: torch.dtype = torch.float32,
    callback: Callable[[int], object] | None = None,
) -> Tensor:
    """The view-conditional volume X_R of Eq. 3: D sections in the direction of R.

    The paper decodes the noise that the denoiser predicts, D(epsilon); what is meant is D(z_0). A section that lies
    beyond what the network knows is not computed.

    Args:
        network: generates sections.
        condition: of one case, see :meth:`CrossSectionDiffusion.condition`.
        rotation: R, [3,3].
        generator: on the CPU, one per view.
        settings: None: the network's own.
        refinement: of the denoiser's estimates, see
            :mod:`~monai_xray2mri.systems.mri_xdiffusion.refinement`.
        chunk: sections that are sampled together; bounds the memory, does not change the result.
        dtype: what the network computes in.
        callback: called with the number of sections' worth of work done since; the sum is D.

    Returns:
        [D,D,D] in [0,1] in the turned frame.
    """
    place, size = view_places(rotation, network.image_size), network.image_size
    wanted = network.known(place).flatten(1).any(dim=1)
    noise, view = network.draw_noise(generator, settings), torch.zeros(size, size, size)
    if callback is not None:
        callback(int((~wanted).sum()))
    for rows in wanted.nonzero()[:, 0].split(chunk):
        images = network.sample(
            condition,
            place[rows],
            noise=noise,
            sampler=_sampler(refinement, place[rows]),
            settings=settings,
            chunk=chunk,
            dtype=dtype,
            together=refinement is not None,
            callback=callback,
        )  # [chunk,1,D,D]
        view[rows] = (images[:, 0].float().cpu() + 1) / 2
    return view


def _sampler(refinement: Refinement | None, place: Tensor) -> Sampler:
    """DDIM over refined estimates of the sections at places [B,10]."""
    if refinement is None:
        return ddim

    def refined(model: Model, z_t: Tensor, schedule: NoiseSchedule, *options: Any) -> Tensor:
        return ddim(refinement(model, schedule, place), z_t, schedule, *options)

    return refined  # type: ignore[return-value]


def generate_volume(
    network: CrossSectionDiffusion,
    condition: Condition,
    views: Views,
    generators: Sequence[torch.Generator],
    **sampling: Any,
) -> Tensor:
    """The volume X [D,D,D] in [0,1] of views (section 3.2).

    Args:
        network: generates sections.
        condition: of one case.
        views: which.
        generators: one per view.
        **sampling: see :func:`generate_view`.
    """
    average = ViewAverage(network.image_size, views.aggregate)
    for rotation, generator in zip(views.rotations, generators, strict=True):
        average.add(*turn(generate_view(network, condition, rotation, generator, **sampling), rotation.T))
    return average.volume()
