"""Classifier of Wang 2024b: its size, its view, and what does not reach it."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.knee.detection.networks.koa_classifier import KOAClassifier, classifier_view
from monai_xray2mri.networks.contrast import local_contrast


def test_it_keeps_the_budget() -> None:
    network = KOAClassifier()
    assert sum(parameter.numel() for parameter in network.parameters()) < 1e6
    with FlopCounterMode(display=False) as flops:
        network(torch.rand(1, 1, 192, 192))
    assert flops.get_total_flops() < 0.3e9


def test_the_view_is_the_middle_95_mm_of_the_region() -> None:
    column = torch.linspace(-55, 55, 256).expand(1, 1, 256, 256)
    view = classifier_view(column)
    assert view.shape == (1, 1, 192, 192)
    per_pixel = 95 / 192
    assert float(view[0, 0, 96, 0]) == pytest.approx(-47.5 + per_pixel / 2, abs=0.5)
    assert float(view[0, 0, 96, -1]) == pytest.approx(47.5 - per_pixel / 2, abs=0.5)
    assert classifier_view(column, region_mm=95).diff().mean() > classifier_view(column).diff().mean()
    with pytest.raises(ValueError, match="95 mm wide, got 94"):
        classifier_view(column, region_mm=94)


def test_gain_offset_and_slow_changes_of_contrast_hardly_reach_it() -> None:
    view = torch.rand(1, 1, 192, 192)
    first = local_contrast(view)
    torch.testing.assert_close(first, local_contrast(5 * view - 3), atol=1e-3, rtol=0)
    ramp = 1 + 0.5 * torch.linspace(0, 1, 192)
    changed = local_contrast(view * ramp + 2 * ramp)
    inside = (..., slice(16, -16), slice(16, -16))
    assert torch.corrcoef(torch.stack([first[inside].flatten(), changed[inside].flatten()]))[0, 1] > 0.98


def test_an_empty_film_gives_finite_probabilities() -> None:
    p = KOAClassifier().eval().probability(torch.zeros(1, 1, 192, 192))
    assert p.isfinite().all()
    torch.testing.assert_close(p.sum(), torch.ones(()))


def test_the_temperature_flattens_and_keeps_the_order() -> None:
    network = KOAClassifier().eval()
    view = torch.rand(4, 1, 192, 192)
    sharp = network.probability(view)
    network.temperature.fill_(3.0)
    flat = network.probability(view)
    assert torch.equal(sharp.argsort(dim=1), flat.argsort(dim=1))
    assert (flat.amax(dim=1) < sharp.amax(dim=1)).all()
    assert "temperature" in network.state_dict()


def test_one_knee_does_not_change_another() -> None:
    network, views = KOAClassifier().train(), torch.rand(3, 1, 192, 192)
    network.head[0].p = 0.0
    torch.testing.assert_close(network(views)[1:2], network(views[1:2]), atol=1e-5, rtol=1e-4)
