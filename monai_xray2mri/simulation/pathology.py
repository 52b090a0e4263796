"""What each of the 19 radiographic features does to a knee, by grade and compartment (OARSI atlas, Altman 2007).

Osteophytes grow from the joint margins of femur and tibia, joint space narrowing brings the bones together and
thins both cartilages, sclerosis is a dense subchondral band, a cyst a round subchondral cavity, chondrocalcinosis a
broken line of crystals in cartilage and meniscus, attrition a depression of the tibial plateau. XRKL follows from
the others and changes nothing of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_xray2mri.simulation.fields import Points, add_ellipsoid, ellipsoid, smoothstep

SIDES: Mapping[str, float] = {"M": 1.0, "L": -1.0}
_NARROWING_SHARE = (0.0, 0.26, 0.52, 0.90)
_OSTEOPHYTE_MM = (0.0, 2.4, 4.4, 6.6)
CONDYLE_X = 22.0
"""Distance of the condyles' middle from the midline in reference mm."""


@dataclass(frozen=True)
class Site:
    """Where in its compartment a drawn lesion lies: offsets in mm about the usual site, and size in mm."""

    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Pathology:
    """The grades of a knee and the drawn sites and sizes of its lesions.

    Attributes:
        grades: OAI stem to grade.
        sites: OAI stem to site; drawn for every feature whether present or not, so that a knee with a feature
            switched off is the same knee otherwise.
        scale: factor on what the radiograph may hide (cysts, chondrocalcinosis, attrition): 1 in MR,
            ``visibility`` in the radiograph.
    """

    grades: Mapping[str, int]
    sites: Mapping[str, Site]
    scale: float = 1.0

    def grade(self, stem: str) -> int:
        """Grade of a feature, 0 if it is not given."""
        return int(self.grades.get(stem) or 0)

    def narrowed(self, joint_space: float, side: str, load: float = 0.0) -> float:
        """Distance of the bones in mm after narrowing of one compartment ("M" or "L") and under load."""
        share = _NARROWING_SHARE[min(self.grade(f"XRJS{side}"), 3)]
        return max(0.3, joint_space * (1 - share) - load * (1 - share))

    def attrition_depth(self, points: Points) -> Tensor | None:
        """Depth in mm [1|Y,1|Z,X] to which attrition took the plateau away; None without attrition."""
        depth: Tensor | None = None
        for side, sign in SIDES.items():
            if not self.grade(f"XRATT{side}"):
                continue
            site = self.sites[f"XRATT{side}"]
            across = ((points.x - sign * (CONDYLE_X + 4) - site.x) / 10.0).square()
            along = ((points.y - site.y) / 15.0).square()
            hollow = self.scale * site.size * torch.exp(-((across + along).square()))
            depth = hollow if depth is None else depth + hollow
        return depth


def draw_pathology(grades: Mapping[str, int], generator: torch.Generator) -> Pathology:
    """Draw site and size of every lesion; the draws do not depend on the grades."""
    sites = {}
    for kind, size, spread in (("XRCYF", 3.9, 0.5), ("XRCYT", 3.9, 0.5), ("XRATT", 4.2, 0.4), ("XRCH", 1.0, 0.1)):
        for side in SIDES:
            x, y, scatter = torch.randn(3, generator=generator).clamp(-2, 2).tolist()
            sites[kind + side] = Site(2.2 * x, 3.5 * y, size + spread * scatter)
    for bone in "FT":
        for side in SIDES:
            x, y, scatter = torch.randn(3, generator=generator).clamp(-2, 2).tolist()
            sites[f"XROS{bone}{side}"] = Site(0.4 * x, 3.0 * y, 1.0 + 0.1 * scatter)
    return Pathology(dict(grades), sites)


def add_femoral_osteophytes(distance: Tensor, points: Points, pathology: Pathology) -> None:
    """Add, in place, the osteophytes of the femoral margins to the femur's distance."""
    for side, sign in SIDES.items():
        length = _osteophyte_length(pathology, f"XROSF{side}")
        if length:
            site = pathology.sites[f"XROSF{side}"]
            centre = (sign * (34.0 + 0.35 * length + site.x), site.y, 9.0 - 0.25 * length)
            semi = (2.0 + 0.85 * length, 9.0 + length, 2.2 + 0.35 * length)
            add_ellipsoid(distance, points, centre, semi, 4.0)


def add_tibial_osteophytes(distance: Tensor, points: Points, pathology: Pathology, level: float, rise: float) -> None:
    """Add, in place, the osteophytes of the tibial margins, just under the plateau, to the tibia's distance."""
    for side, sign in SIDES.items():
        length = _osteophyte_length(pathology, f"XROST{side}")
        if length:
            site = pathology.sites[f"XROST{side}"]
            z = level + 36 * sign * rise - 2.2 + 0.15 * length
            centre = (sign * (35.0 + 0.35 * length + site.x), site.y - 1.0, z)
            semi = (2.0 + 0.85 * length, 9.0 + length, 1.9 + 0.3 * length)
            add_ellipsoid(distance, points, centre, semi, 4.0)


def _osteophyte_length(pathology: Pathology, stem: str) -> float:
    return _OSTEOPHYTE_MM[min(pathology.grade(stem), 3)] * pathology.sites[stem].size


def sclerosis(pathology: Pathology, bone: str, points: Points, depth: Tensor) -> Tensor | None:
    """Density of subchondral sclerosis [Y,Z,X], 0 to 1; None without any.

    Args:
        pathology: the knee's pathology.
        bone: ``"F"`` or ``"T"``.
        points: coordinates.
        depth: [Y,Z,X] depth under the joint surface in mm.
    """
    density: Tensor | None = None
    for side, sign in SIDES.items():
        grade = pathology.grade(f"XRSC{bone}{side}")
        if grade:
            fade = smoothstep(depth, 5.0 + 4.0 * grade, 1.0 + grade)
            extent = smoothstep((points.x - sign * CONDYLE_X).abs(), 18.0, 6.0)
            extent = extent * smoothstep((points.y + 2.0).abs(), 25.0, 8.0)
            local = (0.25 + 0.2 * grade) * extent * fade
            density = local if density is None else density + local
    return density


def cyst_distance(pathology: Pathology, bone: str, points: Points, level: float, rise: float) -> Tensor | None:
    """Signed distance to the subchondral cysts of the femur ("F") or the tibia ("T"); None without any."""
    distance: Tensor | None = None
    for side, sign in SIDES.items():
        stem = f"XRCY{bone}{side}"
        if pathology.grade(stem):
            site = pathology.sites[stem]
            x = sign * CONDYLE_X + site.x
            z = 2.0 + site.size + 2.5 if bone == "F" else level + rise * x - site.size - 2.5
            cyst = ellipsoid(points, (x, site.y - 2.0, z), (site.size, 1.35 * site.size, site.size))
            distance = cyst if distance is None else torch.minimum(distance, cyst)
    return distance


def crystal_share(pathology: Pathology, points: Points) -> Tensor | None:
    """Share of crystals [1,1,X] in the mid layer of cartilage and meniscus (chondrocalcinosis); None without."""
    share: Tensor | None = None
    for side, sign in SIDES.items():
        if pathology.grade(f"XRCH{side}"):
            phase = pathology.sites[f"XRCH{side}"].x
            along = smoothstep(torch.sin(points.x * 1.1 + phase) + 0.9, 0.0, 0.5)
            extent = smoothstep((points.x - sign * CONDYLE_X).abs(), 17.0, 13.0)
            local = along * extent
            share = local if share is None else torch.maximum(share, local)
    return share
