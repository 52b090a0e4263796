"""Plain drawings of what is no bare foot from above: hand, sole, sock, shoe, sandal, foot from the side.

They need not look like photographs, only unlike a foot from above in the way that the real things are: shape of the
outline, toes that do not show, cloth in place of skin, no nails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

SIZE: Final = 256
"""Pixels per side of a drawing."""


@dataclass(frozen=True)
class Patch:
    """Something that can be laid on a floor.

    Attributes:
        color: [256,256,3] float32 in [0,1].
        cover: [256,256] float32, how much of a pixel it covers.
        shade: [256,256] float32, what its shadow leaves of the light on the floor.
        kind: place in :data:`~monai_xray2mri.photograph.foot.segmenter.KINDS`.
        heel: (row, column) of the heel of a foot from above.
    """

    color: np.ndarray
    cover: np.ndarray
    shade: np.ndarray
    kind: int
    heel: tuple[float, float] = (0.0, 0.0)


def capsule(first: tuple[float, float], second: tuple[float, float], radius: float, end: float = 0.0) -> np.ndarray:
    """Signed distance [256,256] in pixels to a line of a width; ``end`` is the radius at its second point."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    (r0, c0), (r1, c1) = first, second
    along, across = r1 - r0, c1 - c0
    share = ((rows - r0) * along + (columns - c0) * across) / max(along * along + across * across, 1e-6)
    share = share.clip(0, 1)
    distance = np.hypot(rows - r0 - share * along, columns - c0 - share * across)
    return np.asarray(distance - (radius + share * ((end or radius) - radius)), dtype=np.float32)


def union(first: np.ndarray, second: np.ndarray, blend: float) -> np.ndarray:
    """Smooth union of two signed distances."""
    share = np.clip(0.5 + 0.5 * (second - first) / blend, 0, 1)
    return np.asarray(second + (first - second) * share - blend * share * (1 - share), dtype=np.float32)


def smooth_noise(random: np.random.Generator, knots: int) -> np.ndarray:
    """Smooth noise [256,256], about standard normal."""
    seeds = torch.from_numpy(random.standard_normal((1, 1, knots, knots)).astype(np.float32))
    noise: np.ndarray = F.interpolate(seeds, (SIZE, SIZE), mode="bicubic", align_corners=True)[0, 0].numpy()
    return noise


