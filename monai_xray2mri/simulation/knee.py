"""One simulated right knee: MR volume, labels, lesions and joint radiograph from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation import mr, radiography
from monai_xray2mri.simulation.grades import MAXIMAL_GRADES, draw_grades, kellgren_lawrence
from monai_xray2mri.simulation.pathology import Pathology, draw_pathology
from monai_xray2mri.simulation.rendering import paint_knee
from monai_xray2mri.simulation.seeds import SIMULATOR_VERSION, knee_generator, seed_range_name
from monai_xray2mri.simulation.shape import KneeShape, draw_shape
from monai_xray2mri.simulation.threads import one_thread

_SHIFTED_SPREAD = 1.8


@dataclass(frozen=True)
class SimulatedKnee:
    """A right knee with its truth.

    Attributes:
        volume: [80,256,256] float32 in [0,1] as acquired; slice 0 posterior, row 0 superior, column 0 at the
            patient's right; 1.5 mm slices, 0.625 mm pixels; one intensity scale for all knees.
        noise_free: the same without noise.
        labels: [80,256,256] uint8, :class:`~monai_xray2mri.simulation.mr.Tissue`.
        lesions: [80,256,256] bool: cysts, chondrocalcinosis, attrition.
        radiograph: [299,299] float32 in [0,1], bone bright, the fibula at the image's left.
        grades: OAI stem to grade, all 19.
        seed: the seed it was made from.
        version: version of the simulator.
    """

    volume: np.ndarray
    noise_free: np.ndarray
    labels: np.ndarray
    lesions: np.ndarray
    radiograph: np.ndarray
    grades: dict[str, int]
    seed: int
    version: str = SIMULATOR_VERSION


@one_thread()
def simulate_knee(seed: int, grades: Mapping[str, int] | None = None, visibility: float = 0.5) -> SimulatedKnee:
    """Simulate one right knee; the same arguments give the same bits.

    Args:
        seed: a seed of one of the ranges of :mod:`~monai_xray2mri.simulation.seeds`.
        grades: grades that replace the drawn ones (any subset of the 19 stems); shape, sites and nuisance stay, and
            XRKL follows from the others unless it is given.
        visibility: 0 to 1, how far cysts, chondrocalcinosis and attrition show in the radiograph.

    Raises:
        InputRefused: seed outside all ranges, unknown feature or grade, visibility outside 0 to 1.
    """
    shape, pathology = draw_patient_knee(seed, grades)
    _check_visibility(visibility)
    placement = mr.draw_placement(knee_generator(seed, "mr placement"))
    grid = mr.mr_grid(placement, shape.scale)
    canvas, lesions = paint_knee(shape, pathology, grid, knee_generator(seed, "mr texture"))
    volume, noise_free = mr.acquired(canvas.signal, grid, knee_generator(seed, "mr"))
    return SimulatedKnee(
        volume=volume.numpy(),
        noise_free=noise_free.numpy(),
        labels=canvas.labels.numpy(),
        lesions=lesions.numpy(),
        radiograph=_joint_radiograph(seed, shape, replace(pathology, scale=visibility)),
        grades=dict(pathology.grades),
        seed=seed,
    )


@one_thread()
def simulate_radiograph(seed: int, grades: Mapping[str, int] | None = None, visibility: float = 0.5) -> np.ndarray:
    """The joint radiograph of :func:`simulate_knee` alone, [299,299] float32 in [0,1]."""
    shape, pathology = draw_patient_knee(seed, grades)
    _check_visibility(visibility)
    return _joint_radiograph(seed, shape, replace(pathology, scale=visibility))


def draw_patient_knee(seed: int, grades: Mapping[str, int] | None = None) -> tuple[KneeShape, Pathology]:
    """Shape and pathology of the knee of a seed, with the given grades in place of the drawn ones.

    Raises:
        InputRefused: seed outside all ranges, unknown feature or grade.
    """
    cohort = seed_range_name(seed)
    drawn = draw_grades(knee_generator(seed, "grades"), enriched=cohort == "lesion-enriched")
    for stem, grade in (grades or {}).items():
        if stem not in MAXIMAL_GRADES or not 0 <= grade <= MAXIMAL_GRADES[stem]:
            raise InputRefused(f"feature {stem}", "must be one of the 19 with a grade of its range", str(grade))
        drawn[stem] = int(grade)
    if grades and "XRKL" not in grades:
        drawn["XRKL"] = kellgren_lawrence(drawn)
    shape = draw_shape(knee_generator(seed, "anatomy"), _SHIFTED_SPREAD if cohort == "shifted" else 1.0)
    return shape, draw_pathology(drawn, knee_generator(seed, "lesions"))


def _check_visibility(visibility: float) -> None:
    if not 0.0 <= visibility <= 1.0:
        raise InputRefused("visibility", "must lie in 0 to 1", str(visibility))


def _joint_radiograph(seed: int, shape: KneeShape, pathology: Pathology) -> np.ndarray:
    film = knee_generator(seed, "film")
    exposure = radiography.draw_exposure(film)
    pose = radiography.draw_pose(shape, film)
    detector = radiography.draw_region(film)
    total = radiography.attenuation(shape, pathology, pose, detector, knee_generator(seed, "trabeculae"))
    image = radiography.exposed(total, exposure, radiography.reference_attenuation(total), detector.pixel_mm, film)
    result: np.ndarray = image.to(torch.float32).numpy()
    return result
