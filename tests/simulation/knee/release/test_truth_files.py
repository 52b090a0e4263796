from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.release.layout import places
from monai_xray2mri.simulation.knee.release.truth_files import LESION_NAMES, TISSUE_NAMES, write_segmentation


@pytest.fixture(scope="module")
def record(release, participant):
    return json.loads((release / places(participant).truth / "truth.json").read_text())


@pytest.fixture(scope="module")
def knee(settings):
    return simulate_knee(settings.seed, visibility=settings.visibility)


def test_record_names_seed_settings_and_places(record, release, participant, settings):
    assert (record["participant"], record["seed"], record["split"]) == (participant.number, settings.seed, "validation")
    assert (record["visibility"], record["sex"]) == (0.5, participant.sex)
    assert (release / record["film"]["folder"] / "001").is_file()
    assert len(list((release / record["mr"]["folder"]).iterdir())) == 80


def test_record_has_the_truth_and_grades_of_the_simulated_knee(record, knee):
    assert record["knees"]["R"]["grades"] == knee.grades
    assert record["knees"]["R"]["truth"]["joint_space_mm"] == pytest.approx(dict(knee.truth.joint_space_mm))
    np.testing.assert_allclose(record["mr"]["affine_lps_mm"], knee.affine)


def test_both_knees_have_a_box_on_the_film(record):
    rows, columns = record["film"]["shape"]
    right, left = (record["knees"][side]["box"] for side in "RL")
    assert right["left"] + right["columns"] / 2 < columns / 2 < left["left"] + left["columns"] / 2
    assert all(0 < box["top"] < rows and box["rows"] == box["columns"] > 300 for box in (right, left))


def test_segmentations_hold_labels_and_lesions_from_anterior_to_posterior(release, participant, knee):
    folder = release / places(participant).truth
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "labels.seg.nrrd")))
    lesions = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "lesions.seg.nrrd")))
    np.testing.assert_array_equal(labels, knee.labels[::-1])
    np.testing.assert_array_equal(lesions, knee.lesions[::-1])


def test_segments_have_names_for_slicer(release, participant):
    image = sitk.ReadImage(str(release / places(participant).truth / "labels.seg.nrrd"))
    named = {
        int(image.GetMetaData(f"Segment{position}_LabelValue")): image.GetMetaData(f"Segment{position}_Name")
        for position in range(len(TISSUE_NAMES))
    }
    assert named == TISSUE_NAMES
    assert named[Tissue.FEMORAL_CARTILAGE] == "femoral cartilage"
    assert image.GetMetaData("Segmentation_SourceRepresentation") == "Binary labelmap"


def test_lesion_codes_are_the_simulator_s():
    assert [LESION_NAMES[code] for code in range(1, 9)] == list(LESION_FEATURES)


def test_right_handed_labels_stay_as_they_are(tmp_path):
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = (5.0, 6.0, 7.0)
    write_segmentation(tmp_path / "a.seg.nrrd", labels, affine, {1: "one"})
    image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), labels)
    assert image.TransformIndexToPhysicalPoint((3, 2, 1)) == (8.0, 10.0, 10.0)
