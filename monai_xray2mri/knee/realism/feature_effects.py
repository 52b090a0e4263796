"""The effect of one feature on the truth, the radiograph and the MR volume of one knee.

A knee is examined twice, healthy and with one grade of one feature. Everything else (shape, texture, pose, field of
view) is equal and there is no noise, so all differences are effects of the feature. The radiograph consists of line
integrals; a change of 0.01 is about one per cent of the signal of the X-ray plate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.measurement import joint_space_mm, projected_joint_space_mm
from monai_xray2mri.simulation.knee.anatomy.pathology import Pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.mri.mr import Canvas, Placement, mr_grid
from monai_xray2mri.simulation.knee.mri.painting import paint_knee
from monai_xray2mri.simulation.knee.patient import check_visibility, draw_patient_knee
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES
from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.knee.xray import radiography
from monai_xray2mri.simulation.knee.xray.radiography import SamplePoints
from monai_xray2mri.simulation.tools.lattice import Field

HEALTHY: Final[Mapping[str, int]] = dict.fromkeys(MAXIMAL_GRADES, 0)
SIDES: Final[Mapping[str, float]] = {"M": 1.0, "L": -1.0}
_PIXEL_MM: Final = 0.5
_STEPS: Final = torch.arange(-52.0, 52.0, _PIXEL_MM) + _PIXEL_MM / 2
FILM: Final = SamplePoints(-_STEPS, _STEPS)
"""Sample points of the radiograph in mm of the joint's plane, 208 x 208; x rises, z falls."""
_ROWS: Final = slice(64, 192)
_HEIGHTS: Final = (-50.0, 50.0)
MR_AFFINE: Final = Placement().affine @ np.array(
    [[1, 0, 0, 0], [0, 1, 0, _ROWS.start], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float
)
"""[4,4], maps (column, row, slice) of :attr:`Examined.signal` to LPS mm."""
VOXEL_MM3: Final = float(abs(np.linalg.det(MR_AFFINE[:3, :3])))
_GAP_X_MM: Final = (17.0, 27.0)
_GAP_Z_MM: Final = (-9.0, 10.0)
_OPEN: Final = 0.2
_SEEN: Final = 0.15
"""Pixels or voxels that change by less than this share of the largest change do not belong to a feature's site."""


@dataclass(frozen=True)
class Examined:
    """One knee in both examinations; each part is computed on first use.

    Attributes:
        seed: seed of the knee.
        shape: its shape.
        pathology: its grades and sites.
        visibility: how visible cysts, chondrocalcinosis and attrition are in the radiograph, 0 to 1.
    """

    seed: int
    shape: KneeShape
    pathology: Pathology
    visibility: float

    @cached_property
    def lying(self) -> KneeAnatomy:
        """Anatomy in the MR examination."""
        return build_anatomy(self.shape, self.pathology, Pose(), _HEIGHTS)

    @cached_property
    def standing(self) -> KneeAnatomy:
        """Anatomy in the X-ray examination."""
        shown = replace(self.pathology, scale=self.visibility)
        pose = Pose(flexion=20.0, beam_tilt=self.shape.slope, load=0.25)
        return radiography.film_anatomy(self.shape, shown, pose, FILM)

    @cached_property
    @one_thread()
    def film(self) -> Tensor:
        """[208,208] line integrals at the points of ``FILM``."""
        knee, texture = self.standing, knee_generator(self.seed, "trabeculae")
        return radiography.attenuation(self.shape, knee.pathology, knee.pose, FILM, texture, anatomy=knee)

    @cached_property
    @one_thread()
    def painted(self) -> tuple[Canvas, Tensor]:
        """Noise-free MR signal with tissue labels, and codes of the lesions, all [80,128,256] around the joint."""
        grid = mr_grid(Placement(), self.shape.scale).crop((slice(None), _ROWS, slice(None)))
        return paint_knee(self.lying, grid, knee_generator(self.seed, "mr texture"))

    @property
    def signal(self) -> Tensor:
        """[80,128,256] noise-free MR signal."""
        return self.painted[0].signal

    @property
    def labels(self) -> Tensor:
        """[80,128,256] :class:`~monai_xray2mri.simulation.knee.mri.mr.Tissue`."""
        return self.painted[0].labels

    def lesion(self, stem: str) -> Tensor:
        """Mask [80,128,256] bool of the lesion of a feature."""
        return self.painted[1] == 1 + LESION_FEATURES.index(stem)

    @cached_property
    def widths_mm(self) -> dict[str, float]:
        """Least distance of the bones in mm: ``"M"``, ``"L"`` in MR, ``"film M"``, ``"film L"`` in the projection."""
        standing = projected_joint_space_mm(self.standing)
        return {**joint_space_mm(self.lying), **{f"film {side}": width for side, width in standing.items()}}


def examine(seed: int, grades: Mapping[str, int] | None = None, visibility: float = 1.0) -> Examined:
    """Examine the knee of a seed with only the given grades.

    Args:
        seed: a seed of one of the simulator's ranges.
        grades: OAI stem to grade; all other features have grade 0.
        visibility: how visible cysts, chondrocalcinosis and attrition are in the radiograph, 0 to 1.

    Raises:
        InputRefused: seed outside all ranges, unknown feature or grade, visibility outside 0 to 1.
    """
    check_visibility(visibility)
    shape, pathology = draw_patient_knee(seed, {**HEALTHY, **(grades or {})})
    return Examined(seed, shape, pathology, visibility)


@dataclass(frozen=True)
class Change:
    """The change of one image; means over the site are weighted by the absolute change.

    Attributes:
        contrast: mean signed change over the site, of line integrals or MR signal.
        strength: mean absolute change over the site.
        x: center of the site in mm from the midline; positive is medial.
        z: height of the center in mm.
        size: mm2 of a radiograph or mm3 of a volume that change by more than 15 % of the largest change.
    """

    contrast: float
    strength: float
    x: float
    z: float
    size: float


def film_change(before: Examined, after: Examined) -> Change:
    """Change of the radiograph."""
    difference = (after.film - before.film).double()[None]
    return _change(difference, FILM.x, FILM.z, _PIXEL_MM**2)


def mr_change(before: Examined, after: Examined) -> Change:
    """Change of the MR signal."""
    difference = (after.signal - before.signal).double()
    x = torch.from_numpy(MR_AFFINE[0, 3] + MR_AFFINE[0, 0] * np.arange(difference.shape[2]))
    z = torch.from_numpy(MR_AFFINE[2, 3] + MR_AFFINE[2, 1] * np.arange(difference.shape[1]))
    return _change(difference, x, z, VOXEL_MM3)


def _change(difference: Tensor, x: Tensor, z: Tensor, voxel: float) -> Change:
    weights = _weights(difference)
    total = weights.sum().clamp(min=1e-12)
    return Change(
        contrast=float((weights * difference).sum() / total),
        strength=float(weights.square().sum() / total),
        x=float((weights.sum((0, 1)) * x).sum() / total),
        z=float((weights.sum((0, 2)) * z).sum() / total),
        size=float((weights > 0).sum()) * voxel,
    )


def _weights(difference: Tensor) -> Tensor:
    size = difference.abs()
    return size * (size > _SEEN * size.max())


def lesion_mm3(examined: Examined, stem: str) -> float:
    """Volume in mm3 of the lesion mask of a feature."""
    return float(examined.lesion(stem).sum()) * VOXEL_MM3


def grown_mm3(before: Examined, after: Examined) -> dict[str, float]:
    """Volume in mm3 by which each bone grew in MR: the volume of its osteophytes."""
    found = {}
    for first, second in zip(before.lying.bones, after.lying.bones, strict=True):
        found[first.name] = _grown(first.distance, second.distance, before.lying.shape.scale)
    return found


def _grown(before: Field, after: Field, scale: tuple[float, float, float]) -> float:
    # The share of a lattice cell inside the bone is a ramp of the distance, one step wide.
    shares = [(0.5 - each.values / each.lattice.step).clamp(0, 1) for each in (before, after)]
    return float((shares[1] - shares[0]).clamp(min=0).sum()) * before.lattice.step**3 * float(np.prod(scale))


def _parts(profile: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    """Masks of the parts of profiles [N,Z] above and below their middles [N]."""
    place = torch.arange(profile.shape[1])
    return place <= middle[:, None], place >= middle[:, None]


def film_gap_mm(examined: Examined) -> dict[str, float]:
    """Width in mm of the dark gap between the bones on the radiograph, by compartment.

    In each column over the middle of the compartment the gap begins at the steepest fall of the line integral and ends
    at its steepest rise. The result is the median over columns. A gap that is not clearly darker than the bone on both
    sides counts as closed, with width 0.
    """
    x, z = FILM.x, FILM.z
    rows = (z >= _GAP_Z_MM[0]) & (z <= _GAP_Z_MM[1])
    found = {}
    for side, sign in SIDES.items():
        columns = (sign * x >= _GAP_X_MM[0]) & (sign * x <= _GAP_X_MM[1])
        profile = examined.film[rows][:, columns].double()  # from above to below
        smooth = torch.nn.functional.avg_pool1d(profile.T[:, None], 3, 1)[:, 0]
        slope = smooth.diff(dim=1)
        darkest = smooth.argmin(1)
        place = torch.arange(slope.shape[1])
        above = torch.where(place < darkest[:, None], slope, 0.0).argmin(1)
        below = torch.where(place >= darkest[:, None], slope, 0.0).argmax(1)
        walls = [torch.where(part, smooth, -torch.inf).amax(1) for part in _parts(smooth, darkest)]
        depth = torch.minimum(*walls) - smooth.gather(1, darkest[:, None])[:, 0]
        found[side] = float(((below - above) * (depth > _OPEN)).double().median()) * _PIXEL_MM
    return found
