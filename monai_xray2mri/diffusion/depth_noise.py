"""Noise of one volume as a Gaussian process over physical depth.

The denoiser is trained on single slices with noise N(0, I). How much noise *neighboring* slices share is therefore free
to choose, and it decides how alike the generated slices are. Wang 2024a, Algorithm 2, draws one noise for all slices,
which makes them too much alike; independent noise makes them too different. Here

    eps(d) = sqrt(share) e + sqrt(1 - share) g(d),    e, g(d) ~ N(0, I),

and each component of g's cosine transform in the plane, of wavelength w, is a process over depth of its own,

    E[c(d) c(d')] = exp(-(d - d')^2 / (2 l^2)),    l^2 = length^2 + (aspect w)^2.

Coarse noise, which decides where a limb lies and how wide it is, changes slowly with depth; fine noise fast, as true
slices do: in latents of true volumes l is close to w / 8 from 10 mm to 160 mm (docs/diffusion/sampling.md). The
transform is orthonormal, so that each slice's noise is N(0, I) for any kernel. It is a function of depth in mm: more or
fewer slices over the same range are samples of the same process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_xray2mri.diffusion.sampler_settings import SHORTEST_MM

_APART = 5.0
"""Lengths between the range's end and its periodic repetition: exp(-5^2 / 2) = 4e-6 of correlation is left."""
_FINEST = 5.5
"""Frequencies times length that are kept: exp(-5.5^2 / 2) = 3e-7 of the strongest component."""


