"""Comparison of the simulated anatomy with a real knee and with published dimensions.

``xray2mri measure anatomy --labels MAP [--knees N] [--json]``

The table has three columns: the real label map; the simulated knee that is nearest to it
(:mod:`~monai_xray2mri.knee.realism.anatomy_fit`); and N healthy knees of the validation range. The shipped template was
fitted to the same real knee, so the nearest knee only shows that nothing is lost between template and image. The
healthy knees and the published dimensions together show whether the population of the simulator is realistic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.realism.anatomy_fit import FittedKnee, fit_knee
from monai_xray2mri.knee.realism.bone_distance import (
    Distance,
    Surface,
    align,
    real_surface,
    simulated_surface,
    surface_distance,
)
from monai_xray2mri.knee.realism.morphometry import (
    KneeMasks,
    View,
    dimensions_mm,
    real_masks,
    simulated_masks,
    volumes_ml,
)
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.anatomy.bones import TEMPLATE_LEAN
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import Pose, draw_shape
from monai_xray2mri.simulation.knee.anatomy.template import Template
from monai_xray2mri.simulation.knee.people.participants import participant_traits
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION, knee_generator

BONES: Final = ("femur", "tibia", "fibula", "patella")
PUBLISHED: Final[Mapping[str, str]] = {
    "femoral width": "78.5 +- 3.0 women, 88.6 +- 4.2 men [1]",
    "medial condyle depth": "55.9 +- 2.9, 61.1 +- 3.4 [1]",
    "lateral condyle depth": "55.4 +- 2.1, 61.1 +- 3.3 [1]",
    "notch width": "18.7 +- 1.0, 22.0 +- 1.8 [1]; 18.6 +- 2.4 over 60 years [2]",
    "notch depth": "23.7 +- 1.2, 27.8 +- 1.6 [1]",
    "plateau width": "68.8 +- 4.6, 76.4 +- 2.8; 71.7 +- 4.0, 83.0 +- 6.2 [3]",
    "medial plateau depth": "47.5 +- 2.4, 53.3 +- 2.5 [3]",
    "lateral plateau depth": "42.4 +- 2.3, 47.7 +- 2.7 [3]",
    "medial slope": "6.6 +- 3.3, 5.9 +- 3.0 [4]; 5.7 [5]",
    "lateral slope": "4.6 +- 2.9, 4.4 +- 3.4 [4]; 5.6 [5]",
    "patella height": "34.4 +- 3.8; 36.9, 42.1 [6]",
    "patella width": "44.8 +- 4.8; 40.0, 45.0 [6]",
    "patella thickness": "22.4 +- 2.3; 21.9, 24.3 [6]",
    "fibular head width": "25.1 to 27.1 [7]",
    "medial joint space": "4.8 +- 0.7, 5.7 +- 0.8, standing [8]",
    "medial femoral cartilage": "1.86 [9]",
    "medial tibial cartilage": "1.73 [9]",
    "lateral femoral cartilage": "1.77 [9]",
    "lateral tibial cartilage": "2.09 [9]",
    "patellar cartilage": "2.76, men [10]",
}
"""Published means and standard deviations by dimension, of women, then of men; [n] is a source of
docs/simulation/anatomy.md."""

_COARSE_MM: Final = 0.75
"""Voxels across the leg are thinned out to this size; along the leg all are kept, because joint spaces are narrow."""
_MARGIN_MM: Final = 14.0
_DEGREES: Final = ("medial slope", "lateral slope")


@dataclass(frozen=True)
class Measured:
    """The measured numbers of one knee.

    Attributes:
        volumes_ml: structure to its volume in ml within the field of view of the real map.
        dimensions: name of a dimension to its value in mm, of slopes in degrees.
    """

    volumes_ml: Mapping[str, float]
    dimensions: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """A real knee and simulated ones.

    Attributes:
        real: the label map.
        fitted: the nearest simulated knee.
        fitted_distance: bone to the distance of its surface from the real one, in the position of the fit.
        population: random healthy knees.
        population_distance: for each of them bone to distance, after a similarity alignment of the bone.
    """

    real: Measured
    fitted: Measured
    fitted_distance: Mapping[str, Distance]
    population: Sequence[Measured]
    population_distance: Sequence[Mapping[str, Distance]]


def _measure(knee: KneeMasks) -> Measured:
    return Measured(volumes_ml(knee), dimensions_mm(knee))


def healthy_knee(seed: int) -> KneeAnatomy:
    """The knee of a seed without any feature, in the pose of the template's knee."""
    traits = participant_traits(seed)
    shape = draw_shape(knee_generator(seed, "anatomy"), size=traits.size, fat=traits.fat)
    pathology = draw_pathology({}, knee_generator(seed, "lesions"))
    return build_anatomy(shape, pathology, Pose(lean=-TEMPLATE_LEAN))


