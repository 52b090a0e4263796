"""What each of the 19 radiographic features does to a knee, by grade and compartment.

After the OARSI atlas (Altman and Gold, Osteoarthritis Cartilage 2007;15 Suppl A:A1): osteophytes grow from the joint
margins of femur and tibia; narrowing brings the bones together and thins both cartilages; sclerosis is a dense band
under the joint surface; attrition is a depression of the tibial plateau; a cyst is a round cavity under the joint
surface; chondrocalcinosis is a speckled line of crystals in cartilage and meniscus. The atlas shows grades as pictures;
the lengths in mm below are estimates from them. The Kellgren-Lawrence grade (XRKL) follows from the other features and
changes nothing by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.tools.lattice import Field, HeightMap, Points
from monai_xray2mri.simulation.tools.noise import noise_knots
from monai_xray2mri.simulation.tools.primitives import ellipsoid, smooth_intersection, smoothstep

SIDES: Final[Mapping[str, float]] = {"M": 1.0, "L": -1.0}
CONDYLE_X: Final = 22.0
"""Distance of the condyles' middle from the midline in reference mm."""
NARROWING_SHARE: Final = (0.0, 0.28, 0.56, 0.92)
"""Lost share of the joint space by grade of narrowing (OARSI: under one third, under two thirds, more)."""
OSTEOPHYTE_MM: Final = (0.0, 2.2, 4.2, 6.6)
"""Length of an osteophyte by grade."""
CRYSTAL_KNOT_MM: Final = 2.0
_CRYSTAL_KNOTS: Final = 34
_MARGINS: Final = {
    ("F", "M"): (33.0, 9.5),
    ("F", "L"): (-33.5, 10.0),
    ("T", "M"): (30.5, 0.0),
    ("T", "L"): (-35.0, 0.0),
}
"""(x, z) of the joint margins at mid-depth in reference mm; for the tibia z is measured from its plateau."""
_GRADED: Final = (("XRCYF", 3.6, 0.5), ("XRCYT", 3.6, 0.5), ("XRATT", 4.0, 0.4), ("XRCH", 11.0, 1.5))
_SATELLITES: Final = 2
_ROOT_MM: Final = 2.0


@dataclass(frozen=True)
class Site:
    """Where in its compartment a lesion lies: offsets (x, y) in mm from the usual site, and its size.

    The size is a factor for osteophytes, and in mm for all other lesions.
    """

    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Pathology:
    """The grades of a knee and the drawn sites and sizes of its lesions.

    Attributes:
        grades: OAI stem to grade.
        sites: OAI stem to site. A site is drawn for every feature, also for absent ones, so a knee with one grade
            changed is otherwise the same knee.
        satellites: OAI stem of a cyst to the smaller cysts next to it, relative to its site; size 0 means none.
        crystals: knots [K,K,K] of the speckle of chondrocalcinosis.
        scale: factor on the features that a radiograph may hide (cysts, chondrocalcinosis, attrition): 1 in MR,
            ``visibility`` in the radiograph.
    """

    grades: Mapping[str, int]
    sites: Mapping[str, Site]
    satellites: Mapping[str, tuple[Site, ...]] = field(default_factory=dict)
    crystals: Tensor = field(default_factory=lambda: torch.zeros(4, 4, 4))
    scale: float = 1.0

    def grade(self, stem: str) -> int:
        """Grade of a feature (OAI stem); 0 if it is not given."""
        return int(self.grades.get(stem) or 0)

    def narrowing(self, side: str) -> float:
        """Lost share of the joint space of a compartment (``"M"`` or ``"L"``)."""
        return NARROWING_SHARE[min(self.grade(f"XRJS{side}"), 3)]

    def narrowed(self, joint_space: float, side: str, load: float = 0.0) -> float:
        """Distance of the bones in mm after narrowing and under load, at least 0.3.

        Args:
            joint_space: distance without narrowing in mm.
            side: compartment, ``"M"`` or ``"L"``.
            load: mm by which weight-bearing narrows the joint space.
        """
        return max(0.3, (joint_space - load) * (1 - self.narrowing(side)))

    def osteophyte_mm(self, bone: str, side: str) -> float:
        """Length in mm of the osteophyte of a bone ("F" or "T") in a compartment ("M" or "L"); 0 if there is none."""
        stem = f"XROS{bone}{side}"
        return OSTEOPHYTE_MM[min(self.grade(stem), 3)] * self.sites[stem].size


