"""The photograph of a foot from above: skin, nails, veins, tendons, lights, floor, camera."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.simulation.foot.bones import LongBone, Vector
from monai_xray2mri.simulation.foot.frame import FootFrame
from monai_xray2mri.simulation.foot.skeleton import Skeleton
from monai_xray2mri.simulation.foot.skin import Skin
from monai_xray2mri.simulation.foot.surface import SeenSurface, lit, see_surface
from monai_xray2mri.simulation.tools.lattice import Points
from monai_xray2mri.simulation.tools.noise import blurred
from monai_xray2mri.simulation.tools.primitives import smoothstep

ITA_RANGE: Final = (-45.0, 55.0)
"""Individual typology angle in degrees (Chardon et al., Int J Cosmet Sci 13:191, 1991): dark below -30, very light
above 55; arctan((L - 50) / b) in CIELAB."""
_TENDON_MM: Final = 2.4
_VEIN_MM: Final = 1.4
_FLOORS: Final = (
    (0.62, 0.60, 0.57),
    (0.30, 0.33, 0.38),
    (0.45, 0.36, 0.27),
    (0.12, 0.12, 0.13),
    (0.75, 0.76, 0.78),
    (0.20, 0.30, 0.24),
)
"""Linear colors of floors."""
_ANKLE: Final = (-4.0, 60.0, -58.0)


@dataclass(frozen=True)
class Camera:
    """Skin, lights and camera of one photograph.

    Attributes:
        ita: skin tone, individual typology angle in degrees.
        redness: a* of the skin.
        yellowness: b* of the skin.
        veins: how dark the veins are, 0 to 1.
        tendons: height of the tendons in mm.
        light: [3] unit vector towards the main light.
        ambient: share of the light that comes from all sides.
        gain: exposure.
        balance: factors on red, green, blue.
        shine: strength of the highlights.
        floor: [3] linear color.
        blur: sigma in pixels of the frame.
        noise: standard deviation in grey values of 1.
        gamma: exponent of the camera's curve over that of sRGB.
    """

    ita: float
    redness: float
    yellowness: float
    veins: float
    tendons: float
    light: tuple[float, float, float]
    ambient: float
    gain: float
    balance: tuple[float, float, float]
    shine: float
    floor: tuple[float, float, float]
    blur: float
    noise: float
    gamma: float


def draw_camera(generator: torch.Generator) -> Camera:
    """Draw skin, lights and camera."""
    u = torch.rand(20, generator=generator, dtype=torch.float64).tolist()
    azimuth, slope = 2 * math.pi * u[0], math.radians(25 + 35 * u[1])
    light = (math.sin(slope) * math.cos(azimuth), math.cos(slope), math.sin(slope) * math.sin(azimuth))
    warm = 0.16 * (u[9] - 0.5)
    return Camera(
        ita=ITA_RANGE[0] + (ITA_RANGE[1] - ITA_RANGE[0]) * u[2],
        redness=8.0 + 8.0 * u[3],
        yellowness=13.0 + 7.0 * u[4],
        veins=0.9 * u[5] ** 1.5,
        tendons=0.2 + 0.9 * u[6],
        light=light,
        ambient=0.35 + 0.35 * u[7],
        gain=0.75 + 0.55 * u[8],
        balance=(1.0 + warm, 1.0 + 0.04 * (u[10] - 0.5), 1.0 - warm),
        shine=0.02 + 0.12 * u[11] ** 2,
        floor=tuple(0.8 * value + 0.2 * u[12] for value in _FLOORS[int(u[13] * len(_FLOORS))]),
        blur=0.25 + 0.6 * u[14] ** 2,
        noise=0.004 + 0.014 * u[15] ** 2,
        gamma=0.9 + 0.25 * u[16],
    )


def photograph(
    skin: Skin, skeleton: Skeleton, frame: FootFrame, camera: Camera, details: torch.Generator, finer: int = 2
) -> tuple[Tensor, Tensor]:
    """Take the photograph.

    Args:
        skin: of the foot.
        skeleton: what the skin shows of the bones: tendons run along its metatarsals.
        frame: of the photograph.
        camera: skin, lights and camera.
        details: random generator of veins, mottling, floor and noise, on the CPU.
        finer: samples for each pixel, along rows and columns.

    Returns:
        [3,N,N] in [0,1], and the share [N,N] of each pixel that the foot covers.
    """
    seen = see_surface(skin.distance, frame, finer)
    pixel = frame.pixel_mm / finer
    tendons = _tendons(seen, skeleton) * camera.tendons
    veins = _veins(seen, skeleton, details)
    nails, edges = _nails(seen, skin)
    bumps = tendons + 0.35 * camera.veins * veins + 0.05 * _noise(seen, details, 1.2) * (1 - nails) + 0.7 * nails
    normal = _bent(seen.normal, bumps, pixel)
    color = _skin_color(seen, camera, veins, nails, edges, skeleton, details)
    light = torch.tensor(camera.light)
    direct = (normal @ light).clamp(min=0) * lit(skin.distance, seen, light)
    half = F.normalize(light + torch.tensor((0.0, 1.0, 0.0)), dim=0)
    gloss = (normal @ half).clamp(min=0) ** 40 * (camera.shine * (1 + 2 * nails))
    sky = seen.openness * (0.6 + 0.4 * normal[..., 1])
    shade = (1 - camera.ambient) * direct + camera.ambient * sky
    image = color * shade[..., None] + (gloss * direct)[..., None]
    floor = (
        torch.tensor(camera.floor)
        * (1 + 0.12 * _noise(seen, details, 9.0) + 0.08 * _noise(seen, details, 1.5))[..., None]
    )
    image = torch.lerp(floor * shade[..., None], image, seen.foot[..., None])
    return _developed(image.movedim(-1, 0), camera, details, finer), F.avg_pool2d(seen.foot[None], finer)[0]


def _developed(image: Tensor, camera: Camera, details: torch.Generator, finer: int) -> Tensor:
    """The camera's picture [3,N,N] of light [3,M,M]."""
    image = image * camera.gain * torch.tensor(camera.balance)[:, None, None]
    sigma = camera.blur * finer
    image = torch.stack([blurred(part, sigma, sigma) for part in image])
    image = F.avg_pool2d(image[None], finer)[0].clamp(0, 1)
    image = torch.where(image <= 0.0031308, 12.92 * image, 1.055 * image.clamp(min=1e-6) ** (1 / 2.4) - 0.055)
    image = image.clamp(0, 1) ** camera.gamma
    return (image + camera.noise * torch.randn(image.shape, generator=details)).clamp(0, 1)


