"""Single-shot detector of knee joints on a film: YOLOv2, which Wang 2024a and 2024b name for this step.

After Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger" (CVPR 2017): a fully convolutional network with batch
normalization, a passthrough layer that brings finer features to the last grid, anchor boxes, and locations predicted
relative to their grid cell. Small, because a film at 3 mm per pixel is small and knees are of nearly one size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.contrast import local_contrast

STRIDE = 16
"""Pixels per cell of the output grid."""


class _Block(nn.Sequential):
    """3 x 3 (or 1 x 1) convolution, batch normalization, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.1),
        )


class KneeYOLO(nn.Module):
    """The network: films [B,1,H,W], H and W multiples of 16, to raw predictions [B,A,5+K,H/16,W/16].

    A film is seen twice: as it is, and relative to its neighborhood, which exposure and shutters leave alone.

    The five numbers are t_x, t_y, t_w, t_h, t_o of section 2 ("direct location prediction"), the rest the classes'
    logits.

    Args:
        anchors: (height, width) of the anchor boxes in pixels.
        classes: number of classes; each box has one score for each.
        channels: channels at strides 1, 2, 4, 8 and 16.
        passthrough: channels that the features at stride 8 are squeezed to before they are folded 2 x 2.
    """

    anchors: Tensor

    def __init__(
        self,
        anchors: Sequence[tuple[float, float]] = ((37.0, 37.0),),
        classes: int = 1,
        channels: Sequence[int] = (12, 24, 40, 80, 128),
        passthrough: int = 16,
    ) -> None:
        super().__init__()
        first, second, third, fourth, last = channels
        self.classes = classes
        self.fine = nn.Sequential(
            _Block(2, first),
            nn.MaxPool2d(2),
            _Block(first, second),
            nn.MaxPool2d(2),
            _Block(second, third),
            _Block(third, second, 1),
            _Block(second, third),
            nn.MaxPool2d(2),
            _Block(third, fourth),
            _Block(fourth, third, 1),
            _Block(third, fourth),
        )
        self.coarse = nn.Sequential(
            nn.MaxPool2d(2), _Block(fourth, last), _Block(last, fourth, 1), _Block(fourth, last), _Block(last, last)
        )
        self.passthrough = _Block(fourth, passthrough, 1)
        self.head = nn.Sequential(
            _Block(last + 4 * passthrough, last), nn.Conv2d(last, len(anchors) * (5 + classes), 1)
        )
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32))
        self._start_without_knees()

    def _start_without_knees(self) -> None:
        """Begin with a confidence of 1 %: nearly all cells are empty."""
        last: Any = self.head[1]
        bias: Tensor = last.bias
        with torch.no_grad():
            bias.zero_()
            bias.view(len(self.anchors), -1)[:, 4] = math.log(0.01 / 0.99)

    def forward(self, film: Tensor) -> Tensor:
        """Raw predictions."""
        fine = self.fine(torch.cat([film, local_contrast(film)], dim=1))  # [B,c,H/8,W/8]
        folded = F.pixel_unshuffle(self.passthrough(fine), 2)  # [B,4p,H/16,W/16]
        raw = self.head(torch.cat([self.coarse(fine), folded], dim=1))
        return raw.unflatten(1, (len(self.anchors), 5 + self.classes))  # [B,A,5+K,h,w]

    def boxes(self, raw: Tensor) -> Tensor:
        """Boxes [B,A,4,h,w] (center row, center column, height, width in pixels) of raw predictions.

        b_x = sigma(t_x) + c_x, b_w = p_w exp(t_w), and so on (section 2).
        """
        height, width = int(raw.shape[-2]), int(raw.shape[-1])
        rows = torch.arange(height, device=raw.device)[:, None]
        columns = torch.arange(width, device=raw.device)[None, :]
        row = (raw[:, :, 1].sigmoid() + rows) * STRIDE
        column = (raw[:, :, 0].sigmoid() + columns) * STRIDE
        tall = self.anchors[:, 0, None, None] * torch.exp(raw[:, :, 3].clamp(max=4))
        wide = self.anchors[:, 1, None, None] * torch.exp(raw[:, :, 2].clamp(max=4))
        return torch.stack([row, column, tall, wide], dim=2)


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) given as center row, center column, height, width; broadcasts."""
    low = torch.maximum(one[..., :2] - one[..., 2:] / 2, other[..., :2] - other[..., 2:] / 2)
    high = torch.minimum(one[..., :2] + one[..., 2:] / 2, other[..., :2] + other[..., 2:] / 2)
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - shared).clamp(min=1e-6)


@dataclass(frozen=True)
class Detection:
    """A box found: center (row, column), size (height, width) in pixels of the network's image, and its scores."""

    center: tuple[float, float]
    size: tuple[float, float]
    confidence: float
    classes: tuple[float, ...]


