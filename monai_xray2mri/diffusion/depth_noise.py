"""Noise of one volume as a Gaussian process over physical depth.

The denoiser is trained on single slices with noise N(0, I). What the noise of *neighbouring* slices has in common is
therefore free to choose, and decides how alike the generated slices are: paper 000, Algorithm 2, draws one noise for
all slices, which makes them too much alike; independent noise makes them too different. Here

    eps(d) = sqrt(share) e + sqrt(1 - share) g(d),    E[g(d) g(d')] = exp(-(d - d')^2 / (2 length^2)),

with e, g(d) ~ N(0, I), so that each slice's noise is N(0, I) for any share and length. It is a function of depth in mm:
more or fewer slices over the same range are samples of the same process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_APART = 5.0
"""Lengths between the range's end and its periodic repetition: exp(-5^2 / 2) = 4e-6 of correlation is left."""
_FINEST = 5.5
"""Frequencies times length that are kept: exp(-5.5^2 / 2) = 3e-7 of the strongest component."""
SHORTEST_MM = 0.25


@dataclass(frozen=True)
class DepthKernel:
    """Correlation between the noise of two depths.

    Attributes:
        share: variance that all depths have in common, 0 to 1; 1 is paper 000's one noise per volume.
        length_mm: standard deviation of the Gaussian that the rest's correlation falls off with, in mm.
        range_mm: depths lie within 0 to this.

    Raises:
        ValueError: a value out of range.
    """

    share: float = 1.0
    length_mm: float = 1.5
    range_mm: float = 73.5

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be within 0..1, got {self.share}")
        if not self.length_mm >= SHORTEST_MM:
            raise ValueError(f"length_mm must be at least {SHORTEST_MM}, got {self.length_mm}")
        if not self.range_mm >= 0:
            raise ValueError(f"range_mm must not be negative, got {self.range_mm}")

    def correlation(self, distance_mm: Tensor) -> Tensor:
        """Correlation of the noise at depths so far apart, any shape, at most ``range_mm``."""
        return self.share + (1 - self.share) * torch.exp(-0.5 * (distance_mm / self.length_mm) ** 2)

    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Angular frequencies [K] in 1/mm and the variances [K] (sum 1) of g's components, float64.

        The Gaussian's Fourier series on a period that is longer than the range by five lengths.
        """
        period = self.range_mm + _APART * self.length_mm
        count = math.ceil(_FINEST / self.length_mm * period / (2 * math.pi)) + 1
        omega = 2 * math.pi / period * torch.arange(count, dtype=torch.float64)
        variance = torch.exp(-0.5 * (omega * self.length_mm) ** 2)
        variance[1:] *= 2  # +omega and -omega
        return omega, variance / variance.sum()


class DepthProcess:
    """One draw of eps over the whole range: a fixed number of numbers, from which any depth follows.

    Args:
        shape: (C, h, w) of the noise of one slice.
        kernel: correlation over depth.
        generator: on the CPU; e is drawn first, so that a share of 1 draws what paper 000 draws.
    """

    def __init__(self, shape: tuple[int, int, int], kernel: DepthKernel, generator: torch.Generator) -> None:
        self.shape, self.kernel = shape, kernel
        self.common = torch.randn(1, *shape, generator=generator)
        self.omega, variance = kernel.spectrum()
        self.amplitude = (variance * (1 - kernel.share)).sqrt()
        self.waves = (
            torch.randn(2 * len(self.omega), math.prod(shape), generator=generator) if kernel.share < 1 else None
        )

    def at(self, depth_mm: Tensor) -> Tensor:
        """Noise at depths [S] in mm: [S,C,h,w] float32 on the CPU; none depends on which others are asked for."""
        if self.waves is None:
            return self.common.expand(len(depth_mm), *self.shape)
        angle = depth_mm.detach().cpu().double()[:, None] * self.omega
        basis = torch.cat([self.amplitude * angle.cos(), self.amplitude * angle.sin()], dim=1).float()  # [S,2K]
        return math.sqrt(self.kernel.share) * self.common + (basis @ self.waves).reshape(-1, *self.shape)


class VolumeNoise:
    """All the noise of one volume: the initial one, and for eta > 0 that of each step, each a process of its own.

    The noise of a step is drawn again whenever it is asked for, so that memory does not grow with the steps and every
    chunk of slices meets the same process.

    Args:
        shape: (C, h, w) of the noise of one slice.
        kernel: correlation over depth, the same for all steps.
        generator: on the CPU; one per volume.
    """

    def __init__(self, shape: tuple[int, int, int], kernel: DepthKernel, generator: torch.Generator) -> None:
        self.shape, self.kernel = shape, kernel
        self.process = DepthProcess(shape, kernel, generator)
        self.seed = int(torch.randint(2**62, (), generator=generator))

    def initial(self, depth_mm: Tensor) -> Tensor:
        """z_T at depths [S] in mm: [S,C,h,w] float32 on the CPU."""
        return self.process.at(depth_mm)

    def step(self, index: int, depth_mm: Tensor) -> Tensor:
        """The noise that step ``index`` adds at depths [S] in mm: [S,C,h,w] float32 on the CPU."""
        generator = torch.Generator().manual_seed(self.seed + index)
        return DepthProcess(self.shape, self.kernel, generator).at(depth_mm)
