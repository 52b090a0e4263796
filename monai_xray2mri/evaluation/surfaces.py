"""Joint surfaces of femur and tibia, found in a volume alone or read from a label map.

Both are heights over a grid of (y, x) in each compartment, so that joint space, region and lesions are measured in the
same way on true, acquired and generated volumes. All coordinates are LPS mm in right-knee space with the origin within
a few mm of the joint's centre, as :class:`~monai_xray2mri.simulation.knee.SimulatedKnee` has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from monai_xray2mri.simulation.mr import Tissue

SIDES: Final[Mapping[str, float]] = {"M": 1.0, "L": -1.0}
"""Compartment to the sign of its x in right-knee space (+x is the patient's left, medial in a right knee)."""
ACROSS_MM: Final = (8.0, 36.0)
ALONG_MM: Final = (-22.0, 22.0)
HEIGHT_MM: Final = 15.0
GOOD_MISFIT: Final = 0.2
"""Misfit above which a profile does not show two bones with a joint space between them."""
_CORTEX_MM = 1.1
_EDGE_SD_MM = 0.3
_CLIP = 0.5
"""Residual, as a share of the contrast, beyond which a voxel no longer counts: cysts, osteophytes."""
_CLIP_BETWEEN = 0.2
"""The same between the cartilages: fluid, meniscus and crystals are as likely."""
_CONTENTS = (
    (0.0, 0.0, 1.0),
    (0.0, 0.0, 0.5),
    (0.0, 0.0, 0.0),
    (0.0, 0.0, -0.2),
    (0.8, 0.8, 0.3),
    (1.8, 1.8, 0.3),
    (0.8, 0.8, -0.2),
    (1.8, 1.8, -0.2),
    (1.8, 0.0, -0.2),
    (0.0, 1.8, -0.2),
)
"""Thickness in mm of femoral and tibial cartilage, brightness of what is between them (0 marrow,
1 cartilage, -0.2 meniscus)."""
_EVERY_COLUMN = 2
_CLIP_DARK_BONE = 0.18
"""Bone darker than marrow (sclerosis) counts little."""
_FLAT_SHARE = 0.8
"""A joint must leave less than this share of the residual that flat tissue leaves."""
_FEMUR_MM = (-7.0, 9.1)
_GAP_MM = (0.0, 10.1)
_COARSE_MM = (0.5, 0.6)
_STEP_PRICE = 0.001
_JUMP_PRICE = 0.01
_LEAST_CONTRAST = 2.8
_ROUNDS = 6
_SMALLEST_SCATTER_MM = 0.1
_LEVEL_MM = 6.0
_BONE_MM = 8.0


@dataclass(frozen=True)
class Profiles:
    """Vertical profiles through one compartment: ``values`` [Y,X,Z] at ``x`` [X], ``y`` [Y] and ``z`` [Z] in LPS mm."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Surfaces:
    """Both joint surfaces of one compartment.

    Attributes:
        x: [X] positions in LPS mm.
        y: [Y] positions in LPS mm.
        femur: [Y,X] height z in mm of the femur's lower surface; NaN where there is none.
        tibia: [Y,X] height z in mm of the tibia's upper surface; NaN where there is none.
        misfit: [Y,X] root mean square residual of the profile's model, as a share of the contrast between cartilage and
            marrow; infinite where flat tissue would do as well; 0 for labels.
    """

    x: np.ndarray
    y: np.ndarray
    femur: np.ndarray
    tibia: np.ndarray
    misfit: np.ndarray


def joint_affine(spacing: tuple[float, float, float], shape: tuple[int, int, int], first_slice: int = 0) -> np.ndarray:
    """Affine of a volume that lies as the acquired ones do, where none came with it.

    Args:
        spacing: distance in mm of voxel centres along (slice, row, column).
        shape: (slices, rows, columns) of the whole field of view, 80 slices in OAI.
        first_slice: index of the volume's first slice in it, counted from the posterior end (13 for modelled slices).

    Returns:
        [4,4] float64, maps (column, row, slice) to LPS mm: the field of view's centre is the joint's.
    """
    plane, row, column = spacing
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = column, -row, -plane, 1.0
    affine[:3, 3] = (
        -column * (shape[2] - 1) / 2,
        plane * ((shape[0] - 1) / 2 - first_slice),
        row * (shape[1] - 1) / 2,
    )
    return affine


def axes_mm(shape: tuple[int, ...], affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (x [W], y [S], z [H]) in LPS mm of the columns, slices and rows of a volume of shape (S, H, W).

    Raises:
        ValueError: the affine does not map columns to x, rows to z and slices to y.
    """
    matrix = np.asarray(affine)[:3, :3]
    used = np.abs(matrix) > 1e-6
    if len(shape) != 3 or used.sum() != 3 or not (used[0, 0] and used[2, 1] and used[1, 2]):
        raise ValueError("needs a volume [S,H,W] whose affine maps columns to x, rows to z and slices to y")
    x, z, y = (
        affine[axis, index] * np.arange(size) + affine[axis, 3]
        for axis, index, size in ((0, 0, shape[2]), (2, 1, shape[1]), (1, 2, shape[0]))
    )
    return x, y, z


def compartment_profiles(volume: np.ndarray, affine: np.ndarray, side: str) -> Profiles:
    """Cut the box of one compartment, ``"M"`` or ``"L"``, out of a volume [S,H,W].

    Raises:
        ValueError: the affine turns the axes, or the volume does not reach over the compartment.
    """
    x, y, z = axes_mm(volume.shape, affine)
    across = SIDES[side] * x
    columns = np.flatnonzero((across >= ACROSS_MM[0]) & (across <= ACROSS_MM[1]))
    slices = np.flatnonzero((y >= ALONG_MM[0]) & (y <= ALONG_MM[1]))
    rows = np.flatnonzero(np.abs(z) <= HEIGHT_MM)
    if min(len(columns), len(slices), len(rows)) < 5:
        raise ValueError(f"the volume must reach over the joint's centre, got shape {volume.shape} and its affine")
    box = volume[slices[0] : slices[-1] + 1, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Profiles(x[columns], y[slices], z[rows], np.moveaxis(box, 1, 2))


def tissue_levels(profiles: Mapping[str, Profiles]) -> tuple[float, float]:
    """Brightness of (marrow, cartilage) of one volume: the median beside the joint, and the brightest of the joint.

    A compartment that lost its cartilage borrows the other's; where both did, cartilage is taken to be 2.8 times as
    bright as marrow, as under the water excitation of OAI's series.
    """
    marrow = np.concatenate([each.values[..., np.abs(each.z) > _BONE_MM].ravel() for each in profiles.values()])
    joint = [each.values[..., np.abs(each.z) < _LEVEL_MM] for each in profiles.values()]
    dark = float(np.median(marrow))
    return dark, max(float(max(np.percentile(each, 97) for each in joint)), _LEAST_CONTRAST * dark)


def surfaces_from_volume(volume: np.ndarray, affine: np.ndarray) -> dict[str, Surfaces]:
    """Find both joint surfaces of both compartments in a volume alone.

    Every vertical profile, averaged lightly with its neighbours, is compared with a model of the joint: marrow, dark
    cortex, cartilage of some thickness or none, fluid or meniscus, cartilage, dark cortex, marrow. The femur's height
    and the gap of the best model are found by search down to 0.06 mm; residuals are clipped, the more so between the
    cartilages and in bone that is darker than marrow, so that crystals, cysts and sclerosis do not move them far.

    Args:
        volume: [S,H,W] fat-suppressed coronal gradient echo, cartilage bright, any scale.
        affine: [4,4] maps (column, row, slice) to LPS mm.

    Returns:
        ``"M"`` and ``"L"`` to their surfaces; NaN everywhere if the volume is empty.

    Raises:
        ValueError: the affine turns the axes, or the volume does not reach over the joint.
    """
    profiles = {side: _smoothed(compartment_profiles(volume, affine, side)) for side in SIDES}
    dark, bright = tissue_levels(profiles)
    if bright <= dark:
        return {side: _nothing(each) for side, each in profiles.items()}
    return {side: _fitted(each, dark, bright) for side, each in profiles.items()}


def surfaces_from_labels(labels: np.ndarray, affine: np.ndarray) -> dict[str, Surfaces]:
    """Read both joint surfaces of both compartments from a label map of :class:`~monai_xray2mri.simulation.mr.Tissue`.

    A bone reaches from its marrow to the end of the cortex beyond it; where the cortices of both touch, each has half.
    The heights lie on the borders between voxels, within half a voxel of the truth.

    Raises:
        ValueError: the affine turns the axes, or the volume does not reach over the joint.
    """
    found = {}
    for side in SIDES:
        part = compartment_profiles(labels, affine, side)
        step = abs(float(part.z[1] - part.z[0]))
        values = part.values if part.z[0] > part.z[-1] else part.values[..., ::-1]
        femur, tibia = _label_borders(values)  # in voxels from the top
        top = max(part.z[0], part.z[-1]) + step / 2
        femur, tibia = top - step * femur, top - step * tibia
        found[side] = Surfaces(part.x, part.y, femur, tibia, np.zeros(femur.shape))
    return found


def _label_borders(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Borders below the femur and above the tibia in voxels from the top of [Y,X,Z]; NaN where one is absent."""
    size = values.shape[-1]
    femur = size - np.argmax((values == Tissue.FEMUR)[..., ::-1], axis=-1)  # first voxel below its marrow
    tibia = np.argmax(values == Tissue.TIBIA, axis=-1)  # first voxel of its marrow
    place = np.arange(size)
    between = (place >= femur[..., None]) & (place < tibia[..., None])
    filled = between & (values != Tissue.CORTEX)
    empty = ~filled.any(axis=-1)
    middle = (femur + tibia) / 2
    below = np.where(empty, middle, np.argmax(filled, axis=-1))
    above = np.where(empty, middle, size - np.argmax(filled[..., ::-1], axis=-1))
    both = (values == Tissue.FEMUR).any(axis=-1) & (values == Tissue.TIBIA).any(axis=-1) & (femur <= tibia)
    return np.where(both, below, np.nan), np.where(both, above, np.nan)


def smooth_surface(u: np.ndarray, v: np.ndarray, height: np.ndarray, trust: np.ndarray, order: int) -> np.ndarray:
    """Polynomial of a height over (u, v), by least squares reweighted with Tukey's biweight (4.685 sigma).

    Args:
        u: [N] first coordinate, about -1 to 1.
        v: [N] second coordinate.
        height: [N] mm.
        trust: [N] weights above 0 by which every point counts.
        order: highest total degree.

    Returns:
        Coefficients for :func:`polynomial_terms`.
    """
    terms, weights = polynomial_terms(u, v, order), trust
    fit = np.zeros(terms.shape[1])
    for _ in range(_ROUNDS):
        root = np.sqrt(weights)
        fit = np.linalg.lstsq(terms * root[:, None], height * root, rcond=None)[0]
        residual = height - terms @ fit
        scatter = max(1.4826 * float(np.median(np.abs(residual))), _SMALLEST_SCATTER_MM)
        weights = trust * np.square(np.clip(1 - np.square(residual / (4.685 * scatter)), 0, None))
    return fit


def polynomial_terms(u: np.ndarray, v: np.ndarray, order: int) -> np.ndarray:
    """Products u^i v^j of total degree up to ``order``: [..., (order + 1)(order + 2) / 2]."""
    powers = [(i, degree - i) for degree in range(order + 1) for i in range(degree + 1)]
    return np.stack([u**i * v**j for i, j in powers], axis=-1)


def _nothing(part: Profiles) -> Surfaces:
    nowhere = np.full(part.values.shape[:2], np.nan)
    return Surfaces(part.x, part.y, nowhere, nowhere, np.full(part.values.shape[:2], np.inf))


def _fitted(part: Profiles, dark: float, bright: float) -> Surfaces:
    columns = slice(None, None, _EVERY_COLUMN)
    observed = torch.from_numpy((part.values[:, columns] - dark) / (bright - dark)).flatten(0, 1)  # [N,Z]
    z = torch.from_numpy(part.z.astype(np.float32))
    cortex = -dark / (bright - dark)
    joints = _coarse(observed, (len(part.y), -1), z, cortex)
    for step in (0.25, 0.12, 0.06):
        joints, cost = _finer(observed, z, cortex, joints, step)
    flat = (observed - observed.median(1, keepdim=True).values).abs().clamp(max=_CLIP).square().mean(1)
    misfit = torch.where(cost < _FLAT_SHARE * flat, cost.sqrt(), torch.inf)
    shape = (len(part.y), -1)
    femur, gap = joints[:, 0], joints[:, 1]
    heights = [each.reshape(shape).double().numpy() for each in (femur, femur - gap, misfit)]
    return Surfaces(part.x[columns], part.y, *heights)


def _smoothed(part: Profiles) -> Profiles:
    """Binomial average over 3 slices and 5 columns; height is left alone."""
    padded = np.pad(part.values.astype(np.float32), ((1, 1), (2, 2), (0, 0)), mode="edge")
    along = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    weights = (1, 4, 6, 4, 1)
    columns = len(part.x)
    total = sum(w * along[:, i : i + columns] for i, w in enumerate(weights)) / np.float32(sum(weights))
    return Profiles(part.x, part.y, part.z, np.asarray(total))


def _model(joints: torch.Tensor, z: torch.Tensor, cortex: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Profiles of joints, and how far a voxel may lie beside them before it no longer counts.

    Args:
        joints: [...,5] height of the femur's surface, gap, thickness of femoral and tibial cartilage (mm), and
            brightness of what lies between them.
        z: [Z] heights of the voxels in mm.
        cortex: brightness of cortex; marrow is 0 and cartilage 1.

    Returns:
        Both [...,Z], with edges blurred as voxels blur them; where the model is darker than marrow nothing but the
        clip of bone applies.
    """
    femur, gap, upper, lower, between = (joints[..., number, None] for number in range(5))
    above, below = (z - femur) / _EDGE_SD_MM, (femur - gap - z) / _EDGE_SD_MM
    bone = torch.special.ndtr(above) + torch.special.ndtr(below)
    shell = _CORTEX_MM / _EDGE_SD_MM
    marrow = torch.special.ndtr(above - shell) + torch.special.ndtr(below - shell)
    cartilage = torch.special.ndtr(above + upper / _EDGE_SD_MM) + torch.special.ndtr(below + lower / _EDGE_SD_MM)
    middle = (1 - cartilage).clamp_(min=0)
    limit = torch.where((middle > 0.5) & (upper + lower > 0), _CLIP_BETWEEN, _CLIP)
    return 1 - bone + cortex * (bone - marrow) + middle * (between - 1), limit


def _cost(observed: torch.Tensor, joints: torch.Tensor, z: torch.Tensor, cortex: float) -> torch.Tensor:
    """Mean clipped square residual of profiles against joints: [...]."""
    model, limit = _model(joints, z, cortex)
    edge = joints[..., 0, None]
    outside = (z > edge + _CORTEX_MM) | (z < edge - joints[..., 1, None] - _CORTEX_MM)
    residual = observed - model
    limit = torch.where(outside & (residual < 0), _CLIP_DARK_BONE, limit)
    return torch.minimum(residual.abs_(), limit).square_().mean(-1)


def _coarse(observed: torch.Tensor, shape: tuple[int, int], z: torch.Tensor, cortex: float) -> torch.Tensor:
    """For every profile the joint [N,5] of a coarse list that suits it and its neighbours.

    Semi-global matching (Hirschmueller, IEEE TPAMI 2008;30:328): the cost of each height and gap, with the best
    contents, gathers what the neighbours along four directions would pay, who may differ by a step for little and by
    more for a fixed price.
    """
    places = [torch.arange(*_FEMUR_MM, _COARSE_MM[0]), torch.arange(*_GAP_MM, _COARSE_MM[1])]
    grid = torch.stack(torch.meshgrid(*places, indexing="ij"), dim=-1)  # [F,G,2]
    joints = torch.cat(
        [grid[:, :, None].expand(-1, -1, len(_CONTENTS), -1), torch.tensor(_CONTENTS).expand(*grid.shape[:2], -1, -1)],
        dim=-1,
    )  # [F,G,C,5]
    joints = torch.where((joints[..., 1] >= joints[..., 2] + joints[..., 3])[..., None], joints, joints[:, :, :1])
    listed = joints.flatten(0, 2)
    costs = torch.cat([_cost(part[:, None], listed, z, cortex) for part in observed.split(32)])
    costs, contents = costs.unflatten(1, joints.shape[:3]).min(-1)  # [N,F,G]
    volume = costs.unflatten(0, shape)  # [Y,X,F,G]
    gathered = sum(_gathered(volume, axis, backwards) for axis in (0, 1) for backwards in (False, True))
    best = torch.as_tensor(gathered).flatten(0, 1).flatten(1).argmin(1)  # [N]
    content = contents.flatten(1).gather(1, best[:, None])[:, 0]
    return joints.flatten(0, 1)[best, content]


def _gathered(volume: torch.Tensor, axis: int, backwards: bool) -> torch.Tensor:
    """Costs [Y,X,F,G] along one axis in one sense, each with the least that the way up to it costs."""
    lines = volume.movedim(axis, 0)
    lines = lines.flip(0) if backwards else lines
    path, found = lines[0], [lines[0]]
    for own in lines[1:]:
        least = path.amin((-2, -1), keepdim=True)
        # Pooling a negative is the least over the neighbouring heights and gaps.
        near = -torch.nn.functional.max_pool2d(-path, 3, 1, 1) + _STEP_PRICE
        path = own + torch.minimum(torch.minimum(path, near), least + _JUMP_PRICE) - least
        found.append(path)
    whole = torch.stack(found)
    return (whole.flip(0) if backwards else whole).movedim(0, axis)


def _finer(
    observed: torch.Tensor, z: torch.Tensor, cortex: float, joints: torch.Tensor, step: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best [N,5] of the joints around those found before, and its cost [N]."""
    up, wider = torch.meshgrid(torch.arange(-2.0, 3.0) * step, torch.arange(-3.0, 4.0) * step, indexing="ij")
    around = joints[:, None].repeat(1, up.numel(), 1)  # [N,35,5]
    around[..., 0] += up.flatten()
    around[..., 1] = (around[..., 1] + wider.flatten()).clamp(min=0)
    cost = _cost(observed[:, None], around, z, cortex)
    best = cost.argmin(1)
    rows = torch.arange(len(best))
    return around[rows, best], cost[rows, best]
