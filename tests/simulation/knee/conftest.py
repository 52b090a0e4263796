"""Simulated knees that several tests look at; each is made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import build_anatomy
from monai_xray2mri.simulation.knee.anatomy.shape import Pose
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm, simulate_film
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.knee.mri import mr
from monai_xray2mri.simulation.knee.mri.mr import Canvas, Placement, mr_grid
from monai_xray2mri.simulation.knee.mri.painting import paint_knee
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES
from monai_xray2mri.simulation.knee.people.seeds import TEST, knee_generator
from monai_xray2mri.simulation.knee.xray.radiography import SamplePoints, attenuation
from monai_xray2mri.systems.knee_xray2mri.example_study import EXAMPLE_SEED

SEED = TEST.start + 20
HEALTHY = dict.fromkeys(MAXIMAL_GRADES, 0)
COARSE_PIXEL_MM = 0.75


@cache
def _painted(grades: tuple[tuple[str, int], ...]) -> tuple[Canvas, Tensor]:
    shape, pathology = draw_patient_knee(SEED, {**HEALTHY, **dict(grades)})
    grid = mr_grid(Placement(), shape.scale)
    anatomy = build_anatomy(shape, pathology, Pose(), (-84.0, 84.0))
    return paint_knee(anatomy, grid, knee_generator(SEED, "mr texture"))


@cache
def _projected(grades: tuple[tuple[str, int], ...], visibility: float) -> Tensor:
    shape, drawn = draw_patient_knee(SEED, {**HEALTHY, **dict(grades)})
    steps = (torch.arange(136) + 0.5) * COARSE_PIXEL_MM
    samples = SamplePoints(57.0 - steps, steps - 51.0)
    pathology = replace(drawn, scale=visibility)
    pose = Pose(flexion=20.0, beam_tilt=shape.slope)
    return attenuation(shape, pathology, pose, samples, knee_generator(SEED, "trabeculae"))


@pytest.fixture(scope="session")
def painted() -> Callable[..., tuple[Canvas, Tensor]]:
    """Noise-free MR canvas and lesions of one knee that is healthy but for the given grades, centred exactly."""
    return lambda **grades: _painted(tuple(grades.items()))


@pytest.fixture(scope="session")
def projected() -> Callable[..., Tensor]:
    """Line integrals [136,136] of the same knee at 0.75 mm; x rises from -51 mm, z falls from 57 mm."""
    return lambda visibility=0.5, **grades: _projected(tuple(grades.items()), visibility)


@pytest.fixture(scope="session")
def knee() -> SimulatedKnee:
    """A knee of the validation range as it is drawn."""
    return simulate_knee(1_000_003)


@pytest.fixture(scope="session")
def film() -> SimulatedFilm:
    """The film of the example study."""
    return simulate_film(EXAMPLE_SEED)


def mr_millimetres(weights: Tensor) -> tuple[float, float, float]:
    """Centre of mass (x, y, z) in mm of weights [80,256,256] on the centred MR grid."""
    y = mr.CENTER_Y_MM + mr.SLICE_MM * ((mr.SLICES - 1) / 2 - torch.arange(mr.SLICES))
    across = mr.PIXEL_MM * (torch.arange(mr.MATRIX) - (mr.MATRIX - 1) / 2)
    total = weights.sum()
    return (
        float((weights.sum((0, 1)) * across).sum() / total),
        float((weights.sum((1, 2)) * y).sum() / total),
        float((weights.sum((0, 2)) * -across).sum() / total),
    )


def film_millimetres(weights: Tensor) -> tuple[float, float]:
    """Centre of mass (x, z) in mm of weights [136,136] of a coarse projection."""
    steps = (torch.arange(136) + 0.5) * COARSE_PIXEL_MM
    total = weights.sum()
    return float((weights.sum(0) * (steps - 51.0)).sum() / total), float(
        (weights.sum(1) * (57.0 - steps)).sum() / total
    )
