"""The detector's geometry and loss: what papers of YOLO and YOLOv2 say of them."""

from __future__ import annotations

import math

import pytest
import torch

from monai_xray2mri.knee.detection.networks.yolo import STRIDE, KneeYOLO, YOLOLoss, detect, overlap

ANCHORS = ((20.0, 20.0), (48.0, 48.0))


@pytest.fixture
def network() -> KneeYOLO:
    return KneeYOLO(ANCHORS, classes=2, channels=(4, 4, 8, 8, 8), passthrough=2).eval()


def test_grid_has_a_prediction_per_cell_anchor_and_number(network):
    assert network(torch.zeros(3, 1, 64, 96)).shape == (3, len(ANCHORS), 5 + 2, 64 // STRIDE, 96 // STRIDE)


def test_passthrough_reaches_the_head(network):
    """Without the finer features the answer is another one."""
    film = torch.randn(1, 1, 64, 64)
    before = network(film)
    with torch.no_grad():
        network.passthrough[0].weight.zero_()
    assert not torch.allclose(network(film), before)


def test_untrained_network_takes_nearly_every_cell_for_empty(network):
    assert network(torch.zeros(1, 1, 64, 64))[:, :, 4].sigmoid().mean() < 0.1


def test_boxes_are_predicted_relative_to_cell_and_anchor(network):
    """b_x = sigma(t_x) + c_x, b_w = p_w exp(t_w) (YOLOv2, section 2)."""
    raw = torch.zeros(1, 2, 7, 3, 4)
    raw[0, 1, :4, 2, 1] = torch.tensor([1.0, -1.0, math.log(2), math.log(0.5)])
    boxes = network.boxes(raw)
    assert boxes[0, 0, :, 0, 3].tolist() == pytest.approx([0.5 * STRIDE, 3.5 * STRIDE, 20, 20])
    across, down = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))
    assert boxes[0, 1, :, 2, 1].tolist() == pytest.approx([(2 + down) * STRIDE, (1 + across) * STRIDE, 24, 96])


def test_overlap_is_intersection_over_union():
    square = torch.tensor([10.0, 10.0, 4.0, 4.0])
    assert overlap(square, square) == pytest.approx(1)
    assert overlap(square, torch.tensor([10.0, 12.0, 4.0, 4.0])) == pytest.approx(8 / 24)
    assert overlap(square, torch.tensor([10.0, 15.0, 4.0, 4.0])) == 0


def test_loss_falls_to_the_truth_and_responsibility_lies_with_the_alike_anchor(network):
    target = torch.tensor([[40.0, 24.0, 46.0, 50.0, 1.0, 0.0]])
    loss_of = YOLOLoss()
    raw = torch.full((1, 2, 7, 4, 4), -8.0)
    raw[:, :, :4] = 0
    worst = loss_of(network, raw, [target])
    cell = (0, 1, slice(None), 2, 1)  # the larger anchor
    perfect = raw.clone()
    place = [(24 / STRIDE) % 1, (40 / STRIDE) % 1]
    logits = [math.log(p / (1 - p)) for p in place]
    perfect[cell] = torch.tensor([*logits, math.log(50 / 48), math.log(46 / 48), 8.0, 8.0, -8.0])
    best = loss_of(network, perfect, [target])
    assert best < 0.01 < worst
    other = raw.clone()
    other[0, 0, :, 2, 1] = torch.tensor([*logits, math.log(50 / 20), math.log(46 / 20), 8.0, 8.0, -8.0])
    assert loss_of(network, other, [target]) > best + 0.5


def test_empty_films_only_want_low_confidence(network):
    low, high = torch.full((1, 2, 7, 4, 4), -9.0), torch.full((1, 2, 7, 4, 4), 9.0)
    none = torch.zeros(0, 6)
    assert YOLOLoss()(network, low, [none]) < 1e-3 < YOLOLoss()(network, high, [none])


class _Fixed(KneeYOLO):
    """Answers with given predictions."""

    answer: torch.Tensor

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        return self.answer


def test_of_overlapping_boxes_the_best_is_kept():
    network = _Fixed(ANCHORS, classes=2, channels=(4, 4, 8, 8, 8), passthrough=2)
    network.answer = torch.full((1, 2, 7, 4, 8), -9.0)
    network.answer[:, :, :4] = 0
    for column, confidence in ((1, 2.0), (2, 3.0), (6, 1.0)):
        network.answer[0, 1, 4, 2, column] = confidence
    found = detect(network, torch.zeros(1, 1, 64, 128), threshold=0.5)
    assert [one.center[1] / STRIDE for one in found] == [2.5, 6.5]
    assert found[0].confidence > found[1].confidence > 0.5
    assert len(detect(network, torch.zeros(1, 1, 64, 128), threshold=0.5, nms=1.0)) == 3
    assert len(detect(network, torch.zeros(1, 1, 64, 128), threshold=0.5, limit=1)) == 1
