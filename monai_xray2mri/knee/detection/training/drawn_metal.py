"""Metal drawn onto crops of natural knees, for the network that tells it.

The simulator's implants are exact in shape and too alike in grey values: a network that learned from them alone takes
real prostheses for natural knees. Here outlines are crude and all else varies: kind, place, size, angle, how much
brighter than bone the metal is, how dark that leaves the bone. What remains in common is what metal looks like on any
film: bright, of one grey value, with an outline as sharp as the picture allows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

JOINT: Final = 0.58
"""Height of the joint line in a crop, as a fraction from the top."""
_FINE: Final = 3
"""Drawn at so many times the resolution of the crop, so that borders are anti-aliased."""
_CROP_MM: Final = 95.0
Pen = ImageDraw.ImageDraw
Place = Callable[[float, float], tuple[float, float]]
"""From millimetres (right of the joint's middle, below the joint line) to pixels."""


def draw_metal(crop: np.ndarray, random: np.random.Generator, kind: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A crop of a natural knee with metal in it, and where.

    Args:
        crop: [N,N] float32 in [-1,1], 95 mm wide.
        random: draws everything.
        kind: one of :data:`KINDS`; None draws it, too.

    Returns:
        The crop [N,N] float32 in [-1,1], metal at or near 1, bone and soft tissue darker than they were; and the share
        of each pixel that is metal, [N,N] float32 in [0,1].
    """
    kind = kind or list(KINDS)[int(random.choice(len(KINDS), p=_SHARES))]
    middle = 0.5 + random.normal(0, 0.025), JOINT + random.normal(0, 0.025)
    share = _drawn(KINDS[kind], len(crop), middle, random)
    opaque = share * random.uniform(0.75, 1.0)
    under = (crop + 1) / 2 * random.uniform(0.35, 0.95) + random.uniform(0, 0.05)
    metal = random.uniform(0.85, 1.05) + random.uniform(0, 0.1) * (under - under.mean())
    low, high = np.percentile(made := under + opaque * np.maximum(metal - under, 0), (0.5, 99.5))
    return np.clip(2 * (made - low) / max(float(high - low), 1e-6) - 1, -1, 1).astype(np.float32), share


def draw_marker(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A crop with a lead letter beside the knee, as films have it: bright and sharp, and no metal in the knee.

    Args:
        crop: [N,N] float32 in [-1,1], 95 mm wide.
        random: draws everything.
    """
    size, high = len(crop) * _FINE, random.uniform(6, 14) / _CROP_MM * len(crop) * _FINE
    canvas = Image.new("L", (size, size))
    corner = random.choice([0.01, 0.99]) * size, random.uniform(0.02, 0.98) * size
    letter = str(random.choice(["R", "L", "RE", "LI", "AP", "ST", "4", "12"]))
    anchor = "lm" if corner[0] < size / 2 else "rm"
    ImageDraw.Draw(canvas).text(corner, letter, fill=255, font=ImageFont.load_default(high), anchor=anchor)
    share = _shrunk(canvas.rotate(random.uniform(-20, 20), center=corner), len(crop))
    return (crop + share * np.maximum(random.uniform(0.7, 1.0) - crop, 0)).astype(np.float32)


def _drawn(
    kind: Callable[[Pen, Place, np.random.Generator], None],
    pixels: int,
    middle: tuple[float, float],
    random: np.random.Generator,
) -> np.ndarray:
    """The share of each pixel that metal of a kind covers; the joint's middle in fractions of the crop."""
    size = pixels * _FINE
    canvas = Image.new("L", (size, size))
    angle, scale = math.radians(random.normal(0, 4)), size / _CROP_MM * random.uniform(0.85, 1.15)
    mirror = random.choice([-1, 1])

    def place(right: float, below: float) -> tuple[float, float]:
        x, y = mirror * right * scale, below * scale
        return (
            middle[0] * size + x * math.cos(angle) - y * math.sin(angle),
            middle[1] * size + x * math.sin(angle) + y * math.cos(angle),
        )

    kind(ImageDraw.Draw(canvas), place, random)
    return _shrunk(canvas, pixels)


def _shrunk(canvas: Image.Image, pixels: int) -> np.ndarray:
    return np.asarray(canvas.resize((pixels, pixels), Image.Resampling.BOX), np.float32) / 255


def _total(pen: Pen, place: Place, random: np.random.Generator) -> None:
    half, top, gap = random.uniform(30, 40), random.uniform(18, 45), random.uniform(2, 8)
    shoulder, notch = random.uniform(0.4, 0.95) * half, random.uniform(3, 14)
    condyles = [
        (-half, -gap - 14), (-half * 0.9, -gap - 4), (-half * 0.55, -gap), (-notch, -gap - 4), (0, -gap - notch),
        (notch, -gap - 4), (half * 0.55, -gap), (half * 0.9, -gap - 4), (half, -gap - 14), (shoulder, -gap - top),
        (-shoulder * random.uniform(0.6, 1), -gap - top),
    ]  # fmt: skip
    _rounded(pen, place, condyles, random)
    _tray(pen, place, random, (-half, half))
    if random.random() < 0.2:
        _bar(pen, place, (0, -gap), (random.normal(0, 4), -90), random.uniform(8, 16))


def _tray(pen: Pen, place: Place, random: np.random.Generator, ends: tuple[float, float]) -> None:
    thick, level = random.uniform(2.5, 6), random.uniform(2, 6)
    _bar(pen, place, (ends[0], level), (ends[1], level + random.normal(0, 1.5)), thick)
    middle, wide = sum(ends) / 2, ends[1] - ends[0]
    if random.random() < 0.8:
        depth, stem = random.uniform(0.15, 0.7) * wide, random.uniform(0.08, 0.2) * wide
        upper = random.uniform(1, 3) * stem
        keel = [(middle - upper, level), (middle + upper, level), (middle + stem / 2, level + depth),
                (middle - stem / 2, level + depth)]  # fmt: skip
        pen.polygon([place(*point) for point in keel], fill=255)


def _one_sided(pen: Pen, place: Place, random: np.random.Generator) -> None:
    near, far = random.uniform(6, 14), random.uniform(28, 40)
    top, gap, rim = random.uniform(10, 30), random.uniform(1, 6), random.uniform(0.5, 1)
    runner = [(near, -gap - 3), (near * 1.3, -gap), (far * 0.9, -gap), (far, -gap - 5),
              (far * rim, -gap - top * rim), (near * 1.1, -gap - top)]  # fmt: skip
    _rounded(pen, place, runner, random)
    _tray(pen, place, random, (near, far))


def _trochlea(pen: Pen, place: Place, random: np.random.Generator) -> None:
    middle, level = random.normal(0, 4), random.uniform(-30, -14)
    across, high = random.uniform(10, 22), random.uniform(10, 20)
    turn = np.linspace(0, 2 * math.pi, 14, endpoint=False)
    reach = random.uniform(0.7, 1.1, len(turn))
    outline = zip(middle + across * reach * np.cos(turn), level + high * reach * np.sin(turn), strict=True)
    _rounded(pen, place, list(outline), random)


def _screws(pen: Pen, place: Place, random: np.random.Generator) -> None:
    for _ in range(int(random.integers(1, 6))):
        start = random.uniform(-38, 38), float(random.choice([-1, 1])) * random.uniform(8, 38)
        tilt, length = random.uniform(0, 2 * math.pi), random.uniform(18, 60)
        end = start[0] + length * math.cos(tilt), start[1] + length * math.sin(tilt)
        thick = random.uniform(2.2, 5)
        _bar(pen, place, start, end, thick)
        if random.random() < 0.6:  # its head
            _bar(pen, place, start, (start[0] + 2 * math.cos(tilt), start[1] + 2 * math.sin(tilt)), 1.8 * thick)


def _plate(pen: Pen, place: Place, random: np.random.Generator) -> None:
    aside, end = random.uniform(15, 38), float(random.choice([-1, 1]))
    thick, start = random.uniform(3, 14), random.uniform(3, 14)
    _bar(pen, place, (aside, end * start), (aside * random.uniform(0.4, 1), end * 70), thick)
    for _ in range(int(random.integers(1, 6))):
        level = end * random.uniform(start, 45)
        _bar(pen, place, (aside, level), (aside - random.uniform(20, 70), level + random.normal(0, 4)), 3.5)


def _nail(pen: Pen, place: Place, random: np.random.Generator) -> None:
    end, aside = float(random.choice([-1, 1])), random.normal(0, 5)
    _bar(pen, place, (aside, end * random.uniform(2, 20)), (aside + random.normal(0, 3), end * 70),
         random.uniform(7, 13))  # fmt: skip


def _staples(pen: Pen, place: Place, random: np.random.Generator) -> None:
    for _ in range(int(random.integers(1, 4))):
        aside, level = random.uniform(15, 38), random.uniform(-30, 35)
        wide, deep, thick = random.uniform(6, 14), random.uniform(8, 20), random.uniform(1.8, 3.5)
        _bar(pen, place, (aside, level), (aside, level + wide), thick)
        for leg in (level, level + wide):
            _bar(pen, place, (aside, leg), (aside - deep, leg), thick)


def _rounded(pen: Pen, place: Place, corners: Sequence[tuple[float, float]], random: np.random.Generator) -> None:
    """A polygon whose corners are cut off up to three times (Chaikin, Comput. Graph. Image Process. 3, 1974)."""
    for _ in range(int(random.integers(4))):
        following = (*corners[1:], corners[0])
        corners = [
            (share * x + (1 - share) * next_x, share * y + (1 - share) * next_y)
            for (x, y), (next_x, next_y) in zip(corners, following, strict=True)
            for share in (0.75, 0.25)
        ]
    pen.polygon([place(float(x), float(y)) for x, y in corners], fill=255)


def _bar(pen: Pen, place: Place, start: tuple[float, float], end: tuple[float, float], thick: float) -> None:
    across, along = end[0] - start[0], end[1] - start[1]
    length = max(math.hypot(across, along), 1e-6)
    x, y = -along / length * thick / 2, across / length * thick / 2
    corners = [(start[0] + x, start[1] + y), (end[0] + x, end[1] + y), (end[0] - x, end[1] - y),
               (start[0] - x, start[1] - y)]  # fmt: skip
    pen.polygon([place(*corner) for corner in corners], fill=255)


KINDS: Final[Mapping[str, Callable[[Pen, Place, np.random.Generator], None]]] = {
    "total prosthesis": _total,
    "one-sided prosthesis": _one_sided,
    "trochlea": _trochlea,
    "screws": _screws,
    "plate": _plate,
    "nail": _nail,
    "staples": _staples,
}
_SHARES: Final = (0.3, 0.25, 0.1, 0.15, 0.1, 0.05, 0.05)
