"""Radiograph of the simulated knee: postero-anterior projection of the same anatomy in fixed flexion.

Beer-Lambert along parallel rays with one magnification (1.08: tube 1.83 m from the detector, joint centre about
135 mm before it). Linear attenuation coefficients at 45 keV, near the mean energy of a filtered 65 kVp beam: mass
attenuation coefficients of NIST (Hubbell and Seltzer, NISTIR 5632) at 40 and 50 keV, interpolated in the logarithm,
times ICRU-44 densities: cortical bone 0.525 x 1.92, skeletal muscle 0.2454 x 1.05, adipose tissue 0.2248 x 0.95
cm2/g x g/cm3. Trabecular bone is 18 % bone in marrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation import anatomy, soft_tissue
from monai_xray2mri.simulation.anatomy import Bone
from monai_xray2mri.simulation.fields import Grid, blurred, occupancy, smoothstep
from monai_xray2mri.simulation.pathology import Pathology, crystal_share, cyst_distance, sclerosis
from monai_xray2mri.simulation.rendering import cortical_thickness
from monai_xray2mri.simulation.shape import KneeShape, Pose

MAGNIFICATION: Final = 1.08
REGION_MM: Final = 110.0
REGION_PIXELS: Final = 299
JOINT_ROW: Final = 0.57
"""Height of the joint line in the region, as a share of its side from the top."""
RAY_STEP_MM: Final = 1.8
_RAY_HALF_MM: Final = 77.4
_STRIP_ROWS: Final = 128
_ROWS_AT_ONCE: Final = 320
"""A film is projected in strips, for memory's sake; a joint region, which has fewer rows than this, is not."""

MU_CORTEX: Final = 0.525 * 1.92 / 10
MU_MUSCLE: Final = 0.2454 * 1.05 / 10
MU_FAT: Final = 0.2248 * 0.95 / 10
MU_MARROW: Final = 0.2280 * 0.98 / 10
MU_CRYSTALS: Final = 0.6 * MU_CORTEX
"""Linear attenuation coefficients in 1/mm."""
BONE_FRACTION: Final = 0.18


@dataclass(frozen=True)
class Detector:
    """Sample points of a projection, in mm at the joint: ``z`` [H] from above to below, ``x`` [W] from the right."""

    z: Tensor
    x: Tensor

    @property
    def pixel_mm(self) -> float:
        """Distance of sample points in mm at the joint."""
        return float((self.x[-1] - self.x[0]) / (len(self.x) - 1))


@dataclass(frozen=True)
class Exposure:
    """Nuisance of one film: how bright and how contrasty, and its imperfections.

    Attributes:
        level: grey value of the mean bone.
        contrast: grey value per unit of attenuation.
        scatter: share of scattered radiation under the image.
        photons: quanta per pixel behind soft tissue.
        blur_px: sigma of the detector's blur in pixels.
    """

    level: float
    contrast: float
    scatter: float
    photons: float
    blur_px: float


def draw_exposure(generator: torch.Generator) -> Exposure:
    """Draw the exposure of a film, washed-out ones included."""
    u = torch.rand(5, generator=generator).tolist()
    return Exposure(
        level=0.54 + 0.34 * u[0],
        contrast=0.15 + 0.23 * u[1],
        scatter=0.10 + 0.25 * u[2],
        photons=3e4 + 9e4 * u[3],
        blur_px=0.45 + 0.35 * u[4],
    )


def draw_pose(shape: KneeShape, generator: torch.Generator) -> Pose:
    """Draw the pose of a fixed-flexion film: knee bent, weight on it, tube tilted about along the plateau."""
    flexion, tilt, load = torch.randn(3, generator=generator).clamp(-2, 2).tolist()
    return Pose(flexion=18.0 + 4.0 * flexion, beam_tilt=shape.slope + 1.3 * tilt, load=0.25 + 0.1 * load)


def draw_region(generator: torch.Generator) -> Detector:
    """Draw the square region that an imperfect detector finds: about 4 mm and 4 % off."""
    x, z, size = torch.randn(3, generator=generator).clamp(-2, 2).tolist()
    side = REGION_MM * (1 + 0.02 * size) / MAGNIFICATION
    pixel = side / REGION_PIXELS
    steps = (torch.arange(REGION_PIXELS) + 0.5) * pixel
    return Detector(JOINT_ROW * side - steps + 2.0 * z, steps - side / 2 + 2.0 * x)