def draw_pathology(grades: Mapping[str, int], generator: torch.Generator) -> Pathology:
    """Draw site and size of every lesion; the draws do not depend on the grades."""
    sites: dict[str, Site] = {}
    satellites: dict[str, tuple[Site, ...]] = {}
    for kind, size, spread in _GRADED:
        for side in SIDES:
            x, y, scatter = torch.randn(3, generator=generator).clamp(-2, 2).tolist()
            sites[kind + side] = Site(2.5 * x, 4.0 * y, size + spread * scatter)
    for bone in "FT":
        for side in SIDES:
            x, y, scatter = torch.randn(3, generator=generator).clamp(-2, 2).tolist()
            sites[f"XROS{bone}{side}"] = Site(0.5 * x, 4.0 * y, 1.0 + 0.1 * scatter)
            satellites[f"XRCY{bone}{side}"] = _draw_satellites(generator)
    return Pathology(dict(grades), sites, satellites, noise_knots(generator, _CRYSTAL_KNOTS))


def _draw_satellites(generator: torch.Generator) -> tuple[Site, ...]:
    drawn = []
    for _ in range(_SATELLITES):
        x, y, size = torch.rand(3, generator=generator).tolist()
        drawn.append(Site(10.0 * x - 5.0, 12.0 * y - 6.0, max(0.0, 3.4 * size - 1.2)))
    return tuple(drawn)


def osteophytes(
    bone: str, pathology: Pathology, points: Points, surface: HeightMap, widening: Mapping[str, float]
) -> list[Tensor]:
    """Signed distances [Y,Z,X] of the osteophytes of a bone at its medial and lateral joint margin.

    Args:
        bone: ``"F"`` or ``"T"``.
        pathology: grades and sites of the knee.
        points: coordinates in the bone's own frame.
        surface: height of the joint surface in that frame; used for the tibia.
        widening: ``"M"`` and ``"L"`` to the distance in mm by which the margin lies farther out than usual.
    """
    found = []
    for side, sign in SIDES.items():
        length = pathology.osteophyte_mm(bone, side)
        if not length:
            continue
        site = pathology.sites[f"XROS{bone}{side}"]
        margin, z = _MARGINS[bone, side]
        margin = margin + sign * widening[side] + site.x
        x = margin + sign * (0.15 * length - 1.8)
        # A femoral osteophyte curves down over the joint space; a tibial one points outwards and a little up.
        height: Tensor | float = z - 0.3 * length if bone == "F" else surface.at(sign * 26.0, site.y) - 2.4
        along = sign * (points.x - x)
        curl = (-0.16 if bone == "F" else 0.14) * along
        bent = Points(points.x, points.y, points.z - curl)
        semi = (1.8 + 0.85 * length, 7.0 + 1.2 * length, 1.6 + 0.27 * length)  # length beyond the margin is ``length``
        grown = ellipsoid(bent, (x, site.y, height), semi)
        # An osteophyte grows outwards only, not into the joint space.
        found.append(smooth_intersection(grown, sign * (margin - points.x) - _ROOT_MM, 2.0))
    return found


