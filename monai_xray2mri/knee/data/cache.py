"""The cache of a recipe: thousands of simulated knees, a few slices of each, in shards that anyone can make again.

Distinct knees bind, not slices (docs/training/recipe.md), so that of each knee only some slices are kept, of the knee
as drawn and of its counterfactual twin (:mod:`~monai_xray2mri.knee.data.twins`). A shard is an
:class:`~monai_xray2mri.training.store.ArrayStore` of so many knees. It keeps, for P slices of each of the two:

====================  =======  =====================================================================================
array                 type     meaning
====================  =======  =====================================================================================
``slices``            uint8    [2,P,H,W], 0..255 for intensities 0..1; first as drawn, then the twin
``positions``         uint8    [P], which of the modelled slices these are, 0 posterior; of stacks one after another
``lesions``           uint8    [P,H/8,W/8], 1 where a lesion of the knee as drawn or of its twin lies
``features``          uint8    [2,61], one-hot
``film``              uint16   [R,R], the radiograph's region with its margin; twins have one film
``film_joint_space``  float32  [2], medial and lateral joint space as the film shows it, in mm in the joint plane
``joint_space``       float32  [2,2], medial and lateral joint space of knee and twin in the MR examination, in mm
``traits``            float32  [3], 1 for a woman and 0 for a man, age in years, body mass index in kg/m2
====================  =======  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.data.arrays import (
    GEOMETRY,
    IMAGE_SIZE,
    LATENT_SIZE,
    MARGIN,
    MODELED_SLICES,
    SLICE_MM,
    SLICES,
    WIDE_SIZE,
    knee_arrays,
)
from monai_xray2mri.knee.data.slices import require_split
from monai_xray2mri.knee.data.twins import even_positions, hidden_grades
from monai_xray2mri.knee.grading.features import ONE_HOT_WIDTH
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.patient import Patient
from monai_xray2mri.simulation.knee.people.participants import participant_traits
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION
from monai_xray2mri.training.store import ArraySpec, ArrayStore

Split = Literal["training", "validation"]
COMPARTMENTS: Final = ("M", "L")


def cache_arrays(slices: int) -> dict[str, ArraySpec]:
    """What is kept of each knee, for so many slices P of the knee as drawn and of its twin."""
    return {
        "slices": ArraySpec("uint8", (2, slices, IMAGE_SIZE, IMAGE_SIZE)),
        "positions": ArraySpec("uint8", (slices,)),
        "lesions": ArraySpec("uint8", (slices, LATENT_SIZE, LATENT_SIZE)),
        "features": ArraySpec("uint8", (2, ONE_HOT_WIDTH)),
        "film": ArraySpec("uint16", (WIDE_SIZE, WIDE_SIZE)),
        "film_joint_space": ArraySpec("float32", (2,)),
        "joint_space": ArraySpec("float32", (2, 2)),
        "traits": ArraySpec("float32", (3,)),
    }


class CacheShard(ArrayStore):
    """Some knees of a cache."""

    case: ClassVar[str] = "knee"
    command: ClassVar[str] = "xray2mri train --recipe RECIPE --output DIR"


class KneeCache:
    """Shards of knees of one split, by the order of their seeds.

    Args:
        folder: of the shards, ``shard_00000`` and so on.
        split: range of seeds.
        knees: how many, a multiple of ``shard``.
        slices: slices P kept of each knee and of its twin.
        first: number of the first knee within the seeds of the split.
        shard: knees of a shard.
        visibility: how far hidden features show in the film, 0 to 1.
        stack: neighboring slices that are kept together; 1 keeps single ones, spread over the depth.
        stack_mm: distance of the slices of a stack in mm, a multiple of that of the modelled slices.

    Raises:
        UsageError: numbers that do not fit one another.
        InputRefused: seeds of another split.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        split: Split = "training",
        knees: int,
        slices: int = 10,
        first: int = 0,
        shard: int = 100,
        visibility: float = 0.5,
        stack: int = 1,
        stack_mm: float = SLICE_MM,
    ) -> None:
        if knees < 1 or knees % shard:
            raise UsageError("knees of a cache", f"must be a multiple of its shards of {shard}", str(knees))
        if not 1 <= slices <= SLICES:
            raise UsageError("slices of a knee", f"must be 1 to {SLICES}", str(slices))
        if stack < 1 or slices % stack:
            raise UsageError("slices of a knee", f"must be a multiple of its stacks of {stack}", str(slices))
        step = round(stack_mm / SLICE_MM)
        if step < 1 or abs(step * SLICE_MM - stack_mm) > 1e-6:
            raise UsageError("stack_mm", f"must be a multiple of the slices' {SLICE_MM} mm", f"{stack_mm:g}")
        if SLICES - (stack - 1) * step < slices // stack:
            raise UsageError(
                "stacks of a knee", f"must fit into {SLICES} slices", f"{slices // stack} of {stack} slices"
            )
        self.folder, self.split, self.slices = Path(folder), split, slices
        self.shard, self.visibility, self.stack, self.step = shard, visibility, stack, step
        start = SEED_RANGES[split].start + first
        self.seeds = range(start, start + knees)
        for seed in (self.seeds[0], self.seeds[-1]):
            require_split(seed, split)

    def __len__(self) -> int:
        """Number of knees."""
        return len(self.seeds)

    def folders(self, parent: Path | None = None) -> list[Path]:
        """Folders of the shards below another folder; None: their own."""
        return [(parent or self.folder) / f"shard_{number:05d}" for number in range(len(self) // self.shard)]

    def index(self, number: int) -> dict[str, Any]:
        """What the index of a shard says; of stacks, where there are some."""
        index = {
            "knees": list(self.seeds[number * self.shard : (number + 1) * self.shard]),
            "simulator": SIMULATOR_VERSION,
            "visibility": self.visibility,
            "geometry": dict(GEOMETRY),
        }
        return index | ({"stack": [self.stack, self.step]} if self.stack > 1 else {})

    def positions(self, seed: int) -> np.ndarray:
        """Which slices [P] of a knee are kept."""
        return even_positions(seed, SLICES, self.slices, self.stack, self.step)

    def open(self, number: int) -> CacheShard:
        """A shard, made if it is not there.

        Raises:
            UsageError: another set lies there (other seeds, another simulator), or there is no room.
        """
        return CacheShard.create(self.folders()[number], self.shard, self.index(number), cache_arrays(self.slices))

    def shards(self) -> list[CacheShard]:
        """Shards that are there and complete, up to the first that is not."""
        complete = []
        for number, folder in enumerate(self.folders()):
            if not (folder / "index.json").is_file():
                break
            shard = self.open(number)
            if not shard.done.all():
                break
            complete.append(shard)
        return complete

    def done(self) -> int:
        """Number of knees that are complete."""
        return count_done(self.folders())


def count_done(folders: Sequence[Path]) -> int:
    """Complete cases of stores, those that are not there counting none; their indices are not looked at."""
    files = [folder / "done.npy" for folder in folders if (folder / "index.json").is_file()]
    return sum(int(np.load(file).sum()) for file in files if file.is_file())


@one_thread()
def cached_knee(seed: int, positions: np.ndarray, visibility: float = 0.5) -> dict[str, np.ndarray]:
    """A simulated knee and its twin as a shard keeps them.

    Args:
        seed: of the knee.
        positions: which slices [P] are kept of each of the two.
        visibility: of hidden features in the film, 0 to 1.
    """
    patient = Patient.draw(seed)
    film, drawn = patient.stand(visibility, MARGIN), patient.scan()
    scans = drawn, Patient.draw(seed, {**drawn.grades, **hidden_grades(seed)}).scan()
    made = [scan.slices((MODELED_SLICES[0] + positions).tolist()) for scan in scans]
    lesions = np.any([each.lesions.numpy() for each in made], axis=0)
    radiograph = film.image().numpy()
    parts = [
        knee_arrays(each.volume.numpy(), radiograph, scan.grades, lesions)
        for each, scan in zip(made, scans, strict=True)
    ]
    traits = participant_traits(seed)
    return {
        **{name: np.stack([part[name] for part in parts]) for name in ("slices", "features")},
        "positions": positions.astype(np.uint8),
        "lesions": parts[0]["lesions"],
        "film": parts[0]["radiographs"],
        "film_joint_space": _by_compartment(film.joint_space_mm),
        "joint_space": np.stack([_by_compartment(scan.joint_space_mm) for scan in scans]),
        "traits": np.array([traits.sex == "F", traits.age_years, traits.bmi], np.float32),
    }


def _by_compartment(values: Mapping[str, float]) -> np.ndarray:
    return np.array([values[compartment] for compartment in COMPARTMENTS], np.float32)
