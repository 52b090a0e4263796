"""The simulated knee that is nearest to the bones of a real label map.

Gauss-Newton fit of the numbers of a :class:`KneeShape`, the pose and a shift. The residuals are the signed distances of
the real bones' surface points from the simulated bones. A quadratic penalty keeps each number near its start, relative
to its spread in the population.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch

from monai_xray2mri.knee.realism.bone_distance import Surface
from monai_xray2mri.simulation.knee.anatomy.bones import TEMPLATE_LEAN
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.anatomy.template import Template
from monai_xray2mri.simulation.tools.lattice import Grid

_SPREADS: Final[Mapping[str, tuple[float, ...]]] = {
    "scale": (0.06, 0.06, 0.06),
    "joint_space": (1.0, 1.0),
    "condyle_width": (1.0, 1.0),
    "notch_width": (1.0,),
    "notch_height": (1.6,),
    "epicondyle": (0.7,),
    "shaft": (0.06,),
    "tibia": (0.03,),
    "spines": (1.5, 1.5),
    "medial_dish": (0.5,),
    "slope": (3.0,),
    "varus": (2.0,),
    "patella": (3.0, 3.0, 5.0),
    "patella_size": (0.06,),
    "fibula": (2.0, 2.0, 4.0),
}
_POSE: Final = (("flexion", 5.0), ("beam_tilt", 5.0), ("roll", 5.0), ("lean", 5.0))
_SHIFT_MM: Final = 3.0
_POINTS: Final = 500
_STEP: Final = 0.1
"""Step of the numerical derivative with respect to a number, as a share of its spread."""
_LOOSENESS: Final = 20.0
"""Penalty of a number one spread away from its start, in the unit of the sum of squares over all points (mm2)."""
_CLIP_MM: Final = 4.0


@dataclass(frozen=True)
class FittedKnee:
    """The nearest simulated knee.

    Attributes:
        anatomy: the knee, in the pose of the real one.
        shift: (z, y, x) position in mm of its origin in the frame of the real map.
        residual: median distance in mm of the fitted points, before and after the fit.
    """

    anatomy: KneeAnatomy
    shift: tuple[float, float, float]
    residual: tuple[float, float]


def fit_knee(surfaces: Mapping[str, Surface], steps: int = 3, template: Template | None = None) -> FittedKnee:
    """Find the simulated knee nearest to real bones.

    Args:
        surfaces: ``"femur"``, ``"tibia"``, ``"fibula"``, ``"patella"`` to the real surface in the knee's frame.
        steps: Gauss-Newton steps; each builds about 40 knees.
        template: template of the knee; None takes the shipped one.
    """
    rng = np.random.default_rng(0)
    points = {name: s.points[rng.permutation(len(s.points))[:_POINTS]] for name, s in surfaces.items()}
    spreads = np.array(
        [number for each in _SPREADS.values() for number in each] + [s for _, s in _POSE] + [_SHIFT_MM] * 3
    )
    found, residual = np.zeros(len(spreads)), _residual(np.zeros(len(spreads)), points, template)
    start = float(np.median(np.abs(residual)))
    for _ in range(steps):
        jacobian = np.stack(
            [
                (_residual(found + _STEP * unit * spreads, points, template) - residual) / _STEP
                for unit in np.eye(len(found))
            ],
            1,
        )
        weights = np.minimum(1.0, 1.0 / np.maximum(np.abs(residual), 1e-6))  # Huber's weights with a threshold of 1 mm
        normal = jacobian.T @ (weights[:, None] * jacobian) + _LOOSENESS * np.eye(len(found))
        change = np.linalg.solve(normal, -jacobian.T @ (weights * residual) - _LOOSENESS * found / spreads) * spreads
        found, residual = _improve(found, change, residual, points, template)
    anatomy, shift = _knee(found, template)
    return FittedKnee(anatomy, shift, (start, float(np.median(np.abs(residual)))))


def _improve(
    found: np.ndarray,
    change: np.ndarray,
    residual: np.ndarray,
    points: Mapping[str, np.ndarray],
    template: Template | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers after a step that is halved until the residuals fall; the start if they never do."""
    for share in (1.0, 0.5, 0.25):
        tried = _residual(found + share * change, points, template)
        if np.abs(tried).mean() < np.abs(residual).mean():
            return found + share * change, tried
    return found, residual


def _knee(numbers: np.ndarray, template: Template | None) -> tuple[KneeAnatomy, tuple[float, float, float]]:
    """The knee for the current numbers of the fit, and its shift."""
    left = iter(numbers.tolist())
    usual = KneeShape()
    changed: dict[str, object] = {}
    for name in _SPREADS:
        start = getattr(usual, name)
        changed[name] = tuple(v + next(left) for v in start) if isinstance(start, tuple) else start + next(left)
    angles = {name: next(left) for name, _ in _POSE}
    pose = Pose(**{**angles, "lean": angles["lean"] - TEMPLATE_LEAN})
    healthy = draw_pathology({}, torch.Generator().manual_seed(0))
    shape = replace(usual, **changed)  # type: ignore[arg-type]
    return build_anatomy(shape, healthy, pose, template=template), (next(left), next(left), next(left))


def _residual(numbers: np.ndarray, points: Mapping[str, np.ndarray], template: Template | None) -> np.ndarray:
    """Signed distances [N] in mm of the real points from the simulated bones."""
    anatomy, shift = _knee(numbers, template)
    scale = anatomy.shape.scale
    found = []
    for bone in anatomy.bones:
        z, y, x = torch.from_numpy((points[bone.name] - shift).astype(np.float32)).unbind(1)
        # Each point is a slice of the grid with one row and one column.
        grid = Grid(y / scale[1], (z / scale[2])[:, None], (x / scale[0])[:, None])
        found.append(bone.distance.at(grid).flatten() * sum(scale) / 3)
    return np.asarray(torch.cat(found).clamp(-_CLIP_MM, _CLIP_MM).double().numpy())
