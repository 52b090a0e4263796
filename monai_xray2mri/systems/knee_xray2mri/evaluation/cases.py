"""Knees to evaluate methods on: what a method is given, and the truth that its volume is compared with.

A knee comes from the simulator, by its seed, or from a prepared training set (``xray2mri prepare``). Both give the same
record. Only a simulated knee knows its noise-free volume and its lesions: they are None for prepared knees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.data.arrays import GEOMETRY, IMAGE_SIZE, MODELED_SLICES, SLICES, KneeStore
from monai_xray2mri.knee.data.jitter import NO_JITTER, network_view
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.measures.crop import HALF_DEPTH_MM, SPACING_MM, axes_mm
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.knee.mri.mr import Placement
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, seed_range_name

MODELED: Final = slice(MODELED_SLICES[0], MODELED_SLICES[1] + 1)
WHOLE: Final = tuple(range(SLICES))
"""Positions of all modelled slices, 0 posterior."""
_KNEES_PER_SEED: Final = 1000


@dataclass(frozen=True)
class KneeInputs:
    """What a method is given of a knee, and which slices are asked of it.

    Attributes:
        name: of the knee; methods may derive their random numbers from it and nothing else.
        radiograph: [256,256] float32 in [-1,1], right-knee space, bone bright; None: there is none.
        grades: OAI stem to grade; None or absent: unknown.
        depths: of the slices that are asked for, 0 (posterior) to 1 over the modelled range.
    """

    name: str
    radiograph: np.ndarray | None
    grades: Mapping[str, int | None]
    depths: tuple[float, ...]

    @property
    def title(self) -> str:
        """``knee 3000000``."""
        return f"knee {self.name}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (S, H, W) of the slices that are asked for."""
        return len(self.depths), IMAGE_SIZE, IMAGE_SIZE

    def at(self, positions: Sequence[int]) -> KneeInputs:
        """The same with the slices at these positions of the modelled range asked for."""
        return replace(self, depths=tuple(position / (SLICES - 1) for position in positions))

    def with_grades(self, grades: Mapping[str, int | None]) -> KneeInputs:
        """The same with other grades."""
        return replace(self, grades=dict(grades))


@dataclass(frozen=True)
class EvaluationKnee:
    """A knee with its truth over the modelled slices, right-knee space, slice 0 posterior.

    Attributes:
        inputs: what a method is given, all modelled slices asked for.
        volume: [S,H,W] as acquired, intensities 0 to 1.
        participant: who it belongs to: intervals are over participants.
        simulated: the simulated knee; None for a prepared one.
    """

    inputs: KneeInputs
    volume: np.ndarray
    participant: str
    simulated: SimulatedKnee | None = None

    @property
    def name(self) -> str:
        """Of the knee."""
        return self.inputs.name

    @property
    def grade(self) -> int | None:
        """Kellgren-Lawrence grade; None if unknown."""
        return self.inputs.grades.get("XRKL")

    @cached_property
    def noise_free(self) -> np.ndarray | None:
        """[S,H,W] without noise; None if nobody knows."""
        return None if self.simulated is None else np.asarray(self.simulated.noise_free[MODELED])

    @cached_property
    def lesions(self) -> np.ndarray | None:
        """[S,H,W] uint8 codes of :class:`~monai_xray2mri.simulation.knee.knee.SimulatedKnee`; None if nobody knows."""
        return None if self.simulated is None else np.asarray(self.simulated.lesions[MODELED])

    def lesion_mm3(self, stem: str) -> float | None:
        """True volume of a lesion of ``LESION_FEATURES``; None if nobody knows."""
        if self.lesions is None:
            return None
        return float((self.lesions == 1 + LESION_FEATURES.index(stem)).sum()) * float(np.prod(SPACING_MM))

    @property
    def joint_space_mm(self) -> Mapping[str, float] | None:
        """True joint space width of both compartments; None if nobody knows."""
        return None if self.simulated is None else self.simulated.truth.joint_space_mm


def modeled_affine(first: int = 0) -> np.ndarray:
    """[4,4], (column, row, slice) to LPS mm, of modelled slices from position ``first`` on.

    A method cannot know where the technician placed the field of view. So every volume, true or generated, is measured
    as if it lay at the usual place (:class:`~monai_xray2mri.simulation.knee.mri.mr.Placement`).
    """
    affine = Placement().affine
    affine[:3, 3] += (MODELED_SLICES[0] + first) * affine[:3, 2]
    return affine


