"""Crops of slices for the autoencoder."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.knee.data.slices import StoredSlices


class SliceCrops(Dataset[Tensor]):
    """Random square crops of slices, and now and then of a radiograph: E2 encodes these with the same encoder.

    A crop depends on the seed, the epoch and its number alone.

    Args:
        source: slices of a stored set.
        size: side of a crop in pixels; a multiple of 8.
        radiograph_share: share of radiographs among the crops.
        scale_radiograph: brings a radiograph to the scale it is encoded at.
    """

    def __init__(
        self, source: StoredSlices, size: int = 128, radiograph_share: float = 0.1, scale_radiograph: Any = None
    ) -> None:
        self.source, self.size, self.radiograph_share = source, size, radiograph_share
        self.scale_radiograph = scale_radiograph

    def set_epoch(self, epoch: int) -> None:
        """Draw other crops from now on."""
        self.source.set_epoch(epoch)

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.source)

    def __getitem__(self, item: int) -> Tensor:
        """A crop [1,size,size]."""
        generator = draw_generator("crop", self.source.seed, self.source.epoch, item)
        if generator.random() < self.radiograph_share:
            image = self.source.radiograph(item)
            if self.scale_radiograph is not None:
                image = self.scale_radiograph(image[None])[0]
        else:
            image = self.source.image(item)
        top, left = (int(start) for start in generator.integers(0, image.shape[-1] - self.size + 1, 2))
        return image[:, top : top + self.size, left : left + self.size]
