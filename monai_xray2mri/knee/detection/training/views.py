"""What the joint detector is trained on: random views of simulated films, many with real joints pasted into them.

Only crops of real films are public, no whole ones. A real crop is therefore pasted over a simulated joint, feathered
and matched in brightness, so that whole films with real joints result. Things that are no joint (parts of a shaft,
joints upside down or on their side, pictures of something else) are pasted with the same seam, so that a seam tells
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.knee.detection.joints import CANVAS, CLASSES, FILM_MM
from monai_xray2mri.knee.detection.training.films import STORED_MM, Film, Kind
from monai_xray2mri.radiograph.knee.joint import JOINT_ROW, REGION_MM
from monai_xray2mri.radiograph.resampling import resize, smooth, stretch

PUBLIC_CROP_MM: Final = 95.0
"""Width on the X-ray plate of the public crops, whose size in mm is not published: their femora fill 0.86 of it."""
CROP_SIZE: Final = round(PUBLIC_CROP_MM / STORED_MM)
LEAST_INSIDE_MM: Final = 0.1 * REGION_MM
"""A joint whose region's middle lies nearer to the border of what is shown than this is not asked for."""
_REAL, _COVERED = 0.5, 0.2
"""Shares of views with real joints, and of views with joints covered by something else."""


def read_crop(path: Path) -> np.ndarray:
    """A public crop [95,95] float32 in [0,1] at ``STORED_MM`` per pixel, bone as bright as it is stored."""
    picture = np.asarray(Image.open(path).convert("L"), dtype=np.float32) / 255
    return resize(picture, (CROP_SIZE, CROP_SIZE))


def paste_patches(film: Film, patches: Sequence[np.ndarray | None], random: np.random.Generator, knees: bool) -> Film:
    """Paste a patch over each joint of a film.

    Args:
        film: a simulated film.
        patches: [n,n] float32 in [0,1] for each joint, or None to leave it alone.
        random: chooses seam and brightness.
        knees: whether the patches show joints; if not, the joints under them are gone.
    """
    pixels = film.pixels.astype(np.float32) / 255
    joints: list[tuple[float, float]] = []
    kinds: list[Kind] = []
    for joint, kind, patch in zip(film.joints, film.kinds, patches, strict=True):
        if patch is not None:
            _paste(pixels, patch, joint, random)
        if patch is None or knees:
            joints.append(joint)
            kinds.append(kind if patch is None else "knee")
    return Film(np.rint(255 * pixels.clip(0, 1)).astype(np.uint8), tuple(joints), tuple(kinds))


