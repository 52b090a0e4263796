"""What the lesion detector looks at: the joint of one compartment, flattened, as a short list of numbers.

The volume is resampled along its own joint surfaces, so that depth under a bone's surface and place in the cartilage
mean the same in every knee. The numbers are contrasts (0 marrow, 1 cartilage), lengths in mm, and their spread over the
compartment: nothing that depends on the scanner's scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from monai_xray2mri.evaluation.surfaces import (
    GOOD_MISFIT,
    SIDES,
    Surfaces,
    axes_mm,
    compartment_profiles,
    polynomial_terms,
    smooth_surface,
    surfaces_from_volume,
    tissue_levels,
)

_ACROSS: Final = np.arange(11.0, 35.0)
_ALONG: Final = np.arange(-18.0, 18.1, 1.5)
_INTO_BONE: Final = np.arange(-4.0, 16.0, 0.5)
"""Depth in mm into a bone from its joint surface; negative is outside."""
_INTO_JOINT: Final = np.arange(0.25, 3.3, 0.5)
"""Depth in mm into the joint from a bone's surface: the layers of its cartilage."""
_ORDER: Final = 4
_TRUSTED_MISFIT: Final = 0.12
_FEWEST: Final = 60
_BALLS_MM: Final = (1.6, 2.4, 3.2)
_SHELL: Final = 1.8
_CYST_DEPTH_MM: Final = (3.5, 11.0)
_COARSE: Final = (5, 4)
"""Rows and columns to which maps of heights are averaged."""


@dataclass(frozen=True)
class FlatJoint:
    """One compartment along its joint surfaces; Y and X are 1.5 and 1 mm apart, ``x`` grows away from the midline.

    Attributes:
        bones: [2,Y,X,D] contrast inside femur and tibia over the depth under their surfaces.
        layers: [2,Y,X,L] contrast in the joint over the distance from femur and tibia.
        gap: [Y,X] joint space along z in mm.
        height: [Y,X] the tibia's surface in mm.
    """

    bones: np.ndarray
    layers: np.ndarray
    gap: np.ndarray
    height: np.ndarray


def flat_joints(volume: np.ndarray, affine: np.ndarray) -> dict[str, FlatJoint | None]:
    """Both compartments of a volume; None for one in which no joint is found.

    Args:
        volume: [S,H,W].
        affine: [4,4] maps (column, row, slice) to LPS mm, origin near the joint's centre.

    Raises:
        ValueError: the affine turns the axes, or the volume does not reach over the joint.
    """
    found = surfaces_from_volume(volume, affine)
    dark, bright = tissue_levels({side: compartment_profiles(volume, affine, side) for side in SIDES})
    contrast = (volume.astype(np.float32) - dark) / max(bright - dark, 1e-6)
    return {side: _flat(contrast, affine, each, SIDES[side]) for side, each in found.items()}


def lesion_features(joint: FlatJoint) -> np.ndarray:
    """The numbers of one compartment: [N] float64, see :func:`feature_names`."""
    return np.array(list(_features(joint).values()))


def feature_names() -> tuple[str, ...]:
    """Names of the numbers of :func:`lesion_features`."""
    shape = (len(_ALONG), len(_ACROSS))
    empty = FlatJoint(
        np.zeros((2, *shape, len(_INTO_BONE))), np.zeros((2, *shape, len(_INTO_JOINT))), np.zeros(shape), np.zeros(shape)
    )
    return tuple(_features(empty))


def _features(joint: FlatJoint) -> dict[str, float]:
    found: dict[str, float] = {}
    for bone, inside, layers in zip(("femur", "tibia"), joint.bones, joint.layers, strict=True):
        found |= {f"{bone} {name}": value for name, value in (_blobs(inside) | _layers(layers)).items()}
    for name, values in (("gap", joint.gap), ("height", joint.height)):
        pooled = F.adaptive_avg_pool2d(torch.from_numpy(values)[None], _COARSE)[0].numpy()
        found |= {f"{name} {row} {column}": float(pooled[row, column]) for row, column in np.ndindex(*_COARSE)}
    return found


def _blobs(inside: np.ndarray) -> dict[str, float]:
    """Brightest balls in the bone against what lies around and beneath them, and the brightest of all."""
    block = torch.from_numpy(inside.astype(np.float32))[None, None]  # [1,1,Y,X,D]
    deep = (_INTO_BONE >= _CYST_DEPTH_MM[0]) & (_INTO_BONE <= _CYST_DEPTH_MM[1])
    found = {}
    for radius in _BALLS_MM:
        ball, shell = _kernels(radius)
        score = F.conv3d(F.pad(block, _padding(ball), mode="replicate"), ball[None, None])
        score = score - F.conv3d(F.pad(block, _padding(shell), mode="replicate"), shell[None, None])
        found[f"ball {radius}"] = float(score[..., torch.from_numpy(deep)].max())
    brightest = np.sort(inside[..., deep].ravel())[::-1]
    return found | {f"bright {share}": float(brightest[int(share * len(brightest))]) for share in (0.002, 0.01, 0.05)}


