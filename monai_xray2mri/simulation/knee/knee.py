"""One simulated right knee: MR volume, labels, lesions, joint radiograph and truth from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.anatomy import measurement
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import Pathology, draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, draw_shape
from monai_xray2mri.simulation.knee.anatomy.truth import KneeTruth
from monai_xray2mri.simulation.knee.mri import mr
from monai_xray2mri.simulation.knee.mri.painting import paint_knee
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES, kellgren_lawrence, patient_grades
from monai_xray2mri.simulation.knee.people.participants import participant_traits
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, knee_generator, seed_range_name
from monai_xray2mri.simulation.knee.xray import radiography
from monai_xray2mri.simulation.knee.xray.radiography import Exposure, SamplePoints

_SHIFTED_SPREAD = 1.8
_FILM_REACH_MM = 75.0


@dataclass(frozen=True)
class SimulatedKnee:
    """A right knee with its truth.

    Attributes:
        volume: [80,256,256] float32 in [0,1], with noise. Slice 0 is posterior, row 0 superior, column 0 at the
            patient's right; slices are 1.5 mm, pixels 0.625 mm. All knees share one intensity scale. Where only some
            slices were asked for, it and the next three hold these, in the order asked for.
        noise_free: [80,256,256] float32 in [0,1], the same volume without noise.
        labels: [80,256,256] uint8, :class:`~monai_xray2mri.simulation.knee.mri.mr.Tissue`.
        lesions: [80,256,256] uint8: 0 for none, else 1 + the index of the feature in
            :data:`~monai_xray2mri.simulation.knee.anatomy.truth.LESION_FEATURES` (cysts, chondrocalcinosis, attrition).
        affine: [4,4] float64, maps (column, row, slice) of the whole volume to LPS mm; the origin is the joint's
            center.
        radiograph: [299,299] float32 in [0,1], bone bright, the fibula at the image's left.
        grades: OAI stem to grade, all 19.
        truth: joint space, cartilage thickness, keypoints, boxes.
        seed: the seed of the knee.
        version: version of the simulator.
    """

    volume: np.ndarray
    noise_free: np.ndarray
    labels: np.ndarray
    lesions: np.ndarray
    affine: np.ndarray
    radiograph: np.ndarray
    grades: dict[str, int]
    truth: KneeTruth
    seed: int
    version: str = SIMULATOR_VERSION


@dataclass(frozen=True)
class KneeTensors:
    """A simulated knee whose tensors stay on their device, for training on knees that are simulated on the fly.

    Attributes:
        volume, noise_free: [80,256,256] float32 in [0,1], or the slices that were asked for.
        labels, lesions: [80,256,256] uint8, the same.
        radiograph: [H,W] float32 in [0,1].
        grades: OAI stem to grade, all 19.
        seed: the seed of the knee.
    """

    volume: Tensor
    noise_free: Tensor
    labels: Tensor
    lesions: Tensor
    radiograph: Tensor
    grades: dict[str, int]
    seed: int


@one_thread()
def simulate_knee(
    seed: int,
    grades: Mapping[str, int] | None = None,
    visibility: float = 0.5,
    *,
    nuisance: int = 0,
    margin: float = 0.0,
    slices: Sequence[int] | None = None,
    device: str | torch.device = "cpu",
) -> SimulatedKnee:
    """Simulate one right knee. On one device, equal arguments give bitwise equal knees.

    Args:
        seed: a seed of one of the ranges of :mod:`~monai_xray2mri.simulation.knee.people.seeds`.
        grades: grades that replace the drawn ones, for any of the 19 OAI stems. The rest of the knee does not change.
            XRKL follows from the other grades unless it is given.
        visibility: how visible cysts, chondrocalcinosis and attrition are in the radiograph, 0 to 1.
        nuisance: number of the MR examination. Another number draws pose, field of view, texture, bias and noise
            again; anatomy and radiograph stay.
        margin: 0 gives the region that an imperfect joint detector cuts out. Above 0, the region is the true box,
            enlarged on every side by this share of its side, at the same pixel size.
        slices: which slices of the MR volume to make, 0 to 79; None makes all. A slice has the same bits whichever
            others are made, and ten of them take a third of the time of all.
        device: where to compute. Random numbers are drawn on the CPU, so devices differ only by rounding.

    Raises:
        InputRefused: seed outside all ranges, unknown feature or grade, visibility outside 0 to 1, margin below 0, a
            slice that there is not.
    """
    patient = _Patient.draw(seed, grades, visibility, torch.device(device))
    examination = patient.examine(nuisance, slices)
    film = patient.stand(margin)
    return SimulatedKnee(
        volume=examination.volume.cpu().numpy(),
        noise_free=examination.noise_free.cpu().numpy(),
        labels=examination.labels.cpu().numpy(),
        lesions=examination.lesions.cpu().numpy(),
        affine=examination.placement.affine,
        radiograph=film.image().cpu().numpy(),
        grades=dict(patient.pathology.grades),
        truth=_truth(examination, film),
        seed=seed,
    )


def simulate_knees(
    seeds: Sequence[int],
    device: str | torch.device = "cpu",
    visibility: float = 0.5,
    *,
    margin: float = 0.0,
    slices: Sequence[int] | None = None,
) -> Iterator[KneeTensors]:
    """Simulate knees one after another, without their truth; the tensors stay on the device.

    Each knee equals the one that :func:`simulate_knee` makes from its seed; it does not depend on the other seeds.

    Args:
        seeds: seeds of any ranges.
        device: where to compute.
        visibility: as for :func:`simulate_knee`.
        margin: as for :func:`simulate_knee`.
        slices: as for :func:`simulate_knee`, the same of every knee.

    Raises:
        InputRefused: as :func:`simulate_knee`.
    """
    for seed in seeds:
        yield _simulate_tensors(seed, visibility, margin, slices, torch.device(device))


@one_thread()
def _simulate_tensors(
    seed: int, visibility: float, margin: float, slices: Sequence[int] | None, device: torch.device
) -> KneeTensors:
    patient = _Patient.draw(seed, None, visibility, device)
    examination = patient.examine(0, slices)
    return KneeTensors(
        examination.volume,
        examination.noise_free,
        examination.labels,
        examination.lesions,
        patient.stand(margin).image(),
        dict(patient.pathology.grades),
        seed,
    )


@one_thread()
def simulate_radiograph(
    seed: int,
    grades: Mapping[str, int] | None = None,
    visibility: float = 0.5,
    *,
    margin: float = 0.0,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Only the radiograph of :func:`simulate_knee`, [H,W] float32 in [0,1]; 299 x 299 without a margin.

    The arguments are those of :func:`simulate_knee`.

    Raises:
        InputRefused: as :func:`simulate_knee`.
    """
    patient = _Patient.draw(seed, grades, visibility, torch.device(device))
    image: np.ndarray = patient.stand(margin).image().cpu().numpy()
    return image


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
class _Examination:
    """The MR examination of a knee."""

    anatomy: KneeAnatomy
    placement: mr.Placement
    volume: Tensor
    noise_free: Tensor
    labels: Tensor
    lesions: Tensor


