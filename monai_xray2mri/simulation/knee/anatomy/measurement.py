"""The truth of a simulated knee, measured on its anatomy: joint spaces, cartilage, keypoints, lesions, volumes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import MIDDLE_X, MIDDLE_Y, KneeAnatomy, middle_gap
from monai_xray2mri.simulation.knee.anatomy.pathology import SIDES
from monai_xray2mri.simulation.knee.anatomy.truth import CARTILAGES, KEYPOINTS
from monai_xray2mri.simulation.tools.lattice import Field, Grid, HeightMap, Lattice, Range, upper_surface
from monai_xray2mri.simulation.tools.primitives import occupancy

_ABSENT_MM = 60.0
_PLATEAU_Y: Range = (-22.0, 20.0)


def joint_space_mm(anatomy: KneeAnatomy) -> dict[str, float]:
    """Least distance in mm of femur and tibia along z over the middle of the plateau, by compartment (M, L)."""
    plateau = upper_surface(anatomy.tibia.distance, -_ABSENT_MM)
    gaps = torch.stack([middle_gap(anatomy.condyles, plateau, side).min() for side in SIDES])
    return _named(SIDES, gaps.clamp(min=0) * anatomy.shape.scale[2])


def projected_joint_space_mm(anatomy: KneeAnatomy) -> dict[str, float]:
    """Least distance in mm of the outlines of femur and tibia in a projection along y, by compartment (M, L)."""
    plateau = upper_surface(anatomy.tibia.distance, -_ABSENT_MM)
    gaps = []
    for side in SIDES:
        limits = MIDDLE_X if side == "M" else (-MIDDLE_X[1], -MIDDLE_X[0])
        above = anatomy.condyles.values[anatomy.condyles.window(limits, (-30.0, 30.0))].amin(0)
        below = plateau.values[plateau.window(limits, _PLATEAU_Y)].amax(0)
        gaps.append((above - below).min())
    return _named(SIDES, torch.stack(gaps).clamp(min=0) * anatomy.shape.scale[2])


def cartilage_mm(anatomy: KneeAnatomy) -> dict[str, float]:
    """Mean thickness in mm over the middle of the joint surface, by cartilage (``CARTILAGES``)."""
    means = []
    for name, surface in (("femoral", anatomy.condyles), ("tibial", anatomy.plateau)):
        thickness = _on_surface(anatomy.thickness[name], surface)
        for side in SIDES:
            limits = MIDDLE_X if side == "M" else (-MIDDLE_X[1], -MIDDLE_X[0])
            means.append(thickness[surface.window(limits, MIDDLE_Y)].mean())
    patellar = anatomy.thickness["patellar"].values
    near = (anatomy.patella.distance.values.abs() < 1.5) & (patellar > 0.5)
    means.append((patellar * near).sum() / near.sum().clamp(min=1))
    return _named(CARTILAGES, torch.stack(means) * anatomy.shape.scale[2])


def _on_surface(field: Field, surface: HeightMap) -> Tensor:
    """Values [Y,X] of a field at the heights of a surface over the same x and y."""
    lattice = field.lattice
    rows = ((surface.values - lattice.low[2]) / lattice.step).round().long().clamp(0, lattice.size[2] - 1)
    return field.values.gather(1, rows[:, None, :])[:, 0]


def keypoints(anatomy: KneeAnatomy) -> dict[str, tuple[float, float, float]]:
    """Positions (x, y, z) in reference mm in the frame of the examination, by name (``KEYPOINTS``)."""
    found: list[Tensor] = []
    plateau = upper_surface(anatomy.tibia.distance, -_ABSENT_MM)
    for sign in SIDES.values():
        found.append(_extreme(anatomy.condyles, _ordered(sign * 12, sign * 32), (-20.0, 22.0), lowest=True))
    for sign in SIDES.values():
        x, y = sign * 20.0, 0.0
        found.append(torch.stack((plateau.values.new_tensor(x), plateau.values.new_tensor(y), plateau.at(x, y))))
    for bone, low, high in ((anatomy.femur, 3.0, 13.0), (anatomy.tibia, -11.0, -1.0)):
        for sign in SIDES.values():
            found.append(_margin(bone.distance, sign, (low, high)))
    for sign in SIDES.values():
        found.append(_extreme(plateau, _ordered(sign * 1, sign * 10), (-12.0, 14.0), lowest=False))
    found.append(_notch(anatomy.condyles))
    found.append(_extreme(upper_surface(anatomy.fibula.distance, -_ABSENT_MM), (-60.0, -14.0), (-6.0, 44.0), False))
    found.append(_centroid(anatomy.patella.distance))
    places = torch.stack(found).tolist()
    return {name: (x, y, z) for name, (x, y, z) in zip(KEYPOINTS, places, strict=True)}


def _ordered(first: float, second: float) -> Range:
    return min(first, second), max(first, second)


def _extreme(surface: HeightMap, x: Range, y: Range, lowest: bool) -> Tensor:
    """Lowest or highest point (x, y, z) of a surface over a rectangle."""
    rows, columns = surface.window(x, y)
    part = surface.values[rows, columns]
    number = (part if lowest else -part).flatten().argmin()
    lattice, width = surface.lattice, columns.stop - columns.start
    return torch.stack(
        (
            lattice.low[0] + lattice.step * (columns.start + number % width),
            lattice.low[1] + lattice.step * (rows.start + number // width),
            part.flatten()[number],
        )
    )


def _notch(condyles: HeightMap) -> Tensor:
    """Top (x, y, z) of the notch in a projection along y: the highest point of the femur's lower outline there."""
    rows, columns = condyles.window((-7.0, 7.0), (-34.0, 30.0))
    lowest = condyles.values[rows, columns].min(0)
    column = lowest.values.argmax()
    lattice = condyles.lattice
    return torch.stack(
        (
            lattice.low[0] + lattice.step * (columns.start + column),
            lattice.low[1] + lattice.step * (rows.start + lowest.indices[column]),
            lowest.values[column],
        )
    )


