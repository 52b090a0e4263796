"""First stage of Wang 2024a, Algorithm 1: the autoencoder (Eq. 6 with the KL term of section II-B)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from monai_xray2mri.training.order import Division

AutoencoderBatch = tuple[Tensor, Tensor, tuple[list[torch.Generator]], dict[str, Any]]


class AutoencoderLoss(nn.Module):
    """Squared reconstruction error (Wang 2024a, Eq. 6) plus the weighted KL divergence to N(0, I).

    Args:
        kl_weight: weight of the KL divergence per latent number.
    """

    def __init__(self, kl_weight: float = 1e-5) -> None:
        super().__init__()
        self.kl_weight = kl_weight

    def forward(self, output: tuple[Tensor, Tensor], image: Tensor) -> Tensor:
        """Loss of (reconstruction [B,1,H,W], KL [B]) against the image [B,1,H,W]."""
        reconstruction, kl = output
        pixels = image[0].numel()
        return (reconstruction.float() - image).square().mean() + self.kl_weight * kl.float().mean() / pixels * 64


class CropBatch:
    """As :class:`~monai_xray2mri.knee.data.slice_crops.SliceCrops`, of batches of a stream that simulates them.

    MONAI's ``prepare_batch``; the crops come from torch's global generator on the CPU.

    Args:
        size: side of a crop in pixels; a multiple of 8.
        radiograph_share: share of radiographs among the crops.
        scale_radiograph: brings radiographs [B,1,H,W] to the scale they are encoded at.
        division: of a step into micro-batches; None takes each batch as a step.
    """

    def __init__(
        self,
        size: int = 128,
        radiograph_share: float = 0.1,
        scale_radiograph: Any = None,
        division: Division | None = None,
    ) -> None:
        self.size, self.radiograph_share, self.scale_radiograph = size, radiograph_share, scale_radiograph
        self.division = division

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> AutoencoderBatch:
        """The crops [B,1,size,size], twice, and generators; see :class:`PrepareAutoencoderBatch`."""
        images, films = (batch[name].to(device, non_blocking=non_blocking) for name in ("slice", "radiograph"))
        if self.scale_radiograph is not None:
            films = self.scale_radiograph(films)
        count, room = len(images), images.shape[-1] - self.size + 1
        is_film = _drawn(lambda step: torch.rand(step) < self.radiograph_share, count, self.division)
        starts = _drawn(lambda step: torch.randint(0, room, (step, 2)), count, self.division).tolist()
        mixed = torch.where(is_film.to(images.device)[:, None, None, None], films, images)
        crops = torch.stack(
            [
                image[:, top : top + self.size, left : left + self.size]
                for image, (top, left) in zip(mixed, starts, strict=True)
            ]
        )
        return crops, crops, (_generators(count, self.division),), {}


class PrepareAutoencoderBatch:
    """MONAI's ``prepare_batch`` of images [B,1,H,W], or of items that hold them as ``slice``.

    Args:
        division: of a step into micro-batches; None takes each batch as a step.
    """

    def __init__(self, division: Division | None = None) -> None:
        self.division = division

    def __call__(
        self, batch: Tensor | dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> AutoencoderBatch:
        """(input, target, arguments, keyword arguments): the image is both, and each has a generator on the CPU."""
        images = batch["slice"] if isinstance(batch, dict) else batch
        images = images.to(device, non_blocking=non_blocking)
        return images, images, (_generators(len(images), self.division),), {}


def _drawn(draw: Callable[[int], Tensor], count: int, division: Division | None) -> Tensor:
    """What is drawn for the whole step, and of it this micro-batch's part [count,...]."""
    return draw(count) if division is None else division.mine(draw(division.batch_size))


def _generators(count: int, division: Division | None) -> list[torch.Generator]:
    """One generator on the CPU per image, for the sampled latent."""
    seeds = _drawn(lambda step: torch.randint(0, 2**62, (step,)), count, division)
    return [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
