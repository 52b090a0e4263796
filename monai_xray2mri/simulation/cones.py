"""Cones with known truth (X-Diffusion, appendix A.1): 10,000 of them, as functions of a point in space.

The paper varies size, orientation, inner cone and color, constant or graded, and gives no number. Here a cone is a
function, so that any cross-section of it is exact without a volume. Lengths are halves of the cube's side: the cube is
[-1,1]^3. Every cone lies within the ball inscribed in it, so that turning it loses nothing.

What is drawn is frozen by :data:`CONES_VERSION`, because PSNR depends on the share of the cube that is filled: 2.5 % in
the mean over cones.

Example:
    >>> cones = draw_cones(TRAINING[:2])
    >>> cones.volume(8).shape
    torch.Size([2, 8, 8, 8])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import UsageError

CONES_VERSION: Final = "1.0"
TRAINING: Final = range(0, 8000)
VALIDATION: Final = range(8000, 9000)
TEST: Final = range(9000, 10000)
SPLITS: Final = {"training": TRAINING, "validation": VALIDATION, "test": TEST}
"""Seeds of the paper's 8, 1 and 1 thousand cones; disjoint."""

EDGE: Final = 1 / 32
"""Width over which the surface of a cone fades: a voxel of 64 along the cube's side."""
FARTHEST: Final = 0.15
"""Greatest distance of the center of a cone's axis from the cube's."""
KEPT_FREQUENCIES: Final = 0.5
"""Share of the frequencies along each axis that :func:`without_high_frequencies` keeps; the paper gives none."""


@dataclass(frozen=True)
class Cones:
    """N cones.

    Attributes:
        base: center of the base, [N,3]: x along columns, y along rows, z along slices.
        axis: unit vector from the base to the tip, [N,3].
        height: [N].
        radius: of the base, [N].
        inner: radius of the inner cone as a share of the outer one's, [N].
        colors: of the outer cone at its base and at its tip, and of the inner cone, [N,3] in [0,1].
    """

    base: Tensor
    axis: Tensor
    height: Tensor
    radius: Tensor
    inner: Tensor
    colors: Tensor

    def __len__(self) -> int:
        """Number of cones."""
        return len(self.height)

    def __getitem__(self, rows: Sequence[int] | Tensor | slice) -> Cones:
        """Some of the cones."""
        return Cones(*(getattr(self, field.name)[rows] for field in fields(self)))

    def values(self, points: Tensor) -> Tensor:
        """Brightness in [0,1] at points of space: [N,...,3] to [N,...]; the first axis counts the cones."""
        shape = (len(self), *[1] * (points.dim() - 2))
        height, radius, inner = (part.reshape(shape) for part in (self.height, self.radius, self.inner))
        from_base = points - self.base.reshape(*shape, 3)
        along = (from_base * self.axis.reshape(*shape, 3)).sum(dim=-1)  # 0 at the base, height at the tip
        across = (from_base.square().sum(dim=-1) - along.square()).clamp(min=0).sqrt()
        outline = radius * (1 - along / height)
        slope = height / torch.hypot(height, radius)  # from a distance across the axis to one across the surface
        outside = _coverage(torch.minimum((outline - across) * slope, along))
        inside = _coverage((inner * outline - across) * slope)
        at_base, at_tip, core = (color.reshape(shape) for color in self.colors.unbind(dim=1))
        shell = at_base + (at_tip - at_base) * (along / height).clamp(0, 1)
        return outside * (shell + (core - shell) * inside)

    def volume(self, size: int) -> Tensor:
        """Voxels [N,size,size,size] in [0,1]; axes: slices, rows, columns."""
        ticks = (2 * torch.arange(size, dtype=torch.float32) + 1) / size - 1
        z, y, x = torch.meshgrid(ticks, ticks, ticks, indexing="ij")
        return self.values(torch.stack([x, y, z], dim=-1).expand(len(self), -1, -1, -1, -1))


def draw_cones(seeds: Sequence[int]) -> Cones:
    """The cones of some seeds; each depends on its seed alone.

    Raises:
        UsageError: a seed that no split has.
    """
    drawn = [_draw(seed) for seed in seeds]
    return Cones(*(torch.from_numpy(np.stack(parts).astype(np.float32)) for parts in zip(*drawn, strict=True)))


def split_of(seed: int) -> str:
    """Name of the split that a seed belongs to.

    Raises:
        UsageError: none has it.
    """
    for name, seeds in SPLITS.items():
        if seed in seeds:
            return name
    raise UsageError("seed of a cone", f"must lie in 0 to {TEST.stop - 1}", str(seed))


def without_high_frequencies(volume: Tensor, kept: float = KEPT_FREQUENCIES) -> Tensor:
    """The Fourier-masked twin of volumes (X-Diffusion, appendix C.1), clipped to [0,1].

    The paper masks "high frequencies" of its cones to see whether what an MR image owes to its Fourier transform helps
    the network; it gives no mask. Here the frequencies within a box stay.

    Args:
        volume: [N,S,H,W] in [0,1].
        kept: share of the frequencies along each axis that stay, 0 to 1.
    """
    axes = (1, 2, 3)
    spectrum = torch.fft.fftn(volume, dim=axes)
    for axis in axes:
        frequency = torch.fft.fftfreq(volume.shape[axis]).abs() * 2  # 1 is the highest
        shape = [1] * volume.dim()
        shape[axis] = -1
        spectrum = spectrum * (frequency <= kept).reshape(shape)
    masked: Tensor = torch.fft.ifftn(spectrum, dim=axes).real
    return masked.clamp(0, 1)


def _draw(seed: int) -> tuple[np.ndarray, ...]:
    split_of(seed)
    rng = draw_generator("cone", seed)
    height, radius = rng.uniform(0.75, 1.25), rng.uniform(0.3, 0.5)
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    center = rng.normal(size=3)  # of the axis; rim and tip then lie within hypot(0.625, 0.5) + 0.15 + EDGE < 1
    center *= FARTHEST * rng.uniform() ** (1 / 3) / np.linalg.norm(center)
    at_base = rng.uniform(0.5, 1.0)
    at_tip = rng.uniform(0.3, 1.0) if rng.random() < 0.5 else at_base
    colors = np.array([at_base, at_tip, rng.uniform(0.0, 1.0)])
    parts = (center - axis * height / 2, axis, height, radius, rng.uniform(0.3, 0.7), colors)
    return tuple(np.asarray(part) for part in parts)


def _coverage(depth: Tensor) -> Tensor:
    """How far a point is inside, 0 to 1, by its depth below the surface."""
    return (0.5 + depth / EDGE).clamp(0, 1)
