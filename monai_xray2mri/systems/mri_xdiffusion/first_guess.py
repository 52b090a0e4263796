"""A first guess of a section from the nearest slices: simple kriging around the mean volume, ours.

Of a Gaussian process with a known mean and a correlation that falls with distance, the posterior mean at a point p,
given the values s_1, s_2 that the two nearest slices show at the foot points f_1, f_2 of p, is

    z_g(p) = m(p) + w_1 (s_1 - m(f_1)) + w_2 (s_2 - m(f_2)),    C w = c,

with C the correlations of the foot points with each other and c those with p (Matheron 1963; Rasmussen and Williams
2006, Eq. 2.38). On a slice it is the slice, far from all slices it is the mean volume, and without slices it is that
everywhere. Along each axis the correlation falls in another way; between the axes it is mixed by the squares of a
direction's components. The variance that is left, v(p) (1 - c^T w) with v that of the training volumes at p, says how
far the guess can be trusted.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.systems.mri_xdiffusion.alignment import NearestSlices
from monai_xray2mri.systems.mri_xdiffusion.planes import plane_rotation, section_grid, view_places
from monai_xray2mri.systems.mri_xdiffusion.sections import SectionSource

_NUGGET = 1e-3
"""Variance of a slice's own noise, as a share: two slices in one place share the weight, and C can be solved."""
_NOWHERE = 1e-9
"""Added to squares of components, so that a point has a direction to itself."""
_LEAST_VARIANCE = 0.02
"""Of a voxel, as a share of the mean variance."""
_FITTED = 200
"""Volumes at most that a guess is fitted to."""