def sclerosis(bone: str, pathology: Pathology, points: Points, depth: Tensor) -> Tensor | None:
    """Density [Y,Z,X] of subchondral sclerosis of a bone, 0 to 1; None if it has none.

    Args:
        bone: ``"F"`` or ``"T"``.
        pathology: grades and sites of the knee.
        points: coordinates in the bone's own frame.
        depth: [Y,Z,X] depth in mm under the joint surface.
    """
    density: Tensor | None = None
    low = smoothstep(points.z, 20.0, 14.0) if bone == "F" else smoothstep(points.z, -30.0, -22.0)
    for side, sign in SIDES.items():
        grade = pathology.grade(f"XRSC{bone}{side}")
        if grade:
            fade = smoothstep(depth, 4.0 + 3.5 * grade, 0.5 + grade) * smoothstep(depth, -2.0, 0.0)
            extent = smoothstep((points.x - sign * CONDYLE_X).abs(), 16.0, 6.0)
            extent = extent * smoothstep((points.y + 2.0).abs(), 25.0, 8.0)
            local = (0.22 + 0.24 * grade) * extent * fade * low
            density = local if density is None else density + local
    return density


def cysts(bone: str, pathology: Pathology, points: Points, surface: HeightMap) -> dict[str, Tensor]:
    """Signed distance [Y,Z,X] of the subchondral cysts of a bone, by OAI stem.

    Args:
        bone: ``"F"`` or ``"T"``.
        pathology: grades and sites of the knee.
        points: coordinates in the frame of the examination.
        surface: height of the joint surface in that frame.
    """
    found: dict[str, Tensor] = {}
    inwards = 1.0 if bone == "F" else -1.0
    for side, sign in SIDES.items():
        stem = f"XRCY{bone}{side}"
        if not pathology.grade(stem):
            continue
        main = pathology.sites[stem]
        for number, part in enumerate((Site(0.0, 0.0, main.size), *pathology.satellites.get(stem, ()))):
            if part.size < 1.0:
                continue
            x, y = sign * CONDYLE_X + main.x + part.x, main.y + part.y
            z = surface.at(x, y) + inwards * (part.size + (2.4 if number == 0 else 1.8))
            one = ellipsoid(points, (x, y, z), (part.size, 1.35 * part.size, part.size))
            found[stem] = torch.minimum(found[stem], one) if stem in found else one
    return found


def attrition_depth(pathology: Pathology, points: Points) -> dict[str, Tensor]:
    """Depth [Y,1,X] in mm of the bone that attrition removed from the plateau, by OAI stem."""
    found = {}
    for side, sign in SIDES.items():
        stem = f"XRATT{side}"
        if not pathology.grade(stem) or pathology.scale == 0:
            continue
        site = pathology.sites[stem]
        across = ((points.x - sign * (CONDYLE_X + 3) - 0.6 * site.x) / 9.5).square()
        along = ((points.y - site.y) / 14.0).square()
        found[stem] = pathology.scale * site.size * (-((across + along).square())).exp()
    return found


def crystal_patch(side: str, pathology: Pathology, points: Points) -> Tensor:
    """Density [Y,1,X] of chondrocalcinosis in a compartment without speckle, 0 to 1: a patch around its site."""
    site, sign = pathology.sites[f"XRCH{side}"], SIDES[side]
    across = (points.x - sign * CONDYLE_X - site.x) / site.size
    along = (points.y - site.y) / (1.4 * site.size)
    return smoothstep((across.square() + along.square()).sqrt(), 1.25, 0.75)


def narrowed_share(pathology: Pathology, points: Points) -> Tensor:
    """Share [1,1,X] of the cartilage that remains after narrowing; it blends from lateral to medial along x."""
    medial, lateral = 1 - pathology.narrowing("M"), 1 - pathology.narrowing("L")
    return lateral + (medial - lateral) * smoothstep(points.x, -12.0, 12.0)


def as_fields(found: Mapping[str, Tensor], like: Field) -> dict[str, Field]:
    """Fields on the lattice of ``like``, from tensors of values."""
    return {stem: Field(like.lattice, values) for stem, values in found.items()}
