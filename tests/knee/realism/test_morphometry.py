from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.knee.realism.morphometry import (
    KneeMasks,
    View,
    dimensions_mm,
    half_width_mm,
    real_masks,
    simulated_masks,
    volumes_ml,
)
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import build_anatomy
from monai_xray2mri.simulation.knee.anatomy.measurement import volumes_ml as field_volumes
from monai_xray2mri.simulation.knee.anatomy.pathology import draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.anatomy.template import LABELS
from monai_xray2mri.simulation.knee.people.seeds import TEST, knee_generator

VIEW = View((-62.0, -66.0, -58.0), (1.0, 1.0, 1.0), (142, 104, 116))
STEP = 1.0


def block_knee() -> KneeMasks:
    """A knee of blocks: every dimension is known."""
    z, y, x = np.meshgrid(*(VIEW.axis(number) for number in range(3)), indexing="ij")
    notch = (abs(x) < 9.6) & (z < 27.5) & (y > -8)
    femur = (abs(x) < 40.1) & (abs(y) < 30.1) & (z > 1.5) & (z < 70) & ~notch
    slope = np.tan(np.deg2rad(5.0))
    tibia = (abs(x) < 38.1) & (abs(y) < 25.1) & (z < -3 - slope * y) & (z > -60)
    tibia |= (abs(x - 5) < 2) & (abs(y) < 4) & (z < 5.1) & (z > -5)
    patella = (abs(x + 5) < 20.1) & (abs(y + 50) < 10.1) & (abs(z - 30) < 21.1)
    fibula = (abs(x + 45) < 8.1) & (abs(y - 15) < 6.1) & (z < -10)
    empty = np.zeros_like(femur)
    femoral = (abs(x) > 12) & (abs(x) < 34) & (abs(y) < 20) & (z > -0.5) & (z < 1.5)
    masks = {name: empty for name in LABELS}
    found = {"femur": femur, "tibia": tibia, "patella": patella, "fibula": fibula, "femoral cartilage": femoral}
    found["patellar cartilage"] = (abs(x + 5) < 15) & (y > -40) & (y < -36.5) & (abs(z - 30) < 15)
    return KneeMasks(VIEW, {**masks, **found})


@pytest.fixture(scope="module")
def blocks() -> dict[str, float]:
    return dimensions_mm(block_knee())


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("femoral width", 81.0),
        ("medial condyle depth", 61.0),
        ("lateral condyle depth", 61.0),
        ("notch width", 19.0),
        ("notch height", 25.5),
        ("notch depth", 38.0),
        ("plateau width", 77.0),
        ("medial plateau depth", 51.0),
        ("medial slope", 5.0),
        ("lateral slope", 5.0),
        ("medial spine height", 8.5),
        ("patella height", 43.0),
        ("patella width", 41.0),
        ("patella thickness", 21.0),
        ("fibular head width", 17.0),
        ("fibular head depth", 13.0),
        ("medial joint space", 3.5),
        ("medial femoral cartilage", 2.0),
        ("patellar cartilage", 3.0),
    ],
)
def test_dimensions_of_blocks_are_found(blocks, name, truth):
    assert blocks[name] == pytest.approx(truth, abs=0.6)


def test_volumes_count_voxels():
    found = volumes_ml(block_knee())
    assert found["patella"] == pytest.approx(43 * 41 * 21 / 1000)
    assert found["meniscus M"] == 0


def test_a_finer_or_coarser_map_measures_the_same():
    knee = block_knee()
    labels = np.zeros(VIEW.size, np.uint8)
    for name, mask in knee.masks.items():
        labels[mask] = LABELS[name][0]
    again = real_masks(labels, VIEW.spacing, (1, 2, 2))
    fine, coarse = dimensions_mm(real_masks(labels, VIEW.spacing)), dimensions_mm(again)
    assert fine["femoral width"] == pytest.approx(81.0)
    for name in ("femoral width", "plateau width", "patella width", "medial condyle depth"):
        assert coarse[name] == pytest.approx(fine[name], abs=2.1)
    assert again.view.axis(2)[0] == pytest.approx(VIEW.axis(2)[0], abs=1.0)


@pytest.fixture(scope="module")
def default_knee():
    pathology = draw_pathology({}, knee_generator(TEST.start, "lesions"))
    return build_anatomy(KneeShape(), pathology, Pose(lean=3.0))


def test_a_simulated_knee_has_the_volumes_of_its_fields(default_knee):
    masks = simulated_masks(default_knee, VIEW)
    truth = field_volumes(default_knee, (-62.5, 79.5))
    found = volumes_ml(masks)
    for name in ("femur", "tibia", "patella"):
        assert found[name] == pytest.approx(truth[name], rel=0.02)
    assert found["femoral cartilage"] == pytest.approx(truth["femoral cartilage"], rel=0.12)
    overlap = sum(mask.astype(int) for mask in masks.masks.values())
    assert overlap.max() == 1


def test_the_default_knee_measures_as_the_real_one_does(default_knee):
    found = dimensions_mm(simulated_masks(default_knee, VIEW))
    # The real knee's, as docs/simulation/anatomy.md has them.
    for name, real in (
        ("femoral width", 75.6),
        ("plateau width", 71.4),
        ("patella width", 42.0),
        ("notch width", 15.4),
    ):
        assert found[name] == pytest.approx(real, abs=2.0)
    assert half_width_mm(simulated_masks(default_knee, VIEW)) == pytest.approx(37.8, abs=1.0)


def test_a_wider_view_reaches_farther_on_every_side():
    wide = VIEW.widened(9.5)
    for number in range(3):
        assert wide.axis(number)[0] == pytest.approx(VIEW.axis(number)[0] - 10)
        assert wide.axis(number)[-1] == pytest.approx(VIEW.axis(number)[-1] + 10)
