"""Feet to evaluate on: simulated ones with their truth, or pairs of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.protocols import Cohort
from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.simulation.foot.foot import REGISTRATION_MM, VISIBILITY, simulate_foot
from monai_xray2mri.simulation.foot.people import SEED_RANGES, foot_generator
from monai_xray2mri.simulation.foot.shape import MEANS, draw_shape, seen_shape, skin_correlation
from monai_xray2mri.systems.foot_xray_sccdm.baselines.given import GivenPhotograph
from monai_xray2mri.systems.foot_xray_sccdm.data.pairs import gray_of, pair_names, read_pair
from monai_xray2mri.systems.foot_xray_sccdm.lead_letter import without_lead_letters

TEST, CALIBRATION = "test", "calibration"
AGAIN_MM: Final = (0.0, REGISTRATION_MM)
"""Distances at which a test foot is radiographed again."""
VISIBILITIES: Final = {f"visibility {value:g}": value for value in (0.0, 0.5, 1.0)}
REGISTRATIONS: Final = {f"registration {value:g} mm": value for value in (0.0, 1.0, 2.0, 4.0)}
_PREPARED: Final = {TEST: "test", CALIBRATION: "validation"}
"""Splits of studies to folders of a prepared set; it has no others."""
_PER_SEED: Final = 1000


@dataclass(frozen=True)
class FootTruth:
    """What only a simulated foot knows.

    Attributes:
        keypoints: [10,2] (row, column) in pixels, (0, 0) the middle of the first.
        hallux_valgus: degrees.
        intermetatarsal: degrees.
        pixel_mm: mm.
        tone: of the skin, individual typology angle in degrees.
        bones: [S,S] bool, where the radiograph shows any bone.
        told: hallux valgus and intermetatarsal angle that the skin tells at best, see :func:`told_by_skin`.
        again: by distance in mm [S,S] the same foot radiographed again.
    """

    keypoints: np.ndarray
    hallux_valgus: float
    intermetatarsal: float
    pixel_mm: float
    tone: float
    bones: np.ndarray
    told: tuple[float, float]
    again: Mapping[float, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class FootCase:
    """A pair of photograph and radiograph.

    Attributes:
        name: of the case.
        participant: whose it is.
        photograph: [S,S] float32 in [0,1], grey, black beside the foot.
        radiograph: [S,S] float32 in [0,1], bone bright, without lead letters.
        truth: of a simulated foot.
    """

    name: str
    participant: str
    photograph: np.ndarray
    radiograph: np.ndarray
    truth: FootTruth | None = None

    def given(self) -> GivenPhotograph:
        """What a method is given."""
        return GivenPhotograph(self.name, self.photograph)

    def known(self) -> FootTruth:
        """The truth.

        Raises:
            InputRefused: nobody knows it.
        """
        if self.truth is None:
            raise InputRefused(f"foot {self.name}", "must be a simulated foot", "a pair without keypoints")
        return self.truth

    def with_photograph(self, photograph: np.ndarray) -> FootCase:
        """The same foot with another photograph."""
        return replace(self, photograph=photograph)


class SimulatedFeet:
    """Feet of a range of seeds.

    Args:
        split: of :data:`~monai_xray2mri.simulation.foot.people.SEED_RANGES`.
        number: of feet.
        seed: another one takes other feet.
        visibility: see :func:`~monai_xray2mri.simulation.foot.foot.simulate_foot`.
        registration_mm: likewise.
        again_mm: likewise.

    Raises:
        UsageError: more feet than a seed has.
    """

    def __init__(
        self,
        split: str,
        number: int,
        seed: int = 0,
        visibility: float = VISIBILITY,
        registration_mm: float = REGISTRATION_MM,
        again_mm: tuple[float, ...] = (),
    ) -> None:
        if number > _PER_SEED and seed:
            raise UsageError("number of feet", f"must be at most {_PER_SEED} with another seed than 0", str(number))
        first = SEED_RANGES[split].start + seed * _PER_SEED
        self.names = [str(each) for each in range(first, first + number)]
        self.visibility, self.registration_mm, self.again_mm = visibility, registration_mm, again_mm

    def __getitem__(self, index: int) -> FootCase:
        """Simulate a foot."""
        name = self.names[index]
        foot = simulate_foot(
            int(name), visibility=self.visibility, registration_mm=self.registration_mm, again_mm=self.again_mm
        )
        photograph = gray_of(foot.cut_out.transpose(1, 2, 0))
        again = {distance: without_lead_letters(film, photograph > 0) for distance, film in foot.again.items()}
        truth = FootTruth(
            foot.keypoints, foot.hallux_valgus, foot.intermetatarsal, foot.pixel_mm, foot.camera.ita,
            np.any(list(foot.bones.values()), axis=0), told_by_skin(foot.seed, self.visibility), again,
        )  # fmt: skip
        return FootCase(name, name, photograph, without_lead_letters(foot.radiograph, photograph > 0), truth)


def told_by_skin(seed: int, visibility: float) -> tuple[float, float]:
    """Hallux valgus and intermetatarsal angle on the film, in degrees, as far as the skin tells them.

    The best linear prediction from the angles that the skin truly shows: no photograph can tell more, since the other
    angles of the skin add nothing to it. It bounds every method.
    """
    own, other = (draw_shape(foot_generator(seed, stream)) for stream in ("shape", "another shape"))
    shown, follows = seen_shape(own, other, visibility), skin_correlation(visibility)
    found = [share * (MEANS[name] + follows * (getattr(shown, name) - MEANS[name])) for name, share in _ON_FILM.items()]
    return found[0], found[1]


_ON_FILM: Final = {"hallux_valgus": 0.9385, "intermetatarsal": 0.913}
"""Angle on the film over that of the bones, which the tilted rays make smaller; of 24 feet, all within 0.7 degrees."""


class FolderOfPairs:
    """Pairs of a folder, a folder each.

    Args:
        folder: of the pairs.
        number: at most so many, the first ones by name.
        size: pixels a side.

    Raises:
        UsageError: it holds none.
    """

    def __init__(self, folder: Path, number: int, size: int = 256) -> None:
        self.folder, self.size = folder, size
        self.names = list(pair_names(folder))[:number]
        if not self.names:
            raise UsageError(f"pairs {folder.name}", "must hold a folder for each foot", "none")

    def __getitem__(self, index: int) -> FootCase:
        """Read a pair; each counts as a person's own."""
        name = self.names[index]
        photograph, radiograph = (picture / 255 for picture in read_pair(self.folder / name, self.size))
        return FootCase(name, name, photograph.astype(np.float32), radiograph.astype(np.float32))


def foot_cohort(source: CaseSource, split: str, number: int) -> Cohort[FootCase]:
    """Cases of a split of a study.

    Raises:
        UsageError: there are none.
    """
    if source.data is not None:
        if split not in _PREPARED:
            raise UsageError("study", "must not need what only simulated feet have", f"split {split}")
        return FolderOfPairs(source.data / _PREPARED[split], number)
    if split in VISIBILITIES:
        return SimulatedFeet(TEST, number, source.seed, visibility=VISIBILITIES[split])
    if split in REGISTRATIONS:
        return SimulatedFeet(TEST, number, source.seed, registration_mm=REGISTRATIONS[split])
    return SimulatedFeet(split, number, source.seed, again_mm=AGAIN_MM if split == TEST else ())


def training_feet(source: CaseSource, number: int, _splits: Set[str]) -> Iterator[FootCase]:
    """Pairs that methods without weights are fitted to, the same for all splits."""
    cohort: Cohort[FootCase] = (
        SimulatedFeet("training", number) if source.data is None else FolderOfPairs(source.data / "training", number)
    )
    for index in range(len(cohort.names)):
        yield cohort[index]
