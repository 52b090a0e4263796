"""Both knees of one patient: the right one is that of ``simulate_knee``, the left one resembles it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from monai_xray2mri.simulation.knee.anatomy.pathology import Pathology, draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose, mean_shape, resembling
from monai_xray2mri.simulation.knee.film.film_options import Hardware
from monai_xray2mri.simulation.knee.film.hardware import fitted
from monai_xray2mri.simulation.knee.patient import check_visibility, draw_patient_knee
from monai_xray2mri.simulation.knee.people.grades import patient_grades
from monai_xray2mri.simulation.knee.people.participants import participant_traits
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, knee_generator, seed_range_name
from monai_xray2mri.simulation.knee.xray import radiography
from monai_xray2mri.types import Side

SIDE_CORRELATION: Final = 0.85
"""Correlation of every number of ``KneeShape`` between both knees of patients of equal size; an estimate."""


@dataclass(frozen=True)
class PairedKnee:
    """One knee of a patient; a left one is described as its mirror image, a right knee.

    Attributes:
        side: side of the knee.
        seed: the patient's seed.
        shape: the knee's shape.
        pathology: its grades and sites.
        pose: how it stands on the film.
        metal: its implant; None without.
    """

    side: Side
    seed: int
    shape: KneeShape
    pathology: Pathology
    pose: Pose
    metal: Hardware | None = None

    def stream(self, name: str) -> str:
        """Name of a random stream of this knee; a right knee has the streams of ``simulate_knee``."""
        return name if self.side is Side.RIGHT else f"left {name}"


def draw_pair(
    seed: int,
    grades: Mapping[Side, Mapping[str, int]] | None = None,
    visibility: float = 0.5,
    metal: Mapping[Side, Hardware] | None = None,
) -> dict[Side, PairedKnee]:
    """Draw both knees of a patient, right before left.

    Args:
        seed: the patient's seed.
        grades: side to grades that replace the drawn ones.
        visibility: how visible cysts, chondrocalcinosis and attrition are, 0 to 1.
        metal: side to the implant of that knee.

    Raises:
        InputRefused: seed outside all ranges, unknown feature or grade, visibility outside 0 to 1.
    """
    check_visibility(visibility)
    given = grades or {}
    right = draw_patient_knee(seed, given.get(Side.RIGHT))
    left = _left_knee(seed, right[0], given.get(Side.LEFT) or {})
    return {
        side: _standing_knee(seed, side, shape, replace(pathology, scale=visibility), (metal or {}).get(side))
        for side, (shape, pathology) in ((Side.RIGHT, right), (Side.LEFT, left))
    }


def _left_knee(seed: int, right: KneeShape, given: Mapping[str, int]) -> tuple[KneeShape, Pathology]:
    """Shape and pathology of the left knee."""
    drawn = patient_grades(seed, Side.LEFT)
    del drawn["XRKL"]  # follows from the others unless it is given
    _, checked = draw_patient_knee(seed, {**drawn, **given})
    own = participant_traits(seed)
    shape = resembling(right, _another_shape(seed), mean_shape(own.size, own.fat), SIDE_CORRELATION)
    return shape, draw_pathology(checked.grades, knee_generator(seed, "left lesions"))


def _another_shape(seed: int) -> KneeShape:
    """A shape drawn independently, for the seed's range and for the patient's size and fat."""
    seeds = SEED_RANGES[seed_range_name(seed)]
    partner = seeds.start + (seed - seeds.start + len(seeds) // 2) % len(seeds)
    other, own, strange = draw_patient_knee(partner)[0], participant_traits(seed), participant_traits(partner)
    x, y, z = (own.size / strange.size * scale for scale in other.scale)
    return replace(other, scale=(x, y, z), fat=own.fat / strange.fat * other.fat)


def _standing_knee(seed: int, side: Side, shape: KneeShape, pathology: Pathology, metal: Hardware | None) -> PairedKnee:
    """A knee in its pose on the film; a right one draws the pose as ``simulate_knee`` does."""
    name = "film" if side is Side.RIGHT else "left film"
    generator = knee_generator(seed, name)
    radiography.draw_exposure(generator)  # keeps the order of ``simulate_knee``, which draws the exposure first
    pose = radiography.draw_pose(shape, generator)
    knee = PairedKnee(side, seed, shape, pathology, pose)
    if metal is None:
        return knee
    return replace(knee, shape=fitted(shape, metal), pathology=_operated(pathology, metal), metal=metal)


def _operated(pathology: Pathology, metal: Hardware) -> Pathology:
    """The pathology without the lesions of the bone that a prosthesis replaces."""
    sides = {"total prosthesis": ("M", "L"), "unicondylar prosthesis": ("M",)}.get(metal, ())
    kept = {stem: 0 if stem.endswith(sides) and stem != "XRKL" else grade for stem, grade in pathology.grades.items()}
    return replace(pathology, grades=kept) if sides else pathology
