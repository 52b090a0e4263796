"""Photographs that the foot segmenter learns from: simulated feet and drawn limbs on drawn floors."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from monai_xray2mri.photograph.foot.segmenter import KINDS, VIEW
from monai_xray2mri.photograph.foot.training.limbs import (
    SIZE,
    Patch,
    blurred,
    capsule,
    covered,
    finished,
    hand,
    outline_distance,
    side_view,
    skin,
    smooth_noise,
    sole,
)
from monai_xray2mri.simulation.foot.foot import WholeFoot

FOOT, HAND, SOLE, COVERED, SIDE, FILM = range(len(KINDS))
_DRAWN: Final = 64
"""Drawings of each other kind that are kept; each is varied when it is used."""
_LEGS: Final = 80
"""Feet that are kept with a leg, too."""
_CLIPPED: Final = (3.0, 4.0)
_CLOSE: Final = 0.4
"""Share of limbs of every kind that are shown as the last look sees them: large, a part of them, toes up. A kind that
was never shown so would be taken for a foot there."""
_ANYHOW: Final = 0.45
"""Share of the others that lie in any direction; toes are up, within some 30 degrees, on most photographs."""


@dataclass(frozen=True)
class Scene:
    """A photograph with its truth.

    Attributes:
        picture: [S,S,3] uint8.
        limb: [S,S] float32, share of a pixel that limbs cover.
        kinds: [S/4,S/4] int64, place in KINDS; -1 beside limbs.
    """

    picture: np.ndarray
    limb: np.ndarray
    kinds: np.ndarray


def foot_patch(foot: WholeFoot) -> Patch:
    """The patch of a simulated foot; its own floor is left behind, its shadow is kept."""
    color = foot.photograph.transpose(1, 2, 0)
    cover = np.clip(_CLIPPED[1] * foot.outline - _CLIPPED[0], 0, 1)
    luma = color.mean(-1)
    bare = (foot.outline < 0.01).astype(np.float32)
    usual = float(np.median(luma[bare > 0]))
    shade = blurred(luma * bare, 3) / blurred(bare, 3).clip(1e-3) / max(usual, 1e-3)
    shade = np.where(blurred(bare, 3) > 1e-3, shade, 0.6).clip(0.2, 1.0)
    return Patch(
        color.astype(np.float32), cover.astype(np.float32), shade.astype(np.float32), FOOT, foot.points["heel"]
    )


class Scenes:
    """Scenes, each of which follows from the seed and its number alone.

    Args:
        feet: of whole simulated feet.
        films: [M,256,256] uint8 radiographs of simulated feet; there may be none.
        seed: of all that is drawn.
    """

    def __init__(self, feet: Sequence[WholeFoot], films: np.ndarray, seed: int = 0) -> None:
        self.seed, self.feet, self.films = seed, [foot_patch(foot) for foot in feet], films
        random = np.random.default_rng([seed, 1])

        def drawings(draw: Callable[[], Patch]) -> list[Patch]:
            return [draw() for _ in range(_DRAWN)]

        def any_foot() -> Patch:
            return self.feet[int(random.integers(len(self.feet)))]

        self.legs = [_with_leg(foot, random) for foot in self.feet[:_LEGS]]
        self.others = {
            HAND: drawings(lambda: hand(random, HAND)),
            SIDE: drawings(lambda: side_view(random, SIDE)),
            SOLE: drawings(lambda: sole(any_foot(), random, SOLE)),
            COVERED: drawings(lambda: covered(any_foot(), random, COVERED)),
        }

    def scene(self, number: int) -> Scene:
        """The scene of a number."""
        random = np.random.default_rng([self.seed, 2, number])
        canvas = _Canvas(floor(random), random)
        drawn = random.random()
        if drawn < 0.33:
            canvas.lay(self._foot(random), *_seen(random, 0.35, 1.25))
        elif drawn < 0.47:
            self._feet(canvas, random, 3 if random.random() < 0.15 else 2)
        elif drawn < 0.56:
            _clutter(canvas, random)
        elif drawn < 0.62 and len(self.films):
            canvas.lay(_film_patch(self.films[int(random.integers(len(self.films)))], random), *_place(random, 0.5, 1))
        else:
            self._others(canvas, random)
        return canvas.scene()

    def _foot(self, random: np.random.Generator) -> Patch:
        feet = self.legs if random.random() < 0.6 else self.feet
        return feet[int(random.integers(len(feet)))]

    def _feet(self, canvas: _Canvas, random: np.random.Generator, number: int) -> None:
        middle, scale, turn = _place(random, 0.35, 0.95)
        foot = self._foot(random)
        apart = SIZE * scale * random.uniform(0.33, 0.6)
        for place in range(number):
            across = (place - (number - 1) / 2) * apart
            shift = random.normal(0, 0.04, 2) * SIZE * scale
            at = (
                middle[0] + across * math.sin(turn) + shift[0],
                middle[1] + across * math.cos(turn) + shift[1],
            )
            other = foot if place < 2 else self._foot(random)
            canvas.lay(other, at, scale, turn + random.normal(0, 0.12), place % 2 == 0)

    def _others(self, canvas: _Canvas, random: np.random.Generator) -> None:
        kind = (HAND, SOLE, COVERED, COVERED, SIDE)[int(random.integers(5))]
        patch = self.others[kind][int(random.integers(_DRAWN))]
        middle, scale, turn, mirrored = _seen(random, 0.4, 1.2)
        canvas.lay(patch, middle, scale, turn, mirrored)
        if random.random() < 0.25:
            canvas.lay(patch, _place(random, 0.4, 1.2)[0], scale, turn, bool(random.random() < 0.5))


class _Canvas:
    """A floor that patches are laid on."""

    def __init__(self, picture: np.ndarray, random: np.random.Generator) -> None:
        self.picture, self.random = picture, random
        self.limb = np.zeros((VIEW, VIEW), np.float32)
        self.kinds = np.full((VIEW, VIEW), -1, np.int64)

    def lay(self, patch: Patch, middle: tuple[float, float], scale: float, turn: float, mirrored: bool = False) -> None:
        """Lay a patch: where its middle comes, pixels per pixel, angle, and whether it is mirrored before."""
        cosine, sine = math.cos(turn), math.sin(turn)
        sign = -1.0 if mirrored else 1.0
        layers = np.concatenate((patch.color, patch.cover[..., None], 1 - patch.shade[..., None]), -1)
        ratio = VIEW / (SIZE * scale)
        away = [2 * place / VIEW - 1 for place in middle]  # row, column
        theta = torch.tensor(
            [
                [
                    [sign * cosine * ratio, sign * sine * ratio, -sign * ratio * (cosine * away[1] + sine * away[0])],
                    [-sine * ratio, cosine * ratio, ratio * (sine * away[1] - cosine * away[0])],
                ]
            ],
            dtype=torch.float32,
        )
        source = torch.from_numpy(np.ascontiguousarray(layers.transpose(2, 0, 1)))[None]
        if scale < 0.7:
            source = F.avg_pool2d(source, 2, 1, padding=1)[..., :SIZE, :SIZE]
        grid = F.affine_grid(theta, [1, 5, VIEW, VIEW], align_corners=False)
        moved = F.grid_sample(source, grid, align_corners=False)[0].numpy().transpose(1, 2, 0)
        cover, shade = moved[..., 3:4], 1 - moved[..., 4:5]
        self.picture = self.picture * shade * (1 - cover) + moved[..., :3] * cover
        self.limb = self.limb * (1 - cover[..., 0]) + cover[..., 0]
        self.kinds[cover[..., 0] > 0.5] = patch.kind

    def scene(self) -> Scene:
        """The scene, taken by a camera that is no better than others."""
        picture = _photographed(self.picture, self.random)
        return Scene(picture, self.limb, self.kinds[1::4, 1::4])


def _seen(random: np.random.Generator, least: float, most: float) -> tuple[tuple[float, float], float, float, bool]:
    """Where the first look or the last one sees a patch: middle (row, column), pixels per pixel, angle, mirrored."""
    mirrored = bool(random.random() < 0.5)
    if random.random() >= _CLOSE:
        return *_place(random, least, most), mirrored
    scale, turn = 1.6 * random.uniform(0.85, 1.15), random.normal(0, 0.2)
    row, column = random.uniform(20, 180) - SIZE / 2, random.uniform(60, 190) - SIZE / 2
    return (VIEW / 2 - scale * row, VIEW / 2 + (scale if mirrored else -scale) * column), scale, turn, mirrored


def _place(random: np.random.Generator, least: float, most: float) -> tuple[tuple[float, float], float, float]:
    """Middle (row, column) in pixels, pixels per pixel and angle of a patch."""
    scale = random.uniform(least, most) * VIEW / SIZE
    middle = VIEW * random.normal(0.5, 0.09), VIEW * random.normal(0.5, 0.09)
    turn = random.uniform(0, 2 * math.pi) if random.random() < _ANYHOW else random.uniform(-0.55, 0.55)
    return middle, scale, float(turn)


def _with_leg(foot: Patch, random: np.random.Generator) -> Patch:
    """The foot with its lower leg, bare or in trousers, over the ankle."""
    middle = foot.heel[0] - random.uniform(8, 22), foot.heel[1]
    end = SIZE + 60.0, middle[1] + random.uniform(-60, 60)
    bare = random.random() < 0.5
    leg = capsule(middle, end, 30 * random.uniform(0.95, 1.2), random.uniform(34, 60))
    inside = foot.cover > 0.5
    tone = foot.color[inside].mean(0) if bare else random.uniform(0.03, 0.9, 3)
    texture = (
        1 + 0.05 * smooth_noise(random, 30) + (0.0 if bare else random.uniform(0, 0.15)) * smooth_noise(random, 120)
    )
    light = (0.75 + 0.35 * (-leg / 34).clip(0, 1)) * random.uniform(0.7, 1.1)
    cover = (0.5 - leg).clip(0, 1)
    color = foot.color * (1 - cover[..., None]) + (tone * (light * texture)[..., None]) * cover[..., None]
    whole = np.maximum(foot.cover, cover) if bare else foot.cover * (1 - cover)
    if bare:
        return Patch(color.clip(0, 1).astype(np.float32), whole, foot.shade, FOOT, foot.heel)
    # trousers belong to the floor: they are laid with the shadow's layer, which darkens what lies below
    shade = np.where(cover > 0.5, np.float32(random.uniform(0.1, 0.7)), foot.shade)
    return Patch(color.clip(0, 1).astype(np.float32), whole, shade.astype(np.float32), FOOT, foot.heel)


def _film_patch(film: np.ndarray, random: np.random.Generator) -> Patch:
    """A radiograph, as a whole picture or cut out."""
    gray = film.astype(np.float32) / 255
    gray = 1 - gray if random.random() < 0.2 else gray
    distance = outline_distance((blurred(film.astype(np.float32), 1) > 12).astype(np.float32))
    if random.random() < 0.5:
        distance = np.full_like(distance, -5.0)
    return finished(np.repeat(gray[..., None], 3, 2) * random.uniform(0.7, 1.2), distance, random, FILM)


def floor(random: np.random.Generator) -> np.ndarray:
    """A floor [S,S,3] float32 in [0,1]: plain, tiles, planks, cloth, grass-like, black."""
    rows, columns = np.mgrid[0:VIEW, 0:VIEW].astype(np.float32)
    angle = random.uniform(0, math.pi)
    u = rows * math.cos(angle) + columns * math.sin(angle)
    v = columns * math.cos(angle) - rows * math.sin(angle)
    drawn = random.random()
    if drawn < 0.06:
        return np.zeros((VIEW, VIEW, 3), np.float32)
    color = random.uniform(0.05, 0.95) + random.normal(0, 0.07, 3)
    if random.random() < 0.15:
        color = skin(random)
    texture = random.uniform(0, 0.12) * _grain(random, int(random.integers(3, 12)))
    texture = texture + random.uniform(0, 0.1) * _grain(random, int(random.integers(20, 96)))
    second = color
    share = np.zeros_like(u)
    if drawn < 0.3:  # tiles with joints, or boards
        step, long = random.uniform(15, 80), random.uniform(1, 6)
        joint = np.minimum(u % step, v % (step * long)) < random.uniform(0.8, 3)
        share, second = joint.astype(np.float32), random.uniform(0, 1, 3)
        odd = (np.floor(u / step) * 7 + np.floor(v / step / long) * 13) % 5
        texture = texture + random.uniform(0, 0.05) * (odd - 2)
    elif drawn < 0.45:  # grain of wood
        wave = np.sin(u * random.uniform(0.1, 0.8) + 2.5 * _grain(random, 6))
        texture = texture + random.uniform(0.02, 0.12) * wave
    elif drawn < 0.6:  # checks and stripes
        step = random.uniform(6, 50)
        check = (np.floor(u / step) + (np.floor(v / step) if random.random() < 0.5 else 0)) % 2
        share, second = check.astype(np.float32), color + random.normal(0, 0.25, 3)
    elif drawn < 0.68:  # two areas: floor and carpet, or wall
        share = (u > random.uniform(0.2, 0.8) * VIEW).astype(np.float32)
        second = random.uniform(0, 1, 3)
    picture = (color + (second - color) * share[..., None]) * (1 + texture)[..., None]
    ramp = 1 + random.uniform(-0.3, 0.3) * (rows / VIEW - 0.5) + random.uniform(-0.3, 0.3) * (columns / VIEW - 0.5)
    return np.asarray((picture * ramp[..., None]).clip(0, 1), dtype=np.float32)


def _grain(random: np.random.Generator, knots: int) -> np.ndarray:
    seeds = torch.from_numpy(random.standard_normal((1, 1, knots, knots)).astype(np.float32))
    grain: np.ndarray = F.interpolate(seeds, (VIEW, VIEW), mode="bicubic", align_corners=True)[0, 0].numpy()
    return grain


def _clutter(canvas: _Canvas, random: np.random.Generator) -> None:
    """Things that are no limb: boxes, balls, faces, lines as of text, some of them in colors of skin."""
    picture = canvas.picture
    for _ in range(int(random.integers(0, 6))):
        color = skin(random) if random.random() < 0.5 else random.uniform(0, 1, 3)
        shape = random.random()
        a = tuple(random.uniform(20, 236, 2))
        b = (a[0] + random.normal(0, 40), a[1] + random.normal(0, 40)) if shape < 0.6 else (a[0] + 0.1, a[1])
        distance = capsule(a, b, random.uniform(4, 60))
        patch = finished(color * (1 + 0.05 * smooth_noise(random, 20))[..., None], distance, random, FOOT)
        color = patch.color
        if shape > 0.8:  # a face: eyes and a mouth
            for at in ((-14, -14), (-14, 14), (22, -9), (22, 0), (22, 9)):
                eye = capsule((a[0] + at[0], a[1] + at[1]), (a[0] + at[0], a[1] + at[1] + 5), 4)
                color = color * (1 - 0.7 * (0.5 - eye).clip(0, 1)[..., None])
        cover = patch.cover[:VIEW, :VIEW, None]
        picture = picture * patch.shade[:VIEW, :VIEW, None] * (1 - cover) + color[:VIEW, :VIEW] * cover
    if random.random() < 0.3:
        rows = np.arange(VIEW)
        lines = ((rows % random.integers(6, 16)) < 2)[:, None] & (canvas.random.random((VIEW, VIEW)) < 0.6)
        picture = np.where(lines[..., None], random.uniform(0, 1), picture)
    canvas.picture = picture


def _photographed(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Exposure, white balance, light, sharpness, noise, compression: [S,S,3] uint8.

    Photographs that are too dark or blurred to be used are among them: to doubt those, a foot must be seen on them.
    """
    value = picture.clip(0, 1) ** math.exp(random.normal(0, 0.25))
    light = random.uniform(0.55, 1.25) if random.random() < 0.88 else random.uniform(0.05, 0.5)
    value = value * (light * (1 + random.normal(0, 0.06, 3)))
    if random.random() < 0.12:
        value = np.repeat(value @ np.array((0.299, 0.587, 0.114))[:, None], 3, axis=2)
    drawn = random.random()
    if drawn < 0.35:
        wide = int(random.integers(1, 3)) if drawn < 0.27 else int(random.integers(3, 5))  # some are hopeless
        tensor = torch.from_numpy(value.transpose(2, 0, 1).astype(np.float32))[None]
        tensor = F.avg_pool2d(F.pad(tensor, (wide,) * 4, mode="replicate"), 2 * wide + 1, 1)
        value = tensor[0].numpy().transpose(1, 2, 0)
    value = value + min(light, 1.0) * random.uniform(0, 0.04) * random.standard_normal(value.shape)
    pixels = np.rint(value.clip(0, 1) * 255).astype(np.uint8)
    if random.random() < 0.3:
        with io.BytesIO() as stream:
            Image.fromarray(pixels).save(stream, "JPEG", quality=int(random.integers(35, 90)))
            pixels = np.array(Image.open(io.BytesIO(stream.getvalue())))
    return pixels