@torch.no_grad()
@one_thread()
def compare(
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    knees: int = 0,
    template: Template | None = None,
    steps: int = 3,
) -> Comparison:
    """Compare simulated knees with a real one.

    Args:
        labels: [Z,Y,X] integers of ``template.LABELS``, axes towards head, posterior and left, of a right knee.
        spacing: (z, y, x) distance of voxel centers in mm.
        knees: number of random knees.
        template: template of the fitted knee; None takes the shipped one.
        steps: number of Gauss-Newton steps of the fit.

    Raises:
        InputRefused: a structure is missing.
    """
    every = (1, *(max(1, int(_COARSE_MM / step)) for step in spacing[1:]))
    real = real_masks(labels, spacing, every)  # type: ignore[arg-type]
    for name, mask in real.masks.items():
        if not mask.any():
            raise InputRefused("label map", f"must hold the {name}", "no such voxel")
    surfaces = {bone: real_surface(real, bone) for bone in BONES}
    fit = fit_knee(surfaces, steps, template)
    measured, distances = [], []
    for seed in VALIDATION[:knees]:
        knee = healthy_knee(seed)
        measured.append(_measure(simulated_masks(knee, real.view)))
        distances.append(_aligned_distances(knee, surfaces, real.view))
    return Comparison(
        real=_measure(real),
        fitted=_measure(simulated_masks(fit.anatomy, _shift_view(fit, real.view))),
        fitted_distance=_fitted_distances(fit, surfaces, real.view),
        population=measured,
        population_distance=distances,
    )


def _shift_view(fit: FittedKnee, view: View) -> View:
    """A view of the real map, expressed in the frame of the fitted knee."""
    first = tuple(place - moved for place, moved in zip(view.first, fit.shift, strict=True))
    return View(first, view.spacing, view.size)  # type: ignore[arg-type]


def _fitted_distances(fit: FittedKnee, surfaces: Mapping[str, Surface], view: View) -> dict[str, Distance]:
    seen = _shift_view(fit, view).widened(_MARGIN_MM)
    found = {}
    for bone, real in surfaces.items():
        own = simulated_surface(fit.anatomy, bone, seen)
        found[bone] = surface_distance(real, Surface(own.points + np.asarray(fit.shift)), view)
    return found


def _aligned_distances(knee: KneeAnatomy, surfaces: Mapping[str, Surface], view: View) -> dict[str, Distance]:
    found = {}
    for bone, real in surfaces.items():
        own = simulated_surface(knee, bone, view.widened(_MARGIN_MM))
        found[bone] = surface_distance(real, align(own, real, scaled=True), view)
    return found


def table(comparison: Comparison) -> str:
    """The comparison as a Markdown table."""
    found = comparison
    lines = ["| | real | nearest | random knees | published |", "|---|---|---|---|---|"]
    for name, real in found.real.dimensions.items():
        unit = "degrees" if name in _DEGREES else "mm"
        random = _spread([each.dimensions[name] for each in found.population])
        lines.append(_line(f"{name}, {unit}", real, found.fitted.dimensions[name], random, PUBLISHED.get(name, "")))
    for name, real in found.real.volumes_ml.items():
        random = _spread([each.volumes_ml[name] for each in found.population])
        lines.append(_line(f"{name}, ml", real, found.fitted.volumes_ml[name], random, ""))
    for bone, distance in found.fitted_distance.items():
        medians = _spread([each[bone].median for each in found.population_distance], 2)
        p95 = _spread([each[bone].p95 for each in found.population_distance], 2)
        lines.append(f"| {bone} surface, median mm | | {distance.median:.2f} | {medians} | |")
        lines.append(f"| {bone} surface, 95th percentile mm | | {distance.p95:.2f} | {p95} | |")
    return "\n".join(lines) + "\n"


def _line(name: str, real: float, nearest: float, random: str, published: str) -> str:
    return f"| {name} | {real:.1f} | {nearest:.1f} | {random} | {published} |"


def _spread(values: Sequence[float], digits: int = 1) -> str:
    return f"{np.mean(values):.{digits}f} +- {np.std(values):.{digits}f}" if values else ""


def to_json(comparison: Comparison) -> str:
    """All numbers of the comparison as JSON."""
    return json.dumps(asdict(comparison), indent=2) + "\n"