class FirstGuess(nn.Module):
    """See the module. Mean, variance and correlation are buffers: they are fitted, and weights bring them.

    Args:
        fold: pixels per side that are folded into the channels of a latent.
        size: voxels per side of the volumes of mean and variance.
        lags: distances at which the correlation along x, y and z is known: from 0 on, a side of the cube / ``lags``
            apart.
    """

    mean: Tensor
    variance: Tensor
    correlation: Tensor

    def __init__(self, fold: int, size: int = 48, lags: int = 96) -> None:
        super().__init__()
        self.fold = fold
        self.register_buffer("mean", torch.zeros(size, size, size))
        self.register_buffer("variance", torch.ones(size, size, size))
        self.register_buffer("correlation", (1 - torch.arange(lags) / lags).repeat(3, 1))

    def forward(self, near: NearestSlices, place: Tensor) -> tuple[Tensor, Tensor]:
        """z_g and its variance, [B,f^2,h,w] each, of sections at places [B,10], by what is nearest to their pixels."""
        points = section_grid(place, near.feet.shape[2])  # [B,H,W,3]
        missing = self._spread(near.missing)  # [B,M,H,W]
        to_point = self.correlation_at(near.feet - points[:, None]).masked_fill(missing, 0)
        shown = F.pixel_shuffle(near.values.flatten(0, 1), self.fold).unflatten(0, missing.shape[:2])[:, :, 0]
        deviation = (shown - self.mean_at(near.feet)).masked_fill(missing, 0)
        own = 1 + _NUGGET
        if missing.shape[1] == 1:
            weight = to_point / own
        else:
            between = self.correlation_at(near.feet[:, 0] - near.feet[:, 1])
            between = between.masked_fill(missing[:, 1], 0)[:, None]
            weight = (own * to_point - between * to_point.flip(1)) / (own**2 - between**2)
        guess = self.mean_at(points) + (weight * deviation).sum(dim=1)
        left = self.variance_at(points) * (1 - (weight * to_point).sum(dim=1)).clamp(min=0)
        return F.pixel_unshuffle(guess[:, None], self.fold), F.pixel_unshuffle(left[:, None], self.fold)

    def mean_at(self, points: Tensor) -> Tensor:
        """The mean volume at points [B,...,3]: [B,...]."""
        return _sampled(self.mean, points)

    def variance_at(self, points: Tensor) -> Tensor:
        """The variance of the training volumes at points [B,...,3]: [B,...]."""
        return _sampled(self.variance, points)

    def correlation_at(self, offset: Tensor) -> Tensor:
        """The correlation [...] of points that lie (x, y, z) apart, [...,3]; linear between lags, 0 beyond the last."""
        known = F.pad(self.correlation.to(offset), (0, 1)).T  # [L+1,3]
        lags = len(known) - 1
        at = (offset.norm(dim=-1) * lags / 2).clamp(max=lags - 1e-3)
        lower = at.long()
        along = torch.lerp(known[lower], known[lower + 1], (at - lower)[..., None])
        share = offset.square() + _NOWHERE
        return (along * share).sum(dim=-1) / share.sum(dim=-1)

    def _spread(self, cells: Tensor) -> Tensor:
        return cells.repeat_interleave(self.fold, dim=2).repeat_interleave(self.fold, dim=3)

    @torch.no_grad()
    def fit(self, source: SectionSource, scale: Tensor | float = 1.0) -> None:
        """Set mean, variance and correlation from training volumes.

        The correlation is that of parallel sections of the volume less the mean, over the three planes, along which
        slices are given.

        Args:
            source: of the volumes.
            scale: what turns values in [0,1] into those of latents.
        """
        volumes = range(0, len(source), -(-len(source) // _FITTED))
        self._fit_moments(source, volumes)
        self._fit_correlation(source, volumes)
        self.mean *= scale
        self.variance *= scale**2

    def _fit_moments(self, source: SectionSource, volumes: range) -> None:
        """Mean and variance of each voxel."""
        size = len(self.mean)
        whole = view_places(torch.eye(3), size)
        total, squares = torch.zeros(2, size, size, size, dtype=torch.float64)
        for volume in volumes:
            values = source.sections(volume, whole, size)[0].double()
            total += values
            squares += values.square()
        mean = total / len(volumes)
        self.mean.copy_(mean)
        variance = squares / len(volumes) - mean.square()
        # Somebody's knee reaches where none of the training did.
        self.variance.copy_(variance.clamp(min=_LEAST_VARIANCE * float(variance.mean())))

    def _fit_correlation(self, source: SectionSource, volumes: range) -> None:
        """Correlation by distance along x, y and z, of what differs from the mean; a volume tells of one axis."""
        size, lags = len(self.mean), self.correlation.shape[1]
        products, counts = torch.zeros(2, 3, lags, dtype=torch.float64)
        for number, volume in enumerate(volumes):
            axis = number % 3
            place = view_places(plane_rotation(axis), lags)
            values, known = source.sections(volume, place, size)
            left = ((values - self.mean_at(section_grid(place, size))) * known).flatten(1)
            # Sums of products of sections that are so many depths apart: the diagonals of their Gram matrix.
            for sums, rows in ((products, left.double()), (counts, known.flatten(1).double())):
                gram = rows @ rows.T
                sums[2 - axis] += torch.stack([gram.diagonal(lag).sum() for lag in range(lags)])
        covariance = products / counts.clamp(min=1)
        self.correlation.copy_((covariance / covariance[:, :1].clamp(min=1e-12)).clamp(0, 1))


def _sampled(volume: Tensor, points: Tensor) -> Tensor:
    """A volume [S,S,S] of the cube at points [B,...,3]: [B,...]; its border is repeated."""
    grid = points.flatten(1, -2)[:, :, None, None]  # [B,N,1,1,3]
    volumes = volume.to(points)[None, None].expand(len(points), 1, -1, -1, -1)
    found = F.grid_sample(volumes, grid, padding_mode="border", align_corners=False)
    return found.reshape(points.shape[:-1])


class GuessingNetwork(Protocol):
    """A network whose denoiser may have a first guess."""

    denoiser: Any
    latent_scale: Any


Network = TypeVar("Network", bound=GuessingNetwork)


def fit_first_guess(network: Network, source: SectionSource) -> Network:
    """Fit a network's first guess to training volumes, if it has one; its latent scale must be set before."""
    guess = getattr(network.denoiser, "first_guess", None)
    if guess is not None:
        guess.fit(source, network.latent_scale)
    return network
