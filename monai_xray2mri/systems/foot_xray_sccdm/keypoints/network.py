"""The network of the keypoint detector: for each point a map of where it may be, and how likely it is nowhere."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.small_unet import SmallUNet
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS

SIZE: Final = 256
"""Pixels per side of what it sees."""
FOLD: Final = 4
CELLS: Final = SIZE // FOLD
"""Cells per side of a map, 4 pixels each."""
NEAR: Final = 4.0
"""Pixels from a point within which it counts as found: 3.3 mm of a mean foot."""
_WIDTHS: Final = (36, 52, 68, 76)
_WINDOW: Final = 2
"""Cells around the highest one over which its exact place is averaged."""


class KeypointNetwork(nn.Module):
    """Ten maps of 64 x 64 cells and ten logits of absence from one small U-Net.

    The probabilities of the cells of a map and that of absence sum to 1, so that a network that does not know where a
    point is, or sees none, says so. ``sharpness`` scales the logits; it is fitted to feet that no weight was trained
    on, after training (Guo et al., ICML 2017).
    """

    sharpness: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.unet = SmallUNet(1, len(KEYPOINTS), FOLD, _WIDTHS)
        self.absence = nn.Sequential(nn.Linear(_WIDTHS[-1], 48), nn.SiLU(), nn.Linear(48, len(KEYPOINTS)))
        self.register_buffer("sharpness", torch.ones(()))

    def forward(self, radiograph: Tensor) -> Tensor:
        """Logits [B,10,4097] of the cells of each map, row by row, and of absence, of radiographs [B,1,256,256]."""
        maps, deepest = self.unet.with_deepest(2 * radiograph - 1)
        absent = self.absence(deepest.amax((2, 3)))
        logits = torch.cat((maps.flatten(2), absent[..., None]), 2)
        return self.sharpness * logits.float()


def places(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Where points are, and how sure that is.

    Args:
        logits: [B,10,4097].

    Returns:
        [B,10,2] (row, column) in pixels, (0, 0) the middle of the first; [B,10] the probability that a point lies
        within 4 pixels of that place.
    """
    maps = logits.softmax(2)[..., :-1].unflatten(2, (CELLS, CELLS))
    steps = torch.arange(CELLS, dtype=torch.float32)
    best = maps.flatten(2).argmax(2)
    row, column = best // CELLS, best % CELLS
    near_row = (steps - row[..., None]).abs() <= _WINDOW
    near_column = (steps - column[..., None]).abs() <= _WINDOW
    weight = maps * near_row[..., :, None] * near_column[..., None, :]
    total = weight.sum((2, 3)).clamp(min=1e-12)
    rows, columns = (weight.sum(3) * steps).sum(2) / total, (weight.sum(2) * steps).sum(2) / total
    points = torch.stack((rows, columns), -1)  # in cells
    squared = (steps[:, None] - rows[..., None, None]) ** 2 + (steps - columns[..., None, None]) ** 2
    # The share of a cell of 4 pixels that lies within 4 pixels: its middle decides, softly.
    inside = torch.sigmoid((NEAR / FOLD + 0.25 - squared.sqrt()) / 0.15)
    return points * FOLD + (FOLD - 1) / 2, (maps * inside).sum((2, 3)).clamp(0, 1)


def marks(points: Tensor, present: Tensor, spread: float = 0.7) -> Tensor:
    """What the network should say: [B,10,4097] probabilities, a Gaussian around a point, or absence.

    Args:
        points: [B,10,2] (row, column) in pixels.
        present: [B,10] whether a point is to be seen.
        spread: standard deviation of the Gaussian in cells.
    """
    cells = (points - (FOLD - 1) / 2) / FOLD
    steps = torch.arange(CELLS, dtype=torch.float32)
    along = torch.exp(-((steps - cells[..., :1]) ** 2) / (2 * spread**2))
    across = torch.exp(-((steps - cells[..., 1:]) ** 2) / (2 * spread**2))
    maps = along[..., :, None] * across[..., None, :]
    maps = maps / maps.sum((2, 3), keepdim=True).clamp(min=1e-6)
    on = present.float()[..., None]
    return torch.cat((maps.flatten(2) * on, 1 - on), 2)


def loss_of(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of what the network says and what it should say."""
    return -(wanted * F.log_softmax(logits, 2)).sum(2).mean()
