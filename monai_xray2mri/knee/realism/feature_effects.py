"""What one feature changes in one knee: in its truth, in its radiograph and in its MR volume.

A knee is examined twice, healthy and with one feature of one grade; everything else (shape, texture, pose, field of
view) is the same and there is no noise, so that what differs is the feature's. The radiograph is that of line
integrals, in which 0.01 is about one per cent of the signal of the X-ray plate.
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
from monai_xray2mri.simulation.knee.knee import check_visibility, draw_patient_knee
from monai_xray2mri.simulation.knee.mri.mr import Canvas, Placement, mr_grid
from monai_xray2mri.simulation.knee.mri.painting import paint_knee
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
"""Where the radiograph is sampled, in mm of the joint's plane: x rises, z falls."""
_ROWS: Final = slice(64, 192)
_HEIGHTS: Final = (-50.0, 50.0)
MR_AFFINE: Final = Placement().affine @ np.array(
    [[1, 0, 0, 0], [0, 1, 0, _ROWS.start], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float
)
"""[4,4] maps (column, row, slice) of :attr:`Examined.signal` to LPS mm."""
VOXEL_MM3: Final = float(abs(np.linalg.det(MR_AFFINE[:3, :3])))
_GAP_X_MM: Final = (17.0, 27.0)
_GAP_Z_MM: Final = (-9.0, 10.0)
_OPEN: Final = 0.2
_SEEN: Final = 0.15
"""Share of the largest change below which a pixel or voxel does not belong to a feature's site."""


@dataclass(frozen=True)
class Examined:
    """One knee in both examinations; each part is worked out when it is first asked for.

    Attributes:
        seed: the knee's.
        shape: its shape.
        pathology: its grades and sites.
        visibility: how far cysts, chondrocalcinosis and attrition show in the radiograph.
    """

    seed: int
    shape: KneeShape
    pathology: Pathology
    visibility: float

    @cached_property
    def lying(self) -> KneeAnatomy:
        """Its anatomy in the scanner."""
        return build_anatomy(self.shape, self.pathology, Pose(), _HEIGHTS)

    @cached_property
    def standing(self) -> KneeAnatomy:
        """Its anatomy before the plate."""
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
        """Noise-free MR signal and tissues, and codes of the lesions, [80,128,256] about the joint."""
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
        """Voxels [80,128,256] that the lesion mask gives to a feature."""
        return self.painted[1] == 1 + LESION_FEATURES.index(stem)

    @cached_property
    def widths_mm(self) -> dict[str, float]:
        """Least distance of the bones: ``"M"``, ``"L"`` lying, ``"film M"``, ``"film L"`` as the film shows it."""
        standing = projected_joint_space_mm(self.standing)
        return {**joint_space_mm(self.lying), **{f"film {side}": width for side, width in standing.items()}}


def examine(seed: int, grades: Mapping[str, int] | None = None, visibility: float = 1.0) -> Examined:
    """Examine the knee of a seed, healthy but for the given grades.

    Args:
        seed: of one of the simulator's ranges.
        grades: OAI stem to grade.
        visibility: how far cysts, chondrocalcinosis and attrition show in the radiograph, 0 to 1.

    Raises:
        InputRefused: seed outside all ranges, unknown feature or grade, visibility outside 0 to 1.
    """
    check_visibility(visibility)
    shape, pathology = draw_patient_knee(seed, {**HEALTHY, **(grades or {})})
    return Examined(seed, shape, pathology, visibility)


@dataclass(frozen=True)
class Change:
    """What changed in one image, weighted by how much it changed.

    Attributes:
        contrast: mean change over the site, signed; line integral or MR signal.
        strength: the same without sign.
        x: the site's centre in mm from the midline, + = medial.
        z: its height in mm.
        size: mm2 of a radiograph or mm3 of a volume that changed by more than 15 % of the most.
    """

    contrast: float
    strength: float
    x: float
    z: float
    size: float


def film_change(before: Examined, after: Examined) -> Change:
    """Where and by how much the radiograph changed."""
    difference = (after.film - before.film).double()[None]
    return _change(difference, FILM.x, FILM.z, _PIXEL_MM**2)


def mr_change(before: Examined, after: Examined) -> Change:
    """Where and by how much the MR signal changed."""
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
    """Volume of a lesion by its mask."""
    return float(examined.lesion(stem).sum()) * VOXEL_MM3


def grown_mm3(before: Examined, after: Examined) -> dict[str, float]:
    """Bone to the volume in mm3 by which it grew, lying: the osteophytes."""
    found = {}
    for first, second in zip(before.lying.bones, after.lying.bones, strict=True):
        found[first.name] = _grown(first.distance, second.distance, before.lying.shape.scale)
    return found


def _grown(before: Field, after: Field, scale: tuple[float, float, float]) -> float:
    # On the lattice a voxel's share is a ramp as wide as the step.
    shares = [(0.5 - each.values / each.lattice.step).clamp(0, 1) for each in (before, after)]
    return float((shares[1] - shares[0]).clamp(min=0).sum()) * before.lattice.step**3 * float(np.prod(scale))


def _parts(profile: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    """What of profiles [N,Z] lies above and below their middles [N]."""
    place = torch.arange(profile.shape[1])
    return place <= middle[:, None], place >= middle[:, None]


def film_gap_mm(examined: Examined) -> dict[str, float]:
    """Compartment to the width in mm of the dark gap between the bones, measured on the radiograph alone.

    In each column over the middle of the compartment the gap reaches from where the line integral falls most steeply
    to where it rises most steeply again; told is the median over columns. A gap that is hardly darker than the bone on
    one of its sides is closed: 0.
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
