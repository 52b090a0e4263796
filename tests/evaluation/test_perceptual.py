"""The perceptual distance, on features that are known and on weights of the published shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.evaluation.perceptual import PerceptualDistance, activations, alexnet, read_lpips


def two_channels(pictures: Tensor) -> list[Tensor]:
    """A level of the intensity and its rest."""
    intensity = (pictures + 1) / 2
    return [torch.cat([intensity, 1 - intensity], dim=1)]


@pytest.fixture
def slices() -> np.ndarray:
    return np.random.default_rng(0).random((10, 64, 64)).astype(np.float32)


@pytest.fixture
def published(tmp_path: Path) -> str:
    """Files of the published shape, weights at random."""
    torch.manual_seed(0)
    convolutions = [layer for layer in alexnet() if isinstance(layer, nn.Conv2d)]
    backbone = {
        f"features.{number}.{name}": value
        for number, layer in zip((0, 3, 6, 8, 10), convolutions, strict=True)
        for name, value in layer.state_dict().items()
    }
    linear = {
        f"lin{level}.model.1.weight": torch.rand(1, layer.out_channels, 1, 1)
        for level, layer in enumerate(convolutions)
    }
    torch.save(backbone | {"classifier.1.weight": torch.zeros(2)}, tmp_path / "alexnet.pth")
    torch.save(linear, tmp_path / "alex.pth")
    return f"{tmp_path / 'alexnet.pth'}+{tmp_path / 'alex.pth'}"


def test_opposite_features_are_far_and_equal_ones_are_not() -> None:
    distance = PerceptualDistance(two_channels)
    black, white = np.zeros((3, 4, 4), np.float32), np.ones((3, 4, 4), np.float32)
    assert distance.per_slice(black, white) == pytest.approx(2.0)  # vectors at right angles
    assert distance.per_slice(black, black) == 0
    weighted = PerceptualDistance(two_channels, [torch.tensor([0.5, 0.25]).reshape(1, 2, 1, 1)])
    assert weighted.per_slice(black, white) == pytest.approx(0.75)


def test_levels_are_what_comes_out_of_the_named_layers() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 2, 1), nn.SiLU(), nn.Conv2d(2, 3, 1))
    levels = activations(layers, nn.SiLU, lambda pictures: pictures)(torch.zeros(2, 1, 4, 4))
    assert [level.shape[1] for level in levels] == [2, 3]


def test_published_weights_are_read(published: str, slices: np.ndarray) -> None:
    distance = read_lpips(published)
    shapes = [tuple(level.shape[1:]) for level in distance.features(torch.zeros(1, 1, 64, 64))]
    assert shapes == [(64, 15, 15), (192, 7, 7), (384, 3, 3), (256, 3, 3), (256, 3, 3)]
    near, far = (distance.per_slice(np.clip(slices + noise, 0, 1), slices) for noise in (0.01, 0.3))
    assert 0 < near < far and distance.per_slice(slices, slices) == 0
    assert len(distance.record["lpips_sha256"]) == 2


def test_agrees_with_torchmetrics(published: str, slices: np.ndarray) -> None:
    """Its published linear weights, its scaling and its sum, on the same convolutions."""
    theirs = pytest.importorskip("torchmetrics.functional.image.lpips")
    backbone = published.split("+")[0]
    linear = Path(theirs.__file__).with_name("lpips_models") / "alex.pth"
    distance = read_lpips(f"{backbone}+{linear}")
    weights, scaled = torch.load(linear, map_location="cpu", weights_only=True), theirs.ScalingLayer()
    network = alexnet()
    convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    state = torch.load(backbone, weights_only=True)
    for layer, number in zip(convolutions, (0, 3, 6, 8, 10), strict=True):
        layer.load_state_dict({name: state[f"features.{number}.{name}"] for name in ("weight", "bias")})
    wanted, other = 0.0, slices[::-1].copy()
    with torch.inference_mode():
        levels = []
        for volume in (slices, other):
            current, found = scaled(torch.from_numpy(volume)[:, None].expand(-1, 3, -1, -1) * 2 - 1), []
            for layer in network:
                current = layer(current)
                if isinstance(layer, nn.ReLU):
                    found.append(theirs._normalize_tensor(current))
            levels.append(found)
        for place, (one, two) in enumerate(zip(*levels, strict=True)):
            weighted = (one - two).square() * weights[f"lin{place}.model.1.weight"]
            wanted += float(theirs._spatial_average(weighted.sum(dim=1, keepdim=True)).mean())
    assert distance.per_slice(slices, other) == pytest.approx(wanted, rel=1e-4)


def test_other_files_are_refused_by_name(published: str, tmp_path: Path) -> None:
    backbone, linear = published.split("+")
    with pytest.raises(UsageError, match=r"BACKBONE\+LINEAR"):
        read_lpips(backbone)
    with pytest.raises(WeightsError, match=r"LPIPS 0\.1"):
        read_lpips(f"{linear}+{backbone}")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(WeightsError, match=r"weights text\.pth"):
        read_lpips(f"{tmp_path / 'text.pth'}+{linear}")
