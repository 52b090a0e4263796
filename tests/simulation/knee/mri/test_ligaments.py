from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
import torch

from monai_xray2mri.simulation.knee.anatomy.body import Outline, leg_points
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.mri import ligaments
from monai_xray2mri.simulation.knee.mri.contrast import WATER_EXCITED_FLASH
from monai_xray2mri.simulation.knee.mri.frame import Frame, Piece, Spot
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.mri.vessels import vessels
from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.tools.lattice import Field, Grid, Lattice
from monai_xray2mri.simulation.tools.slicing import SlicedField, Slicer

GRID = Grid(torch.arange(50.0, -60.0, -1.5), torch.arange(80.0, -80.0, -1.25), torch.arange(-70.0, 70.0, 1.25))
CPU = torch.device("cpu")


def frame(**pose: float) -> Frame:
    return Frame(GRID, Pose(**pose), CPU)


@pytest.fixture(scope="module")
def anatomy() -> KneeAnatomy:
    return build_anatomy(KneeShape(), draw_pathology({}, knee_generator(0, "lesions")), Pose())


def spots(piece: Piece, pose: Pose) -> Iterator[Spot]:
    """A piece's part of each slice, without texture."""
    depth, rows, columns = piece.window
    for number in range(depth.start, depth.stop):
        points = leg_points(GRID.crop((slice(number, number + 1), rows, columns)).points(), pose)
        yield Spot(number, (rows, columns), points, lambda: torch.zeros(1, 1, 1))


def filled(pieces: Iterable[Piece], **pose: float) -> torch.Tensor:
    """What pieces cover, [Y,Z,X]."""
    found = torch.zeros(GRID.shape, dtype=torch.bool)
    for piece in pieces:
        for spot in spots(piece, Pose(**pose)):
            found[(spot.number, *spot.box)] |= piece.distance(spot)[0] < 0
    return found


def sliced(field: Field) -> SlicedField:
    return Slicer(GRID, CPU).field(field)


def far_away(value: float) -> SlicedField:
    """A surface that is everywhere at the same distance."""
    lattice = Lattice.covering((-80, 80), (-80, 80), (-90, 90), 10.0)
    return sliced(Field(lattice, torch.full((lattice.size[1], lattice.size[2], lattice.size[0]), value)))


def center(mask: torch.Tensor, rows: slice = slice(None)) -> tuple[float, float, float]:
    """Centre (x, y, z) in mm of a mask, of some rows only."""
    inside = mask[:, rows].float()
    z = GRID.z[rows]
    total = inside.sum()
    x_mean, y_mean = ((inside.sum(dims) * at).sum() / total for dims, at in (((0, 1), GRID.x), ((1, 2), GRID.y)))
    return float(x_mean), float(y_mean), float((inside.sum((0, 2)) * z).sum() / total)


def rows_between(low: float, high: float) -> slice:
    inside = torch.nonzero((GRID.z >= low) & (GRID.z <= high)).flatten()
    return slice(int(inside[0]), int(inside[-1]) + 1)


def test_cruciates_cross_in_the_notch():
    anterior, posterior = [], []
    for piece in ligaments.cruciates(KneeShape(), frame()):
        assert piece.label is Tissue.CRUCIATE
        bright = float(torch.as_tensor(piece.intensity(next(spots(piece, Pose())))).max())
        (anterior if bright > 1.5 * WATER_EXCITED_FLASH["posterior cruciate"] else posterior).append(piece)
    top, bottom = rows_between(12, 18), rows_between(-8, 0)
    front, back = filled(anterior), filled(posterior)
    # The anterior one runs from the lateral condyle, behind, to the front of the tibia; the posterior one crosses it.
    assert center(front, top)[0] < -3 < center(front, bottom)[0]
    assert center(front, top)[1] > 3 > -5 > center(front, bottom)[1]
    assert center(back, top)[0] > 3 > center(back, bottom)[0]
    assert center(back, top)[1] < 8 < 16 < center(back, bottom)[1]


