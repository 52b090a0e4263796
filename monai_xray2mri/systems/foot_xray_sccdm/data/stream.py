"""Batches of pairs, varied while the network trains; photograph and radiograph move together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion
from monai_xray2mri.errors import UsageError
from monai_xray2mri.systems.foot_xray_sccdm.data.pairs import Pairs
from monai_xray2mri.systems.foot_xray_sccdm.difference import half_difference

_RAMP: Final = 3
"""Pixels on either side over which an edge is spread before it is moved."""
_KNOTS: Final = 20
"""Of the noise that bends an outline, along a side: 13 pixels apart, about the width of a toe."""


@dataclass(frozen=True)
class Variation:
    """How far pairs are varied; 0 everywhere leaves them as they are.

    Attributes:
        turn_deg: greatest rotation.
        scale: greatest relative change of size.
        shift: greatest shift as a share of the side.
        gamma: greatest logarithm of the exponent on the photograph's grey values.
        gain: greatest relative change of the photograph's brightness.
        hidden: share of the photographs of which a square, half the side long, is black: a condition that is masked.
        edge: pixels by which the outline that a foot is cut out along errs, about; in use a segmenter draws it.
    """

    turn_deg: float = 8.0
    scale: float = 0.06
    shift: float = 0.04
    gamma: float = 0.35
    gain: float = 0.2
    hidden: float = 0.0
    edge: float = 1.0


class PairStream:
    """Batches, each of which follows from seed, epoch and number alone.

    A batch holds the keys of :mod:`monai_xray2mri.training.denoiser`: ``target`` [B,1,S,S] and ``image`` [B,1,S,S] in
    [-1,1]. The target is half the difference of radiograph and photograph (Wan 2025, Eq. 9), or the radiograph itself.

    Args:
        pairs: to draw from.
        batches: per epoch, those of all processes.
        batch_size: B.
        seed: of what is drawn.
        difference: whether the target is half the difference.
        variation: see :class:`Variation`; None varies nothing.

    Raises:
        UsageError: no pair.
    """

    def __init__(
        self,
        pairs: Pairs,
        batches: int,
        batch_size: int,
        *,
        seed: int = 0,
        difference: bool = True,
        variation: Variation | None = None,
    ) -> None:
        if not len(pairs):
            raise UsageError("pairs of feet", "must be at least one", "none")
        self.pairs, self.batches, self.batch_size = pairs, batches, batch_size
        self.seed, self.difference, self.variation = seed, difference, variation

    def __len__(self) -> int:
        """Batches per epoch."""
        return self.batches

    def set_epoch(self, epoch: int) -> None:
        """Nothing: the epoch is given with each batch."""

    def batch(self, epoch: int, number: int) -> dict[str, Tensor]:
        """Batch ``number`` of an epoch; see the class."""
        rng = draw_generator("feet", self.seed, epoch, number)
        rows = rng.integers(len(self.pairs), size=self.batch_size)
        both = np.stack((self.pairs.photographs[rows], self.pairs.radiographs[rows]), axis=1)
        images = torch.from_numpy(both).float() / 255  # [B,2,S,S]
        if self.variation is not None:
            if self.variation.edge:
                uncut = self.pairs.photographs if self.pairs.floors is None else self.pairs.floors
                floors = torch.from_numpy(uncut[rows]).float()[:, None] / 255
                images[:, :1] = _cut_anew(images[:, :1], floors, self.variation.edge, rng)
            images = _varied(images, self.variation, rng)
        photograph, radiograph = (2 * images - 1).split(1, dim=1)
        return {
            "target": half_difference(radiograph, photograph) if self.difference else radiograph,
            "image": photograph,
        }


def _varied(images: Tensor, variation: Variation, rng: np.random.Generator) -> Tensor:
    """Photographs and radiographs [B,2,S,S] in [0,1], moved together; the photographs' grey values are altered."""

    def draw(reach: float) -> Tensor:
        return torch.from_numpy(rng.uniform(-reach, reach, len(images))).float()

    angle, scale = draw(math.radians(variation.turn_deg)), 1 + draw(variation.scale)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    across, down = 2 * draw(variation.shift), 2 * draw(variation.shift)
    theta = torch.stack((cosine, -sine, across, sine, cosine, down), dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    # Cubic: linear resampling would blur the targets, and the network would learn the blur.
    moved = F.grid_sample(images, grid, mode="bicubic", padding_mode="zeros", align_corners=False).clamp(0, 1)
    photograph, radiograph = moved.split(1, dim=1)
    exponent, gain = draw(variation.gamma).exp(), 1 + draw(variation.gain)
    photograph = (gain.view(-1, 1, 1, 1) * photograph ** exponent.view(-1, 1, 1, 1)).clamp(0, 1)
    if variation.hidden:
        photograph = _partly_hidden(photograph, variation.hidden, rng)
    return torch.cat((photograph, radiograph), dim=1)


def _cut_anew(photographs: Tensor, floors: Tensor, edge: float, rng: np.random.Generator) -> Tensor:
    """Feet [B,1,S,S] in [0,1] cut out along outlines that err, by more in some photographs than in others.

    The mean of the foot's mask over a square falls along a ramp across its edge; a level of that ramp other than one
    half is an outline that is moved, and smooth noise on the level bends it.
    """
    reach = 2 * _RAMP + 1
    soft = (photographs > 0).float()
    soft = F.pad(soft, (2 * _RAMP,) * 4, mode="replicate")
    for dim in (2, 3, 2, 3):  # a square's mean is that of its columns' means, in half the time
        length = soft.shape[dim] - 2 * _RAMP
        soft = reduce(torch.add, (soft.narrow(dim, start, length) for start in range(reach))) / reach
    knots = torch.from_numpy(rng.standard_normal((len(photographs), 1, _KNOTS, _KNOTS))).float()
    bend = F.interpolate(knots, photographs.shape[-2:], mode="bicubic", align_corners=True)
    error = torch.from_numpy(rng.standard_normal(len(photographs))).float().view(-1, 1, 1, 1) / 2 + bend
    error = error * torch.from_numpy(rng.uniform(0, edge, len(photographs))).float().view(-1, 1, 1, 1)
    level = (0.5 + error / reach).clamp(0.1, 0.9)
    return floors * ((soft - level) * reach + 0.5).clamp(0, 1)


def _partly_hidden(photographs: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Photographs [B,1,S,S], a square of some of them black."""
    size = photographs.shape[-1]
    found, side = photographs.clone(), size // 2
    corners = rng.integers(size - side + 1, size=(len(found), 2))
    for photograph, (row, column), draw in zip(found, corners, rng.random(len(found)), strict=True):
        if draw < share:
            photograph[:, row : row + side, column : column + side] = 0
    return found


@torch.no_grad()
def latent_rms(network: LatentDiffusion, stream: PairStream, batches: int = 16) -> float:
    """Root mean square of the unscaled latents of a stream's targets: one over the latent scale."""
    targets = (stream.batch(0, number)["target"] for number in range(batches))
    device = network.latent_scale.device
    squares = [network.autoencoder.encode(target.to(device)).double().square().mean() for target in targets]
    return float(torch.stack(squares).mean().sqrt())
