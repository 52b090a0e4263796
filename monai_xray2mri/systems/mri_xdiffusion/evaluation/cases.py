"""Volumes to evaluate on: cones, bodies (simulated knees, or volumes of a prepared set), and what is given of them.

A *domain* is what a network was trained on: ``cones`` or ``bodies``. A case of one domain can be seen by a network of
the other, resampled to its size: that is how foreign data are measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.protocols import Cohort
from monai_xray2mri.evaluation.study import Study
from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.simulation.cones import SPLITS as CONE_SPLITS
from monai_xray2mri.simulation.cones import draw_cones, without_high_frequencies
from monai_xray2mri.simulation.knee.patient import Patient
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import Extent, GivenSlices
from monai_xray2mri.systems.mri_xdiffusion.data.making import KNEE_SIDE_MM, knee_volume
from monai_xray2mri.systems.mri_xdiffusion.data.store import VolumeStore
from monai_xray2mri.systems.mri_xdiffusion.planes import places, plane_rotation, ticks
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import Cube, to_cube

CONES, BODIES = "cones", "bodies"
CONE_SIZE: Final = 64
CONE_SIDE_MM: Final = 64.0
BODY_SIZE: Final = 96
MASKED: Final = "masked cones"
KNEE_SPLITS: Final = {
    "bodies": "test", "calibration": "calibration", "shifted": "shifted", "lesions": "lesion-enriched",
}  # fmt: skip
"""Splits of studies to ranges of seeds of simulated knees."""
_PREPARED: Final = {"bodies": "test", "calibration": "validation"}
"""Splits of studies to those of a prepared set; it has no others."""
_PER_SEED: Final = 1000


@dataclass(frozen=True)
class Anatomy:
    """What only a simulated knee knows.

    Attributes:
        affine: [4,4], maps (column, row, slice) of the scanner's grid [80,256,256] to LPS mm; the origin is the joint.
        lesions: [80,256,256] uint8, as :class:`~monai_xray2mri.simulation.knee.knee.SimulatedKnee` has them.
    """

    affine: np.ndarray
    lesions: np.ndarray


@dataclass(frozen=True)
class VolumeCase:
    """A volume with its truth.

    Attributes:
        name: of the case.
        participant: whose it is.
        domain: ``"cones"`` or ``"bodies"``.
        voxels: [D,D,D] float32 in [0,1].
        extent: what was acquired.
        side_mm: side of the cube.
        anatomy: of a simulated knee.
    """

    name: str
    participant: str
    domain: str
    voxels: np.ndarray
    extent: Extent
    side_mm: float
    anatomy: Anatomy | None = None

    @property
    def size(self) -> int:
        """D."""
        return len(self.voxels)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Voxels that were acquired, by slices, rows and columns."""
        middle = ticks(self.size).numpy()
        found = []
        for axis in (2, 1, 0):
            inside = np.flatnonzero((middle >= self.extent.low[axis]) & (middle <= self.extent.high[axis]))
            found.append(slice(int(inside[0]), int(inside[-1]) + 1))
        return found[0], found[1], found[2]

    def even_places(self, count: int, axis: int = 0) -> Tensor:
        """Places [K,10] of ``count`` voxel planes, evenly over what was acquired along an axis; one is the middle."""
        along = self.box[axis]
        edges = along.start + (np.arange(count) + 0.5) * (along.stop - along.start) / count
        return self.places_at(np.floor(edges).astype(int), axis)

    def places_at(self, indices: Sequence[int] | np.ndarray, axis: int = 0) -> Tensor:
        """Places [K,10] of the voxel planes of an axis with these indices."""
        if axis:  # the rotations of the other planes count against the volume's axis
            depth = _depth_along(axis, np.asarray(indices), self.size)
        else:
            depth = ticks(self.size)[torch.as_tensor(np.asarray(indices))]
        return places(plane_rotation(axis).expand(len(depth), 3, 3), depth)

    def given(self, place: Tensor) -> GivenSlices:
        """The slices at places [K,10]."""
        slices, known = self.extent.sampled(torch.from_numpy(self.voxels)).sections(place, self.size)
        return GivenSlices(self.name, self.domain, slices, place, None if known.all() else known)

    def resampled(self, size: int) -> VolumeCase:
        """The same volume with other voxels."""
        if size == self.size:
            return self
        mode = "area" if size < self.size else "trilinear"
        changed = torch.nn.functional.interpolate(torch.from_numpy(self.voxels)[None, None], (size,) * 3, mode=mode)
        return replace(self, voxels=changed[0, 0].numpy(), anatomy=None)


def _depth_along(axis: int, indices: np.ndarray, size: int) -> Tensor:
    """Depths whose sections under ``plane_rotation(axis)`` are the volume's at these indices of the axis."""
    normal = plane_rotation(axis)[2]  # as x, y, z
    sign = float(normal[2 - axis])
    return sign * ticks(size)[torch.as_tensor(indices)]