@torch.inference_mode()
def detect(network: KneeYOLO, film: Tensor, *, threshold: float, nms: float = 0.3, limit: int = 8) -> list[Detection]:
    """Boxes of one film [1,1,H,W], the most confident first, without those that overlap a better one.

    Args:
        network: in evaluation mode.
        film: the film as the network was trained to see it.
        threshold: least confidence sigma(t_o).
        nms: overlap above which the less confident of two boxes is dropped.
        limit: greatest number of boxes.
    """
    raw = network(film)
    boxes = network.boxes(raw)[0].flatten(2).movedim(1, 2).reshape(-1, 4)  # [A*h*w,4]
    confidence = raw[0, :, 4].sigmoid().flatten()
    classes = raw[0, :, 5:].sigmoid().flatten(2).movedim(1, 2).reshape(-1, network.classes)
    order = [int(i) for i in confidence.argsort(descending=True) if confidence[i] >= threshold]
    kept: list[int] = []
    for index in order:
        if len(kept) == limit:
            break
        if not kept or float(overlap(boxes[index], boxes[kept]).max()) <= nms:
            kept.append(index)
    return [
        Detection(
            (float(boxes[i, 0]), float(boxes[i, 1])),
            (float(boxes[i, 2]), float(boxes[i, 3])),
            float(confidence[i]),
            tuple(classes[i].tolist()),
        )
        for i in kept
    ]


class YOLOLoss(nn.Module):
    """The sum-squared loss of YOLO (Redmon et al. 2016, Eq. 3) in the terms of YOLOv2, with logistic class scores.

    The cell in which a box's center lies, and there the anchor of most similar shape, is responsible for it; its
    confidence shall be the overlap that its box reaches. Other boxes that overlap a knee by more than ``ignore`` are
    left alone, all others shall have confidence 0.

    Args:
        coordinates: weight of the location (5 in the paper).
        empty: weight of the confidence of empty boxes (0.5 in the paper).
        ignore: overlap above which a box without responsibility is not punished.
    """

    def __init__(self, coordinates: float = 5.0, empty: float = 0.5, ignore: float = 0.6) -> None:
        super().__init__()
        self.coordinates, self.empty, self.ignore = coordinates, empty, ignore

    def forward(self, network: KneeYOLO, raw: Tensor, targets: Sequence[Tensor]) -> Tensor:
        """Loss per film.

        Args:
            network: gives anchors and boxes.
            raw: its predictions [B,A,5+K,h,w].
            targets: one tensor [N,4+K] per film: center row, center column, height, width in pixels, classes.
        """
        boxes = network.boxes(raw)
        confidence = raw[:, :, 4].sigmoid()
        total = raw.new_zeros(())
        for index, wanted in enumerate(targets):
            weight = torch.full_like(confidence[index], self.empty)
            goal = torch.zeros_like(weight)
            if len(wanted):
                place = boxes[index].detach().movedim(1, -1)  # [A,h,w,4]
                best = overlap(place[..., None, :], wanted[:, :4]).amax(-1)
                weight[best > self.ignore] = 0
            for box in wanted:
                cell = self._responsible(network, box, raw.shape[-2:])
                goal[cell] = overlap(boxes[(index, cell[0], slice(None), *cell[1:])].detach(), box[:4])
                weight[cell] = 1.0
                total = total + self._location(network, raw[(index, cell[0], slice(None), *cell[1:])], box, cell)
            total = total + (weight * (confidence[index] - goal).square()).sum()
        return total / len(targets)

    @staticmethod
    def _responsible(network: KneeYOLO, box: Tensor, grid: torch.Size) -> tuple[int, int, int]:
        shapes = torch.cat([torch.zeros_like(network.anchors), network.anchors], dim=1)
        alike = overlap(shapes, torch.cat([torch.zeros_like(box[:2]), box[2:4]]))
        row, column = (int(box[i] / STRIDE) for i in (0, 1))
        return int(alike.argmax()), min(max(row, 0), grid[0] - 1), min(max(column, 0), grid[1] - 1)

    def _location(self, network: KneeYOLO, raw: Tensor, box: Tensor, cell: tuple[int, int, int]) -> Tensor:
        """Loss of the location and classes of one responsible prediction [5+K]."""
        anchor, row, column = cell
        wanted = box[:2] / STRIDE - box.new_tensor([row, column])
        center = (raw[:2].sigmoid() - wanted.flip(0)).square().sum()
        size = (raw[2:4] - (box[2:4] / network.anchors[anchor]).log().flip(0)).square().sum()
        classes = F.binary_cross_entropy_with_logits(raw[5:], box[4:])
        return self.coordinates * (center + size) + classes
