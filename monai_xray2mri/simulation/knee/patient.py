"""One patient's knee: drawn once, then examined in the scanner and before the plate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import torch
from torch import Tensor

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.anatomy import measurement
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import Pathology, draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, draw_shape
from monai_xray2mri.simulation.knee.mri import mr
from monai_xray2mri.simulation.knee.mri.contrast import WATER_EXCITED_FLASH, Contrast
from monai_xray2mri.simulation.knee.mri.painting import KneePainter
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES, kellgren_lawrence, patient_grades
from monai_xray2mri.simulation.knee.people.participants import participant_traits
from monai_xray2mri.simulation.knee.people.seeds import knee_generator, seed_range_name
from monai_xray2mri.simulation.knee.xray import radiography
from monai_xray2mri.simulation.knee.xray.radiography import Exposure, SamplePoints

_SHIFTED_SPREAD: Final = 1.8


def draw_patient_knee(seed: int, grades: Mapping[str, int] | None = None) -> tuple[KneeShape, Pathology]:
    """Shape and pathology of the right knee of a seed, with the given grades in place of the drawn ones.

    Raises:
        InputRefused: seed outside all ranges, unknown feature or grade.
    """
    cohort = seed_range_name(seed)
    drawn = patient_grades(seed)
    for stem, grade in (grades or {}).items():
        if stem not in MAXIMAL_GRADES or not 0 <= grade <= MAXIMAL_GRADES[stem]:
            raise InputRefused(f"feature {stem}", "must be one of the 19 with a grade of its range", str(grade))
        drawn[stem] = int(grade)
    if grades and "XRKL" not in grades:
        drawn["XRKL"] = kellgren_lawrence(drawn)
    traits = participant_traits(seed)
    spread = _SHIFTED_SPREAD if cohort == "shifted" else 1.0
    shape = draw_shape(knee_generator(seed, "anatomy"), spread, traits.size, traits.fat)
    return shape, draw_pathology(drawn, knee_generator(seed, "lesions"))


def check_visibility(visibility: float) -> None:
    """Check that a visibility is a number from 0 to 1.

    Raises:
        InputRefused: it is not.
    """
    if not 0.0 <= visibility <= 1.0:
        raise InputRefused("visibility", "must lie in 0 to 1", str(visibility))


@dataclass(frozen=True)
class ScannedSlices:
    """Slices of an MR examination.

    Attributes:
        volume, noise_free: [N,256,256] float32 in [0,1].
        labels, lesions: [N,256,256] uint8; see :class:`~monai_xray2mri.simulation.knee.knee.SimulatedKnee`.
    """

    volume: Tensor
    noise_free: Tensor
    labels: Tensor
    lesions: Tensor


@dataclass(frozen=True)
class Scan:
    """A knee in the scanner, whose slices are made when they are asked for.

    Attributes:
        anatomy: as it lies.
        placement: of the field of view.
        painter: of its slices.
        receiver: what the coil adds.
    """

    anatomy: KneeAnatomy
    placement: mr.Placement
    painter: KneePainter
    receiver: mr.Receiver

    @property
    def grades(self) -> dict[str, int]:
        """OAI stem to grade, all 19."""
        return dict(self.anatomy.pathology.grades)

    @property
    def joint_space_mm(self) -> dict[str, float]:
        """Least distance of the bones in the middle of each compartment, ``"M"`` and ``"L"``."""
        return dict(measurement.joint_space_mm(self.anatomy))

    @one_thread()
    def slices(self, numbers: Sequence[int] | None = None) -> ScannedSlices:
        """Make some slices, in the order of their numbers; None makes all.

        A slice has the same bits whichever others are made.

        Raises:
            InputRefused: a slice that there is not.
        """
        chosen = range(mr.SLICES) if numbers is None else numbers
        for number in chosen:
            if not 0 <= number < mr.SLICES:
                raise InputRefused("slice of the MR volume", f"must lie in 0 to {mr.SLICES - 1}", str(number))
        canvas, lesions = self.painter.slices(chosen)
        volume, noise_free = self.receiver.acquire(canvas.signal, chosen)
        return ScannedSlices(volume, noise_free, canvas.labels, lesions)


@dataclass(frozen=True)
class Film:
    """The film of a knee before it is exposed.

    Attributes:
        seed: the knee's.
        anatomy: as it stands.
        samples: where the film is sampled.
        exposure: how it is exposed.
        noise: random generator of its noise.
        device: where it is computed.
    """

    seed: int
    anatomy: KneeAnatomy
    samples: SamplePoints
    exposure: Exposure
    noise: torch.Generator
    device: torch.device

    @property
    def joint_space_mm(self) -> dict[str, float]:
        """Joint space as the film shows it, ``"M"`` and ``"L"``, in mm in the joint plane."""
        return dict(measurement.projected_joint_space_mm(self.anatomy))

    @one_thread()
    def image(self) -> Tensor:
        """The radiograph [H,W] float32 in [0,1]. It draws the noise, so it is called only once."""
        total = radiography.attenuation(
            self.anatomy.shape,
            self.anatomy.pathology,
            self.anatomy.pose,
            self.samples,
            knee_generator(self.seed, "trabeculae"),
            anatomy=self.anatomy,
            device=self.device,
        )
        reference = radiography.reference_attenuation(total)
        return radiography.exposed(total, self.exposure, reference, self.samples.pixel_mm, self.noise)


@dataclass(frozen=True)
class Patient:
    """One knee, with what is the same in all its examinations.

    Attributes:
        seed: the knee's.
        shape: its shape.
        pathology: its grades and the sites of its lesions.
        device: where to compute. Random numbers are drawn on the CPU, so devices differ only by rounding.
    """

    seed: int
    shape: KneeShape
    pathology: Pathology
    device: torch.device

    @classmethod
    def draw(cls, seed: int, grades: Mapping[str, int] | None = None, device: str | torch.device = "cpu") -> Self:
        """Draw the knee of a seed; see :func:`draw_patient_knee`."""
        return cls(seed, *draw_patient_knee(seed, grades), torch.device(device))

    @one_thread()
    def scan(self, nuisance: int = 0, contrast: Contrast = WATER_EXCITED_FLASH) -> Scan:
        """Lay the knee into the scanner for MR examination number ``nuisance`` with a sequence."""
        redrawn = f" {nuisance}" if nuisance else ""
        placement = mr.draw_placement(knee_generator(self.seed, f"mr placement{redrawn}"))
        pose = mr.draw_pose(knee_generator(self.seed, f"mr pose{redrawn}"))
        grid = mr.mr_grid(placement, self.shape.scale)
        low, high = grid.z_range
        anatomy = build_anatomy(self.shape, self.pathology, pose, (low - 2, high + 2), device=self.device)
        painter = KneePainter.of(anatomy, grid, knee_generator(self.seed, f"mr texture{redrawn}"), contrast)
        receiver = mr.Receiver.draw(grid, knee_generator(self.seed, f"mr{redrawn}"), self.device)
        return Scan(anatomy, placement, painter, receiver)

    @one_thread()
    def stand(self, visibility: float = 0.5, margin: float = 0.0) -> Film:
        """Pose the knee for the film and draw its exposure.

        Args:
            visibility: how visible cysts, chondrocalcinosis and attrition are, 0 to 1.
            margin: see :func:`~monai_xray2mri.simulation.knee.knee.simulate_knee`.

        Raises:
            InputRefused: visibility outside 0 to 1, or a negative margin.
        """
        check_visibility(visibility)
        if margin < 0:
            raise InputRefused("margin", "must not be negative", str(margin))
        film = knee_generator(self.seed, "film")
        exposure = radiography.draw_exposure(film)
        pose = radiography.draw_pose(self.shape, film)
        found = radiography.draw_region(film)
        samples = radiography.true_region(margin) if margin > 0 else found
        pathology = replace(self.pathology, scale=visibility)
        anatomy = radiography.film_anatomy(self.shape, pathology, pose, samples, self.device)
        return Film(self.seed, anatomy, samples, exposure, film, self.device)
