"""Radiograph of the simulated knee: postero-anterior cone-beam projection of its anatomy in fixed flexion.

The tube stands 1829 mm (72 inches, OAI's protocol) in front of the plate, centered between both knees. The center of
the joint is 135 mm in front of the plate and is magnified 1.08 times. Rays diverge from the focal spot, so they pass
each knee about three degrees obliquely, from its medial side. The attenuation follows Beer-Lambert along every ray
(``beam.py``) through subcutaneous fat, lean tissue and bone (``mineral.py``), with trabecular texture
(``trabeculae.py``).

Two simplifications: the plate is perpendicular to the central ray (its slant would change heights by 1.5 %), and paths
through soft tissue are measured along the axis of the beam, not along each ray.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.body import body_paths
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import Pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.xray.mineral import Scar, bone_paths, crystal_paths, growth_plate_scars
from monai_xray2mri.simulation.knee.xray.trabeculae import Trabeculae, draw_trabeculae
from monai_xray2mri.simulation.tools.beam import (
    Exposure,
    draw_exposure,
    exposed,
    line_integral,
    reference_attenuation,
)
from monai_xray2mri.simulation.tools.lattice import CPU, Grid
from monai_xray2mri.types import Box

__all__ = [
    "JOINT_ROW",
    "REGION_MM",
    "Exposure",
    "SamplePoints",
    "attenuation",
    "draw_exposure",
    "draw_pose",
    "draw_region",
    "exposed",
    "film_anatomy",
    "reference_attenuation",
    "true_region",
]

MAGNIFICATION: Final = 1.08
SOURCE_TO_DETECTOR_MM: Final = 1829.0
SOURCE_TO_JOINT_MM: Final = SOURCE_TO_DETECTOR_MM / MAGNIFICATION
FILM_SOURCE: Final = (96.0, 0.0)
"""(x, z) of the focal spot of a bilateral film in mm of the right knee's own frame."""
REGION_MM: Final = 110.0
"""Side of the square region around a joint in mm at the detector."""
JOINT_ROW: Final = 63.75 / REGION_MM
"""Height of the joint line in a region as a fraction from the top, as in the released crops of OAI's films."""
REGION_PIXELS: Final = 299
RAY_STEP_MM: Final = 2.5
_RAYS_MM: Final = (48.0, -78.0)
"""Range along y that holds all bone of a posed knee, in reference mm."""
_STRIP_ROWS: Final = 128
_ROWS_AT_ONCE: Final = 420
"""An image with more rows is projected in strips to save memory; a joint region has fewer rows."""
_SLACK_MM: Final = 10.0
_MEAN_ROLL_DEG: Final = 4.0
"""Mean external rotation of the knee on the film; an estimate. The protocol's frame rotates the feet by ten degrees,
and the knees follow only in part."""
_MARROW_FAT: Final = 0.7
"""Share of yellow marrow that attenuates like fat; the rest attenuates like muscle."""


@dataclass(frozen=True)
class SamplePoints:
    """Sample points of a projection, in mm of the joint's plane y = 0.

    Attributes:
        z: [H] from above to below.
        x: [W] from the patient's right to left.
        source: (x, z) of the focal spot; its y is ``SOURCE_TO_JOINT_MM``.
    """

    z: Tensor
    x: Tensor
    source: tuple[float, float] = FILM_SOURCE

    @property
    def pixel_mm(self) -> float:
        """Distance between sample points in mm at the joint."""
        return float((self.x[-1] - self.x[0]) / (len(self.x) - 1))

    def pixel(self, place: tuple[float, float, float]) -> tuple[float, float]:
        """Projection of a point (x, y, z) in mm of the knee's own frame to (row, column) in pixels."""
        x, y, z = place
        share = 1 - y / SOURCE_TO_JOINT_MM
        seen_x = self.source[0] + (x - self.source[0]) / share
        seen_z = self.source[1] + (z - self.source[1]) / share
        return (float(self.z[0]) - seen_z) / self.pixel_mm, (seen_x - float(self.x[0])) / self.pixel_mm

    def box(self, x: tuple[float, float], z: tuple[float, float]) -> Box:
        """Box in pixels of the ranges ``x`` and ``z`` in mm of the joint's plane."""
        top, left = self.pixel((x[0], 0.0, z[1]))
        bottom, right = self.pixel((x[1], 0.0, z[0]))
        return Box(top + 0.5, left + 0.5, bottom - top, right - left)


def draw_pose(shape: KneeShape, generator: torch.Generator) -> Pose:
    """Draw the pose of a fixed-flexion film: knee flexed and loaded, tube about parallel to the plateau."""
    flexion, tilt, load, roll, lean = torch.randn(5, generator=generator).clamp(-2, 2).tolist()
    return Pose(
        flexion=20.0 + 4.0 * flexion,
        beam_tilt=shape.slope + 1.3 * tilt,
        load=0.25 + 0.1 * load,
        roll=_MEAN_ROLL_DEG + 4.0 * roll,
        lean=1.5 + 1.5 * lean,
    )


def draw_region(generator: torch.Generator) -> SamplePoints:
    """Draw the square region that an imperfect joint detector cuts out, with errors of about 4 mm and 4 %."""
    x, z, size = torch.randn(3, generator=generator).clamp(-2, 2).tolist()
    side = REGION_MM * (1 + 0.02 * size) / MAGNIFICATION
    pixel = side / REGION_PIXELS
    steps = (torch.arange(REGION_PIXELS) + 0.5) * pixel
    return SamplePoints(JOINT_ROW * side - steps + 2.0 * z, steps - side / 2 + 2.0 * x)


