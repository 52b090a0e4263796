"""Volumes and dimensions of a knee, measured in the same way on a real label map and on a simulated knee.

Both become :class:`KneeMasks`: one boolean array [Z,Y,X] for each structure on a grid in mm, axes towards head,
posterior and the patient's left of a right knee. Positions of measurements are shares of the femur's half width, so
knees of all sizes are measured at corresponding positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy
from monai_xray2mri.simulation.knee.anatomy.template import LABELS, knee_origin
from monai_xray2mri.simulation.tools.lattice import Field, Grid

Span = tuple[float, float]

SIDES: Final[Mapping[str, float]] = {"medial": 1.0, "lateral": -1.0}
_MIDDLE: Final = (0.38, 0.80)
"""Shares of the half width between which the middle of a plateau lies."""
_MIDDLE_Y_MM: Final = 12.0
_STRIP_MM: Final = 4.0
_CENTER: Final = 0.57
"""Share of the half width at which the middle of a condyle lies."""
_SLOPE_MM: Final = 14.0
_OTHERS: Final = ((1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class View:
    """The grid on which knees are measured.

    Attributes:
        first: (z, y, x) of the first voxel center in mm in the knee's frame.
        spacing: (z, y, x) distance of voxel centers in mm.
        size: numbers of voxels (Z, Y, X).
    """

    first: tuple[float, float, float]
    spacing: tuple[float, float, float]
    size: tuple[int, int, int]

    def axis(self, number: int) -> np.ndarray:
        """Positions in mm along z (0), y (1) or x (2)."""
        return self.first[number] + self.spacing[number] * np.arange(self.size[number])

    def widened(self, margin: float) -> View:
        """The view, larger by ``margin`` mm on every side."""
        more = [int(np.ceil(margin / step)) for step in self.spacing]
        first = tuple(f - m * s for f, m, s in zip(self.first, more, self.spacing, strict=True))
        return View(first, self.spacing, tuple(n + 2 * m for n, m in zip(self.size, more, strict=True)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class KneeMasks:
    """Masks of the structures of a knee.

    Attributes:
        view: grid of the masks.
        masks: structure (one of ``template.LABELS``) to its mask [Z,Y,X].
    """

    view: View
    masks: Mapping[str, np.ndarray]


def real_masks(
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    every: tuple[int, int, int] = (1, 1, 1),
    numbers: Mapping[str, Sequence[int]] = LABELS,
) -> KneeMasks:
    """Masks of a label map of a right knee; the origin is that of a template which is fitted to the map.

    Args:
        labels: [Z,Y,X] integers, axes towards head, posterior and the patient's left.
        spacing: (z, y, x) distance of voxel centers in mm.
        every: (z, y, x) step in voxels; 2 takes every second voxel.
        numbers: structure to its labels.
    """
    origin = knee_origin(np.isin(labels, list(numbers["femur"])), np.isin(labels, list(numbers["tibia"])), spacing)
    thinned = labels[:: every[0], :: every[1], :: every[2]]
    steps = tuple(s * n for s, n in zip(spacing, every, strict=True))
    view = View(tuple(-o for o in origin), steps, thinned.shape)  # type: ignore[arg-type]
    return KneeMasks(view, {name: np.isin(thinned, list(chosen)) for name, chosen in numbers.items()})


def knee_grid(anatomy: KneeAnatomy, view: View) -> Grid:
    """The points of a view as a grid in reference mm."""
    z, y, x = (torch.from_numpy(view.axis(number).astype(np.float32)) for number in range(3))
    scale = anatomy.shape.scale
    return Grid(y / scale[1], z / scale[2], x / scale[0])


def simulated_masks(anatomy: KneeAnatomy, view: View) -> KneeMasks:
    """Masks of a simulated knee without overlap: bone takes precedence over cartilage, and both over meniscus."""
    grid = knee_grid(anatomy, view)

    def inside(field: Field) -> np.ndarray:
        found = torch.zeros(grid.shape, dtype=torch.bool)
        window = field.window(grid)
        found[window] = field.at(grid.crop(window)) < 0
        return np.asarray(found.transpose(0, 1).numpy())

    masks = {bone.name: inside(bone.distance) for bone in anatomy.bones}
    taken = np.logical_or.reduce(list(masks.values()))
    layers = {f"{name} cartilage": inside(coated) & ~taken for name, coated in anatomy.cartilage.items()}
    taken = np.logical_or.reduce([taken, *layers.values()])
    menisci = {f"meniscus {side}": inside(field) & ~taken for side, field in anatomy.menisci.items()}
    return KneeMasks(view, {**masks, **layers, **menisci})


def volumes_ml(knee: KneeMasks) -> dict[str, float]:
    """Volume in ml within the view, by structure."""
    voxel = float(np.prod(knee.view.spacing)) / 1000
    return {name: float(mask.sum()) * voxel for name, mask in knee.masks.items()}


def dimensions_mm(knee: KneeMasks) -> dict[str, float]:
    """Dimensions in mm (slopes in degrees) along the axes of the view, by the names in ``PUBLISHED`` of ``anatomy.py``.

    Slopes are measured against the z-axis of the view, because the visible shaft is too short to show the tibia's axis.
    """
    return {**_femur(knee), **_tibia(knee), **_small_bones(knee), **_joint(knee)}


def _extent(view: View, mask: np.ndarray, number: int) -> float:
    """Length in mm of a mask [Z,Y,X], or of a part that is cropped along the other axes, along one axis; 0 if empty."""
    axis = view.axis(number)
    places = axis[mask.any(axis=_OTHERS[number])]
    return float(places.max() - places.min() + axis[1] - axis[0]) if len(places) else 0.0


def _between(axis: np.ndarray, span: Span) -> slice:
    places = np.flatnonzero((axis >= min(span)) & (axis <= max(span)))
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def _lowest(mask: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Height [Y,X] of the lowest voxel's lower border; NaN where there is none."""
    return np.where(mask.any(0), z[mask.argmax(0)] - (z[1] - z[0]) / 2, np.nan)


