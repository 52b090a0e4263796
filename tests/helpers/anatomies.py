"""Anatomies that several tests look at; each is built once."""

from __future__ import annotations

from functools import cache

import torch

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import Pathology, draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose, draw_shape
from monai_xray2mri.simulation.knee.people.seeds import TEST, knee_generator
from monai_xray2mri.simulation.tools.lattice import Field, Grid

SEED = TEST.start + 20
Z_RANGE = (-50.0, 60.0)


@cache
def shape(seed: int = SEED) -> KneeShape:
    """A knee of the test range."""
    return draw_shape(knee_generator(seed, "anatomy"))


def pathology(**grades: int) -> Pathology:
    """The sites of the same knee, healthy but for the given grades."""
    return draw_pathology(grades, knee_generator(SEED, "lesions"))


@cache
def _built(pose: Pose, grades: tuple[tuple[str, int], ...]) -> KneeAnatomy:
    return build_anatomy(shape(), pathology(**dict(grades)), pose, Z_RANGE)


def anatomy(pose: Pose | None = None, **grades: int) -> KneeAnatomy:
    """The knee of the test range, healthy but for the given grades."""
    return _built(pose or Pose(), tuple(grades.items()))


def grid(step: float = 1.0) -> Grid:
    """A grid around the joint."""
    return Grid(*(torch.arange(low, high, step) for low, high in ((-60.0, 50.0), (-45.0, 55.0), (-60.0, 50.0))))


def sampled(field: Field, fine: Grid) -> torch.Tensor:
    """Values of a field over a grid, 20 mm outside its lattice."""
    values = torch.full(fine.shape, 20.0)
    window = field.window(fine)
    values[window] = field.at(fine.crop(window))
    return values


def center(inside: torch.Tensor, fine: Grid) -> tuple[float, float, float]:
    """Centre of mass (x, y, z) of a mask [Y,Z,X]."""
    points = fine.points()
    total = inside.sum()
    return tuple(float((inside * axis).sum() / total) for axis in (points.x, points.y, points.z))  # type: ignore[return-value]
