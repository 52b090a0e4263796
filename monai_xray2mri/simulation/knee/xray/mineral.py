"""Bone along the rays of a radiograph: cortex, subchondral plate, trabeculae, growth plate scars, lesions.

The path of a ray through a bone follows from the signed distance at the ray's sample points. The distance is linear
between two of them, so the path is exact for flat surfaces of any slope and shows no steps of the sampling.

Sources: the tibia's subchondral plate is 0.1 to 0.3 mm thick at its rim and up to 1.5 mm in the middle of the joint
surfaces (Milz and Putz, J Anat 185:103, 1994), thickest in the medial plateau (Koszyca et al., Knee 3:23, 1996). Spongy
bone loses volume with age (Ding et al., J Orthop Res 20:615, 2002). The shares of bone and all other profiles are
estimates. With them the contrast of condyles, plateau and tibia to the joint space is that of 71 public raw crops
(docs/simulation/realism.md). They are lower than in histology, because the contrast of a film also depends on what the
model leaves out (share of fat in the soft tissue, beam quality, processing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.bones import Bone, femur_points, tibia_points
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy
from monai_xray2mri.simulation.tools.lattice import Field, Grid, Points, Window
from monai_xray2mri.simulation.tools.noise import noise_at
from monai_xray2mri.simulation.tools.primitives import occupancy, smoothstep, table
from monai_xray2mri.simulation.tools.rays import covered

_SPONGY: Final[Mapping[str, float]] = {"femur": 0.095, "tibia": 0.095, "fibula": 0.08, "patella": 0.075}
"""Share of bone in spongy bone, away from joint surfaces."""
_SHAFT: Final[Mapping[str, tuple[float, float]]] = {
    "femur": (34.0, 82.0),
    "tibia": (22.0, 70.0),
    "fibula": (24.0, 60.0),
}
"""Distance from the joint in mm over which spongy bone gives way to the marrow cavity."""
_FEMORAL_CORTEX: Final = ((0.0, 14.0, 26.0, 40.0, 60.0, 90.0, 130.0), (0.3, 0.35, 0.5, 0.9, 1.9, 3.4, 4.8))
_TIBIAL_CORTEX: Final = ((0.0, 8.0, 20.0, 35.0, 60.0, 110.0), (0.35, 0.5, 0.8, 1.5, 3.0, 4.6))
_FIBULAR_CORTEX: Final = ((10.0, 30.0, 60.0), (0.4, 1.0, 2.2))
_PATELLAR_CORTEX_MM: Final = 0.2
"""Distance from the joint and thickness of the cortex there, in mm."""
_CORTEX_DENSITY: Final = 0.85
_SCLEROSIS: Final = 0.30
_CYST_RIM: Final = 0.25
_CRYSTALS: Final = 0.22
_SCAR: Final = 0.13
_SCARS: Final[Mapping[str, tuple[float, float, float]]] = {"femur": (31.0, 0.27, 0.003), "tibia": (-19.0, 0.0, 0.0022)}
"""Height of the closed growth plates in the bones' own frames in mm, slope along y, curvature along x in 1/mm."""
_SCAR_KNOT_MM: Final = 6.0
_SCAR_BEND_MM: Final = 1.7
_STEP_RAMP_MM: Final = 0.7


@dataclass(frozen=True)
class BonePaths:
    """Paths in reference mm along the rays of an image through one bone.

    Attributes:
        window: rows and columns of the image that hold the bone.
        volume: [h,w] path inside the bone's surface.
        compact: [h,w] path through compact bone: cortex, plates, scars, lesions.
        spongy: [h,w] path through the bone of the trabeculae (without the marrow between them).
    """

    window: tuple[slice, slice]
    volume: Tensor
    compact: Tensor
    spongy: Tensor


