"""The random shape of one knee and its pose in one examination; all anatomy follows from these and the grades."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from monai_xray2mri.simulation.tools.noise import FineNoise, noise_knots

DEFORMATION_KNOT_MM = 18.0
DEFORMATION_KNOTS = 14
ROUGHNESS_KNOT_MM = 6.0
ROUGHNESS_KNOTS = 22


def _still() -> Tensor:
    return torch.zeros(2, 3, DEFORMATION_KNOTS, DEFORMATION_KNOTS, DEFORMATION_KNOTS)


def _smooth() -> Tensor:
    return torch.zeros(2, ROUGHNESS_KNOTS, ROUGHNESS_KNOTS, ROUGHNESS_KNOTS)


@dataclass(frozen=True)
class KneeShape:
    """Everything about one knee's shape that is drawn at random, as differences from the template.

    Lengths are reference mm, angles degrees. The defaults give the template itself.

    Attributes:
        scale: mm per reference mm along (x, y, z).
        joint_space: least distance of the bones in the middle of the (medial, lateral) plateau, without narrowing.
        condyle_width: length by which the (medial, lateral) condyle reaches farther out.
        notch_width: length by which each wall of the intercondylar notch lies farther out.
        notch_height: length by which its roof lies higher.
        epicondyle: length by which the epicondyles reach farther out.
        shaft: factor on the width of the femoral shaft.
        tibia: factor on the width of the tibia.
        spines: length by which the (medial, lateral) intercondylar spine is higher.
        medial_dish: length by which the medial plateau is deeper in its middle.
        slope: posterior slope of the plateau.
        varus: rotation of the lower leg in the frontal plane; positive is varus.
        patella: center (x, y, z) of the patella.
        patella_size: factor on the size of the patella.
        fibula: center (x, y, z) of the head of the fibula.
        fat: thickness of the subcutaneous fat at the joint.
        muscle: factor on the muscles' width.
        cartilage: factor on the thickness of all cartilage.
        patellar_cartilage: further factor on the thickness of the patella's cartilage.
        cortex: factor on the thickness of the cortex.
        trabeculae: factor on the bone fraction of spongy bone.
        deformation: knots [2,3,K,K,K] of the smooth displacement (x, y, z) of (femur and patella, tibia and fibula).
        roughness: knots [2,K,K,K] of the unevenness of the same surfaces.
    """

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    joint_space: tuple[float, float] = (4.6, 5.8)
    condyle_width: tuple[float, float] = (0.0, 0.0)
    notch_width: float = 0.0
    notch_height: float = 0.0
    epicondyle: float = 0.0
    shaft: float = 1.0
    tibia: float = 1.0
    spines: tuple[float, float] = (0.0, 0.0)
    medial_dish: float = 0.0
    slope: float = 3.0
    varus: float = 0.0
    patella: tuple[float, float, float] = (-10.5, -49.0, 35.8)
    patella_size: float = 1.0
    fibula: tuple[float, float, float] = (-35.5, 21.5, -18.0)
    fat: float = 9.0
    muscle: float = 1.0
    cartilage: float = 1.0
    patellar_cartilage: float = 1.0
    cortex: float = 1.0
    trabeculae: float = 1.0
    deformation: Tensor = field(default_factory=_still)
    roughness: Tensor = field(default_factory=_smooth)

    @cached_property
    def displacement(self) -> tuple[FineNoise, FineNoise]:
        """The smooth displacement of (femur and patella, tibia and fibula) without its size in mm."""
        upper, lower = (FineNoise.of(part, DEFORMATION_KNOT_MM) for part in self.deformation)
        return upper, lower

    @cached_property
    def bumps(self) -> tuple[FineNoise, FineNoise]:
        """The unevenness of the same surfaces without its size in mm."""
        upper, lower = (FineNoise.of(part[None], ROUGHNESS_KNOT_MM) for part in self.roughness)
        return upper, lower


_SPREADS: Mapping[str, tuple[float, ...]] = {
    "joint_space": (0.55, 0.6),
    "condyle_width": (0.9, 0.9),
    "notch_width": (0.7,),
    "notch_height": (1.6,),
    "epicondyle": (0.7,),
    "shaft": (0.06,),
    "tibia": (0.02,),
    "spines": (1.1, 1.1),
    "medial_dish": (0.4,),
    "slope": (2.4,),
    "varus": (1.6,),
    "patella": (2.5, 1.0, 3.5),
    "patella_size": (0.06,),
    "fibula": (0.8, 1.6, 3.0),
    "muscle": (0.08,),
    "cartilage": (0.08,),
    "patellar_cartilage": (0.15,),
    "cortex": (0.15,),
    "trabeculae": (0.15,),
}
"""Standard deviations of the fields of :class:`KneeShape`."""

_MEANS: Mapping[str, tuple[float, ...]] = {
    "spines": (0.5, 1.2),
    "slope": (5.0,),
    "epicondyle": (0.3,),
    "notch_width": (1.0,),
    "patella": (-10.5, -49.8, 35.8),
    "patellar_cartilage": (1.4,),
    "fibula": (-33.5, 22.5, -21.0),
}
"""Means that differ from the template. Its spline is too coarse for the tips of the intercondylar spines; its notch is
narrower, its plateau less steep, its patellar cartilage thinner than the population's (docs/simulation/anatomy.md)."""