def attenuation(
    shape: KneeShape, pathology: Pathology, pose: Pose, detector: Detector, texture: torch.Generator
) -> Tensor:
    """Line integrals of attenuation [H,W] along y, without unit.

    Args:
        shape: the knee's shape.
        pathology: its grades and sites, with ``scale`` = visibility of the hidden features.
        pose: how the knee stands.
        detector: where to sample.
        texture: generator of the trabecular texture.
    """
    scale_x, scale_y, scale_z = shape.scale
    rays = torch.arange(_RAY_HALF_MM, -_RAY_HALF_MM, -RAY_STEP_MM)
    stagger = torch.where(torch.arange(len(detector.z)) % 2 == 0, -0.25, 0.25) * RAY_STEP_MM
    grid = Grid(rays / scale_y, detector.z / scale_z, detector.x / scale_x, stagger / scale_y)
    body, fascia = soft_tissue.beam_thickness(shape, grid, pose)
    total = (MU_FAT * (body - fascia) + MU_MUSCLE * fascia) * scale_y
    trabeculae = _trabecular_texture(total.shape, detector.pixel_mm, texture)
    height = len(detector.z)
    strip_rows = height if height <= _ROWS_AT_ONCE else _STRIP_ROWS
    for top in range(0, height, strip_rows):
        strip = slice(top, top + strip_rows)
        part = grid.crop((slice(None), strip, slice(None)))
        _add_skeleton(total[strip], shape, pathology, pose, part, trabeculae[strip])
    return _rows_blended(total)


def _add_skeleton(
    total: Tensor, shape: KneeShape, pathology: Pathology, pose: Pose, grid: Grid, trabeculae: Tensor
) -> None:
    """Add, in place, what bones and crystals attenuate to the line integrals [H,W] of the soft tissue."""
    femur = anatomy.femur(shape, pathology, grid, pose)
    tibia = anatomy.tibia(shape, pathology, grid, pose)
    level, rise = anatomy.tibial_tilt(shape, pathology, pose.load)
    bones = (
        ("F", femur),
        ("T", tibia),
        ("", anatomy.fibula(shape, grid, pose)),
        ("P", anatomy.patella(shape, grid, pose)),
    )
    for name, bone in bones:
        window = bone.window[1], bone.window[2]
        total[window] += _bone_attenuation(shape, pathology, name, bone, (level, rise), trabeculae[window])
    _add_crystals(total, pathology, femur, tibia)


def _rows_blended(total: Tensor) -> Tensor:
    """Blend each row with its neighbours (1, 2, 1), which cancels the stagger of their samples."""
    padded = torch.cat((total[:1], total, total[-1:]))
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]


def _bone_attenuation(
    shape: KneeShape, pathology: Pathology, name: str, bone: Bone, plateau: tuple[float, float], trabeculae: Tensor
) -> Tensor:
    """What a bone adds to the attenuation of the soft tissue in its place, [H,W] of its box."""
    edge = 0.9
    cortex = cortical_thickness(shape, bone.points.z)
    spongy_mu = MU_MARROW + BONE_FRACTION * shape.trabeculae * (MU_CORTEX - MU_MARROW) - MU_MUSCLE
    # Spongy bone thins out towards the marrow cavity of the shaft.
    cavity = 0.35 + 0.65 * smoothstep(bone.points.z.abs(), 85.0, 25.0)
    deep = occupancy(bone.distance + cortex, edge)
    shell = occupancy(bone.distance, edge) - deep
    spongy = deep * cavity
    dense = shell * (MU_CORTEX - MU_MUSCLE) * (0.5 if name == "P" else 0.8)
    jointed = name in ("F", "T")
    if jointed:
        spongy *= _subchondral(bone, name)
        _add_growth_plate_scar(dense, deep, bone, name)
    density = sclerosis(pathology, name, bone.points, -_joint_surface(bone, name)) if jointed else None
    if density is not None:
        low = bone.points.z < 16.0 if name == "F" else bone.points.z > -24.0
        dense += 0.30 * (MU_CORTEX - MU_MUSCLE) * density * low * deep
    if jointed:
        cyst = cyst_distance(pathology, name, bone.points, *plateau)
        if cyst is not None:
            spongy *= 1 - pathology.scale * 2.0 * occupancy(cyst, edge)
    step = RAY_STEP_MM
    return step * (dense.sum(0) + spongy_mu * spongy.sum(0) * trabeculae)