def _margin(distance: Field, sign: float, z: Range) -> Tensor:
    """Outermost point (x, y, z) of a bone on one side at heights near the joint line."""
    lattice = distance.lattice
    window = (slice(None), *_rows_columns(lattice, z))
    part = distance.values[window]
    x = lattice.axis(0).to(part.device)
    # A point inside at the signed distance d is |d| mm from the surface, so its row reaches at least to x - d.
    reach = torch.where(part < 0, sign * x - part, -_ABSENT_MM)
    number = reach.flatten().argmax()
    z_low = float(lattice.axis(2)[window[1].start])
    rows, columns = part.shape[1], part.shape[2]
    return torch.stack(
        (
            sign * reach.flatten()[number],
            lattice.low[1] + lattice.step * (number // (rows * columns)),
            z_low + lattice.step * ((number // columns) % rows),
        )
    )


def _rows_columns(lattice: Lattice, z: Range) -> tuple[slice, slice]:
    axis = lattice.axis(2)
    inside = torch.nonzero((axis >= z[0]) & (axis <= z[1])).flatten()
    return slice(int(inside[0]), int(inside[-1]) + 1), slice(None)


def _centroid(distance: Field) -> Tensor:
    inside = occupancy(distance.values, distance.lattice.step)
    points = distance.lattice.points(inside.device)
    return torch.stack([(inside * axis).sum() / inside.sum() for axis in (points.x, points.y, points.z)])


def lesion_extents(anatomy: KneeAnatomy) -> dict[str, tuple[Range, Range]]:
    """Ranges (x, z) in reference mm that each lesion covers in a projection along y, by OAI stem; present ones only."""
    fields: dict[str, Tensor] = {}
    lattices: dict[str, Lattice] = {}
    for bone in (anatomy.femur, anatomy.tibia):
        for stem, distance in (*bone.cysts.items(), *bone.worn.items()):
            fields[stem], lattices[stem] = (distance.values < 0).any(0), distance.lattice
    for stem, crystals in anatomy.crystals.items():
        near = (crystals.patch.values > 0.5) & _between(anatomy, crystals.patch)
        fields[stem], lattices[stem] = near.any(0), crystals.patch.lattice
    found = {}
    for stem, mask in fields.items():
        if bool(mask.any()):
            found[stem] = (
                _extent(mask.any(0), lattices[stem], 0),
                _extent(mask.any(1), lattices[stem], 2),
            )
    return found


def _between(anatomy: KneeAnatomy, field: Field) -> Tensor:
    """[Y,Z,X] bool: the points of a lattice that lie between femur and tibia."""
    z = field.lattice.points(field.values.device).z
    below, above = anatomy.plateau.values[:, None, :], anatomy.condyles.values[:, None, :]
    return (z > below) & (z < above.clamp(max=16.0)) & (below > -_ABSENT_MM / 2)


def _extent(inside: Tensor, lattice: Lattice, number: int) -> Range:
    places = torch.nonzero(inside).flatten()
    low, step = lattice.low[number], lattice.step
    return low + step * (float(places[0]) - 0.5), low + step * (float(places[-1]) + 0.5)


def volumes_ml(anatomy: KneeAnatomy, z: Range) -> dict[str, float]:
    """Volume in ml between two heights in reference mm, by structure."""
    litre = anatomy.shape.scale[0] * anatomy.shape.scale[1] * anatomy.shape.scale[2] / 1000
    fields: dict[str, Field] = {bone.name: bone.distance for bone in anatomy.bones}
    found = {name: _volume(field, z) for name, field in fields.items()}
    for name, bone in (("femoral", anatomy.femur), ("tibial", anatomy.tibia), ("patellar", anatomy.patella)):
        coated, bare = anatomy.cartilage[name], bone.distance
        around = Field(coated.lattice, torch.minimum(coated.values, bare.values))
        found[f"{name} cartilage"] = _volume(around, z) - _volume(bare, z)
    for side, meniscus in anatomy.menisci.items():
        found[f"meniscus {side}"] = _volume(meniscus, z)
    return _named(found, torch.stack(list(found.values())) * litre)


def _volume(field: Field, z: Range) -> Tensor:
    """Volume in cubic reference mm, on a lattice of half the step; thin layers need it."""
    lattice = Lattice(field.lattice.low, field.lattice.step / 2, tuple(2 * n - 1 for n in field.lattice.size))  # type: ignore[arg-type]
    fine = _refined(field, lattice)
    axis = lattice.axis(2)
    half = lattice.step / 2
    wanted = ((axis + half).clamp(max=z[1]) - (axis - half).clamp(min=z[0])).clamp(min=0).to(fine)  # mm of each row
    return (occupancy(fine, lattice.step) * wanted[None, :, None]).sum() * lattice.step**2


def _refined(field: Field, lattice: Lattice) -> Tensor:
    return field.at(Grid(lattice.axis(1), lattice.axis(2), lattice.axis(0)))


def _named(names: Mapping[str, object] | tuple[str, ...], values: Tensor) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