def true_region(margin: float = 0.0) -> SamplePoints:
    """The square region of a perfect joint detector, enlarged on every side by the share ``margin`` of its side.

    The pixel size does not depend on the margin.
    """
    pixel = REGION_MM / MAGNIFICATION / REGION_PIXELS
    extra = round(margin * REGION_PIXELS)
    steps = (torch.arange(-extra, REGION_PIXELS + extra) + 0.5) * pixel
    side = REGION_PIXELS * pixel
    return SamplePoints(JOINT_ROW * side - steps, steps - side / 2)


def true_box(samples: SamplePoints) -> Box:
    """The square around the joint that a perfect joint detector cuts out, in pixels of a radiograph."""
    side = REGION_MM / MAGNIFICATION
    return samples.box((-side / 2, side / 2), ((JOINT_ROW - 1) * side, JOINT_ROW * side))


def film_anatomy(
    shape: KneeShape, pathology: Pathology, pose: Pose, samples: SamplePoints, device: torch.device = CPU
) -> KneeAnatomy:
    """The anatomy over the range along the leg that the rays to the sample points pass."""
    heights = samples.z / shape.scale[2]
    z_range = (float(heights.min()) - _SLACK_MM, float(heights.max()) + _SLACK_MM)
    return build_anatomy(shape, pathology, pose, z_range, device=device)


def attenuation(
    shape: KneeShape,
    pathology: Pathology,
    pose: Pose,
    samples: SamplePoints,
    texture: torch.Generator,
    *,
    anatomy: KneeAnatomy | None = None,
    device: torch.device = CPU,
) -> Tensor:
    """Line integrals of attenuation [H,W] along the rays, without unit, blur or noise.

    Args:
        shape: the knee's shape.
        pathology: its grades and sites; ``scale`` is the visibility of cysts, chondrocalcinosis and attrition.
        pose: how the knee stands.
        samples: the sample points.
        texture: random generator of the trabecular texture, on the CPU. The texture does not depend on the sample
            points.
        anatomy: :func:`film_anatomy` of the same arguments; None computes it.
        device: where to compute.
    """
    found = anatomy or film_anatomy(shape, pathology, pose, samples, device)
    scars = growth_plate_scars(found)
    trabeculae = draw_trabeculae(texture, device)
    fat, muscle = _soft_paths(found, trabeculae, samples, device)
    mineral = torch.zeros_like(fat)
    height = len(samples.z)
    strip_rows = height if height <= _ROWS_AT_ONCE else _STRIP_ROWS
    for top in range(0, height, strip_rows):
        strip = slice(top, top + strip_rows)
        part = SamplePoints(samples.z[strip], samples.x, samples.source)
        _add_bones((fat[strip], muscle[strip], mineral[strip]), found, scars, trabeculae, part)
    return line_integral(fat, muscle.clamp(min=0), mineral)


def _soft_paths(
    anatomy: KneeAnatomy, trabeculae: Trabeculae, samples: SamplePoints, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Paths (fat, muscle) [H,W] in mm through the leg; bones count as muscle."""
    grid, _ = ray_grid(anatomy.shape, samples)
    depth_mm = anatomy.shape.scale[1]
    body, lean = body_paths(anatomy.shape, grid, anatomy.pose, device)
    x, z = samples.x[None, :].to(device), samples.z[:, None].to(device)
    return trabeculae.soft_tissue(depth_mm * (body - lean), depth_mm * lean, x, z)


def _add_bones(
    paths: tuple[Tensor, Tensor, Tensor],
    anatomy: KneeAnatomy,
    scars: Mapping[str, Scar],
    trabeculae: Trabeculae,
    samples: SamplePoints,
) -> None:
    """Replace soft tissue by bones and crystals in the paths (fat, muscle, mineral) [h,W] in mm, in place."""
    fat, muscle, mineral = paths
    grid, step = ray_grid(anatomy.shape, samples)
    depth_mm = anatomy.shape.scale[1]
    x, z = samples.x[None, :].to(fat.device), samples.z[:, None].to(fat.device)
    for bone in anatomy.bones:
        part = bone_paths(anatomy, bone, grid, step, scars)
        rows, columns = part.window
        volume, compact, spongy = (depth_mm * path for path in (part.volume, part.compact, part.spongy))
        spongy = trabeculae.textured(bone.name, spongy, x[:, columns], z[rows])
        marrow = (volume - compact - spongy).clamp(min=0)
        mineral[part.window] += compact + spongy
        fat[part.window] += _MARROW_FAT * marrow
        muscle[part.window] += (1 - _MARROW_FAT) * marrow - volume
    for window, path in crystal_paths(anatomy, grid, step):
        mineral[window] += depth_mm * path


def ray_grid(shape: KneeShape, samples: SamplePoints) -> tuple[Grid, float]:
    """Sample points of diverging rays in reference mm, and their distance along y.

    With the source at (sx, sz) and distance d, a ray through (x, z) of the joint's plane passes depth y at
    sx + (1 - y / d) (x - sx), and likewise for z.
    """
    scale_x, scale_y, scale_z = shape.scale
    step = RAY_STEP_MM / scale_y
    y = torch.arange(_RAYS_MM[0], _RAYS_MM[1], -step)
    share = (1 - y * scale_y / SOURCE_TO_JOINT_MM)[:, None]  # [Y,1]
    x = samples.source[0] + share * (samples.x - samples.source[0])
    z = samples.source[1] + share * (samples.z - samples.source[1])
    return Grid(y, z / scale_z, x / scale_x), step