def _kernels(radius: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Means over a ball, and over the far half of a shell around it, on the grid of the flat bone."""
    reach = _SHELL * radius
    steps = (_ALONG[1] - _ALONG[0], _ACROSS[1] - _ACROSS[0], _INTO_BONE[1] - _INTO_BONE[0])
    axes = (step * np.arange(-np.ceil(reach / step), np.ceil(reach / step) + 1) for step in steps)
    y, x, d = np.meshgrid(*axes, indexing="ij")
    distance = np.sqrt(y**2 + x**2 + d**2)
    ball, shell = distance <= radius, (distance > 1.35 * radius) & (distance <= reach) & (d >= 0)
    return tuple(torch.from_numpy((each / each.sum()).astype(np.float32)) for each in (ball, shell))  # type: ignore[return-value]


def _padding(kernel: torch.Tensor) -> tuple[int, ...]:
    return tuple(size // 2 for size in reversed(kernel.shape) for _ in range(2))


def _layers(layers: np.ndarray) -> dict[str, float]:
    """Brightness of each layer of cartilage, its dark tenth, its speckle; and how deep its middle dips."""
    maps = torch.from_numpy(np.moveaxis(layers, -1, 0).astype(np.float32))[:, None]  # [L,1,Y,X]
    around = F.avg_pool2d(F.pad(maps, (2, 2, 2, 2), mode="replicate"), 5, 1)
    speckle = (maps - around).flatten(1).std(1).numpy()
    found = {}
    for number, depth in enumerate(_INTO_JOINT):
        values = layers[..., number]
        found[f"layer {depth} mean"] = float(values.mean())
        found[f"layer {depth} dark"] = float(np.percentile(values, 10))
        found[f"layer {depth} speckle"] = float(speckle[number])
    beside = np.minimum(layers[..., :-2], layers[..., 2:])
    dip = (beside - layers[..., 1:-1])[..., :4].max(axis=-1)
    return found | {f"dip {share}": float(np.percentile(dip, share)) for share in (50, 75, 90, 97)}


def _flat(contrast: np.ndarray, affine: np.ndarray, surfaces: Surfaces, sign: float) -> FlatJoint | None:
    smooth = _smooth_heights(surfaces, sign)
    if smooth is None:
        return None
    outwards = np.array([-1.0, 1.0])[:, None, None, None]  # from the femur's surface into the joint is down
    sampled = [
        _sampled(contrast, affine, sign, smooth[..., None] + direction * depth)
        for direction, depth in ((-outwards, _INTO_BONE), (outwards, _INTO_JOINT))
    ]
    femur, tibia = (_on_grid(surfaces, sign, height) for height in (surfaces.femur, surfaces.tibia))
    return FlatJoint(sampled[0], sampled[1], femur - tibia, tibia)


def _smooth_heights(surfaces: Surfaces, sign: float) -> np.ndarray | None:
    """Heights [2,Y,X] in mm of smooth surfaces of femur and tibia on the flat joint's grid; None without a joint."""
    across, along = np.broadcast_arrays(sign * surfaces.x[None, :], surfaces.y[:, None])
    usable = (across >= _ACROSS[0]) & (across <= _ACROSS[-1]) & (np.abs(along) <= _ALONG[-1])
    usable &= surfaces.misfit < GOOD_MISFIT
    if usable.sum() < _FEWEST:
        return None
    trust = np.exp(-np.square(surfaces.misfit[usable] / _TRUSTED_MISFIT))
    middle, half = (_ACROSS[0] + _ACROSS[-1]) / 2, (_ACROSS[-1] - _ACROSS[0]) / 2
    u, v = (across[usable] - middle) / half, along[usable] / _ALONG[-1]
    v_grid, u_grid = np.meshgrid(_ALONG / _ALONG[-1], (_ACROSS - middle) / half, indexing="ij")
    terms = polynomial_terms(u_grid, v_grid, _ORDER)
    heights = (surfaces.femur[usable], surfaces.tibia[usable])
    return np.stack([terms @ smooth_surface(u, v, height, trust, _ORDER) for height in heights])


def _sampled(volume: np.ndarray, affine: np.ndarray, sign: float, z: np.ndarray) -> np.ndarray:
    """Values [2,Y,X,D] of a volume at the flat joint's (x, y) and the heights ``z`` [2,Y,X,D], by linear interpolation."""
    x_axis, y_axis, z_axis = axes_mm(volume.shape, affine)
    y, x = np.broadcast_arrays(_ALONG[None, :, None, None], sign * _ACROSS[None, None, :, None])
    places = [
        2 * (np.broadcast_to(value, z.shape) - axis[0]) / (axis[-1] - axis[0]) - 1
        for value, axis in ((x, x_axis), (z, z_axis), (y, y_axis))
    ]
    grid = torch.from_numpy(np.stack(places, axis=-1).astype(np.float32)).flatten(0, 1)[None]  # [1,2Y,X,D,3]
    image = torch.from_numpy(np.ascontiguousarray(volume))[None, None]
    found = F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return found.reshape(z.shape).numpy()


def _on_grid(surfaces: Surfaces, sign: float, height: np.ndarray) -> np.ndarray:
    """A height [Y,X] of surfaces on the flat joint's grid: the nearest profile's."""
    rows = np.abs(surfaces.y[:, None] - _ALONG).argmin(axis=0)
    columns = np.abs(sign * surfaces.x[:, None] - _ACROSS).argmin(axis=0)
    return np.asarray(height[np.ix_(rows, columns)])