def joint_positions() -> tuple[int, ...]:
    """Positions of the slices in which the joint is measured (:data:`~.crop.HALF_DEPTH_MM`)."""
    _, y, _ = axes_mm((SLICES, IMAGE_SIZE, IMAGE_SIZE), modeled_affine())
    return tuple(np.flatnonzero(np.abs(y) <= HALF_DEPTH_MM).tolist())


def simulated_case(knee: SimulatedKnee) -> EvaluationKnee:
    """The case of a simulated knee; each is of another participant."""
    film = normalize_region(np.asarray(knee.radiograph), mirrored=False)
    inputs = KneeInputs(str(knee.seed), film, dict(knee.grades), ()).at(WHOLE)
    return EvaluationKnee(inputs, np.asarray(knee.volume[MODELED]), str(knee.seed), knee)


def unknown_grades() -> dict[str, int | None]:
    """All 19 features, unknown."""
    return {feature.stem: None for feature in FEATURES}


class SimulatedCohort:
    """Knees of one range of seeds, simulated when they are asked for.

    Args:
        split: name of a range of :data:`~monai_xray2mri.simulation.knee.people.seeds.SEED_RANGES`.
        knees: how many.
        seed: S chooses the knees from 1,000 S on, so that two seeds share no knee of up to 1,000.

    Raises:
        UsageError: that many knees from there on are not in the range.
    """

    def __init__(self, split: str, knees: int, seed: int = 0) -> None:
        seeds = SEED_RANGES[split]
        first = _KNEES_PER_SEED * seed
        if knees < 1 or seed < 0 or first + knees > len(seeds):
            rule = f"must choose 1 to {len(seeds)} knees of the {split} range"
            raise UsageError("options knees and seed", rule, f"{knees} knees, seed {seed}")
        self.seeds = seeds[first : first + knees]
        self.names: Sequence[str] = [str(seed) for seed in self.seeds]

    def __getitem__(self, index: int) -> EvaluationKnee:
        """Simulate the knee at an index."""
        return simulated_case(simulate_knee(self.seeds[index]))

    def __iter__(self) -> Iterator[EvaluationKnee]:
        """All knees in order."""
        return (self[index] for index in range(len(self.names)))


def open_prepared(directory: Path) -> KneeStore:
    """A prepared set, or that of the output of ``xray2mri prepare``.

    Raises:
        UsageError: there is none.
    """
    inside = directory / "store"
    return KneeStore.open(inside if (inside / "index.json").is_file() else directory)


class PreparedCohort:
    """Knees of one split of a prepared set (:class:`~monai_xray2mri.knee.data.arrays.KneeStore`).

    Args:
        directory: the set, or the output of ``xray2mri prepare`` that holds it.
        split: of the knees.
        knees: how many at most, in the set's order; None takes all.

    Raises:
        UsageError: no set there, another geometry, or no knee of that split.
    """

    def __init__(self, directory: Path, split: str, knees: int | None = None) -> None:
        self.store = open_prepared(directory)
        index = self.store.index
        what = f"prepared set {directory.name}"
        if index["geometry"] != dict(GEOMETRY):
            raise UsageError(what, f"must have the geometry {dict(GEOMETRY)}", f"{index['geometry']}", "Prepare again.")
        splits = index["splits"] if "splits" in index else [seed_range_name(int(seed)) for seed in index["knees"]]
        rows = [row for row, name in enumerate(splits) if name == split][:knees]
        if not rows:
            raise UsageError(what, f"must hold knees of the {split} split", f"{sorted(set(splits))}", "Name another.")
        self.rows = rows
        self.names: Sequence[str] = [str(index["knees"][row]) for row in rows]

    def __getitem__(self, index: int) -> EvaluationKnee:
        """Read the knee at an index."""
        row = self.rows[index]
        if not self.store.done[row]:
            raise InputRefused(f"knee {index + 1}", "must be complete in the set", "not written", "Run prepare again.")
        name = self.names[index]
        arrays = self.store.read(row)
        view = network_view(np.asarray(arrays["radiographs"]), NO_JITTER.draw(draw_generator("box", 0, row)))
        inputs = KneeInputs(name, view, decode_grades(np.asarray(arrays["features"])), ()).at(WHOLE)
        return EvaluationKnee(inputs, np.asarray(arrays["slices"], np.float32) / 255, name.rstrip("LR"))


def decode_grades(code: np.ndarray) -> dict[str, int | None]:
    """OAI stem to grade of a one-hot code [61]; a group of zeros is unknown."""
    grades, start = unknown_grades(), 0
    for feature in FEATURES:
        group = code[start : start + feature.width]
        start += feature.width
        if group.any():
            grades[feature.stem] = int(group.argmax())
    return grades
