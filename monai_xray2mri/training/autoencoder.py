"""First stage of Wang 2024a, Algorithm 1: the autoencoder (Eq. 6 with the KL term of section II-B)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.training.order import Division

AutoencoderBatch = tuple[Tensor, Tensor, tuple[list[torch.Generator]], dict[str, Any]]


class AutoencoderLoss(nn.Module):
    """Squared reconstruction error (Wang 2024a, Eq. 6) plus the weighted KL divergence to N(0, I).

    Args:
        kl_weight: weight of the KL divergence per cell of the latent, that is, of the C numbers at one of its h x w
            places.
        factor: pixels of the image along one side of a cell, H / h.
    """

    def __init__(self, kl_weight: float = 1e-5, factor: int = 8) -> None:
        super().__init__()
        self.kl_weight, self.cell_pixels = kl_weight, factor**2

    def forward(self, output: tuple[Tensor, Tensor], image: Tensor) -> Tensor:
        """Loss of (reconstruction [B,1,H,W], KL [B]) against the image [B,1,H,W]."""
        reconstruction, kl = output
        divergence = kl.float().mean()
        weighted = self.kl_weight * divergence / image[0].numel() * self.cell_pixels
        return (reconstruction.float() - image).square().mean() + weighted


class ImageSource(Protocol):
    """Targets, and the images that they are generated from, as a training set keeps them."""

    seed: int

    @property
    def epoch(self) -> int:
        """What :meth:`set_epoch` was last told; 0 at first."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """Draw otherwise from now on."""
        ...

    def __len__(self) -> int:
        """Number of targets."""
        ...

    def target(self, item: int) -> Tensor:
        """A target [1,H,W]."""
        ...

    def image(self, item: int) -> Tensor:
        """The image [1,H,W] that it is generated from."""
        ...


class ImageCrops(Dataset[Tensor]):
    """Random square crops of targets, and now and then of an image: E2 encodes these with the same encoder.

    A crop depends on the seed, the epoch and its number alone.

    Args:
        source: a stored set.
        size: side of a crop in pixels; a multiple of the autoencoder's factor.
        image_share: share of images among the crops.
        scale_image: brings images [B,1,H,W] to the scale they are encoded at.
    """

    def __init__(self, source: ImageSource, size: int = 128, image_share: float = 0.1, scale_image: Any = None) -> None:
        self.source, self.size, self.image_share, self.scale_image = source, size, image_share, scale_image

    def set_epoch(self, epoch: int) -> None:
        """Draw other crops from now on."""
        self.source.set_epoch(epoch)

    def __len__(self) -> int:
        """Number of targets."""
        return len(self.source)

    def __getitem__(self, item: int) -> Tensor:
        """A crop [1,size,size]."""
        generator = draw_generator("crop", self.source.seed, self.source.epoch, item)
        if generator.random() < self.image_share:
            whole = self.source.image(item)
            if self.scale_image is not None:
                whole = self.scale_image(whole[None])[0]
        else:
            whole = self.source.target(item)
        top, left = (int(start) for start in generator.integers(0, whole.shape[-1] - self.size + 1, 2))
        return whole[:, top : top + self.size, left : left + self.size]


class CropBatch:
    """As :class:`ImageCrops`, of whole batches: for a stream, which has no items.

    MONAI's ``prepare_batch``; the crops come from torch's global generator on the CPU.

    Args:
        size: side of a crop in pixels; a multiple of the autoencoder's factor.
        image_share: share of images among the crops.
        scale_image: brings images [B,1,H,W] to the scale they are encoded at.
        division: of a step into micro-batches; None takes each batch as a step.
    """

    def __init__(
        self, size: int = 128, image_share: float = 0.1, scale_image: Any = None, division: Division | None = None
    ) -> None:
        self.size, self.image_share, self.scale_image = size, image_share, scale_image
        self.division = division

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> AutoencoderBatch:
        """The crops [B,1,size,size], twice, and generators; see :class:`PrepareAutoencoderBatch`."""
        targets, images = (batch[name].to(device, non_blocking=non_blocking) for name in ("target", "image"))
        if self.scale_image is not None:
            images = self.scale_image(images)
        count, room = len(targets), targets.shape[-1] - self.size + 1
        is_image = _draw_for_step(lambda step: torch.rand(step) < self.image_share, count, self.division)
        starts = _draw_for_step(lambda step: torch.randint(0, room, (step, 2)), count, self.division).tolist()
        mixed = torch.where(is_image.to(targets.device)[:, None, None, None], images, targets)
        crops = torch.stack(
            [
                whole[:, top : top + self.size, left : left + self.size]
                for whole, (top, left) in zip(mixed, starts, strict=True)
            ]
        )
        return crops, crops, (_generators(count, self.division),), {}


class PrepareAutoencoderBatch:
    """MONAI's ``prepare_batch`` of images [B,1,H,W], or of items that hold them as ``target``.

    Args:
        division: of a step into micro-batches; None takes each batch as a step.
    """

    def __init__(self, division: Division | None = None) -> None:
        self.division = division

    def __call__(
        self, batch: Tensor | dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> AutoencoderBatch:
        """(input, target, arguments, keyword arguments): the image is both, and each has a generator on the CPU."""
        images = batch["target"] if isinstance(batch, dict) else batch
        images = images.to(device, non_blocking=non_blocking)
        return images, images, (_generators(len(images), self.division),), {}


def _draw_for_step(draw: Callable[[int], Tensor], count: int, division: Division | None) -> Tensor:
    """What is drawn for the whole step, and of it this micro-batch's part [count,...]."""
    return draw(count) if division is None else division.my_rows(draw(division.batch_size))


def _generators(count: int, division: Division | None) -> list[torch.Generator]:
    """One generator on the CPU per image, for the sampled latent."""
    seeds = _draw_for_step(lambda step: torch.randint(0, 2**62, (step,)), count, division)
    return [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
