"""First stage of paper 000, Algorithm 1: the autoencoder (Eq. 6 with the KL term of section II-B)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.utils.data import Dataset

from monai_xray2mri.training.handlers import save_state


class AutoencoderLoss(nn.Module):
    """Squared reconstruction error (paper 000, Eq. 6) plus the weighted KL divergence to N(0, I).

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


class SliceCrops(Dataset[Tensor]):
    """Random square crops of slices, and now and then of a radiograph: E2 encodes these with the same encoder.

    Args:
        source: items with ``slice`` and ``radiograph``, both [1,H,W].
        size: side of a crop in pixels; a multiple of 8.
        radiograph_share: share of radiographs among the crops.
        scale_radiograph: brings a radiograph to the scale it is encoded at.
    """

    def __init__(
        self, source: Any, size: int = 128, radiograph_share: float = 0.1, scale_radiograph: Any = None
    ) -> None:
        self.source, self.size, self.radiograph_share = source, size, radiograph_share
        self.scale_radiograph = scale_radiograph

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.source)

    def __getitem__(self, item: int) -> Tensor:
        """A crop [1,size,size]."""
        record = self.source[item]
        image = record["slice"]
        if torch.rand(()) < self.radiograph_share:
            image = record["radiograph"]
            if self.scale_radiograph is not None:
                image = self.scale_radiograph(image[None])[0]
        top, left = (int(torch.randint(0, image.shape[-1] - self.size + 1, ())) for _ in range(2))
        return image[:, top : top + self.size, left : left + self.size]


def prepare_autoencoder_batch(
    batch: Tensor, device: Any = None, non_blocking: bool = False, **_: Any
) -> tuple[Tensor, Tensor]:
    """(input, target): the image is both."""
    image = batch.to(device, non_blocking=non_blocking)
    return image, image


class SaveAutoencoder:
    """Writes the autoencoder's state dict after every epoch and at the end.

    Args:
        module: the autoencoder.
        path: file to write.
    """

    def __init__(self, module: nn.Module, path: str | Path) -> None:
        self.module, self.path = module, Path(path)

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: save_state(self.module, self.path))
        engine.add_event_handler(Events.COMPLETED, lambda: save_state(self.module, self.path))
