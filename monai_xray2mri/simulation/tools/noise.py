"""Smooth random fields and blurring, the same on every device and for every number of threads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.simulation.tools.lattice import CPU, Grid, Lattice, Points

_KNOT_MM = 16.0
_KNOTS = 20
_OVERSAMPLED = 3
NOISE_GAIN = 2.0
"""Brings a B-spline of standard normal knots to about unit size."""


def noise_knots(generator: torch.Generator, count: int = _KNOTS) -> Tensor:
    """Knots [count,count,count] of a smooth random field, standard normal, drawn on the CPU."""
    return torch.randn((count,) * 3, generator=generator)


def smooth_noise(knots: Tensor, grid: Grid | Lattice, knot_mm: float = _KNOT_MM, device: torch.device = CPU) -> Tensor:
    """Smooth random field [...,Y,Z,X] with a standard deviation near 1.

    It is the cubic B-spline of ``knots`` [...,K,K,K], which are ``knot_mm`` apart.
    """
    if isinstance(grid, Lattice):
        grid = Grid(grid.axis(1), grid.axis(2), grid.axis(0))
    count = knots.shape[-1]
    low = -knot_mm * (count - 1) / 2
    along_y, along_z, along_x = (
        spline_weights((axis - low) / knot_mm, count).to(device) for axis in (grid.y, grid.z, grid.x)
    )
    planes = (along_y @ knots.to(device).flatten(-2)).unflatten(-1, knots.shape[-2:])  # [...,Y,z,x]
    return torch.matmul(torch.matmul(along_z, planes), along_x.transpose(-1, -2)) * NOISE_GAIN


@dataclass(frozen=True)
class FineNoise:
    """Smooth random fields on a lattice so fine that linear interpolation between its points is enough.

    Attributes:
        values: [C,N,N,N] about standard normal, along (y, z, x).
        half_mm: distance of the last point from the middle, along each axis.
    """

    values: Tensor
    half_mm: float

    @classmethod
    def of(cls, knots: Tensor, knot_mm: float, device: torch.device = CPU) -> FineNoise:
        """The fields of knots [C,K,K,K], ``knot_mm`` apart."""
        half = knot_mm * (knots.shape[-1] - 1) / 2
        fine = torch.linspace(-half, half, _OVERSAMPLED * (knots.shape[-1] - 1) + 1)
        return cls(smooth_noise(knots, Grid(fine, fine, fine), knot_mm, device), half)

    def at(self, points: Points) -> Tensor:
        """The fields [C,Y,Z,X] at points.

        Unlike in :func:`smooth_noise` the points need not form a grid, so the noise of a bone can rotate with the bone.
        """
        x, y, z = torch.broadcast_tensors(points.x, points.y, points.z)
        place = torch.stack((x, z, y), -1) / self.half_mm  # the order of grid_sample over [Y,Z,X]
        values = self.values.to(x.device)
        found = F.grid_sample(values[None], place[None], mode="bilinear", padding_mode="border", align_corners=True)
        return found[0]


def noise_at(knots: Tensor, points: Points, knot_mm: float) -> Tensor:
    """Smooth random fields [C,Y,Z,X], about standard normal, at points, from ``knots`` [C,K,K,K] ``knot_mm`` apart."""
    return FineNoise.of(knots, knot_mm, points.x.device).at(points)


def spline_weights(position: Tensor, count: int) -> Tensor:
    """Weights [...,N,count] of the cubic B-spline at positions [...,N] in steps of the knots."""
    distance = (position[..., None] - torch.arange(count)).abs()
    near, far = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clamp(min=0) ** 3 / 6
    return torch.where(distance < 1, near, far)


def blurred(image: Tensor, sigma_rows: float, sigma_columns: float) -> Tensor:
    """Gaussian blur of [H,W] with mirrored borders; sigmas in pixels.

    It is a fixed sum of shifted images, so the result does not depend on the number of threads.
    """
    return _blurred_along(_blurred_along(image, sigma_rows, 0), sigma_columns, 1)


def _blurred_along(image: Tensor, sigma: float, dim: int) -> Tensor:
    if sigma <= 0:
        return image
    reach = min(max(1, int(3 * sigma + 0.5)), image.shape[dim] - 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    ends = image.flip(dim).narrow(dim, image.shape[dim] - 1 - reach, reach), image.flip(dim).narrow(dim, 1, reach)
    padded = torch.cat((ends[0], image, ends[1]), dim)
    total = torch.zeros_like(image)
    for offset, weight in enumerate(kernel.tolist()):
        total.add_(padded.narrow(dim, offset, image.shape[dim]), alpha=weight)
    return total
