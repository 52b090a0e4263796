from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.knee.anatomy.truth import CARTILAGES, COMPARTMENTS, KEYPOINTS, LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import simulate_knee, simulate_knees, simulate_radiograph
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES, kellgren_lawrence
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION


def test_shapes_types_and_ranges(knee):
    for volume in (knee.volume, knee.noise_free):
        assert volume.shape == (80, 256, 256)
        assert volume.dtype == np.float32
        assert 0 <= volume.min() < 0.1 < 0.8 < volume.max() <= 1
    assert knee.labels.shape == knee.lesions.shape == (80, 256, 256)
    assert knee.labels.dtype == np.uint8
    assert knee.lesions.dtype == np.uint8
    assert knee.affine.shape == (4, 4)
    assert knee.radiograph.shape == (299, 299)
    assert knee.radiograph.dtype == np.float32
    assert 0 <= knee.radiograph.min() < knee.radiograph.max() <= 1
    assert set(knee.grades) == set(MAXIMAL_GRADES)
    assert knee.version == SIMULATOR_VERSION


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_seed_gives_the_same_bits_whatever_happens_around(knee, threads):
    simulate_radiograph(7)
    torch.randn(3)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        again = simulate_knee(knee.seed)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for name in ("volume", "noise_free", "labels", "lesions", "radiograph"):
        assert np.array_equal(getattr(again, name), getattr(knee, name)), name
    assert again.grades == knee.grades


def test_global_randomness_is_left_alone():
    state = torch.get_rng_state()
    simulate_radiograph(7)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_batch_makes_the_very_same_knees(knee):
    made = list(simulate_knees([7, knee.seed]))[1]
    assert made.seed == knee.seed
    for name in ("volume", "noise_free", "labels", "lesions", "radiograph"):
        assert np.array_equal(getattr(made, name).numpy(), getattr(knee, name)), name
    assert made.grades == knee.grades


def test_some_slices_are_those_of_the_whole_knee(knee):
    some = simulate_knee(knee.seed, slices=[61, 0, 40])
    for name in ("volume", "noise_free", "labels", "lesions"):
        assert np.array_equal(getattr(some, name), getattr(knee, name)[[61, 0, 40]]), name
    assert np.array_equal(some.radiograph, knee.radiograph)
    assert some.truth.as_record() == knee.truth.as_record()
    with pytest.raises(InputRefused, match="slice of the MR volume"):
        simulate_knee(knee.seed, slices=[80])


def test_another_examination_is_of_the_same_knee(knee):
    again = simulate_knee(knee.seed, nuisance=1)
    assert np.array_equal(again.radiograph, knee.radiograph)
    assert np.abs(again.noise_free - knee.noise_free).mean() > 0.005
    for side in "ML":
        assert again.truth.joint_space_mm[side] == pytest.approx(knee.truth.joint_space_mm[side], abs=0.6)


def test_the_wide_radiograph_is_centerd_on_the_true_box():
    wide = simulate_radiograph(7, margin=0.12)
    assert wide.shape == (371, 371)
    with pytest.raises(InputRefused, match="not be negative"):
        simulate_radiograph(7, margin=-0.1)


def test_truth_is_complete_and_lies_where_it_should(knee):
    truth = knee.truth
    assert set(truth.keypoints) == set(truth.film_keypoints) == set(KEYPOINTS)
    assert set(truth.cartilage_mm) == set(CARTILAGES)
    assert set(truth.joint_space_mm) == set(truth.film_joint_space_mm) == set(COMPARTMENTS)
    # The centre of the patella is patella in the label map, too: keypoints are in the affine's coordinates.
    column, row, slice_ = np.linalg.solve(knee.affine, [*truth.keypoints["patella"], 1.0])[:3].round().astype(int)
    assert knee.labels[slice_, row, column] == Tissue.PATELLA
    assert truth.keypoints["medial condyle"][0] > 0 > truth.keypoints["lateral condyle"][0]
    rows = {name: place[0] for name, place in truth.film_keypoints.items()}
    assert rows["notch"] < rows["medial condyle"] < rows["medial tibial margin"] < 299
    assert truth.film_keypoints["lateral condyle"][1] < truth.film_keypoints["medial condyle"][1]
    assert truth.box.rows == pytest.approx(truth.box.columns)
    assert 299 * 0.9 < truth.box.rows < 299 * 1.1
    json.dumps(truth.as_record())


