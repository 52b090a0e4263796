"""What the region judge is trained on: knees, and everything else with the same probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.knee.detection.networks.region_judge import JUDGED_SIZE
from monai_xray2mri.knee.detection.training.crops import CROP_SIZE, GradedCrops
from monai_xray2mri.knee.detection.training.films import STORED_MM, Film
from monai_xray2mri.radiograph.resampling import stretch

JudgeBatch = tuple[Tensor, Tensor, Tensor]
"""Views [2N,1,64,64], knees first; whether each is a knee [2N]; whether each knee is a right one [N]."""
_REAL, _SIMULATED = 22, 6
GRADE_WEIGHTS: Final = (1.0, 1.0, 1.0, 2.0, 6.0)
"""How often a knee of each Kellgren-Lawrence grade is shown, relative to the others: 3 and 4 are rare and vary most."""
_KNOWN = 2**31
"""Number of the random stream by which known knees are turned; no step has it."""
SHAFT_MM: Final = 110
"""Middle of a part of a shaft above or below the joint."""


class Pictures:
    """What the network is shown: knees, and everything else with the same probability.

    Args:
        real: public crops in right-knee space with their grades.
        simulated: simulated ones, the same.
        shafts: parts of shafts, the same.
        others: pictures of something else, [H,W] in [0,1].
        seed: of everything random.
    """

    def __init__(
        self,
        real: GradedCrops,
        simulated: np.ndarray,
        shafts: np.ndarray,
        others: Sequence[np.ndarray],
        seed: int = 0,
    ) -> None:
        self.real, self.simulated, self.shafts = (to_gray(crops) for crops in (real.images, simulated, shafts))
        weight = np.array(GRADE_WEIGHTS)[real.grades]
        self._share = (weight / weight.sum()).cumsum()
        self.others, self.seed = others, seed
        self._random = np.random.default_rng(seed)

    def counts(self) -> dict[str, int]:
        """How many pictures there are of each kind."""
        kinds = {"crops": self.real, "simulated": self.simulated, "shafts": self.shafts, "other pictures": self.others}
        return {name: len(pictures) for name, pictures in kinds.items()}

    def batch(self, step: int) -> JudgeBatch:
        """What a step sees, the same whenever it is asked for."""
        self._random = np.random.default_rng([self.seed, step])
        knees = torch.cat([self._real(_REAL), self._some(self.simulated, _SIMULATED)])
        right = torch.from_numpy(self._random.random(len(knees)) < 0.5)
        knees = torch.where(right[:, None, None, None], knees, knees.flip(-1))
        other = torch.stack([self._other() for _ in range(len(knees))])
        is_knee = torch.cat([torch.ones(len(knees)), torch.zeros(len(other))])
        return self._present(self.turn(torch.cat([knees, other]))), is_knee, right.float()

    def _real(self, count: int) -> Tensor:
        """Real knees, the severe grades more often than they occur."""
        return self.real[torch.from_numpy(np.searchsorted(self._share, self._random.random(count)))]

    def _some(self, crops: Tensor, count: int) -> Tensor:
        return crops[torch.from_numpy(self._random.integers(len(crops), size=count))]

    def known(self, count: int) -> Tensor:
        """Known right knees [2N,1,64,64] as they are and as other departments show them, always the same."""
        self._random = np.random.default_rng([self.seed, _KNOWN])
        knees = torch.cat([self._real(count), self.simulated])
        plain = F.interpolate(knees, (JUDGED_SIZE, JUDGED_SIZE), mode="bilinear", antialias=True)
        return torch.cat([plain, self._present(self.turn(knees, 0.85, 6.0), 0.5)])

    def turn(self, crops: Tensor, smallest: float = 0.8, degrees: float = 8.0) -> Tensor:
        """Parts of crops [B,1,160,160], turned a little: [B,1,64,64].

        Height and width change apart from each other by up to 10 %: the tilt of the beam changes the height of what
        shows between femur and tibia, and standing films are less tilted than those of bent knees.
        """
        random, count = self._random, len(crops)
        angle = torch.from_numpy(np.deg2rad(random.uniform(-degrees, degrees, count))).float()
        scale = torch.from_numpy(random.uniform(smallest, 1.05, count)).float()
        tilt = torch.from_numpy(random.uniform(0.9, 1.1, count)).float()
        shift = (1.05 - scale + 0.02) * torch.from_numpy(random.uniform(-1, 1, (2, count))).float()
        rows = [
            torch.stack([scale * angle.cos(), -scale * angle.sin(), shift[0]], 1),
            torch.stack([scale * tilt * angle.sin(), scale * tilt * angle.cos(), shift[1]], 1),
        ]
        grid = F.affine_grid(torch.stack(rows, 1), [count, 1, JUDGED_SIZE, JUDGED_SIZE], align_corners=False)
        return F.grid_sample(F.avg_pool2d(crops, 3, 1, 1), grid, padding_mode="border", align_corners=False)

    def _present(self, views: Tensor, strength: float = 1.0) -> Tensor:
        """Vary gamma, exposure, haze, sharpness and noise.

        Args:
            views: [B,1,64,64] in [-1,1].
            strength: share of the variation of training.
        """
        random, count = self._random, len(views)

        def draw(numbers: np.ndarray) -> Tensor:
            return torch.from_numpy(numbers * strength).float()[:, None, None, None]

        image = ((views + 1) / 2).clamp(0, 1)
        image = image ** draw(random.normal(0, 0.4, count)).exp()
        image = (image * (1 + draw(random.uniform(0, 0.35, count) * (random.random(count) < 0.2)))).clamp(max=1)
        ramp = torch.linspace(-1, 1, views.shape[-1])
        haze = draw(random.normal(0, 0.12, count)) * ramp + draw(random.normal(0, 0.12, count)) * ramp[:, None]
        image = image + haze
        smooth = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)
        image = image + draw(random.uniform(-0.8, 0.8, count)) * (image - smooth)
        noise = torch.from_numpy(random.standard_normal(tuple(views.shape))).float()
        return image + draw(random.uniform(0, 0.03, count)) * noise

    def _other(self) -> Tensor:
        """[1,160,160]: a knee turned, upside down, inverted or shuffled; a shaft; something else; noise."""
        random, choice = self._random, self._random.random()
        knee = self._real(1)[0] if random.random() < 0.8 else self._some(self.simulated, 1)[0]
        if choice < 0.15:
            return knee.rot90(int(random.choice([1, 3])), (1, 2))
        if choice < 0.35:
            return knee.flip(1) if random.random() < 0.5 else knee.rot90(2, (1, 2))
        if choice < 0.45:
            return -knee
        if choice < 0.55 and len(self.shafts):
            return self._some(self.shafts, 1)[0]
        if choice < 0.85:
            return self._part_of_other()
        if choice < 0.92:
            coarse = torch.from_numpy(random.standard_normal((1, 1, *2 * [int(random.integers(4, 60))]))).float()
            return F.interpolate(coarse, (CROP_SIZE, CROP_SIZE), mode="bicubic")[0]
        half = CROP_SIZE // 2
        parts = [knee[:, top : top + half, left : left + half] for top in (0, half) for left in (0, half)]
        order = random.permutation(4)
        return torch.cat([torch.cat([parts[i] for i in order[k : k + 2]], 2) for k in (0, 2)], 1)

    def _part_of_other(self) -> Tensor:
        part = torch.from_numpy(random_part(self.others, self._random))[None, None]
        part = F.interpolate(part, (CROP_SIZE, CROP_SIZE), mode="bilinear", antialias=True)[0]
        return part if self._random.random() < 0.5 else -part


def random_part(pictures: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """A square part [n,n] float32 in [-1,1] of one of several pictures in [0,1], at any size, turned by quarters."""
    picture = pictures[int(random.integers(len(pictures)))]
    side = int(random.uniform(0.2, 1.0) * min(picture.shape))
    top, left = (int(random.integers(0, size - side + 1)) for size in picture.shape)
    part = np.rot90(picture[top : top + side, left : left + side], int(random.integers(4)))
    return np.ascontiguousarray(2 * part - 1, dtype=np.float32)


def to_gray(crops: np.ndarray) -> Tensor:
    """Stored crops [N,h,w] uint8 as grey values [N,1,h,w] in [-1,1]."""
    return torch.from_numpy(crops.astype(np.float32) / 127.5 - 1)[:, None]


def cut_shafts(films: Sequence[Film]) -> np.ndarray:
    """Parts of femur and tibia beyond the joint, [N,160,160] uint8; N is 0 without films."""
    side, found = round(95 / STORED_MM), list[np.ndarray]()
    for film in films:
        for row, column in film.joints:
            for middle in (row - SHAFT_MM, row + SHAFT_MM):
                top, left = round(middle - side / 2), round(column - side / 2)
                if 0 <= top <= film.pixels.shape[0] - side and 0 <= left <= film.pixels.shape[1] - side:
                    part = film.pixels[top : top + side, left : left + side]
                    found.append(as_crop((2 * stretch(part) - 1).astype(np.float32)))
    return np.stack(found) if found else np.empty((0, CROP_SIZE, CROP_SIZE), np.uint8)


def as_crop(part: np.ndarray) -> np.ndarray:
    """A part [n,n] in [-1,1] as crops are stored: [160,160] uint8."""
    shape = (CROP_SIZE, CROP_SIZE)
    large = F.interpolate(torch.from_numpy(part)[None, None], shape, mode="bilinear", antialias=True)[0, 0]
    stored: np.ndarray = ((large + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    return stored