_MEAN_SCALE = (1.05, 1.04, 1.04)
"""The template is a small person's: bicondylar width 75.6 mm, patella 42 mm wide. Published: 82.7 mm (Greek femora,
women and men as in OAI; hindawi.com/journals/ari/2012/679658), 76.7 mm in a younger series (foliamedica.mf.unsa.ba,
article 144), patella 44.8 mm (Iranpour; Arthroplasty 2022, article 117, table 10). The mean knee lies between them."""
_SCALE_SPREADS = (0.015, 0.025, 0.02)
_SIZE_SPREAD = 0.02
"""Standard deviation of ``scale`` among people of one sex and stature; the argument ``size`` holds these two."""


def draw_shape(generator: torch.Generator, spread: float = 1.0, size: float = 1.0, fat: float = 1.0) -> KneeShape:
    """Draw a knee from the population.

    Args:
        generator: the knee's random generator of the stream ``"anatomy"``.
        spread: factor on all deviations from the mean; above 1 gives shapes that training knees do not have.
        size: factor on the size of the whole knee (from sex and stature).
        fat: factor on the thickness of the subcutaneous fat (from sex and body mass index).
    """

    def normal() -> float:
        value: float = torch.randn((), generator=generator).clamp(-2.5, 2.5).item()
        return spread * value

    size = size * (1.0 + _SIZE_SPREAD * normal())
    drawn: dict[str, object] = {
        "scale": tuple(size * (mean + s * normal()) for mean, s in zip(_MEAN_SCALE, _SCALE_SPREADS, strict=True)),
        "fat": max(3.0, fat * (9.0 + 2.0 * normal())),
    }
    for item in fields(KneeShape):
        if item.name not in _SPREADS:
            continue
        default = item.default if isinstance(item.default, tuple) else (item.default,)
        means = _MEANS.get(item.name, default)
        numbers = tuple(m + s * normal() for m, s in zip(means, _SPREADS[item.name], strict=True))
        drawn[item.name] = numbers if isinstance(item.default, tuple) else numbers[0]
    drawn["deformation"] = spread * torch.stack(
        [torch.stack([noise_knots(generator, DEFORMATION_KNOTS) for _ in range(3)]) for _ in range(2)]
    )
    drawn["roughness"] = torch.stack([noise_knots(generator, ROUGHNESS_KNOTS) for _ in range(2)])
    return replace(KneeShape(), **drawn)  # type: ignore[arg-type]


def mean_shape(size: float = 1.0, fat: float = 1.0) -> KneeShape:
    """The mean of :func:`draw_shape` for a factor on the size and a factor on the fat."""
    return replace(draw_shape(torch.Generator(), 0.0, size, fat), roughness=_smooth())


def resembling(shape: KneeShape, other: KneeShape, mean: KneeShape, correlation: float) -> KneeShape:
    """A shape that is correlated with another, with the same variance about the mean as an independent draw.

    Args:
        shape: the knee that the result resembles.
        other: an independent draw.
        mean: the mean shape.
        correlation: correlation of every number of the result with that of ``shape``, about the mean.
    """
    rest = math.sqrt(1 - correlation**2)

    def between(one: object, drawn: object, middle: object) -> object:
        if isinstance(one, tuple) and isinstance(drawn, tuple) and isinstance(middle, tuple):
            return tuple(between(*parts) for parts in zip(one, drawn, middle, strict=True))
        return middle + correlation * (one - middle) + rest * (drawn - middle)  # type: ignore[operator]

    names = [item.name for item in fields(KneeShape)]
    numbers = {name: between(getattr(shape, name), getattr(other, name), getattr(mean, name)) for name in names}
    return KneeShape(**numbers)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Pose:
    """How the knee lies for one examination; angles in degrees.

    Attributes:
        flexion: rotation of the femur about its condyles.
        beam_tilt: rotation of the whole knee about x; the caudal tilt of the tube has the same effect. A tilt equal to
            the tibial slope shows the plateau edge-on.
        load: mm by which weight-bearing narrows both joint spaces.
        roll: rotation of the whole knee about the leg's axis; positive is external rotation (front to lateral).
        lean: rotation of the whole knee in the frontal plane; positive moves the medial side down.
    """

    flexion: float = 0.0
    beam_tilt: float = 0.0
    load: float = 0.0
    roll: float = 0.0
    lean: float = 0.0
