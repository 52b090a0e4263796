"""Noise of all sections of a view, correlated along depth."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.diffusion.depth_noise import VolumeNoise


class SectionNoise:
    """The noise of one view as a process over the depth of its sections.

    Args:
        process: noise of images; its range is the side of the cube.
        fold: pixels per side that a codec folds into a latent cell. The process is then one of pixels, where
            wavelengths have their meaning, and is folded as the images are; 1: it is one of latents.
    """

    def __init__(self, process: VolumeNoise, fold: int) -> None:
        self.process, self.fold = process, fold

    def initial(self, places: Tensor) -> Tensor:
        """z_T [S,C,h,w] at places [S,10]."""
        return self._folded(self.process.initial(_depth(places)))

    def step(self, index: int, places: Tensor) -> Tensor:
        """The noise [S,C,h,w] that step ``index`` adds at places [S,10]."""
        return self._folded(self.process.step(index, _depth(places)))

    def _folded(self, noise: Tensor) -> Tensor:
        return F.pixel_unshuffle(noise, self.fold)


def _depth(places: Tensor) -> Tensor:
    """Depths 0 to 1 of the cube's side."""
    return (places[:, 9] + 1) / 2