def _skin_color(
    seen: SeenSurface,
    camera: Camera,
    veins: Tensor,
    nails: Tensor,
    edges: Tensor,
    skeleton: Skeleton,
    details: torch.Generator,
) -> Tensor:
    """Linear color [N,N,3] of skin and nails."""
    lightness = 50 + camera.yellowness * math.tan(math.radians(camera.ita))
    lightness = min(max(lightness, 26.0), 76.0)
    mottled = _noise(seen, details, 5.0) + 0.5 * _noise(seen, details, 1.6)
    toes = torch.zeros_like(veins)
    for ray in range(1, 6):
        tip = skeleton.bones[f"distal phalanx {ray}"].frame.origin
        toes = torch.maximum(toes, torch.exp(-_flat_distance(seen, tip).square() / (2 * 9.0**2)))
    bump = torch.exp(-_flat_distance(seen, skeleton.points["metatarsal 1 head"]).square() / (2 * 11.0**2))
    high = smoothstep(seen.position[..., 1], 95.0, 125.0)
    light = lightness + 1.6 * mottled - 5.0 * camera.veins * veins - 3.0 * toes - 14.0 * high
    red = camera.redness + 1.5 * mottled + 5.0 * toes + 4.0 * bump - 3.5 * camera.veins * veins
    yellow = camera.yellowness - 3.0 * camera.veins * veins - 2.0 * toes
    light = light + nails * (0.35 * (72.0 - light)) + 12.0 * edges
    red = red + nails * 2.0 - 6.0 * edges
    yellow = yellow * (1 - 0.3 * nails)
    return _linear(light, red, yellow)


def _linear(light: Tensor, red: Tensor, yellow: Tensor) -> Tensor:
    """Linear sRGB [N,N,3] of CIELAB under D65."""
    middle = (light + 16) / 116
    parts = torch.stack((middle + red / 500, middle, middle - yellow / 200), -1)
    cubed = torch.where(parts > 6 / 29, parts**3, 3 * (6 / 29) ** 2 * (parts - 4 / 29))
    xyz = cubed * torch.tensor((0.9505, 1.0, 1.0890))
    matrix = torch.tensor(((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570)))
    return (xyz @ matrix.T).clamp(0, 1)


def _tendons(seen: SeenSurface, skeleton: Skeleton) -> Tensor:
    """Ridges [N,N] of the extensor tendons from the ankle over the metatarsals, 0 to 1."""
    found = torch.zeros_like(seen.foot)
    for ray in range(1, 6):
        bone = skeleton.bones[f"metatarsal {ray}"]
        toe = skeleton.bones[f"proximal phalanx {ray}"]
        if not isinstance(bone, LongBone) or not isinstance(toe, LongBone):
            raise TypeError(bone.name)
        middle = bone.frame.world(0.0, 0.0, 0.55 * bone.length)
        end = toe.frame.world(0.0, 0.0, 0.3 * toe.length)
        line = _line_distance(seen, (_ANKLE, middle, end))
        strength = 1.0 if ray < 5 else 0.6
        found = torch.maximum(found, strength * torch.exp(-line.square() / (2 * _TENDON_MM**2)))
    near = smoothstep(seen.position[..., 2], -70.0, -40.0)
    return found * near


