from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monai_xray2mri.simulation.knee.anatomy import bones
from monai_xray2mri.simulation.knee.anatomy.bones import TibialPlace, smooth_ramp
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.anatomy.template import shipped_template
from monai_xray2mri.simulation.tools.lattice import CPU, Field, Lattice, upper_surface
from tests.helpers.anatomies import center, grid, sampled, shape

Z_RANGE = (-60.0, 60.0)
PLACE = TibialPlace(torch.tensor(0.0), torch.tensor(0.0))
FINE = grid(1.5)


def femur(own: KneeShape, pose: Pose | None = None) -> Field:
    return bones.femur(shipped_template(), own, bones.femur_lattice(Z_RANGE), pose or Pose(), CPU)


def tibia(own: KneeShape, pose: Pose | None = None, place: TibialPlace = PLACE) -> Field:
    return bones.tibia(shipped_template(), own, bones.tibia_lattice(Z_RANGE), pose or Pose(), place, CPU)


def width(field: Field, z: tuple[float, float]) -> float:
    """Extent along x in mm of a bone between two heights."""
    part = sampled(field, FINE)[:, (FINE.z >= z[0]) & (FINE.z <= z[1])] < 0
    x = FINE.x[part.any(0).any(0)]
    return float(x.max() - x.min())


def test_the_default_shape_is_the_template():
    own = femur(KneeShape())
    points = FINE.points()
    truth = shipped_template().at("femur", bones.femur_points(points, Pose()))
    low = (truth.abs() < 3.0) & (points.z < 55.0) & (points.z > -6.0)
    assert float((sampled(own, FINE) - truth)[low].abs().quantile(0.99)) < 0.2


@pytest.mark.parametrize(
    ("name", "value", "z", "wider"),
    [
        ("condyle_width", (3.0, 0.0), (2.0, 18.0), 3.0),
        ("condyle_width", (0.0, 3.0), (2.0, 18.0), 3.0),
        ("epicondyle", 2.0, (24.0, 30.0), 4.0),
        ("shaft", 1.2, (52.0, 54.0), 3.4),
    ],
)
def test_the_femur_widens_where_its_shape_says(name, value, z, wider):
    before, after = femur(KneeShape()), femur(replace(KneeShape(), **{name: value}))
    assert width(after, z) - width(before, z) == pytest.approx(wider, abs=1.6)


def test_each_condyle_grows_on_its_own_side():
    for widths, sign in (((3.0, 0.0), 1.0), ((0.0, 3.0), -1.0)):
        moved = sampled(femur(replace(KneeShape(), condyle_width=widths)), FINE) < 0
        new = moved & (sampled(femur(KneeShape()), FINE) > 0)
        assert sign * center(new, FINE)[0] > 20


def test_the_notch_widens_and_rises():
    usual = sampled(femur(KneeShape()), FINE) < 0
    wide = sampled(femur(replace(KneeShape(), notch_width=2.0)), FINE) < 0
    opened = center(usual & ~wide, FINE)
    assert abs(opened[0]) < 8
    assert 0 < opened[2] < 30
    high = sampled(femur(replace(KneeShape(), notch_height=3.0)), FINE) < 0
    lifted = center(usual & ~high, FINE)
    assert abs(lifted[0]) < 6
    assert lifted[2] > 15


def test_flexion_turns_the_femur_backwards_and_leaves_the_tibia():
    straight, bent = (sampled(femur(KneeShape(), Pose(flexion=f)), FINE) < 0 for f in (0.0, 20.0))
    upper = FINE.z > 40
    # Over a lower leg that stays, bending the knee carries the thigh backwards.
    assert center(bent[:, upper], _upper(upper))[1] > center(straight[:, upper], _upper(upper))[1] + 5
    assert torch.equal(tibia(KneeShape(), Pose(flexion=20.0)).values, tibia(KneeShape()).values)


def _upper(rows: torch.Tensor):
    return replace(FINE, z=FINE.z[rows])


def test_roll_brings_the_front_to_the_lateral_side():
    lattice = bones.patella_lattice(KneeShape())
    wide = Lattice.covering((-60.0, 50.0), (-70.0, 0.0), (0.0, 70.0), 2.0)
    still, rolled = (
        bones.patella(shipped_template(), KneeShape(), wide, Pose(roll=angle), CPU) for angle in (0.0, 10.0)
    )
    fine = replace(FINE, y=torch.arange(-70.0, 0.0, 1.5))
    x = [center(sampled(each, fine) < 0, fine)[0] for each in (still, rolled)]
    assert x[0] - x[1] == pytest.approx(49 * 0.174, abs=1.5)
    assert lattice.ranges[1][0] < -49 < lattice.ranges[1][1]