def _joint_surface(bone: Bone, name: str) -> Tensor:
    return bone.articular if name == "T" else bone.distance


def _subchondral(bone: Bone, name: str) -> Tensor:
    """Spongy bone is denser close under the joint surface, most of all in the tibia."""
    near = smoothstep(-_joint_surface(bone, name), 7.0, 1.0)
    return 1 + (1.3 if name == "T" else 0.5) * near


def _add_growth_plate_scar(dense: Tensor, deep: Tensor, bone: Bone, name: str) -> None:
    """Thin dense line where the growth plate was."""
    height = 31.0 if name == "F" else -17.0
    window = bone.points.near((-60.0, 60.0), (-90.0, 90.0), (height - 4.0, height + 4.0))
    points = bone.points.crop(window)
    bend = 2.0 * torch.cos(points.x / 11.0)
    line = occupancy((points.z - height - bend).abs() - 0.5, 0.7)
    dense[window] += 0.12 * (MU_CORTEX - MU_MUSCLE) * line * deep[window]


def _trabecular_texture(size: torch.Size, pixel_mm: float, generator: torch.Generator) -> Tensor:
    """Texture [H,W] about 1: struts along the load, coarser plates, and slow unevenness."""
    fine = blurred(torch.randn(size, generator=generator), 1.2 / pixel_mm, 0.17 / pixel_mm)
    cross = blurred(torch.randn(size, generator=generator), 0.2 / pixel_mm, 0.5 / pixel_mm)
    slow = blurred(torch.randn(size, generator=generator), 4.0 / pixel_mm, 4.0 / pixel_mm)
    # Divided by the standard deviation that blurring leaves of white noise.
    fine = fine * math.sqrt(4 * math.pi * 1.2 * 0.17) / pixel_mm
    cross = cross * math.sqrt(4 * math.pi * 0.2 * 0.5) / pixel_mm
    slow = slow * math.sqrt(4 * math.pi) * 4.0 / pixel_mm
    return 1 + 0.16 * fine + 0.08 * cross + 0.08 * slow


def _add_crystals(total: Tensor, pathology: Pathology, femur: Bone, tibia: Bone) -> None:
    """Chondrocalcinosis: a broken dense line in the joint space, as strong as the knee's visibility."""
    for bone, surface in ((femur, femur.distance), (tibia, tibia.articular)):
        share = crystal_share(pathology, bone.points)
        if share is None:
            continue
        low = (bone.points.z.abs() < 12.0) * (bone.points.y.abs() < 16.0)
        layer = occupancy((surface - 1.1).abs() - 0.5, 0.6) * share * low
        total[bone.window[1], bone.window[2]] += pathology.scale * 0.35 * MU_CRYSTALS * RAY_STEP_MM * layer.sum(0)


def exposed(total: Tensor, exposure: Exposure, reference: float, pixel_mm: float, noise: torch.Generator) -> Tensor:
    """Turn line integrals into a grey image as a CR reader shows it.

    Args:
        total: [H,W] line integrals.
        exposure: the film's exposure.
        reference: line integral that gets the grey value ``exposure.level`` (a typical bone of this knee).
        pixel_mm: distance of pixels at the joint.
        noise: generator of the quantum noise.

    Returns:
        [H,W] float32 in [0,1], bone bright.
    """
    primary = torch.exp(-blurred(total, exposure.blur_px, exposure.blur_px))
    veil = blurred(primary, 9.0 / pixel_mm, 9.0 / pixel_mm) * exposure.scatter / (1 - exposure.scatter)
    quanta = (primary + veil) * exposure.photons
    quanta = quanta + quanta.sqrt() * torch.randn(total.shape, generator=noise)
    dose = (quanta / exposure.photons).clamp_(min=1e-6)
    signal = -torch.log(dose * (1 - exposure.scatter))
    grey = exposure.contrast * (signal - reference)
    return shoulder_and_toe(exposure.level + grey)


def shoulder_and_toe(grey: Tensor) -> Tensor:
    """Look-up table of a CR: linear in the middle, bending smoothly into black and white."""
    return torch.sigmoid(4.6 * (grey - 0.5)).clamp_(0, 1)


def reference_attenuation(total: Tensor) -> float:
    """Median line integral of the image's middle: what automatic exposure aims at."""
    rows, columns = total.shape
    middle = total[rows // 4 : 3 * rows // 4, columns // 4 : 3 * columns // 4]
    return float(middle.flatten().sort().values[middle.numel() // 2])