def _paste(pixels: np.ndarray, patch: np.ndarray, joint: tuple[float, float], random: np.random.Generator) -> None:
    """Blend a patch into a film, in place, so that joint line lies on joint line; what lies beyond the film is cut."""
    size = patch.shape[0]
    # Regions of 110 mm and crops of 95 mm have their joint line at the same fraction of their height.
    shift = (JOINT_ROW - 0.5) * (REGION_MM / STORED_MM - size)
    top, left = round(joint[0] + shift - size / 2), round(joint[1] - size / 2)
    rows = slice(max(top, 0), min(top + size, pixels.shape[0]))
    columns = slice(max(left, 0), min(left + size, pixels.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    inside = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    mask = _feather(size, random)[inside]
    under, over = pixels[rows, columns], patch[inside]
    rim = (mask > 0.1) & (mask < 0.9)
    if random.random() < 0.8 and rim.any():
        gain = min(max(float(under[rim].std()) / max(float(over[rim].std()), 1e-3), 0.5), 2.0)
        over = float(under[rim].mean()) + gain * (over - float(over[rim].mean()))
    pixels[rows, columns] = under + mask * (over - under)


def _feather(size: int, random: np.random.Generator) -> np.ndarray:
    """Mask [n,n] of a patch: an oval or a square with a soft rim of a few millimetres."""
    axis = np.abs(np.arange(size) + 0.5 - size / 2) / (size / 2)
    power = random.choice([2.5, 4.0, 12.0])
    distance = (axis[:, None] ** power + axis[None, :] ** power) ** (1 / power)
    width = random.uniform(0.04, 0.2)
    return np.clip((1.0 - distance) / width, 0, 1)


def view(film: Film, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """What the detector is shown of a film: a random view in random presentation.

    Args:
        film: the film.
        random: draws rotation (up to 10 degrees), size, part of the film, polarity and grey values.

    Returns:
        The canvas [1,128,160] in [-1,1] and its joints [N,4+K]: center row, center column, height, width in pixels,
        then one for the class. A joint of which more than 40 % of the region lies beyond what is shown is left out.
    """
    center, half = _part(film, random)
    angle = math.radians(random.uniform(-10, 10) * (random.random() < 0.6))
    scale = STORED_MM / FILM_MM * random.uniform(0.85, 1.2)
    offset = random.uniform(-4, 4, 2)  # pixels by which the part's middle misses the canvas'
    image = torch.from_numpy(film.pixels.astype(np.float32) / 255)
    canvas, inside, matrix = _warp(image, center, angle, scale, offset, half)
    if flipped := random.random() < 0.5:
        canvas, inside = canvas[:, ::-1], inside[:, ::-1]
    joints = []
    for (row, column), kind in zip(film.joints, film.kinds, strict=True):
        place = matrix @ np.array([row - center[0], column - center[1]]) + np.array(CANVAS) / 2 + offset
        if max(abs(row - center[0]) - half[0], abs(column - center[1]) - half[1]) > -LEAST_INSIDE_MM:
            continue
        across = CANVAS[1] - place[1] if flipped else place[1]
        if 0 <= place[0] < CANVAS[0] and 0 <= across < CANVAS[1]:
            side = scale * REGION_MM / STORED_MM
            joints.append([place[0], across, side, side, *(float(kind == name) for name in CLASSES)])
    shown = torch.from_numpy(_present(canvas, inside, random))[None]
    return shown, torch.tensor(joints, dtype=torch.float32).reshape(-1, 4 + len(CLASSES))


def _part(film: Film, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half size (rows, columns) in mm of the part of the film that is shown: all, one knee, or a crop."""
    size = np.array(film.pixels.shape) * STORED_MM
    choice = random.random()
    if choice < 0.5 or not film.joints:
        return size / 2, size / 2
    joint = np.array(film.joints[int(random.integers(len(film.joints)))])
    half = np.array([random.uniform(60, 170), random.uniform(55, 110)])
    if choice < 0.75:  # already cropped: about a region
        half = np.full(2, random.uniform(45, 66))
    return joint + random.uniform(-12, 12, 2), half


def _warp(
    image: Tensor, center: np.ndarray, angle: float, scale: float, offset: np.ndarray, half: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn and scale a part of a film onto the canvas: [H,W], where the part lies, and the matrix from mm to pixels."""
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = scale * np.array([[cosine, -sine], [sine, cosine]])
    rows, columns = CANVAS
    grid = np.stack(np.meshgrid(np.arange(rows) + 0.5, np.arange(columns) + 0.5, indexing="ij"), -1)
    film = (grid - np.array(CANVAS) / 2 - offset) @ np.linalg.inv(matrix).T + center  # [h,w,2] mm
    inside = (np.abs(film - center) <= half).all(-1) & (film >= 0).all(-1) & (film < image.shape).all(-1)
    height, width = image.shape
    place = np.stack([2 * film[..., 1] / width - 1, 2 * film[..., 0] / height - 1], -1).astype(np.float32)
    blurred = F.avg_pool2d(image[None, None], 3, stride=1, padding=1, count_include_pad=False)
    found = F.grid_sample(blurred, torch.from_numpy(place)[None], align_corners=False)[0, 0]
    return found.numpy(), inside, matrix


def _present(canvas: np.ndarray, inside: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Vary grey values as readers, windows and processing do: [H,W] float32 in [-1,1], black around the part."""
    if not inside.any():
        return np.full(canvas.shape, -1.0, np.float32)
    low, high = np.percentile(canvas[inside], (0.5, 99.5))
    image = np.clip((canvas - low) / max(high - low, 1e-6), 0, 1) ** math.exp(random.normal(0, 0.45))
    if random.random() < 0.3:
        detail = image - smooth(image, random.uniform(4, 10))
        image = stretch(image + random.uniform(0.5, 3) * detail)
    if random.random() < 0.3:
        image = smooth(image, random.uniform(0.3, 0.8))
    image = image + random.normal(0, random.uniform(0, 0.04), image.shape)
    if random.random() < 0.2:
        image = 1 - image
    low, high = np.percentile(image[inside], (0.5, 99.5))
    stretched = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    return np.where(inside, 2 * stretched - 1, -1).astype(np.float32)


FilmBatch = tuple[Tensor, list[Tensor]]
"""Canvases [B,1,H,W] and the joints on each, as :func:`view` gives them."""


@dataclass
class Views:
    """Random views of films; the same for the same seed and step.

    Attributes:
        films: simulated films.
        crops: public crops, (n,95,95) uint8, right knees as they are, left ones mirrored.
        others: pictures of something else, [H,W] float32 in [0,1].
        seed: of everything random.
        size: views of a step.
    """

    films: Sequence[Film]
    crops: np.ndarray
    others: Sequence[np.ndarray] = ()
    seed: int = 0
    size: int = 16

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def counts(self) -> dict[str, int]:
        """How many pictures there are of each kind."""
        return {"films": len(self.films), "crops": len(self.crops), "other pictures": len(self.others)}

    def batch(self, step: int) -> FilmBatch:
        """What a step sees, the same whenever it is asked for."""
        self._random = np.random.default_rng([self.seed, step])
        views = [self.one() for _ in range(self.size)]
        return torch.stack([each[0] for each in views]), [each[1] for each in views]

    def one(self) -> tuple[Tensor, Tensor]:
        """One view: of a simulated film, of one with real joints, or of one whose joints are covered."""
        random = self._random
        film = self.films[int(random.integers(len(self.films)))]
        choice = random.random()
        if choice < _REAL and len(self.crops):
            # the joint at the image's left is the patient's right one
            film = paste_patches(film, [self._crop(mirrored=bool(i)) for i in range(len(film.joints))], random, True)
        elif choice < _REAL + _COVERED:
            hidden = [self.no_knee(film) if random.random() < 0.8 else None for _ in film.joints]
            film = paste_patches(film, hidden, random, knees=False)
        return view(film, random)

    def _crop(self, mirrored: bool) -> np.ndarray:
        crop = self.crops[int(self._random.integers(len(self.crops)))].astype(np.float32) / 255
        return crop[:, ::-1] if mirrored else crop

    def no_knee(self, film: Film) -> np.ndarray:
        """A patch [95,95] that shows no upright frontal joint."""
        random = self._random
        choice = random.random()
        if choice < 0.3 and len(self.crops):
            return np.rot90(self._crop(mirrored=False), int(random.integers(1, 4)))
        if choice < 0.6 and self.others:
            return self._part_of_other()
        if choice < 0.7:
            noise = random.normal(0.5, 1.5, (CROP_SIZE, CROP_SIZE))
            return smooth(noise, random.uniform(2, 8)).clip(0, 1).astype(np.float32)
        far = [
            top
            for top in range(0, film.pixels.shape[0] - CROP_SIZE, 8)
            if all(abs(top + CROP_SIZE / 2 - joint[0]) > CROP_SIZE for joint in film.joints)
        ]
        if not far:
            return np.full((CROP_SIZE, CROP_SIZE), random.uniform(0.1, 0.9), np.float32)
        top, column = int(random.choice(far)), random.choice([joint[1] for joint in film.joints])
        left = int(np.clip(column - CROP_SIZE / 2, 0, film.pixels.shape[1] - CROP_SIZE))
        return film.pixels[top : top + CROP_SIZE, left : left + CROP_SIZE].astype(np.float32) / 255

    def _part_of_other(self) -> np.ndarray:
        """A square part of a picture of something else, at any size."""
        random = self._random
        picture = self.others[int(random.integers(len(self.others)))]
        side = int(random.uniform(0.3, 1.0) * min(picture.shape))
        top, left = (int(random.integers(0, size - side + 1)) for size in picture.shape)
        part = resize(picture[top : top + side, left : left + side], (CROP_SIZE, CROP_SIZE))
        turned = np.rot90(part, int(random.integers(4)))
        return turned if random.random() < 0.5 else 1 - turned