@dataclass(frozen=True)
class DepthKernel:
    """Correlation between the noise of two depths.

    Attributes:
        share: variance that all depths have in common, 0 to 1; 1 is Wang 2024a's one noise per volume.
        length_mm: standard deviation in mm of the Gaussian with which the correlation of the finest noise falls off.
        range_mm: depths lie within 0 to this.
        aspect: growth of that length per wavelength in the plane; 0 is one length for all.
        pixel_mm: side of a pixel of the noise in the plane.

    Raises:
        ValueError: a value out of range.
    """

    share: float = 1.0
    length_mm: float = 1.5
    range_mm: float = 73.5
    aspect: float = 0.0
    pixel_mm: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be within 0..1, got {self.share}")
        if not self.length_mm >= SHORTEST_MM:
            raise ValueError(f"length_mm must be at least {SHORTEST_MM}, got {self.length_mm}")
        if not self.range_mm >= 0:
            raise ValueError(f"range_mm must not be negative, got {self.range_mm}")
        if not 0 <= self.aspect <= 1:
            raise ValueError(f"aspect must be within 0..1, got {self.aspect}")

    def correlation(self, distance_mm: Tensor, wavelength_mm: float = 0.0) -> Tensor:
        """Correlation of noise of one wavelength at two depths, by their distance (any shape, at most ``range_mm``)."""
        length = self._length(torch.tensor(wavelength_mm, dtype=torch.float64))
        return self.share + (1 - self.share) * torch.exp(-0.5 * (distance_mm / length) ** 2)

    def lengths(self, height: int, width: int) -> Tensor:
        """Length in mm of each component of the cosine transform, [h,w] float64; [1,1] if they are alike."""
        if self.aspect == 0:
            return torch.full((1, 1), self.length_mm, dtype=torch.float64)
        rows, columns = (torch.arange(size, dtype=torch.float64) / size for size in (height, width))
        return self._length(2 * self.pixel_mm / torch.hypot(rows[:, None], columns))  # the mean's is infinite

    def _length(self, wavelength_mm: Tensor) -> Tensor:
        # Half the range is enough for what all slices share, and bounds the number of components.
        longest = max(self.range_mm / 2, self.length_mm)
        return torch.hypot(torch.tensor(self.length_mm).to(wavelength_mm), self.aspect * wavelength_mm).clamp(
            max=longest
        )

    def spectrum(self, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Angular frequencies [K] in 1/mm and the variances [K,...] (sum 1) of processes of these lengths, float64.

        The Gaussian's Fourier series on a period that is longer than the range by five lengths.
        """
        period = self.range_mm + _APART * float(lengths.max())
        count = math.ceil(_FINEST / self.length_mm * period / (2 * math.pi)) + 1
        omega = 2 * math.pi / period * torch.arange(count, dtype=torch.float64)
        variance = torch.exp(-0.5 * (omega.reshape(-1, *[1] * lengths.dim()) * lengths) ** 2)
        variance[1:] *= 2  # +omega and -omega
        return omega, variance / variance.sum(dim=0)


class DepthProcess:
    """One draw of eps over the whole range: a fixed number of numbers, from which any depth follows.

    Args:
        shape: (C, h, w) of the noise of one slice.
        kernel: correlation over depth.
        generator: on the CPU; e is drawn first, so that a share of 1 draws what Wang 2024a draws.
    """

    def __init__(self, shape: tuple[int, int, int], kernel: DepthKernel, generator: torch.Generator) -> None:
        self.shape, self.kernel = shape, kernel
        self.common = torch.randn(1, *shape, generator=generator)
        self.omega, variance = kernel.spectrum(kernel.lengths(*shape[1:]))
        self.waves: Tensor | None = None
        if kernel.share < 1:
            amplitude = (variance * (1 - kernel.share)).sqrt().float()[:, None]  # [K,1,h,w]
            waves = torch.randn(2, len(self.omega), *shape, generator=generator).mul_(amplitude)
            self.waves = waves.reshape(2 * len(self.omega), -1)  # [2K,C*h*w]

    def at(self, depth_mm: Tensor) -> Tensor:
        """Noise at depths [S] in mm: [S,C,h,w] float32 on the CPU; a slice does not depend on the others."""
        if self.waves is None:
            return self.common.expand(len(depth_mm), *self.shape)
        angle = depth_mm.detach().cpu().double()[:, None] * self.omega
        basis = torch.cat([angle.cos(), angle.sin()], dim=1).float()  # [S,2K]
        varying = (basis @ self.waves).reshape(-1, *self.shape)
        if self.kernel.aspect > 0:
            rows, columns = (cosine_transform(size) for size in self.shape[1:])
            varying = rows.T @ varying @ columns
        return math.sqrt(self.kernel.share) * self.common + varying


def cosine_transform(size: int) -> Tensor:
    """The orthonormal discrete cosine transform [k,n] (DCT-II), float32; component k has 2 n / k pixels a wave."""
    steps = torch.arange(size, dtype=torch.float64)
    matrix = math.sqrt(2 / size) * torch.cos(math.pi / size * (steps + 0.5) * steps[:, None])
    matrix[0] /= math.sqrt(2)
    return matrix.float()


class VolumeNoise:
    """All the noise of one volume: the initial noise and, for eta > 0, the noise of each step; each is its own process.

    The noise of a step is drawn again at each call, so that memory does not grow with the steps and all chunks of
    slices get the same process.

    Args:
        shape: (C, h, w) of the noise of one slice.
        kernel: correlation over depth, the same for all steps.
        generator: on the CPU; one per volume.
    """

    def __init__(self, shape: tuple[int, int, int], kernel: DepthKernel, generator: torch.Generator) -> None:
        self.shape, self.kernel = shape, kernel
        self.process = DepthProcess(shape, kernel, generator)
        self.seed = int(torch.randint(2**62, (), generator=generator))

    def initial(self, places: Tensor) -> Tensor:
        """z_T at depths [S], 0 to 1 of the kernel's range: [S,C,h,w] float32 on the CPU."""
        return self.process.at(places * self.kernel.range_mm)

    def step(self, index: int, places: Tensor) -> Tensor:
        """The noise that step ``index`` adds at depths [S], 0 to 1 of the range: [S,C,h,w] float32 on the CPU."""
        generator = torch.Generator().manual_seed(self.seed + index)
        return DepthProcess(self.shape, self.kernel, generator).at(places * self.kernel.range_mm)
