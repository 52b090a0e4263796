"""Training of the denoiser on stacks: neighboring slices of one volume, which hear each other as they do when drawn.

The rows of a batch are whole stacks, N slices each in a row, all with the image and the guide of their volume. A volume
is drawn as one: its slices are at one time step, under one condition, and with noise of one process. So are those of a
stack here, while stacks differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion
from monai_xray2mri.diffusion.stack_noise import correlated
from monai_xray2mri.errors import UsageError
from monai_xray2mri.training.denoiser import ForwardDiffusion
from monai_xray2mri.training.order import Division
from monai_xray2mri.training.watch import EvenOrder


class StackDiffusion(ForwardDiffusion):
    """Noises a batch of stacks; MONAI's ``prepare_batch``.

    Args:
        network: places of its images are depths; the process of its noise is that of its own sampler
            (``noise_shared``, ``noise_length_mm``, ``noise_aspect``).
        slices: slices N of a stack.
        **options: of :class:`~monai_xray2mri.training.denoiser.ForwardDiffusion`.

    Raises:
        UsageError: a step, or a micro-batch of it, does not hold whole stacks.
    """

    def __init__(self, network: Any, slices: int, **options: Any) -> None:
        super().__init__(network, **options)
        self.slices = slices
        if self.division is not None:
            _whole_stacks(self.division, slices)
        volumes: LatentDiffusion = network
        self.kernel, self.range_mm = volumes.noise_kernel(volumes.settings), volumes.range_mm

    def given(
        self, batch: dict[str, Tensor], z_0: Tensor, image_latent: Tensor, keep: Tensor, known: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """As for slices, and which stack each belongs to (``stack``)."""
        given, weight = super().given(batch, z_0, image_latent, keep, known)
        stack = torch.arange(len(z_0), device=z_0.device) // self.slices
        return {**given, "stack": stack}, weight

    def correlated(self, eps: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Noise [B,C,h,w] of which slices of one stack share as much as those of a volume."""
        stacks, depth_mm = (each.unflatten(0, (-1, self.slices)) for each in (eps, batch["place"] * self.range_mm))
        return correlated(stacks, depth_mm, self.kernel).flatten(0, 1)

    def draw_timesteps(self, count: int) -> Tensor:
        """Time steps [count], one for each stack."""
        return self._for_stacks(super().draw_timesteps(count // self.slices))

    def draw_kept(self, count: int) -> Tensor:
        """What stays of the condition [count,3], the same for all of a stack."""
        return self._for_stacks(super().draw_kept(count // self.slices))

    def draw_known(self, count: int) -> Tensor:
        """What stays of the guide [count, sum of groups], the same for all of a stack."""
        return self._for_stacks(super().draw_known(count // self.slices))

    def _for_stacks(self, drawn: Tensor) -> Tensor:
        return drawn.repeat_interleave(self.slices, dim=0)


class EvenStacks(EvenOrder):
    """The same stacks at every validation, evenly spread over the volumes of a set.

    Args:
        length: slices of the set, volume after volume.
        count: how many slices to take, rounded down to whole batches.
        division: of a batch.
        volume: slices of a volume.
        slices: of a stack.
        step: from one of them to the next.

    Raises:
        UsageError: a batch does not hold whole stacks, a volume no stack, or the set no batch.
    """

    def __init__(self, length: int, count: int, division: Division, *, volume: int, slices: int, step: int = 1) -> None:
        _whole_stacks(division, slices)
        self.volume, self.slices, self.step = volume, slices, step
        self.starts = volume - (slices - 1) * step
        if self.starts < 1:
            raise UsageError("stack", f"must fit into a volume of {volume} slices", f"{slices}, every {step}.")
        stacks = Division(division.batch_size // slices, stream=division.stream)
        super().__init__(length // volume * self.starts, count // slices, stacks)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the items of each batch."""
        for batch in super().__iter__():
            firsts = [stack // self.starts * self.volume + stack % self.starts for stack in batch]
            yield [first + self.step * number for first in firsts for number in range(self.slices)]


def _whole_stacks(division: Division, slices: int) -> None:
    if division.micro_batch % slices:
        raise UsageError("batch size", f"must hold whole stacks of {slices} slices", f"{division.micro_batch} together")
