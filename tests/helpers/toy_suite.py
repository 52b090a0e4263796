"""A suite that is about no body part: how well a blur removes the noise of small pictures.

It is all that a system hands in to be evaluated (docs/adding_a_system.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monai_xray2mri.evaluation import CaseSource, Figure, Setting, Study, Suite, Words, condition_table, generate
from monai_xray2mri.evaluation.metrics import psnr
from monai_xray2mri.evaluation.plots import bars
from monai_xray2mri.evaluation.records import Row

SIDE = 16


@dataclass(frozen=True)
class NoisyPicture:
    """What a method is given: a picture [16,16] with noise, 0 to 1."""

    name: str
    picture: np.ndarray
    shape: tuple[int, ...] = (SIDE, SIDE)

    @property
    def title(self) -> str:
        """What people call it."""
        return f"picture {self.name}"


@dataclass(frozen=True)
class PictureCase:
    """A picture with its truth."""

    inputs: NoisyPicture
    truth: np.ndarray
    participant: str


class Pictures:
    """Smooth pictures, made by their number."""

    def __init__(self, source: CaseSource, split: str, number: int) -> None:
        self.names = [str(source.seed + index) for index in range(number)]

    def __getitem__(self, index: int) -> PictureCase:
        """The picture at an index."""
        name = self.names[index]
        rng, ramp = np.random.default_rng(int(name)), np.linspace(0.3, 0.7, SIDE)
        truth = np.add.outer(ramp, rng.uniform(-0.2, 0.2) * ramp)
        noisy = np.clip(truth + 0.1 * rng.standard_normal(truth.shape), 0, 1)
        return PictureCase(NoisyPicture(name, noisy), truth, f"person {int(name) // 2}")


class Blur:
    """The mean over neighboring pixels."""

    def predict(self, inputs: NoisyPicture, samples: int, seed: int) -> np.ndarray:
        """One picture [1,16,16]."""
        wide = np.pad(inputs.picture, 1, mode="edge")
        shifts = [wide[row : row + SIDE, column : column + SIDE] for row in range(3) for column in range(3)]
        return np.mean(shifts, axis=0)[None]


class Unchanged:
    """The noisy picture itself."""

    def predict(self, inputs: NoisyPicture, samples: int, seed: int) -> np.ndarray:
        """One picture [1,16,16]."""
        return inputs.picture[None]


def measure(setting: Setting, case: PictureCase) -> Iterator[Row]:
    """PSNR of each method that the case has not been measured with."""
    for name, method in setting.todo.items():
        found = generate(method, case.inputs, 1, setting.seed)[0]
        yield {"method": name, "psnr": psnr(found, case.truth, 1.0)}


def tables(rows: Sequence[Row]) -> list:
    """One table, a line for each method."""
    return [condition_table(rows, "comparison", "Methods compared", {"psnr": "PSNR dB"}, by="method")]


COMPARISON = Study(
    "comparison",
    "Methods compared",
    splits=("test",),
    cases={"cpu": 4, "full": 100},
    measure=measure,
    work=lambda setting: len(setting.todo),
    tables=tables,
    compares=True,
    figures=(Figure("comparison", "PSNR", lambda rows: bars(rows, "method", {"psnr": "PSNR"}, "PSNR in dB")),),
)


def bundle_method(bundle: Path, device: object) -> Blur:
    """The method of a bundle; a blur has no weights."""
    return Blur()


SUITE = Suite(
    "quick",
    "Evaluation of a blur",
    [COMPARISON],
    cohort=Pictures,
    bundle_method=bundle_method,
    setting=Setting,
    baselines={"unchanged": Unchanged},
    words=Words("picture", "pictures"),
)