class ConeCohort:
    """Cones of a split.

    Args:
        split: of :data:`~monai_xray2mri.simulation.cones.SPLITS`.
        number: of cones.
        seed: another one takes other cones.
        masked: their Fourier-masked twins (appendix C.1).

    Raises:
        UsageError: there are not so many.
    """

    def __init__(self, split: str, number: int, seed: int = 0, masked: bool = False) -> None:
        seeds = CONE_SPLITS[split]
        first = seed * number
        if first + number > len(seeds):
            raise UsageError("number of cones", f"must leave seed {seed} some of {len(seeds)}", str(number))
        self.names, self.masked = [str(each) for each in seeds[first : first + number]], masked

    def __getitem__(self, index: int) -> VolumeCase:
        """A cone at 64^3."""
        name = self.names[index]
        volume = draw_cones([int(name)]).volume(CONE_SIZE)
        voxels = (without_high_frequencies(volume) if self.masked else volume)[0].numpy()
        return VolumeCase(name, name, CONES, voxels, Extent(), CONE_SIDE_MM)


def knee_cube(scan: np.ndarray) -> Cube:
    """A scan of a simulated knee [80,256,256], slice 0 posterior, in the cube of this suite's bodies."""
    return to_cube(knee_volume(scan), KNEE_SIDE_MM, BODY_SIZE)


class KneeCohort:
    """Simulated knees at 96^3: all 80 slices in a cube of 160 mm.

    Args:
        split: range of seeds.
        number: of knees.
        seed: another one takes other knees.
    """

    def __init__(self, split: str, number: int, seed: int = 0) -> None:
        first = seed * _PER_SEED
        self.names = [str(each) for each in SEED_RANGES[split][first : first + number]]

    def __getitem__(self, index: int) -> VolumeCase:
        """Simulate a knee; its film is not made."""
        name = self.names[index]
        scan = Patient.draw(int(name)).scan()
        made = scan.slices()
        cube = knee_cube(made.volume.numpy())
        anatomy = Anatomy(scan.placement.affine, made.lesions.numpy())
        voxels = cube.voxels.clip(0, 1)
        return VolumeCase(name, name, BODIES, voxels, Extent.of(cube.acquired), KNEE_SIDE_MM, anatomy)


class StoredCohort:
    """Volumes of a prepared set.

    Args:
        folder: of the set.
        split: of its volumes.
        number: at most so many.

    Raises:
        UsageError: there is no set, or it has no volume of this split.
    """

    def __init__(self, folder: Path, split: str, number: int) -> None:
        self.store = VolumeStore.open(folder)
        splits = self.store.index["splits"]
        self.rows = [row for row, one in enumerate(splits) if one == split and self.store.done[row]][:number]
        if not self.rows:
            raise UsageError(f"prepared set {folder.name}", f"must hold volumes of the split {split}", "none")
        self.names = [str(self.store.index["volumes"][row]) for row in self.rows]

    def __getitem__(self, index: int) -> VolumeCase:
        """Read a volume; each counts as a person's own."""
        stored = self.store.read(self.rows[index])
        voxels = np.asarray(stored["voxels"], np.float32) / 255
        name = self.names[index]
        return VolumeCase(name, name, BODIES, voxels, Extent.of(stored["acquired"]), float(self.store.index["side_mm"]))


def volume_cohort(source: CaseSource, split: str, number: int) -> Cohort[VolumeCase]:
    """Cases of a split of a study.

    Raises:
        UsageError: there are none.
    """
    if split in (CONES, MASKED):
        return ConeCohort("test", number, source.seed, split == MASKED)
    if source.data is not None:
        if split not in _PREPARED:
            raise UsageError("study", "must not need what only simulated knees have", f"split {split}")
        return StoredCohort(source.data, _PREPARED[split], number)
    return KneeCohort(KNEE_SPLITS[split], number, source.seed)


def can_answer(study: Study[Any, Any], source: CaseSource) -> bool:
    """Whether a prepared set has the splits that a study asks for; simulated cases have all of them."""
    if source.data is None:
        return True
    held = stored_splits(source.data)
    return all(split in (CONES, MASKED) or _PREPARED.get(split) in held for split in study.splits)


def stored_splits(folder: Path) -> set[str]:
    """Splits that a prepared set has volumes of.

    Raises:
        UsageError: there is no set.
    """
    store = VolumeStore.open(folder)
    return {split for row, split in enumerate(store.index["splits"]) if store.done[row]}


def domain_of_split(split: str) -> str:
    """The domain of a split of cases."""
    return CONES if "cones" in split else BODIES


def training_volumes(source: CaseSource, number: int, splits: Set[str]) -> Iterator[VolumeCase]:
    """Volumes that methods without weights are fitted to: so many bodies, or ten times as many cones, or both.

    They are of the domains of the splits that are measured.

    Where a prepared set has no training volumes, it is foreign to whatever was trained, and simulated knees stand for
    what methods know.
    """
    domains = {domain_of_split(split) for split in splits}
    cohorts: list[Cohort[VolumeCase]] = []
    if CONES in domains:
        cohorts.append(ConeCohort("training", 10 * number))
    if BODIES in domains:
        if source.data is not None and "training" in stored_splits(source.data):
            cohorts.append(StoredCohort(source.data, "training", number))
        else:
            cohorts.append(KneeCohort("training", number))
    for cohort in cohorts:
        for index in range(len(cohort.names)):
            yield cohort[index]