@dataclass(frozen=True)
class Scar:
    """The dense sheet that a closed growth plate leaves.

    Attributes:
        height: height above the sheet in mm.
        density: random density of the sheet, about standard normal; the sheet is absent where it is low.
    """

    height: Field
    density: Field


def growth_plate_scars(anatomy: KneeAnatomy) -> dict[str, Scar]:
    """The uneven, interrupted scar of the growth plate, by name of the bone."""
    scars = {}
    for number, bone in enumerate((anatomy.femur, anatomy.tibia)):
        lattice = bone.distance.lattice
        points = lattice.points(bone.distance.values.device)
        if bone.name == "femur":
            own = femur_points(points, anatomy.pose)
        else:
            own = tibia_points(anatomy.shape, points, anatomy.pose, anatomy.place)
        level, tilt, bow = _SCARS[bone.name]
        # The unevenness is the roughness of the bone at one height, so it bends the sheet as a whole.
        flat = Points(own.x, own.y, torch.zeros_like(own.z))
        knots = anatomy.shape.roughness[number, None]
        bend, dense = (noise_at(knots, flat.moved(z=z), _SCAR_KNOT_MM)[0] for z in (0.0, 24.0))
        height = own.z - level - tilt * own.y - bow * own.x.square() - _SCAR_BEND_MM * bend
        scars[bone.name] = Scar(Field(lattice, height), Field(lattice, dense))
    return scars


def bone_paths(
    anatomy: KneeAnatomy, bone: Bone, grid: Grid, step: float, scars: Mapping[str, Scar] = MappingProxyType({})
) -> BonePaths:
    """Follow the rays of a grid through a bone.

    Args:
        anatomy: the knee in the film's pose; ``anatomy.pathology.scale`` is the visibility of cysts.
        bone: one of its bones.
        grid: sample points [Y,Z,X] of the rays, which run along y.
        step: distance of the sample points along y in reference mm.
        scars: :func:`growth_plate_scars` of the knee.
    """
    window = bone.distance.window(grid)
    part = grid.crop(window)
    distance = bone.distance.at(part)  # [Y,Z,X]
    inside = covered(distance)
    deep = covered(distance + _cortex(anatomy, bone, part))
    spongy = deep * _spongy_share(anatomy, bone, part, distance)
    compact = (inside - deep).mul_(_CORTEX_DENSITY)
    if bone.name == "tibia" and bone.depth is not None:
        _add_plate(compact, deep, anatomy, bone.depth, part)
    if bone.name in scars:
        _add_scar(compact, deep, scars[bone.name], part)
    _add_lesions(compact, spongy, deep, anatomy, bone, part)
    return BonePaths(window[1:], step * inside.sum(0), step * compact.sum(0), step * spongy.sum(0).clamp(min=0))


def _cortex(anatomy: KneeAnatomy, bone: Bone, grid: Grid) -> Tensor:
    """Thickness of the cortex in mm, [Y,Z,1]."""
    points = grid.points(bone.distance.values.device)
    z, factor = points.z, anatomy.shape.cortex
    if bone.name == "femur":
        # The cortex at the back of the condyles is almost as thin as at their joint surfaces.
        behind = 1 - 0.65 * smoothstep(points.y, -8.0, 8.0) * smoothstep(z, 52.0, 40.0)
        return factor * behind * table(z, *_FEMORAL_CORTEX)
    if bone.name == "tibia":
        return factor * table(-z, *_TIBIAL_CORTEX)
    if bone.name == "fibula":
        return factor * table(-z, *_FIBULAR_CORTEX)
    return torch.full_like(z, _PATELLAR_CORTEX_MM * factor)