def test_lesion_boxes_lie_on_the_lesions():
    healthy = dict.fromkeys(MAXIMAL_GRADES, 0)
    cyst = simulate_knee(8, healthy | {"XRCYTM": 1}, visibility=1.0)
    box = cyst.truth.lesion_boxes["XRCYTM"]
    assert set(cyst.truth.lesion_boxes) == {"XRCYTM"}
    assert set(np.unique(cyst.lesions)) == {0, 1 + LESION_FEATURES.index("XRCYTM")}
    change = cyst.radiograph - simulate_radiograph(8, healthy, visibility=1.0)
    row, column = np.unravel_index(np.abs(change).argmax(), change.shape)
    rim = 5  # pixels, 1.7 mm: a cyst has a dense wall
    assert box.top - rim <= row <= box.top + box.rows + rim
    assert box.left - rim <= column <= box.left + box.columns + rim


def test_other_seed_gives_another_knee(knee):
    other = simulate_radiograph(knee.seed + 1)
    assert np.abs(other - knee.radiograph).mean() > 0.01


def test_radiograph_alone_is_that_of_the_knee(knee):
    assert np.array_equal(simulate_radiograph(knee.seed), knee.radiograph)


def test_hidden_lesion_leaves_no_trace_at_visibility_0():
    healthy = dict.fromkeys(MAXIMAL_GRADES, 0)
    drawn = ((0, 1.0), (1, 0.0), (1, 1.0))
    absent, hidden, shown = (simulate_radiograph(7, healthy | {"XRATTM": grade}, seen) for grade, seen in drawn)
    assert np.array_equal(absent, hidden)
    assert np.abs(shown - absent).max() > 0.02


def test_slice_0_is_posterior_and_row_0_superior(knee):
    def mean_index(tissue: Tissue, axis: int) -> float:
        return float(np.nonzero(knee.labels == tissue)[axis].mean())

    assert mean_index(Tissue.PATELLA, 0) > mean_index(Tissue.FEMUR, 0) + 15
    assert mean_index(Tissue.VESSEL, 0) < mean_index(Tissue.FEMUR, 0)
    assert mean_index(Tissue.FEMUR, 1) < mean_index(Tissue.TIBIA, 1)
    assert mean_index(Tissue.FIBULA, 2) < mean_index(Tissue.TIBIA, 2)


def test_given_grades_replace_the_drawn_ones_and_kl_follows():
    _, pathology = draw_patient_knee(3, dict.fromkeys(MAXIMAL_GRADES.keys() - {"XRKL"}, 0) | {"XRJSM": 3})
    assert pathology.grades["XRKL"] == kellgren_lawrence(pathology.grades) == 4
    assert draw_patient_knee(3, {"XRKL": 1})[1].grades["XRKL"] == 1


def test_switching_a_lesion_off_leaves_shape_and_sites(knee):
    first, second = draw_patient_knee(knee.seed, {"XRCYFM": 0}), draw_patient_knee(knee.seed, {"XRCYFM": 1})
    assert first[0].scale == second[0].scale
    assert first[1].sites == second[1].sites


@pytest.mark.parametrize("grades", [{"XRJSM": 4}, {"XRKL": -1}, {"V00XRKL": 1}])
def test_unknown_features_and_grades_are_refused(grades):
    with pytest.raises(InputRefused, match="grade of its range"):
        simulate_knee(3, grades)


@pytest.mark.parametrize("visibility", [-0.1, 1.1])
def test_visibility_outside_its_range_is_refused(visibility):
    with pytest.raises(InputRefused, match="0 to 1"):
        simulate_radiograph(3, visibility=visibility)


def test_the_frozen_version_still_makes_the_same_knees(knee):
    """Models are trained on this version; a change of what it draws needs another SIMULATOR_VERSION."""
    assert SIMULATOR_VERSION == "2.0"
    assert float(knee.noise_free.mean()) == pytest.approx(FROZEN["mr"], abs=2e-5)
    assert float(knee.radiograph.mean()) == pytest.approx(FROZEN["film"], abs=2e-5)
    counts = [int((knee.labels == tissue).sum()) for tissue in (Tissue.FEMUR, Tissue.TIBIA, Tissue.MUSCLE)]
    assert counts == pytest.approx(FROZEN["voxels"], rel=1e-4)


FROZEN = {"mr": 0.1819260, "film": 0.4680457, "voxels": [236661, 188698, 564431]}
