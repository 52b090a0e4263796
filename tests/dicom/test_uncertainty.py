"""The uncertainty series and the samples: values, frame of reference, wording, conformance."""

from __future__ import annotations

from dataclasses import replace

import highdicom
import numpy as np
import pytest
from pydicom import dcmread

from monai_xray2mri.dicom.mr_series import build_mr_series, build_sample_series
from monai_xray2mri.dicom.synthetic_image import SeriesRecord, write_images
from monai_xray2mri.dicom.uncertainty import SpreadSummary, UncertaintyImage, build_uncertainty_series, meaning_of
from tests.helpers.dicom_objects import LEFT, RIGHT, origin, small


@pytest.fixture
def mean(phantom, film):
    return build_mr_series(small(phantom), RIGHT, origin(film))


@pytest.fixture
def deviation(phantom):
    """Standard deviations from 0 to 0.3, and one beyond what can be."""
    voxels = np.random.default_rng(1).random((2, 256, 256), dtype=np.float32) * 0.3
    voxels[1, 7, 9] = 1.5
    return replace(small(phantom), voxels=voxels)


@pytest.fixture
def written(tmp_path, deviation, film, mean, report):
    images = build_uncertainty_series(deviation, RIGHT, origin(film, report), mean)
    return [dcmread(path) for path in write_images(tmp_path / "u", images)]


def test_the_mapping_gives_the_standard_deviations_back(written, deviation):
    for index, image in enumerate(written):
        (mapping,) = image.RealWorldValueMappingSequence
        values = image.pixel_array * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
        assert values == pytest.approx(np.clip(deviation.voxels[index], 0, 1), abs=0.51 / 65535)
        assert (mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped) == (0, 65535)
        assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
        (quantity,) = mapping.QuantityDefinitionSequence
        assert quantity.ConceptCodeSequence[0].CodeValue == "113061"
        assert (image.BitsStored, image.HighBit) == (16, 15)


def test_highdicom_applies_the_mapping(written, deviation):
    image = highdicom.Image.from_dataset(written[0])
    values = image.get_frame(1, apply_real_world_transform=True)
    assert values == pytest.approx(deviation.voxels[0], abs=1e-5)


def test_it_lies_on_the_mean_and_is_another_series(written, mean):
    for image, of_mean in zip(written, mean, strict=True):
        assert image.FrameOfReferenceUID == of_mean.FrameOfReferenceUID
        assert image.ImagePositionPatient == of_mean.ImagePositionPatient
        assert image.ImageOrientationPatient == of_mean.ImageOrientationPatient
        assert image.SeriesInstanceUID != of_mean.SeriesInstanceUID
        assert image.SOPInstanceUID != of_mean.SOPInstanceUID
    assert written[0].SeriesNumber == 911


def test_it_says_what_it_is(written, report):
    image = written[0]
    assert image.SeriesDescription == "SYNTHETIC uncertainty (SD) RIGHT KNEE, not for clinical use"
    assert "model spread" in image.ImageComments and "not calibrated" in image.ImageComments
    assert image.SyntheticData == "YES" and image.Modality == "MR"
    assert image.SourceInstanceSequence[0].ReferencedSOPInstanceUID == report.SOPInstanceUID


def test_it_gives_the_interval_where_the_samples_are_like_the_calibrated_ones(film):
    known = {"level": 0.9, "scale": 2.314, "floor": 0.02, "knees": 150, "simulator": "1.0"}
    unknown = meaning_of(RIGHT, {})
    assert unknown.endswith("not calibrated") and meaning_of(RIGHT, {"interval": None}) == unknown
    said = meaning_of(RIGHT, {"interval": known})
    assert "mean +/- 2.31 x (SD + 0.02) held 90% of the voxels" in said and "not calibrated" not in said
    assert said.isascii() and said in UncertaintyImage.comments_of(
        SeriesRecord(RIGHT, origin(film, interval=known), 1, "")
    )


def test_dciodvfy_finds_no_error(tmp_path, written, dciodvfy):
    assert [dciodvfy(path) for path in sorted((tmp_path / "u").iterdir())] == [[], []]


def test_uids_follow_values_and_mean(deviation, film, mean, phantom):
    def uid(values=deviation, on=mean, **replaced):
        return build_uncertainty_series(values, RIGHT, origin(film, **replaced), on)[0].SeriesInstanceUID

    elsewhere = build_mr_series(small(phantom), RIGHT, origin(film), label="none")
    others = [uid(replace(deviation, voxels=deviation.voxels / 2)), uid(on=elsewhere), uid(version="2")]
    assert uid() == uid() and len({uid(), *others}) == 4


@pytest.mark.parametrize(
    ("voxels", "words"), [(np.zeros((3, 256, 256)), "mean's shape"), (np.full((2, 256, 256), np.nan), "finite")]
)
def test_other_values_are_errors(deviation, film, mean, voxels, words):
    with pytest.raises(ValueError, match=words):
        build_uncertainty_series(replace(deviation, voxels=voxels), RIGHT, origin(film), mean)


def test_the_window_shows_a_fifth_of_the_range_as_white():
    assert UncertaintyImage.window == (6554, 13107)


def test_the_summary_is_of_all_voxels():
    values = np.linspace(0, 0.2, 1001, dtype=np.float32).reshape(1, 7, 143)
    assert SpreadSummary.of(values, 8) == SpreadSummary(8, 0.1, 0.19, 0.2)


def test_samples_are_series_of_their_own_on_the_mean(tmp_path, phantom, film, mean, dciodvfy):
    made = [build_sample_series(small(phantom), number, RIGHT, origin(film), mean) for number in (1, 64)]
    numbers, uids = [], {mean[0].SeriesInstanceUID}
    for images in made:
        path = write_images(tmp_path / str(len(uids)), images)[0]
        image = dcmread(path)
        assert dciodvfy(path) == []
        assert image.FrameOfReferenceUID == mean[0].FrameOfReferenceUID
        numbers.append((image.SeriesNumber, image.SeriesDescription))
        uids.add(image.SeriesInstanceUID)
    assert numbers == [
        (9101, "SYNTHETIC COR T1 RIGHT KNEE sample 1, not for clinical use"),
        (9164, "SYNTHETIC COR T1 RIGHT KNEE sample 64, not for clinical use"),
    ]
    left = build_sample_series(small(phantom), 2, LEFT, origin(film), mean)
    assert left[0].SeriesNumber == 9202 and len(uids) == 3