def blurred(image: np.ndarray, reach: int) -> np.ndarray:
    """Mean [256,256] over squares of ``2 reach + 1`` pixels, twice."""
    value = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
    for _ in range(2):
        value = F.avg_pool2d(F.pad(value, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
    smooth: np.ndarray = value[0, 0].numpy()
    return smooth


def rounded(distance: np.ndarray, radius: float, random: np.random.Generator) -> np.ndarray:
    """Light [256,256] on a body with a round rim, of its signed distance."""
    depth = (-distance / radius).clip(0, 1)
    height = radius * np.sqrt(1 - (1 - depth) ** 2)
    down, across = np.gradient(blurred(height, 1))
    angle, slope = random.uniform(0, 2 * math.pi), random.uniform(0.3, 0.9)
    light = np.array((math.sin(angle) * slope, math.cos(angle) * slope))
    shine = (1 - down * light[0] - across * light[1]) / np.sqrt(1 + down**2 + across**2) / math.sqrt(1 + slope**2)
    ambient = random.uniform(0.4, 0.7)
    return np.asarray(ambient + (1 - ambient) * shine.clip(0), dtype=np.float32)


def skin(random: np.random.Generator) -> np.ndarray:
    """A color [3] of skin: from dark to light, about a line in sRGB."""
    dark, light = np.array((0.24, 0.15, 0.11)), np.array((0.90, 0.74, 0.65))
    color = dark + (light - dark) * random.uniform(0, 1) + random.normal(0, 0.025, 3)
    return np.asarray(color.clip(0.05, 0.97), dtype=np.float32)


def _skinned(distance: np.ndarray, random: np.random.Generator, kind: int, radius: float = 22.0) -> Patch:
    mottled = 1 + 0.035 * smooth_noise(random, 40) + 0.03 * smooth_noise(random, 10)
    color = skin(random) * (rounded(distance, radius, random) * mottled)[..., None]
    return finished(color, distance, random, kind)


def finished(color: np.ndarray, distance: np.ndarray, random: np.random.Generator, kind: int) -> Patch:
    """The patch of a body with a signed distance, with its shadow."""
    cover = (0.5 - distance).clip(0, 1)
    shadow = np.roll(blurred(cover, 4), random.integers(-5, 6, 2), (0, 1))
    shade = 1 - random.uniform(0.1, 0.6) * shadow
    return Patch(color.astype(np.float32).clip(0, 1), cover.astype(np.float32), shade.astype(np.float32), kind)


def hand(random: np.random.Generator, kind: int) -> Patch:
    """A hand from above, fingers more or less apart, on a forearm."""
    palm = union(capsule((150, 108), (150, 148), 24), capsule((190, 112), (190, 144), 22), 12)
    arm = capsule((195, 128), (300, 128 + random.uniform(-30, 30)), 21, 27)
    distance = union(palm, arm, 12)
    spread, bend = random.uniform(0, 9), random.uniform(0.65, 1.0)
    for finger in range(4):
        root = (135.0 - (4, 8, 6, 0)[finger], 98.0 + 20 * finger)
        angle = math.radians((finger - 1.5) * (3 + spread) + random.normal(0, 2))
        length = bend * (62, 72, 66, 50)[finger] * random.uniform(0.9, 1.1)
        tip = root[0] - length * math.cos(angle), root[1] + length * math.sin(angle)
        distance = union(distance, capsule(root, tip, 10, 7.5), 4)
    angle = math.radians(random.uniform(25, 70))
    tip = 165 - 62 * math.cos(angle), 88 - 62 * math.sin(angle)
    distance = union(distance, capsule((172, 98), tip, 12, 8.5), 8)
    return _skinned(distance, random, kind, 10)


def side_view(random: np.random.Generator, kind: int) -> Patch:
    """A foot and its lower leg from the side."""
    sole, tall = 190.0, random.uniform(0.85, 1.2)
    heel = capsule((sole - 22, 70), (sole - 16, 84), 20)
    middle = capsule((sole - 26 * tall, 88), (sole - 12, 186), 21 * tall, 12)
    toe = capsule((sole - 12, 180), (sole - 9, 214), 12, 8.5)
    leg = capsule((sole - 42 * tall, 88), (-30, 84 + random.uniform(-45, 25)), 23, 28)
    distance = union(union(union(heel, middle, 18), toe, 8), leg, 26)
    arch = capsule((sole + 12, 110), (sole + 12, 150), 10)
    distance = np.maximum(np.maximum(distance, np.mgrid[0:SIZE, 0:SIZE][0] - sole), -arch)
    patch = _skinned(distance, random, kind, 20)
    ankle = np.exp(-(capsule((sole - 45 * tall, 90), (sole - 45 * tall, 91), 1) ** 2) / 120)
    nail = (0.5 - capsule((sole - 15, 208), (sole - 13, 213), 3)).clip(0, 1)
    color = patch.color * (1 + 0.12 * ankle + 0.2 * nail)[..., None]
    return finished(color, distance, random, kind)


def outline_distance(cover: np.ndarray) -> np.ndarray:
    """About the signed distance [256,256] in pixels to the outline of a cover."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray((cover > 0.5).astype(np.uint8))
    distance = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, insideIsPositive=False)
    found: np.ndarray = sitk.GetArrayFromImage(distance).astype(np.float32)
    return found


def sole(foot: Patch, random: np.random.Generator, kind: int) -> Patch:
    """The sole of a foot of this outline: mirrored, no nails, pads that are pressed."""
    distance = outline_distance(foot.cover)[:, ::-1]
    pads = np.exp(-((distance + random.uniform(8, 16)) ** 2) / 60)
    red = blurred(pads, 3) * random.uniform(0.02, 0.12)
    tone = skin(random) * 0.7 + 0.3 * np.array((0.93, 0.75, 0.68))
    folds = 0.03 * smooth_noise(random, 60) + 0.04 * smooth_noise(random, 12)
    light = rounded(distance, 12, random) * (1 + folds)
    color = tone * light[..., None] + red[..., None] * np.array((1.0, -0.3, -0.3))
    return finished(color, distance, random, kind)


def covered(foot: Patch, random: np.random.Generator, kind: int) -> Patch:
    """The foot in a sock, a shoe or a sandal."""
    drawn = random.random()
    if drawn < 0.3:
        return _strapped(foot, random, kind)
    shoe = drawn < 0.65
    inside = outline_distance(foot.cover)
    grown = outline_distance((inside < random.uniform(8, 13)).astype(np.float32))
    reach = random.uniform(6, 11) if shoe else random.uniform(1, 3)
    closed = grown + 10 - (reach - 3)  # grown, then shrunk: the gaps between the toes are gone
    color = random.uniform(0.05, 0.95, 3) if random.random() < 0.6 else np.repeat(random.uniform(0.05, 0.95), 3)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    texture = 1 + 0.05 * smooth_noise(random, 64)
    if random.random() < 0.6:
        period, phase = random.uniform(3, 16), random.uniform(0, 6)
        wave = np.sin((rows * random.uniform(-1, 1) + columns * random.uniform(-1, 1)) * 2 * np.pi / period + phase)
        texture = texture + random.uniform(0.02, 0.25) * wave
    picture = color * (rounded(closed, 18, random) * texture)[..., None]
    if shoe:
        rim = (np.abs(closed + 4) < random.uniform(1.5, 4))[..., None]
        picture = np.where(rim, random.uniform(0.1, 0.95, 3), picture)
        for number in range(int(random.integers(0, 6))):
            row = 88 + 14 * number
            lace = (0.5 - capsule((row, 104), (row + random.uniform(-8, 8), 140), 2)).clip(0, 1)[..., None]
            picture = picture * (1 - lace) + lace * random.uniform(0.5, 1.0)
    return finished(picture, closed, random, kind)


def _strapped(foot: Patch, random: np.random.Generator, kind: int) -> Patch:
    """The foot in a sandal: straps across it, a sole around it."""
    distance = outline_distance(foot.cover)
    base = distance - random.uniform(2, 7)
    picture = np.where(distance[..., None] < 0, foot.color, random.uniform(0.05, 0.7, 3))
    color = random.uniform(0.05, 0.9, 3)
    for _ in range(int(random.integers(1, 4))):
        row, slope = random.uniform(70, 150), random.uniform(-25, 25)
        strap = (0.5 - capsule((row, 60), (row + slope, 190), random.uniform(5, 13))).clip(0, 1)[..., None]
        picture = picture * (1 - strap) + strap * color
    return finished(picture, base, random, kind)
