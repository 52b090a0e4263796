from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from monai_xray2mri.cli import main
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.realism.anatomy import BONES, PUBLISHED, compare, healthy_knee, table
from monai_xray2mri.knee.realism.anatomy_fit import fit_knee
from monai_xray2mri.knee.realism.bone_distance import Surface, simulated_surface
from monai_xray2mri.knee.realism.morphometry import View, simulated_masks
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.anatomy.template import LABELS, read_label_map
from monai_xray2mri.simulation.knee.people.seeds import TEST, VALIDATION, knee_generator

VIEW = View((-62.0, -66.0, -58.0), (1.5, 1.5, 1.5), (94, 69, 77))
SHIFT = (1.0, -2.0, 1.5)


def made_up(**shape: object) -> KneeShape:
    return KneeShape(**shape)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def surfaces() -> dict[str, Surface]:
    """The bones of a knee whose shape and pose are known, as if they were real."""
    shape = made_up(scale=(1.04, 0.97, 1.02), joint_space=(3.8, 6.6), slope=5.0, patella=(-8.0, -50.0, 38.0))
    torch.set_num_threads(1)
    knee = build_anatomy(shape, draw_pathology({}, knee_generator(TEST.start, "lesions")), Pose(roll=3.0, lean=4.5))
    return {b: Surface(simulated_surface(knee, b, VIEW).points + np.asarray(SHIFT)) for b in BONES}


def test_a_knee_of_the_family_is_found_again(surfaces):
    fit = fit_knee(surfaces, steps=2)
    assert fit.residual[0] > 0.8
    assert fit.residual[1] < 0.15
    assert fit.shift == pytest.approx(SHIFT, abs=1.2)
    found = fit.anatomy.shape
    assert found.scale == pytest.approx((1.04, 0.97, 1.02), abs=0.015)
    assert found.joint_space == pytest.approx((3.8, 6.6), abs=0.5)
    assert fit.anatomy.pose.roll == pytest.approx(3.0, abs=1.0)


def test_a_healthy_knee_has_no_lesion_and_its_own_shape():
    first, second = healthy_knee(VALIDATION[0]), healthy_knee(VALIDATION[1])
    assert not first.crystals
    assert not first.femur.cysts
    assert first.shape.scale != second.shape.scale
    assert first.pathology.narrowing("M") == 0


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """A label map [Z,Y,X] of a simulated knee."""
    shape = made_up(scale=(1.03, 1.02, 1.0), slope=4.0)
    knee = build_anatomy(shape, draw_pathology({}, knee_generator(TEST.start, "lesions")), Pose(lean=3.0))
    masks = simulated_masks(knee, VIEW).masks
    found = np.zeros(VIEW.size, np.uint8)
    for name, mask in masks.items():
        found[mask] = LABELS[name][0]
    return found


def test_the_command_tells_the_comparison(labels, tmp_path, capsys):
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(VIEW.spacing[::-1])
    sitk.WriteImage(image, str(tmp_path / "map.nii.gz"))
    call = ["measure", "anatomy", "--labels", str(tmp_path / "map.nii.gz"), "--knees", "1", "--steps", "1", "--json"]
    assert main(call) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["real"]["dimensions"]) >= set(PUBLISHED)
    for bone in BONES:
        assert found["fitted_distance"][bone]["median"] < 0.6  # a third of a voxel
        assert found["population_distance"][0][bone]["median"] < 2.0
    for bone in ("femur", "tibia", "patella"):
        assert found["fitted"]["volumes_ml"][bone] == pytest.approx(found["real"]["volumes_ml"][bone], rel=0.05)


def test_a_map_without_a_bone_is_refused(labels):
    with pytest.raises(InputRefused, match="fibula"):
        compare(np.where(labels == LABELS["fibula"][0], 0, labels), VIEW.spacing)


def test_the_nearest_knee_lies_within_two_millimetres_of_the_real_one(shared_data):
    labels, spacing = read_label_map(next((shared_data / "knee_anatomy").glob("*.nrrd")))
    thinned = labels[::3, ::3, ::2]
    found = compare(thinned, (spacing[0] * 3, spacing[1] * 3, spacing[2] * 2), knees=0, steps=1)
    for distance in found.fitted_distance.values():
        assert distance.median < 0.6  # 2 mm are required
        assert distance.p95 < 2.0
    for bone in BONES:
        assert found.fitted.volumes_ml[bone] == pytest.approx(found.real.volumes_ml[bone], rel=0.04)
    text = table(found)
    assert "| femoral width, mm |" in text
    assert "| femur surface, median mm |" in text
