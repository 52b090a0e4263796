"""An auxiliary loss: what the image encoder's tokens say of an image, beside what the denoiser makes of them.

The network's attribute ``reader`` reads the tokens (:class:`~monai_xray2mri.networks.token_reader.TokenReader`). Its
truth is the batch's ``reading`` [F,V+1], one row per image, NaN where unknown; further images of which nothing else is
known, such as graded real ones, join each step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class ReadImages(Protocol):
    """Images whose reading is known."""

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Images [R,1,H,W] in [-1,1] and truths [R,V+1], by torch's generator."""
        ...


class WithReadings:
    """Another ``prepare_batch`` whose targets also hold what is to be read.

    Args:
        prepare: e.g. a :class:`~monai_xray2mri.training.denoiser.ForwardDiffusion`.
        further: images that are read and nothing else; None: none.
        count: how many of them join a step.
    """

    def __init__(
        self, prepare: Callable[..., tuple[Tensor, Any, tuple[()], dict[str, Tensor]]],
        further: ReadImages | None = None, count: int = 8,
    ) -> None:  # fmt: skip
        self.prepare, self.further, self.count = prepare, further, count

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **options: Any
    ) -> tuple[Tensor, tuple[Any, Tensor], tuple[()], dict[str, Tensor]]:
        """(z_t, (targets, truths [F+R,V+1]), arguments, keyword arguments)."""
        noisy, targets, arguments, keywords = self.prepare(batch, device, non_blocking, **options)
        truth, image = batch["reading"].to(noisy.device), keywords["image"]
        further = image[:0]
        if self.further is not None:
            further, theirs = (drawn.to(noisy.device) for drawn in self.further.draw(self.count))
            truth = torch.cat([truth, theirs])
        return noisy, (targets, truth), arguments, {**keywords, "read": further}


class DenoisingAndReading(nn.Module):
    """The denoiser's loss plus weight x the reader's.

    Args:
        network: its ``reader`` judges readings.
        diffusion_loss: of a prediction and the targets of the inner ``prepare_batch``.
        weight: of the reader's loss.
    """

    def __init__(self, network: nn.Module, diffusion_loss: nn.Module, weight: float = 0.05) -> None:
        super().__init__()
        self._network: list[Any] = [network]  # in a list, so that it does not become a submodule
        self.diffusion_loss, self.weight = diffusion_loss, weight

    def forward(self, output: tuple[Tensor, Tensor], targets: tuple[Any, Tensor]) -> Tensor:
        """Loss of (prediction, reading) against the targets of :class:`WithReadings`."""
        (prediction, reading), (inner, truth), (network,) = output, targets, self._network
        loss: Tensor = self.diffusion_loss(prediction, inner) + self.weight * network.reader.loss(reading, truth)
        return loss
