"""What is drawn at random about one knee's shape and about how it lies; everything else follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from monai_xray2mri.simulation.fields import noise_knots


@dataclass(frozen=True)
class KneeShape:
    """Everything about one knee's shape that is drawn at random; lengths in reference mm, angles in degrees.

    Attributes:
        scale: what turns reference mm into mm along (x, y, z).
        joint_space: distance of the bones, (medial, lateral), without narrowing and load.
        condyle_half_width: (medial, lateral).
        condyle_rounding: radius of the condyles' edges.
        notch_half_width: of the intercondylar notch.
        notch_height: of its roof over the joint line.
        epicondyle: by how much the epicondyles stand out.
        shaft: factor on the width of the femoral shaft.
        tibia: factor on the width of the tibia.
        spine_heights: of the intercondylar spines, (medial, lateral).
        eminence: height of the mound that carries them.
        medial_dish: depth of the medial plateau's hollow.
        slope: posterior slope of the plateau.
        varus: alignment of the leg; drawn, but not shown by this version of the anatomy.
        patella: centre (x, y, z).
        patella_size: factor on its semi-axes.
        fibula: centre of its head (x, y, z).
        fat: thickness of the subcutaneous fat at the joint.
        muscle: factor on the muscles' semi-axes.
        cartilage: factor on its thickness.
        cortex: factor on its thickness.
        trabeculae: factor on the bone fraction of spongy bone.
        surface: knots of the smooth unevenness of (femur and patella, tibia and fibula).
    """

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    joint_space: tuple[float, float] = (4.8, 5.4)
    condyle_half_width: tuple[float, float] = (13.8, 13.8)
    condyle_rounding: float = 10.0
    notch_half_width: float = 9.5
    notch_height: float = 17.0
    epicondyle: float = 1.0
    shaft: float = 1.0
    tibia: float = 1.0
    spine_heights: tuple[float, float] = (7.5, 6.5)
    eminence: float = 3.2
    medial_dish: float = 1.6
    slope: float = 4.0
    varus: float = 0.0
    patella: tuple[float, float, float] = (-5.0, -51.0, 31.0)
    patella_size: float = 1.0
    fibula: tuple[float, float, float] = (-37.0, 15.0, -21.0)
    fat: float = 9.0
    muscle: float = 1.0
    cartilage: float = 1.0
    cortex: float = 1.0
    trabeculae: float = 1.0
    surface: tuple[Tensor, Tensor] = field(default_factory=lambda: (torch.zeros(20, 20, 20),) * 2)


_SPREADS: Mapping[str, tuple[float, ...]] = {
    "joint_space": (0.45, 0.5),
    "condyle_half_width": (0.8, 0.8),
    "condyle_rounding": (1.2,),
    "notch_half_width": (1.1,),
    "notch_height": (1.8,),
    "epicondyle": (0.5,),
    "shaft": (0.06,),
    "tibia": (0.025,),
    "spine_heights": (1.3, 1.3),
    "eminence": (0.6,),
    "medial_dish": (0.45,),
    "slope": (2.0,),
    "varus": (1.6,),
    "patella": (2.5, 1.0, 3.5),
    "patella_size": (0.06,),
    "fibula": (1.3, 1.8, 3.0),
    "muscle": (0.08,),
    "cartilage": (0.07,),
    "cortex": (0.15,),
    "trabeculae": (0.15,),
}
"""Standard deviations of the shape's numbers about their defaults."""


def draw_shape(generator: torch.Generator, spread: float = 1.0) -> KneeShape:
    """Draw a knee from the population; ``spread`` above 1 leaves the training range (shifted cohort)."""

    def normal() -> float:
        value: float = torch.randn((), generator=generator).clamp(-2.5, 2.5).item()
        return spread * value

    size = 1.03 + 0.05 * normal()
    drawn: dict[str, object] = {
        "scale": (size * (1.02 + 0.015 * normal()), size * (1 + 0.025 * normal()), size * (1 + 0.02 * normal())),
        "fat": max(3.0, 9.0 + 3.5 * normal()),
    }
    for item in fields(KneeShape):
        if item.name not in _SPREADS:
            continue
        default = item.default
        if isinstance(default, tuple):
            drawn[item.name] = tuple(m + s * normal() for m, s in zip(default, _SPREADS[item.name], strict=True))
        else:
            drawn[item.name] = default + _SPREADS[item.name][0] * normal()  # type: ignore[operator]
    drawn["surface"] = (noise_knots(generator), noise_knots(generator))
    return replace(KneeShape(), **drawn)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Pose:
    """How the knee lies for one examination; angles in degrees.

    Attributes:
        flexion: turns the femur about its condyles.
        beam_tilt: turns the whole knee about x, as the caudal tilt of the tube does; equal to the tibial slope it
            shows the plateau edge-on.
        load: mm by which weight-bearing narrows both joint spaces.
    """

    flexion: float = 0.0
    beam_tilt: float = 0.0
    load: float = 0.0
