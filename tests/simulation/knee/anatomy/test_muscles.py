from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monai_xray2mri.simulation.knee.anatomy.bellies import Muscle, ovals
from monai_xray2mri.simulation.knee.anatomy.body import Outline
from monai_xray2mri.simulation.knee.anatomy.muscles import MUSCLES, muscle_fields
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose, draw_shape
from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.tools.lattice import Lattice, Points

LATTICE = Lattice.covering((-80.0, 80.0), (-70.0, 66.0), (-84.0, 84.0), 2.0)


def centers(shape: KneeShape) -> dict[str, tuple[float, float, float, float]]:
    """Muscle to the centre (x, y, z) in mm and the volume in ml of its part of the lattice."""
    fascia = Outline(shape).distance(LATTICE.points())
    found = {}
    for muscle, field in muscle_fields(shape, LATTICE, fascia, Pose()):
        inside = (field.values < 0).float()
        points = field.lattice.points()
        total = inside.sum()
        place = (float((inside * at).sum() / total) for at in (points.x, points.y, points.z))
        found[muscle.name] = (*place, 0.008 * float(total))
    return found  # type: ignore[return-value]


def belly(muscle: Muscle, points: Points) -> torch.Tensor:
    return ovals(muscle, points.z).distance(points)


@pytest.fixture(scope="module")
def usual() -> dict[str, tuple[float, float, float, float]]:
    return centers(KneeShape())


def test_all_muscles_are_there_in_plausible_size(usual):
    assert set(usual) == {muscle.name for muscle in MUSCLES}
    for name, (*_, volume) in usual.items():
        assert 1 < volume < 250, name


def test_muscles_lie_where_anatomy_has_them(usual):
    def at(name: str) -> tuple[float, ...]:
        return usual[name]

    assert at("gastrocnemius, medial head")[0] > 10 > -10 > at("gastrocnemius, lateral head")[0]
    assert at("vastus medialis")[0] > 10 > -10 > at("vastus lateralis")[0]
    assert at("semimembranosus")[0] > 10 > -10 > at("biceps femoris")[0]
    for name in ("vastus medialis", "vastus lateralis", "vastus intermedius"):
        assert at(name)[1] < -10
        assert at(name)[2] > 30
    assert min(at(name)[1] for name in ("gastrocnemius, medial head", "semimembranosus", "soleus")) > 20
    assert max(at(name)[2] for name in ("soleus", "popliteus", "tibialis anterior", "peroneus longus")) < -20
    assert at("tibialis anterior")[1] < at("peroneus longus")[1]


def test_belly_follows_its_course_and_ends_with_it():
    muscle = next(m for m in MUSCLES if m.name == "popliteus")
    z, x, y, across, along, _ = muscle.course[3]

    def distance(height: float) -> float:
        return float(belly(replace(muscle, bend=0.0), Points(*(torch.full((1, 1, 1), v) for v in (x, y, height)))))

    assert distance(z) == pytest.approx(-min(across, along), abs=0.2)
    assert distance(muscle.course[-1][0] + 3) >= 3
    assert distance(muscle.course[0][0] - 3) >= 3


def test_an_end_tapers_to_a_tip():
    muscle = next(m for m in MUSCLES if m.name == "vastus medialis")
    z, x, y, *_ = muscle.course[0]
    lateral = torch.linspace(-30, 30, 241)[None, None]

    def width(height: float) -> float:
        points = Points(x + lateral, torch.full((1, 1, 1), y), torch.full((1, 1, 1), height))
        return 0.25 * float((belly(muscle, points) < 0).sum())

    assert width(z + 0.5) < 2 < width(z + 5) < width(z + 12)


def test_muscles_stay_inside_the_fascia():
    shape = draw_shape(knee_generator(21, "anatomy"))
    fascia = Outline(shape).distance(LATTICE.points())
    whole = torch.full(fascia.shape, 9.0)
    for _, field in muscle_fields(shape, LATTICE, fascia, Pose()):
        low = [round((a - b) / 2) for a, b in zip(field.lattice.low, LATTICE.low, strict=True)]
        nx, ny, nz = field.lattice.size
        part = whole[low[1] : low[1] + ny, low[2] : low[2] + nz, low[0] : low[0] + nx]
        torch.minimum(part, field.values, out=part)
    assert float(fascia[whole < 0].max()) < -0.5
    # They fill a good part of the calf and the thigh, and little of the joint's level, which is bone and fat.
    z = LATTICE.axis(2)
    share = (whole < 0).float().sum((0, 2)) / (fascia < 0).float().sum((0, 2))
    assert float(share[z < -70].mean()) > 0.45 < float(share[z > 74].mean())
    assert float(share[z.abs() < 6].mean()) < 0.25


def test_strong_legs_have_more_of_it_and_each_knee_its_own(usual):
    strong = centers(replace(KneeShape(), muscle=1.15))
    for name, (*_, volume) in strong.items():
        assert volume > 1.03 * usual[name][3], name
    drawn = [centers(draw_shape(knee_generator(seed, "anatomy")))["semimembranosus"] for seed in (5, 6)]
    assert drawn[0] != drawn[1]
    assert drawn[0] == centers(draw_shape(knee_generator(5, "anatomy")))["semimembranosus"]


def test_roll_turns_them():
    fascia = Outline(KneeShape()).distance(LATTICE.points())
    places = []
    for roll in (0.0, 8.0):
        fields = {m.name: f for m, f in muscle_fields(KneeShape(), LATTICE, fascia, Pose(roll=roll))}
        field = fields["gastrocnemius, medial head"]
        inside = (field.values < 0).float()
        places.append(float((inside * field.lattice.points().x).sum() / inside.sum()))
    assert places[1] > places[0] + 2  # internal rotation carries what is behind to the medial side