@dataclass(frozen=True)
class _Film:
    """The film of a knee before it is exposed."""

    seed: int
    patient: _Patient
    anatomy: KneeAnatomy
    samples: SamplePoints
    exposure: Exposure
    noise: torch.Generator

    def image(self) -> Tensor:
        """The radiograph [H,W] float32 in [0,1]. It draws the noise, so it is called only once."""
        total = radiography.attenuation(
            self.anatomy.shape,
            self.anatomy.pathology,
            self.anatomy.pose,
            self.samples,
            knee_generator(self.seed, "trabeculae"),
            anatomy=self.anatomy,
            device=self.patient.device,
        )
        reference = radiography.reference_attenuation(total)
        return radiography.exposed(total, self.exposure, reference, self.samples.pixel_mm, self.noise)


@dataclass(frozen=True)
class _Patient:
    """One knee, with what is the same in all its examinations."""

    seed: int
    shape: KneeShape
    pathology: Pathology
    visibility: float
    device: torch.device

    @classmethod
    def draw(cls, seed: int, grades: Mapping[str, int] | None, visibility: float, device: torch.device) -> _Patient:
        """Draw the knee of a seed."""
        shape, pathology = draw_patient_knee(seed, grades)
        check_visibility(visibility)
        return cls(seed, shape, pathology, visibility, device)

    def examine(self, nuisance: int, slices: Sequence[int] | None = None) -> _Examination:
        """Make MR examination number ``nuisance``, or some of its slices."""
        for number in slices or ():
            if not 0 <= number < mr.SLICES:
                raise InputRefused("slice of the MR volume", f"must lie in 0 to {mr.SLICES - 1}", str(number))
        redrawn = f" {nuisance}" if nuisance else ""
        placement = mr.draw_placement(knee_generator(self.seed, f"mr placement{redrawn}"))
        pose = mr.draw_pose(knee_generator(self.seed, f"mr pose{redrawn}"))
        grid = mr.mr_grid(placement, self.shape.scale)
        low, high = grid.z_range
        anatomy = build_anatomy(self.shape, self.pathology, pose, (low - 2, high + 2), device=self.device)
        canvas, lesions = paint_knee(anatomy, grid, knee_generator(self.seed, f"mr texture{redrawn}"), slices)
        volume, noise_free = mr.acquired(canvas.signal, grid, knee_generator(self.seed, f"mr{redrawn}"), slices)
        return _Examination(anatomy, placement, volume, noise_free, canvas.labels, lesions)

    def stand(self, margin: float) -> _Film:
        """Pose the knee for the film and draw its exposure.

        Raises:
            InputRefused: the margin is negative.
        """
        if margin < 0:
            raise InputRefused("margin", "must not be negative", str(margin))
        film = knee_generator(self.seed, "film")
        exposure = radiography.draw_exposure(film)
        pose = radiography.draw_pose(self.shape, film)
        found = radiography.draw_region(film)
        samples = radiography.true_region(margin) if margin > 0 else found
        pathology = replace(self.pathology, scale=self.visibility)
        anatomy = radiography.film_anatomy(self.shape, pathology, pose, samples, self.device)
        return _Film(self.seed, self, anatomy, samples, exposure, film)


def _truth(examination: _Examination, film: _Film) -> KneeTruth:
    lying, standing = examination.anatomy, film.anatomy
    scale = lying.shape.scale
    return KneeTruth(
        joint_space_mm=measurement.joint_space_mm(lying),
        film_joint_space_mm=measurement.projected_joint_space_mm(standing),
        cartilage_mm=measurement.cartilage_mm(lying),
        keypoints={
            name: (x * scale[0], y * scale[1], z * scale[2]) for name, (x, y, z) in measurement.keypoints(lying).items()
        },
        film_keypoints={
            name: film.samples.pixel((x * scale[0], y * scale[1], z * scale[2]))
            for name, (x, y, z) in measurement.keypoints(standing).items()
        },
        box=radiography.true_box(film.samples),
        lesion_boxes={
            stem: film.samples.box((x[0] * scale[0], x[1] * scale[0]), (z[0] * scale[2], z[1] * scale[2]))
            for stem, (x, z) in measurement.lesion_extents(standing).items()
        },
        volumes_ml=measurement.volumes_ml(lying, (-80.0 / scale[2], 80.0 / scale[2])),
    )
