from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from monai_xray2mri.simulation.anatomy import CONDYLE_X
from monai_xray2mri.simulation.knee import draw_patient_knee
from monai_xray2mri.simulation.mr import MATRIX, PIXEL_MM, Tissue
from monai_xray2mri.simulation.seeds import SHIFTED, knee_generator
from monai_xray2mri.simulation.shape import draw_shape

from .conftest import HEALTHY, SEED, mr_millimetres

BONE = (Tissue.CORTEX, Tissue.FEMUR, Tissue.TIBIA, Tissue.FIBULA, Tissue.PATELLA)


def centre(labels: torch.Tensor, *tissues: Tissue) -> tuple[float, float, float]:
    return mr_millimetres(torch.isin(labels, torch.tensor(tissues, dtype=torch.uint8)).float())


def joint_space(labels: torch.Tensor, side: float, scale: tuple[float, float, float]) -> float:
    """Smallest height in mm between femur and tibia along the middle of a compartment."""
    bone = torch.isin(labels, torch.tensor(BONE, dtype=torch.uint8)).numpy()
    column = round((MATRIX - 1) / 2 + side * CONDYLE_X * scale[0] / PIXEL_MM)
    heights = []
    for plane in range(32, 44):
        line = bone[plane, :, column]
        rows = np.flatnonzero(~line[118:146])
        heights.append(len(rows) * PIXEL_MM)
    return min(heights)


@pytest.fixture(scope="module")
def labels(painted) -> torch.Tensor:
    return painted()[0].labels


def test_it_is_a_right_knee(labels):
    fibula, tibia = centre(labels, Tissue.FIBULA), centre(labels, Tissue.TIBIA)
    assert fibula[0] < tibia[0] - 25  # lateral is towards the patient's right
    assert fibula[1] > tibia[1] + 5  # and posterior


def test_bones_lie_where_they_belong(labels):
    femur, tibia, patella = (centre(labels, t) for t in (Tissue.FEMUR, Tissue.TIBIA, Tissue.PATELLA))
    assert femur[2] > 20 > -15 > tibia[2]
    assert patella[1] < femur[1] - 20


def test_cartilage_lies_between_the_bones(labels):
    femoral, tibial = centre(labels, Tissue.FEMORAL_CARTILAGE), centre(labels, Tissue.TIBIAL_CARTILAGE)
    assert femoral[2] > tibial[2]
    assert abs(tibial[2]) < 6


def test_every_tissue_is_there_in_a_healthy_knee(labels):
    present = set(labels.unique().tolist())
    assert present == {int(t) for t in Tissue if t < Tissue.CYST}


@pytest.mark.parametrize("side", ["M", "L"])
def test_narrowing_brings_the_bones_together_by_millimetres(painted, side):
    shape, _ = draw_patient_knee(SEED, HEALTHY)
    sign, normal = (1.0, shape.joint_space[0]) if side == "M" else (-1.0, shape.joint_space[1])
    measured = []
    for grade in range(4):
        labels = painted(**({f"XRJS{side}": grade} if grade else {}))[0].labels
        measured.append(joint_space(labels, sign, shape.scale))
        expected = draw_patient_knee(SEED, {**HEALTHY, f"XRJS{side}": grade})[1].narrowed(normal, side)
        assert measured[-1] == pytest.approx(expected * shape.scale[2], abs=1.0)
    assert measured[0] - measured[1] >= 0.6
    assert measured[1] - measured[2] >= 0.6
    assert measured[2] - measured[3] >= 0.6
    assert measured[3] <= 1.3


def test_shapes_vary_and_the_shifted_cohort_varies_more():
    usual = [draw_shape(knee_generator(seed, "anatomy")) for seed in range(60)]
    shifted = [draw_shape(knee_generator(SHIFTED.start + seed, "anatomy"), 1.8) for seed in range(60)]
    spread, wider = (np.std([s.notch_height for s in group]) for group in (usual, shifted))
    assert 1.0 < spread < wider


def test_dimensions_are_those_of_a_real_knee(labels, shared_data):
    """Widths within 15 % of a real right knee: knees differ by about 10 % between people."""
    path = next((shared_data / "knee_anatomy").glob("*.nrrd"))
    image = sitk.ReadImage(str(path))
    grid = sitk.Image([170, 200, 200], sitk.sitkUInt8)
    grid.SetSpacing((0.7, 0.7, 0.7))
    middle = np.array(image.TransformContinuousIndexToPhysicalPoint([s / 2 for s in image.GetSize()]))
    grid.SetOrigin(tuple(middle - np.array([170, 200, 200]) * 0.35))
    real = sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkNearestNeighbor))  # [z,y,x]
    for real_label, tissue in ((5, Tissue.FEMUR), (6, Tissue.TIBIA)):
        ours = float(_width((labels == int(tissue)).any(0).numpy())) * PIXEL_MM + 2 * 1.1  # cortex on both sides
        assert ours == pytest.approx(_width((real == real_label).any(1)) * 0.7, rel=0.15)


def _width(front: np.ndarray) -> int:
    """Columns between the outermost ones that a projection [rows,columns] fills in at least 8 rows."""
    columns = np.flatnonzero(front.sum(0) >= 8)
    return int(columns[-1] - columns[0] + 1)