@pytest.mark.parametrize("slope", [0.0, 4.0, 8.0])
def test_the_plateau_slopes_as_asked(slope):
    own = tibia(replace(KneeShape(), slope=slope))
    top = upper_surface(own, -60.0)
    y = top.lattice.axis(1)
    rows = (y >= -12) & (y <= 12)
    angles = []
    for x in (-20.0, 20.0):
        column = round((x - top.lattice.low[0]) / top.lattice.step)
        heights = top.values[rows, column].double()
        centerd = y[rows].double() - y[rows].double().mean()
        angles.append(-torch.atan((centerd * heights).sum() / centerd.square().sum()).rad2deg())
    usual = sum(angles) / 2 - slope
    assert abs(float(usual)) < 1.5  # the template's two sides slope by 2 degrees in the mean


def test_varus_bends_the_lower_leg_inwards():
    own = tibia(replace(KneeShape(), varus=5.0))
    bent, straight = (sampled(each, FINE) < 0 for each in (own, tibia(KneeShape())))
    low = FINE.z < -40
    x = [center(each[:, low], _upper(low))[0] for each in (bent, straight)]
    assert x[0] - x[1] == pytest.approx(-3.0, abs=1.2)  # 35 mm below the bend, to the medial side
    high = (FINE.z > -10) & (FINE.z < 10)
    x = [center(each[:, high], _upper(high))[0] for each in (bent, straight)]
    assert abs(x[0] - x[1]) < 0.4


def test_the_place_lifts_and_tilts_the_tibia():
    usual = upper_surface(tibia(KneeShape()), -60.0)
    moved = upper_surface(tibia(KneeShape(), place=TibialPlace(torch.tensor(1.5), torch.tensor(0.04))), -60.0)
    assert float(moved.at(0.0, 0.0) - usual.at(0.0, 0.0)) == pytest.approx(1.5, abs=0.3)
    assert float(moved.at(22.0, 0.0) - usual.at(22.0, 0.0)) == pytest.approx(1.5 + 0.88, abs=0.35)
    assert float(moved.at(-22.0, 0.0) - usual.at(-22.0, 0.0)) == pytest.approx(1.5 - 0.88, abs=0.35)


def test_the_fibula_follows_its_center_and_lies_laterally_behind():
    def place(own: KneeShape) -> tuple[float, float, float]:
        lattice = bones.fibula_lattice(Z_RANGE)
        found = bones.fibula(shipped_template(), own, lattice, Pose(), PLACE, CPU)
        fine = replace(FINE, x=torch.arange(-65.0, 0.0, 1.0))
        return center(sampled(found, fine) < 0, fine)

    usual = place(KneeShape())
    assert usual[0] < -25
    assert usual[1] > 12
    x, y, z = KneeShape().fibula
    moved = place(replace(KneeShape(), fibula=(x - 2, y + 3, z)))
    assert moved[0] - usual[0] == pytest.approx(-2, abs=0.3)
    assert moved[1] - usual[1] == pytest.approx(3, abs=0.3)


def test_the_patella_grows_about_its_center():
    def volume(size: float) -> float:
        own = replace(KneeShape(), patella_size=size)
        found = bones.patella(shipped_template(), own, bones.patella_lattice(own), Pose(), CPU)
        fine = replace(FINE, y=torch.arange(-75.0, -20.0, 1.0))
        return float((sampled(found, fine) < 0).sum())

    assert volume(1.1) / volume(1.0) == pytest.approx(1.331, rel=0.03)


def test_deformation_moves_surfaces_by_about_a_millimetre():
    own = replace(KneeShape(), deformation=shape().deformation)
    difference = (sampled(femur(own), FINE) - sampled(femur(KneeShape()), FINE))[
        sampled(femur(KneeShape()), FINE).abs() < 1
    ]
    assert 0.2 < float(difference.abs().median()) < 1.2
    assert float(difference.abs().max()) < 5


def test_a_ramp_bends_smoothly():
    found = smooth_ramp(torch.tensor([-100.0, 0.0, 100.0]))
    assert found.tolist() == pytest.approx([0.0, 2.5, 100.0], abs=0.1)


def test_shafts_go_on_beyond_the_template():
    far = bones.femur(shipped_template(), KneeShape(), bones.femur_lattice((-60.0, 160.0)), Pose(), CPU)
    column = sampled(far, replace(FINE, z=torch.tensor([100.0, 130.0, 155.0]))) < 0
    assert column.flatten(2).any(2).any(0).all()
    areas = column.sum((0, 2)) * 1.5**2
    assert 400 < float(areas.min()) <= float(areas.max()) < 1000  # mm2; a femoral shaft is 27 mm thick
