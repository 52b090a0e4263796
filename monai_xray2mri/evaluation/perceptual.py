"""Perceptual distance of pictures (LPIPS, Zhang et al., CVPR 2018): do they look alike to a network?

With published weights (``--lpips``) it is LPIPS 0.1 on AlexNet. Nothing is downloaded: without these files the features
are those of a network that is at hand, such as the image encoder of the evaluated bundle, and all channels weigh the
same. Such values compare within one bundle only, and not with published ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.evaluation.metrics import check_pair

Features = Callable[[Tensor], Sequence[Tensor]]
"""Pictures [B,1,H,W] in [-1,1] to the activations [B,C,h,w] of each level of a network."""

_TOGETHER: Final = 8
"""Pictures whose features are in memory at a time."""
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of RGB in [-1,1], as LPIPS 0.1 has it."""
_ALEXNET: Final = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
"""Channels, kernel, stride and padding of its convolutions; the second and third follow a pooling."""
_NUMBERS: Final = (0, 3, 6, 8, 10)
"""Of these convolutions in the published state dict: ``features.N``."""


@dataclass(frozen=True)
class PerceptualDistance:
    """LPIPS's distance (its Eq. 1) on the features of some network.

    Attributes:
        features: of pictures.
        weights: w_l, [1,C,1,1] of each level, applied to squared differences and added up over levels; empty: all 1,
            and the mean over levels instead.
        record: what determines the values, for the records.
    """

    features: Features
    weights: Sequence[Tensor] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    @torch.inference_mode()
    def per_slice(self, prediction: np.ndarray, truth: np.ndarray) -> float:
        """Mean distance of pictures [S,H,W] in [0,1] from true ones of the same shape; 0 where they are equal.

        Raises:
            ValueError: the shapes differ or the arrays are empty.
        """
        check_pair(prediction, truth)
        found = [
            self._distances(one, other)
            for one, other in zip(
                _pictures(prediction).split(_TOGETHER), _pictures(truth).split(_TOGETHER), strict=True
            )
        ]
        return float(torch.cat(found).mean())

    def _distances(self, pictures: Tensor, others: Tensor) -> Tensor:
        """[B] of pictures [B,1,H,W]."""
        levels = [
            (_normalized(one) - _normalized(other)).square()
            for one, other in zip(self.features(pictures), self.features(others), strict=True)
        ]
        if self.weights:
            parts = [(level * weight).sum(dim=1) for level, weight in zip(levels, self.weights, strict=True)]
            return torch.stack([part.mean(dim=(1, 2)) for part in parts]).sum(dim=0)
        return torch.stack([level.sum(dim=1).mean(dim=(1, 2)) for level in levels]).mean(dim=0)


def _pictures(slices: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(slices, np.float32))[:, None].clamp(0, 1) * 2 - 1


def _normalized(level: Tensor) -> Tensor:
    """Activations of length 1 along channels."""
    unit: Tensor = level / (level.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
    return unit


def activations(layers: nn.Sequential, after: type[nn.Module], prepare: Callable[[Tensor], Tensor]) -> Features:
    """The features of a chain of layers: what comes out of each layer of a kind, and out of the last one.

    Args:
        layers: of a network.
        after: the kind, such as ``nn.SiLU``.
        prepare: pictures [B,1,H,W] in [-1,1] to what the chain takes.
    """

    def features(pictures: Tensor) -> list[Tensor]:
        device = next(layers.parameters()).device
        current, levels = prepare(pictures).to(device), []
        for place, layer in enumerate(layers):
            current = layer(current)
            if isinstance(layer, after) or place == len(layers) - 1:
                levels.append(current.float().cpu())
        return levels

    return features


def alexnet() -> nn.Sequential:
    """The convolutions of AlexNet (Krizhevsky 2014) without weights; its five ReLUs are LPIPS's levels."""
    layers: list[nn.Module] = []
    before = 3
    for place, (channels, kernel, stride, padding) in enumerate(_ALEXNET):
        if place in (1, 2):
            layers.append(nn.MaxPool2d(3, 2))
        layers += [nn.Conv2d(before, channels, kernel, stride, padding), nn.ReLU()]
        before = channels
    return nn.Sequential(*layers)


def read_lpips(source: str) -> PerceptualDistance:
    """LPIPS 0.1 on AlexNet from published files.

    Args:
        source: ``BACKBONE+LINEAR``: torchvision's weights of AlexNet (keys ``features.0.weight`` ...) and those of
            LPIPS 0.1 (``lin0.model.1.weight`` ...).

    Raises:
        UsageError: there are not two files.
        WeightsError: they hold something else.
    """
    files = [Path(name) for name in source.split("+")]
    if len(files) != 2 or not all(path.is_file() for path in files):
        rule = "must be two files, BACKBONE+LINEAR: AlexNet's weights and those of LPIPS 0.1"
        raise UsageError("option lpips", rule, source, "Give both paths, joined by +.")
    backbone, linear = (_state(path) for path in files)
    network = alexnet().eval()
    convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    try:
        for layer, number in zip(convolutions, _NUMBERS, strict=True):
            layer.load_state_dict({name: backbone[f"features.{number}.{name}"] for name in ("weight", "bias")})
        weights = [linear[f"lin{level}.model.1.weight"].float() for level in range(len(convolutions))]
        widths = [tuple(weight.shape) for weight in weights]
        if widths != [(1, layer.out_channels, 1, 1) for layer in convolutions]:
            raise ValueError(f"layers of the shapes {widths}")
    except (KeyError, RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise WeightsError("option lpips", "must be AlexNet's weights and those of LPIPS 0.1", first) from error
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return PerceptualDistance(activations(network, nn.ReLU, _as_photograph), weights, {"lpips_sha256": digests})


def _as_photograph(pictures: Tensor) -> Tensor:
    shift, scale = (pictures.new_tensor(each)[None, :, None, None] for each in (_SHIFT, _SCALE))
    return (pictures.expand(-1, 3, -1, -1) - shift) / scale


def _state(path: Path) -> Mapping[str, Tensor]:
    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and type errors alike mean that it is something else
        raise WeightsError(f"weights {path.name}", "must be a state dict of PyTorch", type(error).__name__) from error
    return state
