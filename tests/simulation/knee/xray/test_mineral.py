from __future__ import annotations

import math

import pytest
import torch

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.shape import Pose
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.xray.mineral import bone_paths, crystal_paths, growth_plate_scars
from monai_xray2mri.simulation.tools.lattice import Grid
from monai_xray2mri.simulation.tools.rays import covered
from tests.simulation.knee.conftest import HEALTHY, SEED

STEP = 2.5
PIXEL = 1.0


@pytest.fixture(scope="module")
def anatomy() -> KneeAnatomy:
    shape, pathology = draw_patient_knee(SEED, {**HEALTHY, "XRCYTM": 1, "XRSCFM": 3, "XRCHM": 1})
    return build_anatomy(shape, pathology, Pose(flexion=20.0), (-60.0, 60.0))


def parallel_grid(step: float = STEP) -> Grid:
    return Grid(torch.arange(48.0, -80.0, -step), torch.arange(50.0, -50.0, -PIXEL), torch.arange(-60.0, 60.0, PIXEL))


@pytest.mark.parametrize("middle", [0.0, 0.3, 1.1, 1.9])
def test_path_through_a_slab_is_exact_wherever_the_samples_fall(middle):
    y = torch.arange(-20.0, 20.0, STEP)[:, None, None]
    distance = (y - middle).abs() - 5.0
    assert float(STEP * covered(distance).sum()) == pytest.approx(10.0, abs=1e-4)


def test_path_through_a_ball_is_its_chord():
    y, offset = torch.arange(-40.0, 40.0, STEP)[:, None, None], torch.tensor([0.0, 10.0, 18.0, 21.0])
    distance = (y.square() + offset.square()).sqrt() - 20.0
    found = STEP * covered(distance.expand(-1, 1, -1)).sum(0)[0]
    for path, beside in zip(found.tolist(), offset.tolist(), strict=True):
        assert path == pytest.approx(2 * math.sqrt(max(400 - beside**2, 0)), abs=0.25)


def test_paths_fill_the_volume_of_the_bone(anatomy):
    """The patella is cut off nowhere: its volume on the lattice is the area times the mean path."""
    paths = bone_paths(anatomy, anatomy.patella, parallel_grid(), STEP)
    distance = anatomy.patella.distance
    on_lattice = float((0.5 - distance.values / 2).clamp(0, 1).sum()) * distance.lattice.step**3
    assert float(paths.volume.sum()) * PIXEL**2 == pytest.approx(on_lattice, rel=0.03)


def test_bone_is_a_thin_shell_around_spongy_bone(anatomy):
    for bone in anatomy.bones:
        paths = bone_paths(anatomy, bone, parallel_grid(), STEP)
        assert (paths.compact + paths.spongy <= 1.35 * paths.volume + 1e-3).all()
        middle = paths.volume > 0.8 * paths.volume.max()
        share = float((paths.compact + paths.spongy)[middle].sum() / paths.volume[middle].sum())
        assert 0.05 < share < 0.5


def test_a_finer_step_changes_little(anatomy):
    coarse, fine = (bone_paths(anatomy, anatomy.tibia, parallel_grid(step), step) for step in (STEP, 1.0))
    for name in ("volume", "compact", "spongy"):
        difference = (getattr(coarse, name) - getattr(fine, name)).abs()
        # The cortex is thinner than a step, hence the few per cent.
        assert float(difference.mean()) < 0.05 * float(getattr(fine, name).mean())


def test_scars_lie_across_femur_and_tibia(anatomy):
    scars = growth_plate_scars(anatomy)
    assert set(scars) == {"femur", "tibia"}
    for bone, low, high in ((anatomy.femur, 10.0, 50.0), (anatomy.tibia, -35.0, -5.0)):
        with_scar, without = (bone_paths(anatomy, bone, parallel_grid(), STEP, given) for given in (scars, {}))
        added = (with_scar.compact - without.compact).sum(1)
        z = parallel_grid().z[with_scar.window[0]]
        assert float(added.max()) > 0
        assert low < float((added * z).sum() / added.sum()) < high


def test_sclerosis_and_cyst_change_the_bone_at_their_sites(anatomy):
    shape, healthy = draw_patient_knee(SEED, HEALTHY)
    plain = build_anatomy(shape, healthy, Pose(flexion=20.0), (-60.0, 60.0))
    dense, usual = (bone_paths(one, one.femur, parallel_grid(), STEP).compact for one in (anatomy, plain))
    assert float((dense - usual).max()) > 1.0
    holed, whole = (bone_paths(one, one.tibia, parallel_grid(), STEP).spongy for one in (anatomy, plain))
    assert float((whole - holed).max()) > 0.3
    assert float((holed - whole).max()) < 0.05


def test_crystals_lie_in_the_medial_joint_space(anatomy):
    ((window, path),) = crystal_paths(anatomy, parallel_grid(), STEP)
    grid = parallel_grid()
    x, z = grid.x[window[1]], grid.z[window[0]]
    assert 10 < float((path.sum(0) * x).sum() / path.sum()) < 32
    assert -8 < float((path.sum(1) * z).sum() / path.sum()) < 10