def _highest(mask: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Height [Y,X] of the highest voxel's upper border; NaN where there is none."""
    return np.where(mask.any(0), z[len(z) - 1 - mask[::-1].argmax(0)] + (z[1] - z[0]) / 2, np.nan)


def half_width_mm(knee: KneeMasks) -> float:
    """Half the largest width of the femur in mm."""
    return _extent(knee.view, knee.masks["femur"], 2) / 2


def _femur(knee: KneeMasks) -> dict[str, float]:
    z, x = knee.view.axis(0), knee.view.axis(2)
    femur, half = knee.masks["femur"], half_width_mm(knee)
    low = float(z[femur.any((1, 2))][0])
    condyles = femur[_between(z, (low, low + 45.0))]
    found = {"femoral width": 2 * half}
    for side, sign in SIDES.items():
        part = condyles[:, :, _between(x, (sign * 0.3 * half, sign * half))]
        found[f"{side} condyle depth"] = _extent(knee.view, part, 1)
    found.update(_notch(knee, low))
    return found


def _notch(knee: KneeMasks, low: float) -> dict[str, float]:
    """Notch: width at half height, height of the roof above the condyles, depth from front to back of the condyles."""
    z, y, x = (knee.view.axis(number) for number in range(3))
    femur, half = knee.masks["femur"], half_width_mm(knee)
    middle = _between(x, (-0.45 * half, 0.45 * half))
    level = femur[_between(z, (low + 9.0, low + 16.0))][:, :, middle]
    widths = (~level[:, _between(y, (0.0, 10.0))]).sum(2) * knee.view.spacing[2]
    roof = np.nanmax(_lowest(femur, z)[_between(y, (-6.0, 0.0)), middle], axis=1)
    behind = y[femur[_between(z, (low, low + 30.0))].any((0, 2))].max()
    front = y[femur[_between(z, (low + 9.0, low + 16.0))][:, :, _between(x, (-3.0, 3.0))].any((0, 2))].max()
    return {
        "notch width": float(np.median(widths)),
        "notch height": float(np.median(roof)) - low,
        "notch depth": float(behind - front),
    }


def _tibia(knee: KneeMasks) -> dict[str, float]:
    z, y, x = (knee.view.axis(number) for number in range(3))
    tibia, half = knee.masks["tibia"], half_width_mm(knee)
    top = _highest(tibia, z)
    level = float(np.nanmedian(top[_between(y, (-8.0, 8.0)), _between(x, (0.4 * half, 0.7 * half))]))
    upper = tibia[_between(z, (level - 22.0, level + 12.0))]
    found = {"plateau width": _extent(knee.view, upper, 2)}
    for side, sign in SIDES.items():
        strip = _between(x, (sign * _CENTER * half - _STRIP_MM, sign * _CENTER * half + _STRIP_MM))
        ends = y[upper[:, :, strip].any((0, 2))]
        found[f"{side} plateau depth"] = float(ends.max() - ends.min() + knee.view.spacing[1])
        middle = float(ends.max() + ends.min()) / 2
        rows = _between(y, (middle - _SLOPE_MM, middle + _SLOPE_MM))
        profile = np.nanmean(top[rows, strip], axis=1)
        found[f"{side} slope"] = float(-np.degrees(np.arctan(np.polyfit(y[rows], profile, 1)[0])))
        tip = np.nanmax(top[_between(y, (-14.0, 16.0)), _between(x, (0.0, sign * 0.3 * half))])
        found[f"{side} spine height"] = float(tip - profile.mean())
    return found


def _small_bones(knee: KneeMasks) -> dict[str, float]:
    z = knee.view.axis(0)
    patella, fibula = knee.masks["patella"], knee.masks["fibula"]
    tip = float(z[fibula.any((1, 2))][-1])
    head = fibula[_between(z, (tip - 18.0, tip))]
    return {
        "patella height": _extent(knee.view, patella, 0),
        "patella width": _extent(knee.view, patella, 2),
        "patella thickness": _extent(knee.view, patella, 1),
        "fibular head width": _extent(knee.view, head, 2),
        "fibular head depth": _extent(knee.view, head, 1),
    }


def _joint(knee: KneeMasks) -> dict[str, float]:
    z, y, x = (knee.view.axis(number) for number in range(3))
    half, step = half_width_mm(knee), knee.view.spacing[0]
    gap = _lowest(knee.masks["femur"], z) - _highest(knee.masks["tibia"], z)
    found = {}
    for side, sign in SIDES.items():
        part = (
            _between(y, (-_MIDDLE_Y_MM, _MIDDLE_Y_MM)),
            _between(x, (sign * _MIDDLE[0] * half, sign * _MIDDLE[1] * half)),
        )
        found[f"{side} joint space"] = float(np.nanmin(gap[part]))
        for name, span in (("femoral", (-6.0, 20.0)), ("tibial", (-20.0, 12.0))):
            layer = knee.masks[f"{name} cartilage"][_between(z, span)][:, part[0], part[1]]
            found[f"{side} {name} cartilage"] = float(layer.sum(0).mean()) * step
    columns = knee.masks["patellar cartilage"].sum(1) * knee.view.spacing[1]  # [Z,X] mm along y
    found["patellar cartilage"] = float(columns[columns > 0].mean())
    return found