def _veins(seen: SeenSurface, skeleton: Skeleton, details: torch.Generator) -> Tensor:
    """Veins [N,N] of the back of the foot, 0 to 1: an arch over the metatarsals and branches from it."""
    heads = [skeleton.points["metatarsal 1 head"], skeleton.points["metatarsal 5 head"]]
    wobble = torch.randn(40, generator=details).tolist()
    arch = []
    for step in range(5):
        share = step / 4
        place = (1 - share) * heads[0] + share * heads[1]
        arch.append((place[0], 0.0, place[2] - 26.0 - 4.0 * math.sin(math.pi * share) + 3.0 * wobble[step]))
    found = torch.exp(-_line_distance(seen, arch).square() / (2 * _VEIN_MM**2))
    for number, (start, drift) in enumerate(((0, 3.0), (1, -6.0), (2, 2.0), (3, 6.0), (4, -2.0))):
        x, _, z = arch[start]
        up = -1 if number % 2 == 0 else 1
        line = [(x, 0.0, z)]
        for step in range(1, 5):
            x += 0.5 * drift + 2.5 * wobble[6 + 5 * number + step]
            line.append((x, 0.0, z + up * 11.0 * step * (1.0 if up < 0 else 0.6)))
        found = torch.maximum(found, 0.8 * torch.exp(-_line_distance(seen, line).square() / (2 * _VEIN_MM**2)))
    return found * smoothstep(seen.position[..., 1], 12.0, 24.0)


def _nails(seen: SeenSurface, skin: Skin) -> tuple[Tensor, Tensor]:
    """Nails [N,N], and their free edges, 0 to 1."""
    nails, edges = torch.zeros_like(seen.foot), torch.zeros_like(seen.foot)
    points = Points(*seen.position.unbind(-1))
    for ray, bone in skin.toes.items():
        own = bone.frame.local(points)
        half = 0.62 * skin.flesh[ray]
        first, last = 0.42 * bone.length, 1.06 * bone.length + 0.18 * skin.flesh[ray]
        middle, semi = (first + last) / 2, (last - first) / 2
        u, v = (own.x / half).abs(), ((own.z - middle) / semi).abs()
        inside = smoothstep((u**3.5 + v**3.5) ** (1 / 3.5), 1.06, 0.94) * (own.y > 0)
        nails = torch.maximum(nails, inside)
        edges = torch.maximum(edges, inside * smoothstep(own.z, last - 2.2, last - 1.2))
    return nails * seen.foot, edges * seen.foot


def _bent(normal: Tensor, bumps: Tensor, pixel_mm: float) -> Tensor:
    """Normals [N,N,3] of a surface that rises by ``bumps`` [N,N] in mm."""
    down, across = torch.gradient(bumps, spacing=pixel_mm)  # rows fall along z
    slope = torch.stack((across, torch.zeros_like(across), -down), -1)
    return F.normalize(normal - slope, dim=-1)


def _noise(seen: SeenSurface, details: torch.Generator, knot_mm: float) -> Tensor:
    """Smooth noise [N,N] over the floor, about standard normal."""
    side = float(seen.position[..., 0].max() - seen.position[..., 0].min())
    count = max(4, int(side / knot_mm))
    knots = torch.randn((1, 1, count, count), generator=details)
    return F.interpolate(knots, seen.foot.shape, mode="bicubic", align_corners=True)[0, 0]


def _flat_distance(seen: SeenSurface, place: Vector) -> Tensor:
    """Distance [N,N] in mm of the pixels from a point, seen from above."""
    return torch.hypot(seen.position[..., 0] - float(place[0]), seen.position[..., 2] - float(place[2]))


def _line_distance(seen: SeenSurface, line: Sequence[Sequence[float] | Vector]) -> Tensor:
    """Distance [N,N] in mm of the pixels from a polyline of points (x, y, z), seen from above."""
    nearest = torch.full_like(seen.foot, math.inf)
    x, z = seen.position[..., 0], seen.position[..., 2]
    for first, second in itertools.pairwise(line):
        across, along = float(second[0] - first[0]), float(second[2] - first[2])
        square = across * across + along * along + 1e-9
        u, v = x - float(first[0]), z - float(first[2])
        share = ((u * across + v * along) / square).clamp(0, 1)
        nearest = torch.minimum(nearest, torch.hypot(u - share * across, v - share * along))
    return nearest
