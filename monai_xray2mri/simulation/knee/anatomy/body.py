"""Outline of the leg: skin, subcutaneous fat and the fascia around the muscles.

A cross-section is star-shaped about the leg's axis: its radius is a Fourier series of the angle, and the coefficients
change smoothly along the leg. The radii at ``_HEIGHTS`` are estimates from cross-sections of a straight adult knee. The
fat is ``KneeShape.fat`` thick at the joint, thicker than that medially and behind, thinner in front of the patella and
the shin. Coordinates are reference mm: medial +x, posterior +y, up +z.

Soft tissue also varies in ways that ``KneeShape`` has no number for. :func:`spare_normals` takes the random numbers for
that from the shape, so the soft tissue of a knee follows from its shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.simulation.tools.lattice import CPU, Field, Grid, Lattice, Points
from monai_xray2mri.simulation.tools.noise import smooth_noise
from monai_xray2mri.simulation.tools.primitives import smooth_union

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose

STEP_MM: Final = 2.0
CENTER_X_MM: Final = -1.0
_ROUGH_MM: Final = 1.6
_WARP_KNOT_MM: Final = 27.0
_BUMP_KNOT_MM: Final = 8.5
_BONE_COVER_MM: Final = 2.6
_LEG_RADIUS_MM: Final = 50.0
_PATH_STEPS: Final = (2.0, 4.0, 4.0)
_PATH_LIMITS: Final = ((-110.0, 110.0), (-100.0, 100.0), (-220.0, 220.0))

_HEIGHTS: Final = (-220.0, -150.0, -84.0, -50.0, -25.0, 0.0, 20.0, 35.0, 55.0, 84.0, 150.0, 220.0)
_CENTER_Y: Final = (8.0, 12.0, 15.0, 12.0, 4.0, 0.0, -4.0, -6.0, -6.0, -6.0, -8.0, -8.0)
# Radius of the fascia every 30 degrees: medial, posteromedial (2), posterior, posterolateral (2), lateral,
# anterolateral (2), anterior, anteromedial (2).
_RADII: Final = (
    (30, 31, 32, 32, 32, 32, 31, 30, 29, 28, 28, 29),
    (38, 40, 44, 45, 44, 42, 41, 38, 36, 34, 33, 35),
    (43, 46, 49, 48, 49, 49, 48, 45, 41, 38, 35, 38),
    (39, 44, 48, 46, 49, 49, 47, 44, 40, 38, 34, 35),
    (39, 46, 52, 49, 53, 52, 49, 44, 38, 40, 35, 35),
    (43, 48, 54, 49, 53, 51, 48, 45, 44, 46, 43, 42),
    (44, 50, 56, 52, 54, 50, 46, 45, 48, 54, 50, 45),
    (45, 51, 58, 54, 56, 51, 46, 46, 51, 56, 52, 46),
    (47, 53, 59, 55, 57, 53, 49, 49, 52, 54, 53, 49),
    (52, 56, 59, 57, 58, 57, 54, 54, 56, 57, 56, 54),
    (61, 62, 62, 61, 62, 63, 63, 63, 64, 64, 63, 62),
    (68, 69, 70, 70, 70, 70, 70, 70, 70, 70, 70, 69),
)
_FAT_AROUND: Final = (1.15, 1.25, 1.15, 0.95, 0.95, 0.85, 0.75, 0.65, 0.5, 0.32, 0.55, 0.95)
_FAT_ALONG: Final = (0.6, 0.75, 0.85, 0.9, 0.95, 1.0, 1.05, 1.05, 1.15, 1.35, 1.6, 1.8)
_HARMONICS: Final = 5


def spare_normals(shape: KneeShape, count: int, offset: int = 0) -> list[float]:
    """Standard normal numbers of a knee that nothing else uses; all 0 for the template's own shape.

    They are knots of ``KneeShape.roughness`` of the lower leg, 60 mm in front of the joint, where no bone is.

    Args:
        shape: the knee's shape.
        count: how many numbers.
        offset: number of the first one; callers use disjoint ranges.
    """
    values = shape.roughness[1, 0].flatten()[offset : offset + count].clamp(-2.5, 2.5)
    result: list[float] = values.tolist()
    return result


def smooth_table(at: Tensor, knots: Sequence[float], values: Tensor) -> Tensor:
    """Cubic Hermite interpolation; the result [...,C] is constant beyond the ends.

    Args:
        at: [...] positions, any shape.
        knots: K positions, rising.
        values: [K,C] values at the knots, on the device of ``at``.
    """
    places = torch.tensor(knots, dtype=torch.float32, device=at.device)
    steps = (places[1:] - places[:-1])[:, None]
    slopes = (values[1:] - values[:-1]) / steps
    # Finite differences weighted by the neighboring interval (Bessel's tangents); level at both ends.
    inner = (slopes[:-1] * steps[1:] + slopes[1:] * steps[:-1]) / (steps[1:] + steps[:-1])
    tangents = torch.cat((torch.zeros_like(slopes[:1]), inner, torch.zeros_like(slopes[:1])))
    upper = torch.searchsorted(places, at.contiguous()).clamp(1, len(knots) - 1)
    low, step = places[upper - 1], places[upper] - places[upper - 1]
    t = ((at - low) / step).clamp(0, 1)[..., None]
    step = step[..., None]
    start, end = values[upper - 1], values[upper]
    return (
        start * (1 + 2 * t) * (1 - t).square()
        + step * tangents[upper - 1] * t * (1 - t).square()
        + end * t.square() * (3 - 2 * t)
        + step * tangents[upper] * t.square() * (t - 1)
    )


class Outline:
    """The outline of a leg: the radius of skin or fascia as a function of angle and height.

    Args:
        shape: the knee's shape; ``muscle`` widens the fascia, ``fat`` is the thickness on top of it.
        fat_share: 0 gives the fascia, 1 the skin, a number between them a surface within the subcutaneous fat.
    """

    def __init__(self, shape: KneeShape, fat_share: float = 0.0) -> None:
        bulk = 1 + 0.5 * (shape.muscle - 1)
        fat = shape.fat * torch.tensor(_FAT_ALONG)[:, None] * torch.tensor(_FAT_AROUND)
        radii = bulk * torch.tensor(_RADII, dtype=torch.float32) + fat_share * (fat + 0.8)
        spectrum = torch.fft.rfft(radii) / radii.shape[1]
        spectrum[:, 1:] *= 2
        self.table = torch.cat(
            (spectrum.real[:, : _HARMONICS + 1], spectrum.imag[:, : _HARMONICS + 1], torch.tensor(_CENTER_Y)[:, None]),
            1,
        )

    def distance(self, points: Points) -> Tensor:
        """Signed distance [Y,Z,X] in mm to the outline, exact to the first order."""
        table = smooth_table(points.z, _HEIGHTS, self.table.to(points.z.device))
        u, v = points.x - CENTER_X_MM, points.y - table[..., -1]
        rho = (u * u + v * v).sqrt_().clamp_(min=1.0)
        radius, turn = self._series(u / rho, v / rho, table)
        return (rho - radius) / (1 + (turn / radius).square()).sqrt_()

    def place(self, angle: float, z: float) -> tuple[float, float]:
        """Point (x, y) of the outline in reference mm at an angle in degrees (0 medial, 90 posterior) and a height."""
        table = smooth_table(torch.tensor([z]), _HEIGHTS, self.table)[0]
        cosine, sine = (torch.tensor(f(math.radians(angle))) for f in (math.cos, math.sin))
        radius = float(self._series(cosine, sine, table)[0])
        return CENTER_X_MM + radius * float(cosine), float(table[-1]) + radius * float(sine)

    @staticmethod
    def _series(cosine: Tensor, sine: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """Radius in mm, and its derivative with respect to the angle in mm per radian."""
        radius, turn = table[..., 0], torch.zeros_like(cosine)
        c, s = cosine, sine
        for k in range(1, _HARMONICS + 1):
            a, b = table[..., k], -table[..., _HARMONICS + 1 + k]
            radius = radius + a * c + b * s
            turn = turn + k * (b * c - a * s)
            c, s = c * cosine - s * sine, s * cosine + c * sine
        return radius, turn


def unevenness(shape: KneeShape, lattice: Lattice | Grid, number: int, device: torch.device) -> Tensor:
    """Smooth random field [Y,Z,X] of a knee, about standard normal; the fields of ``number`` 0 to 5 are independent."""
    knots = shape.deformation.flatten(0, 1)[number]
    return smooth_noise(knots, lattice, _WARP_KNOT_MM, device)


def fine_unevenness(shape: KneeShape, lattice: Lattice, device: torch.device) -> Tensor:
    """Smooth random field [Y,Z,X] of a knee like :func:`unevenness`, with bumps of about 20 mm."""
    return smooth_noise(shape.roughness[0], lattice, _BUMP_KNOT_MM, device)


def soft_lattice(grid: Grid) -> Lattice:
    """The 2 mm lattice on which the soft tissues of a grid are computed."""
    x, y, z = ((float(axis.min()) - STEP_MM, float(axis.max()) + STEP_MM) for axis in (grid.x, grid.y, grid.z))
    return Lattice.covering(x, y, z, STEP_MM)


def leg_points(points: Points, pose: Pose) -> Points:
    """Coordinates in the leg's own frame: rotated about its axis and sheared sideways by the lean; z is kept.

    The angles are small, so a shear is close to a rotation.
    """
    own = points.rolled(math.radians(-pose.roll), 0.0, 0.0)
    return own.moved(x=math.tan(math.radians(pose.lean)) * own.z) if pose.lean else own


def skin_and_fascia(shape: KneeShape, lattice: Lattice, bones: Tensor, pose: Pose) -> tuple[Field, Field]:
    """Signed distance of the skin, and of the fascia under the fat.

    Args:
        shape: the knee's shape.
        lattice: lattice of the result.
        bones: [Y,Z,X] signed distance of all bones on the lattice; the fascia encloses them.
        pose: how the leg lies.
    """
    device = bones.device
    points = leg_points(lattice.points(device), pose)
    fascia = Outline(shape).distance(points) + _ROUGH_MM * unevenness(shape, lattice, 0, device)
    fascia = smooth_union(fascia, bones - _BONE_COVER_MM, 8.0)
    skin = Outline(shape, 1.0).distance(points) + _ROUGH_MM * unevenness(shape, lattice, 1, device)
    skin = smooth_union(skin, fascia - 0.3 * shape.fat - 1.0, 6.0)
    return Field(lattice, skin), Field(lattice, fascia)


def body_paths(shape: KneeShape, grid: Grid, pose: Pose, device: torch.device = CPU) -> tuple[Tensor, Tensor]:
    """Length of rays along y inside the whole leg, and inside its fascia (lean tissue and bones).

    The lengths are computed on a lattice of 2 x 4 x 4 mm from z = -220 to 220 mm; beyond its ends they are constant.

    Args:
        shape: the knee's shape.
        grid: the image; where rays diverge, their positions at the middle depth are used.
        pose: roll and lean rotate the outline, a tilted beam makes the paths longer; flexion is ignored.
        device: where to compute.

    Returns:
        (body_mm, lean_mm), both [Z,X] in reference mm.
    """
    stretch = 1 / math.cos(math.radians(pose.beam_tilt))
    axes = (torch.arange(low, high + step, step) for (low, high), step in zip(_PATH_LIMITS, _PATH_STEPS, strict=True))
    x, y, z = (axis.float() for axis in axes)
    coarse = Grid(y, z, x)
    points = leg_points(coarse.points(device), pose)
    middle = len(grid.y) // 2
    rows, columns = ((axis if axis.dim() == 1 else axis[middle]) for axis in (grid.z, grid.x))
    # Positions of the image's rays on the lattice, from -1 to 1, as grid_sample takes them.
    place = torch.stack(torch.broadcast_tensors((columns / x[-1])[None], (rows / z[-1])[:, None]), -1).to(device)
    paths = []
    for share, number in ((1.0, 1), (0.0, 0)):
        distance = Outline(shape, share).distance(points) + _ROUGH_MM * unevenness(shape, coarse, number, device)
        path = _PATH_STEPS[1] * stretch * _share_inside(distance).sum(0)  # [Z,X]
        # A chord s mm inside the edge of a circle has about the square 8 R s. The square, unlike the chord, is linear
        # near the edge and can be continued past it, so the square is interpolated.
        square = path.square() - 8 * _LEG_RADIUS_MM * distance.amin(0).clamp(min=0)
        found = F.grid_sample(square[None, None], place[None], padding_mode="border", align_corners=True)
        paths.append(found[0, 0].clamp(min=0).sqrt())
    return paths[0], torch.minimum(paths[0], paths[1])


def _share_inside(distance: Tensor) -> Tensor:
    """Share [Y-1,Z,X] of each step along y that lies inside; the signed distance [Y,Z,X] is linear within a step."""
    low, high = torch.minimum(distance[:-1], distance[1:]), torch.maximum(distance[:-1], distance[1:])
    return (-low / (high - low).clamp(min=1e-4)).clamp(0, 1)
