"""The dorsoplantar radiograph of a foot: Beer-Lambert along the rays of the tube."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.foot.bones import FootBone, box_of
from monai_xray2mri.simulation.foot.frame import FootFrame
from monai_xray2mri.simulation.tools.beam import Exposure, line_integral
from monai_xray2mri.simulation.tools.lattice import Field, Window
from monai_xray2mri.simulation.tools.rays import covered
from monai_xray2mri.simulation.tools.texture import draw_texture_field, textured_path

RAY_STEP_MM: Final = 1.25
_SKIN_STEP_MM: Final = 4.0
_MARROW_FAT: Final = 0.75
_FAT_SHARE: Final = 0.35
"""Of the soft tissue of a foot: subcutaneous fat and the sole's pads."""
_CORTEX_DENSITY: Final = 0.85
_TEXTURE: Final = (300.0, 150.0, 150.0, 0.85, 1.4)
"""Height, top and half width in mm, slope and struts of the trabecular pattern."""


def attenuation(
    bones: Iterable[FootBone], skin: Field, frame: FootFrame, texture: torch.Generator, finer: int = 1
) -> tuple[Tensor, dict[str, Tensor]]:
    """Line integrals of attenuation.

    Args:
        bones: all that the rays meet.
        skin: signed distance of the foot's surface in mm.
        frame: of the film.
        texture: random generator of the trabeculae, on the CPU.
        finer: sample points for each pixel, along rows and columns.

    Returns:
        [N,N] without unit, N = ``finer`` times the frame's size, and by name of the bone its path [N,N] in mm.
    """
    low, high = skin.lattice.ranges[1]
    y = torch.arange(low, high + _SKIN_STEP_MM, _SKIN_STEP_MM)
    soft = _SKIN_STEP_MM * covered(_outside_is_far(skin, frame.film_grid(y, finer))).sum(0)
    fat, muscle = _FAT_SHARE * soft, (1 - _FAT_SHARE) * soft
    mineral = torch.zeros_like(soft)
    pattern = draw_texture_field(texture, *_TEXTURE)
    x, z = frame.axes(finer)
    volumes = {}
    for bone in bones:
        window, volume, compact, spongy = _bone_paths(bone, frame, finer)
        rows, columns = window
        spongy = textured_path(spongy, pattern.at(x[None, columns], z[rows, None]))
        marrow = (volume - compact - spongy).clamp(min=0)
        mineral[window] += compact + spongy
        fat[window] += _MARROW_FAT * marrow
        muscle[window] += (1 - _MARROW_FAT) * marrow - volume
        volumes[bone.name] = torch.zeros_like(soft)
        volumes[bone.name][window] = volume
    return line_integral(fat, muscle.clamp(min=0), mineral), volumes


def _outside_is_far(field: Field, grid: object) -> Tensor:
    """Values of a signed distance at a grid; points beyond its lattice lie outside."""
    window: Window = field.window(grid)  # type: ignore[arg-type]
    whole = torch.full(grid.shape, 50.0)  # type: ignore[attr-defined]
    whole[window] = field.at(grid.crop(window))  # type: ignore[attr-defined]
    return whole


def _bone_paths(bone: FootBone, frame: FootFrame, finer: int) -> tuple[tuple[slice, slice], Tensor, Tensor, Tensor]:
    """Rows and columns of the film that a bone may cover, and its paths [h,w] in mm: all, compact and spongy bone."""
    x, y, z = box_of(bone)
    heights = torch.arange(y[0] - RAY_STEP_MM, y[1] + 2 * RAY_STEP_MM, RAY_STEP_MM)
    grid = frame.film_grid(heights, finer)
    window = grid.window(x, y, z)
    part = grid.crop((slice(None), *window[1:]))
    points = part.points()
    distance, cortex, share = bone.layers(points)
    inside, deep = covered(distance), covered(distance + cortex)
    spongy = deep * share
    compact = _CORTEX_DENSITY * (inside - deep)
    volume, compact, spongy = (RAY_STEP_MM * path.sum(0) for path in (inside, compact, spongy))
    return window[1:], volume, compact, spongy.clamp(min=0)


def draw_foot_exposure(generator: torch.Generator) -> Exposure:
    """Draw the exposure of a film of a foot: more contrast than behind a knee, less scatter, the floor black.

    Args:
        generator: of the exposure.
    """
    u = torch.rand(9, generator=generator).tolist()
    contrast = 0.42 + 0.30 * u[1]
    return Exposure(
        level=0.50 + 0.24 * u[0],
        contrast=contrast,
        scatter=0.04 + 0.14 * u[2],
        photons=5e3 * math.exp(1.6 * u[3]),
        blur_mm=0.05 + 0.10 * u[4],
        heel=(0.10 * (u[5] - 0.5), 0.10 * (u[8] - 0.5)),
        flattening=0.25 + 0.35 * u[7],
        edges=0.1 + 0.5 * u[6],
        corner=4.0 + 4.0 * u[6],
    )


def reference_of(total: Tensor, volumes: Mapping[str, Tensor]) -> float:
    """The line integral that automatic exposure goes by: the median behind the metatarsals.

    Args:
        total: [N,N] line integrals.
        volumes: paths [N,N] in mm by name of the bone.
    """
    bones = torch.stack([path for name, path in volumes.items() if name.startswith("metatarsal")]).amax(0) > 1.0
    return float(total[bones].median())