def _spongy_share(anatomy: KneeAnatomy, bone: Bone, grid: Grid, distance: Tensor) -> Tensor:
    """Share [Y,Z,X] of bone in the spongy bone inside the cortex."""
    base = _SPONGY[bone.name] * anatomy.shape.trabeculae
    if bone.name == "patella":
        return torch.full_like(distance, base)
    near, far = _SHAFT[bone.name]
    height = grid.points(distance.device).z.abs()
    solid = 0.18 + 0.82 * smoothstep(height, far, near)
    # Trabeculae become sparse towards the middle of the bone, least near the joint.
    hollow = 1 - 0.45 * smoothstep(-distance, 6.0, 22.0) * smoothstep(height, 8.0, 40.0)
    share = base * solid * hollow
    if bone.name == "femur":
        # The upper part of the condyles' back carries little load.
        points = grid.points(distance.device)
        share *= 1 - 0.4 * smoothstep(points.y, -4.0, 12.0) * smoothstep(points.z, 14.0, 30.0)
    if bone.depth is not None:
        depth = bone.depth.at(grid).clamp(min=0)
        strength, reach = (0.9, 5.0) if bone.name == "tibia" else (0.5, 5.0)
        share = share * (1 + strength * torch.exp(-depth / reach))
    return share


def _add_plate(compact: Tensor, deep: Tensor, anatomy: KneeAnatomy, depth: Field, grid: Grid) -> None:
    """Add, in place, the tibia's subchondral plate: thick in the middle of each plateau, thin at its rim."""
    band = _rows_between(grid, -14.0, 14.0)
    part = grid.crop(band)
    points = part.points(compact.device)
    across = torch.exp(-((points.x.abs() - 19.0) / 10.0).square()) * torch.where(points.x > 0, 0.6, 0.5)
    along = torch.exp(-((points.y - 2.0) / 15.0).square())
    thickness = anatomy.shape.cortex * (0.3 + across * along)
    below = depth.at(part)
    compact[band] += 0.9 * deep[band] * occupancy(below - thickness, _STEP_RAMP_MM) * (below > -1.0)


def _add_scar(compact: Tensor, deep: Tensor, scar: Scar, grid: Grid) -> None:
    """Add, in place, the scar of a growth plate."""
    level = _SCARS["femur" if scar.height.lattice.low[2] > -20.0 else "tibia"][0]
    band = _rows_between(grid, level - 20.0, level + 20.0)
    part = grid.crop(band)
    sheet = occupancy(scar.height.at(part).abs() - 0.35, _STEP_RAMP_MM)
    density = (0.45 + 0.55 * scar.density.at(part)).clamp_(0, 1.2)
    compact[band] += _SCAR * sheet * density * deep[band]


def _rows_between(grid: Grid, low: float, high: float) -> Window:
    """Index box of the rows of a grid that may have sample points between two heights."""
    rows = grid.window((-1e3, 1e3), (-1e3, 1e3), (low, high))[1]
    return slice(None), rows, slice(None)


def _add_lesions(compact: Tensor, spongy: Tensor, deep: Tensor, anatomy: KneeAnatomy, bone: Bone, grid: Grid) -> None:
    """Add sclerosis and cysts, in place; the visibility scales cysts."""
    if bone.sclerosis is not None:
        compact += _SCLEROSIS * deep * bone.sclerosis.at(grid).clamp_(min=0)
    scale = anatomy.pathology.scale
    if scale == 0:
        return
    for cyst in bone.cysts.values():
        distance = cyst.at(grid)
        spongy *= 1 - scale * occupancy(distance, 1.0)
        compact += scale * _CYST_RIM * deep * occupancy((distance - 0.6).abs() - 0.5, 0.8)


def crystal_paths(anatomy: KneeAnatomy, grid: Grid, step: float) -> list[tuple[tuple[slice, slice], Tensor]]:
    """For each chondrocalcinosis its window of the image, and the path [h,w] in mm of equivalent compact bone."""
    scale = anatomy.pathology.scale
    if scale == 0:
        return []
    found = []
    for crystals in anatomy.crystals.values():
        window = crystals.window(grid)
        path = scale * _CRYSTALS * step * crystals.at(grid.crop(window)).sum(0)
        found.append((window[1:], path))
    return found