def test_collateral_ligament_lies_on_the_medial_bone(anatomy):
    joint = Field(anatomy.femur.distance.lattice, anatomy.femur.distance.values)
    covered = filled(ligaments.sheets(frame(), sliced(joint), far_away(30.0)))
    inner = GRID.crop(joint.window(GRID))
    distance = joint.at(inner)[covered[joint.window(GRID)]]
    assert distance.numel() > 100
    assert 0.3 < float(distance.min()) < float(distance.max()) < 3.0
    above = covered[:, rows_between(17, 28)]  # the capsule ends below
    assert bool(above[..., GRID.x > 30].any())
    assert not above[..., GRID.x < 12].any()


def test_tendons_reach_the_patella_from_both_ends():
    shape = KneeShape()
    x, y, z = shape.patella
    mask = filled(ligaments.bands(shape, frame(), far_away(-30.0)))
    above, below = center(mask, rows_between(z + 16, z + 24)), center(mask, rows_between(z - 26, z - 18))
    for place in (above, below):
        assert place[0] == pytest.approx(x, abs=4)
        assert place[1] == pytest.approx(y, abs=8)
    assert not mask[:, rows_between(z - 5, z + 5)].any()
    assert center(mask, rows_between(-40, -30))[1] > y + 18  # the tuberosity lies farther back than the patella


def test_lateral_collateral_ends_at_the_fibula():
    shape = KneeShape()
    mask = filled(ligaments.cords(shape, frame()))
    lateral = mask & (GRID.x < -25)
    assert center(lateral, rows_between(-12, -8))[0] == pytest.approx(shape.fibula[0] - 3, abs=3)


def test_blood_fades_along_its_way_and_nerves_do_not():
    pieces = list(vessels(KneeShape(), frame()))
    assert {piece.label for piece in pieces} == {Tissue.VESSEL, Tissue.NERVE}
    trunks = pieces[:2]
    artery, vein = (piece.intensity(next(spots(piece, Pose()))).flatten() for piece in trunks)
    assert float(artery[0]) > 1.5 * float(artery[-1])  # rows run downwards, the artery's blood with them
    assert float(vein[-1]) > 1.2 * float(vein[0])
    places = [center(filled([piece])) for piece in trunks[:2]]
    assert places[0][1] < places[1][1]  # the artery lies deeper
    assert all(-12 < x < 12 and y > 15 for x, y, _ in places)


def test_veins_under_the_skin_lie_in_the_fat():
    shape = KneeShape()
    points = GRID.points()
    fascia, skin = Outline(shape).distance(points), Outline(shape, 1.0).distance(points)
    saphenous = filled([list(vessels(shape, frame()))[4]])
    assert saphenous.any()
    assert float(fascia[saphenous].median()) > 1
    assert float(skin[saphenous].max()) < 0


def test_a_rolled_leg_takes_its_vessels_along():
    straight, rolled = (
        center(filled([next(vessels(KneeShape(), frame(roll=roll)))], roll=roll)) for roll in (0.0, 8.0)
    )
    assert rolled[0] > straight[0] + 2


def test_fluid_fills_the_gap_and_grows(anatomy):
    surfaces = [sliced(anatomy.cartilage[name]) for name in ("femoral", "tibial")]
    masks = [filled(ligaments.gap_fluid(frame(), *surfaces, amount)) for amount in (0.8, 2.0)]
    assert all(-6 < center(mask)[2] < 6 for mask in masks)
    assert float(masks[1].sum()) > 1.5 * float(masks[0].sum()) > 0


def test_fat_pad_lies_behind_the_patellar_tendon():
    x, y, z = center(filled(ligaments.fat_pad(KneeShape(), frame(), far_away(-30.0))))
    assert -45 < y < -20
    assert abs(z) < 12
    assert -15 < x < 5


def test_nothing_comes_through_the_skin():
    shape, outside = KneeShape(), far_away(0.0)
    assert not filled(ligaments.fat_pad(shape, frame(), outside)).any()
    assert not filled(ligaments.bands(shape, frame(), outside)).any()


def test_windows_outside_the_grid_paint_nothing():
    small = Grid(torch.arange(-50.0, -55.0, -1.5), torch.arange(5.0, -5.0, -1.0), torch.arange(50.0, 60.0, 1.0))
    elsewhere = Frame(small, Pose(), CPU)
    assert not list(ligaments.cords(KneeShape(), elsewhere))
    assert not list(vessels(KneeShape(), elsewhere))
