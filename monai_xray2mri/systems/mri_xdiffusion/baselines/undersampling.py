"""Slices of which some lines of k-space were not measured: the task of compressed sensing (X-Diffusion, Table VII)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import UsageError

CENTER: float = 0.08
"""Share of lines around the center that are always acquired, as in fastMRI's masks (0.08 at factor 4)."""


@dataclass(frozen=True)
class Undersampling:
    """Which lines of k-space are acquired, the same of every slice.

    Attributes:
        lines: [D] bool, of columns' frequencies as :func:`torch.fft.fft2` orders them.
    """

    lines: Tensor

    @classmethod
    def draw(cls, size: int, factor: float, seed: int = 0) -> Undersampling:
        """One line in ``factor``, the center whole, the others at random.

        Raises:
            UsageError: a factor below 1, or one that the center alone exceeds.
        """
        wanted, center = round(size / factor), round(CENTER * size)
        if factor < 1 or wanted < center:
            raise UsageError("acceleration", f"must lie in 1 to {1 / CENTER:g}", f"{factor:g}")
        order = np.argsort(np.abs(np.fft.fftfreq(size)), kind="stable")
        rng = draw_generator("undersampling", seed, size, wanted)
        others = rng.permutation(order[center:])[: wanted - center]
        lines = torch.zeros(size, dtype=torch.bool)
        lines[torch.from_numpy(np.concatenate([order[:center], others]))] = True
        return cls(lines)

    @classmethod
    def middle(cls, size: int, share: float) -> Undersampling:
        """The lines around the center alone, a share of all."""
        order = np.argsort(np.abs(np.fft.fftfreq(size)), kind="stable")
        lines = torch.zeros(size, dtype=torch.bool)
        lines[torch.from_numpy(order[: max(1, round(share * size))])] = True
        return cls(lines)

    def measured(self, slices: Tensor) -> Tensor:
        """Lines of k-space [S,D,D] complex, 0 where not measured, of slices [S,D,D]."""
        return torch.fft.fft2(slices, norm="ortho") * self.lines

    def filled(self, measured: Tensor) -> Tensor:
        """Slices [S,D,D] with zeros for what was not measured; the adjoint of :meth:`measured`."""
        return torch.fft.ifft2(measured * self.lines, norm="ortho").real

    def consistent(self, slices: Tensor, measured: Tensor) -> Tensor:
        """Slices whose acquired lines are the measured ones."""
        spectrum = torch.where(self.lines, measured, torch.fft.fft2(slices, norm="ortho"))
        return torch.fft.ifft2(spectrum, norm="ortho").real
