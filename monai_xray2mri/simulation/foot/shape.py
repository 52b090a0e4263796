"""How feet differ: size, lengths, and the angles of the forefoot that hallux valgus changes.

The distribution of the hallux valgus angle is a mixture of feet without and with the deformity, as in a clinic that
takes these films; the intermetatarsal angle follows it with a correlation of about 0.7, and the sesamoids stay behind
where the metatarsal's head moves medially. The numbers are estimates after the usual limits of normal (hallux valgus
angle below 15 degrees, intermetatarsal angle below 9: Coughlin and Jones, Foot Ankle Int 28:759, 2007).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import torch

HVA_RANGE: Final = (5.0, 50.0)
IMA_RANGE: Final = (5.0, 22.0)
ANGLES: Final = (
    "hallux_valgus",
    "intermetatarsal",
    "interphalangeal",
    "articular",
    "sesamoid_shift",
    "pronation",
    "splay",
    "fifth_toe",
    "bunion",
)
"""What the skin follows by the visibility, and the bones always do."""
_DEFORMED_SHARE: Final = 0.55


@dataclass(frozen=True)
class FootShape:
    """One foot. Lengths in mm, angles in degrees; the foot is a right one.

    Attributes:
        scale: size of the foot over that of the mean foot, which is about 245 mm long.
        width: factor on widths.
        height: factor on heights.
        hallux_valgus: angle of the first metatarsal and the proximal phalanx of the hallux (HVA).
        intermetatarsal: angle of the first and second metatarsal (IMA).
        interphalangeal: angle of the two phalanges of the hallux.
        articular: angle by which the joint surface of the first metatarsal's head looks laterally (DMAA).
        sesamoid_shift: by how much the sesamoids lie lateral of the middle of the head, in mm.
        pronation: turn of the hallux about its length, nail to medial.
        splay: angle of the fourth and fifth metatarsal.
        fifth_toe: angle by which the fifth toe turns medially.
        first_ray: by how much the first metatarsal is longer than usual, in mm.
        parabola: by how much the third to fifth metatarsals are shorter than usual, in mm a ray.
        toes: factor on the lengths of the lesser toes.
        claw: how much the lesser toes are bent, 0 to 1.
        arch: height of the midfoot over the usual one, in mm.
        bones: factor on the widths of the bones.
        cortex: factor on the thickness of cortices.
        mineral: factor on the share of bone in spongy bone.
        flesh: factor on the thickness of soft tissue.
        bunion: thickness of the skin over the first head beyond the usual, in mm.
        turn: of the whole foot on the floor.
    """

    scale: float
    width: float
    height: float
    hallux_valgus: float
    intermetatarsal: float
    interphalangeal: float
    articular: float
    sesamoid_shift: float
    pronation: float
    splay: float
    fifth_toe: float
    first_ray: float
    parabola: float
    toes: float
    claw: float
    arch: float
    bones: float
    cortex: float
    mineral: float
    flesh: float
    bunion: float
    turn: float


class _Draw:
    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def normal(self, mean: float, deviation: float, reach: float = 2.2) -> float:
        """A normal number, clipped at ``reach`` deviations."""
        number = float(torch.randn((), generator=self._generator, dtype=torch.float64))
        return mean + deviation * min(max(number, -reach), reach)

    def between(self, low: float, high: float) -> float:
        """A number of equal probability in [low,high)."""
        return low + (high - low) * float(torch.rand((), generator=self._generator, dtype=torch.float64))


def draw_shape(generator: torch.Generator) -> FootShape:
    """Draw a foot.

    Args:
        generator: of its shape.
    """
    draw = _Draw(generator)
    deformed, severity = draw.between(0, 1) < _DEFORMED_SHARE, draw.between(0, 1)
    healthy = draw.normal(11.0, 3.5)
    valgus = 14.0 + 34.0 * severity**1.5 if deformed else healthy
    valgus = _clipped(valgus, HVA_RANGE)
    spread = _clipped(draw.normal(6.2 + 0.26 * valgus, 2.9), IMA_RANGE)
    splay = _clipped(draw.normal(7.5, 2.4), (3.0, 14.0))
    return FootShape(
        scale=draw.normal(1.0, 0.055),
        width=draw.normal(1.0, 0.045),
        height=draw.normal(1.0, 0.06),
        hallux_valgus=valgus,
        intermetatarsal=spread,
        interphalangeal=_clipped(draw.normal(11.0 - 0.12 * valgus, 4.0), (0.0, 25.0)),
        articular=draw.normal(5.0 + 0.22 * valgus, 3.5),
        sesamoid_shift=_clipped(draw.normal(0.55 * (spread - 8.0), 1.0), (-1.0, 8.5)),
        pronation=_clipped(draw.normal(0.7 * (valgus - 10.0), 6.0), (-5.0, 40.0)),
        splay=splay,
        fifth_toe=_clipped(draw.normal(9.0 + splay, 4.0), (6.0, 30.0)),
        first_ray=draw.normal(0.0, 2.2),
        parabola=draw.normal(0.0, 0.8),
        toes=draw.normal(1.0, 0.07),
        claw=draw.between(0.0, 0.8),
        arch=draw.normal(0.0, 3.0),
        bones=draw.normal(1.0, 0.06),
        cortex=draw.normal(1.0, 0.12),
        mineral=draw.normal(1.0, 0.15),
        flesh=draw.normal(1.0, 0.10),
        bunion=max(0.0, draw.normal(0.08 * (valgus - 15.0), 0.8)),
        turn=draw.normal(0.0, 3.0),
    )


def skin_correlation(visibility: float) -> float:
    """Correlation of the skin's angles with those of the bones: 0 at 0, 0.87 at 0.5, 1 at 1."""
    return float((1 - (1 - visibility) ** 2) ** 0.5)


def seen_shape(shape: FootShape, other: FootShape, visibility: float) -> FootShape:
    """The shape that the skin shows.

    Args:
        shape: that of the bones.
        other: another foot's, which has nothing to do with this one.
        visibility: how closely the skin's angles follow those of the bones: at 1 they are the same, at 0 those of
            ``other``. Between them the skin has a share 1 - ``visibility`` of the spread of all feet to itself; the
            correlation is :func:`skin_correlation`, and the distribution stays about the same.

    Returns:
        ``shape`` with other angles (:data:`ANGLES`); size and lengths are the skin's and the bones' alike.
    """
    follows, own = skin_correlation(visibility), 1 - visibility
    change = {}
    for name in ANGLES:
        mean = MEANS[name]
        change[name] = mean + follows * (getattr(shape, name) - mean) + own * (getattr(other, name) - mean)
    change["hallux_valgus"] = _clipped(change["hallux_valgus"], HVA_RANGE)
    change["intermetatarsal"] = _clipped(change["intermetatarsal"], IMA_RANGE)
    change["bunion"] = max(0.0, change["bunion"])
    return replace(shape, **change)


MEANS: Final = {
    "hallux_valgus": 20.0,
    "intermetatarsal": 11.4,
    "interphalangeal": 8.6,
    "articular": 9.4,
    "sesamoid_shift": 1.9,
    "pronation": 8.0,
    "splay": 7.5,
    "fifth_toe": 16.5,
    "bunion": 0.8,
}
"""Of :func:`draw_shape`, about."""


def _clipped(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])


PARAMETERS: Final = tuple(field.name for field in fields(FootShape))
