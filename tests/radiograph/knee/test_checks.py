"""What is no frontal knee of an adult is refused in words; real knees pass."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from monai_xray2mri.errors import DoubtfulInput, ExitCode, InputRefused, NotAKnee
from monai_xray2mri.knee.detection.likeness import likeness_doubts
from monai_xray2mri.radiograph.decoding import decode_stored_values
from monai_xray2mri.radiograph.knee.checks import (
    LARGEST_STEP,
    SUSPECTED_STEP,
    FilmCheck,
    RegionCheck,
    check_radiograph,
    check_region,
)
from monai_xray2mri.radiograph.knee.joint import looks_like_a_joint, measure_joint
from monai_xray2mri.radiograph.knee.metal import metal_step
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.radiograph.reading import radiograph_from_dataset
from monai_xray2mri.radiograph.resampling import smooth
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES
from monai_xray2mri.types import Box, Radiograph, Side
from tests.helpers.films import read_picture


def coded(value: str, meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


@pytest.fixture(scope="module")
def film(knee_crop, make_dataset):
    def make(**attributes: object) -> Radiograph:
        return radiograph_from_dataset(make_dataset(knee_crop, **attributes), "film.dcm")

    return make


def region_of(pixels: np.ndarray) -> KneeROI:
    return KneeROI(Side.RIGHT, Box(0, 0, 299, 299), pixels.astype(np.float32), 110, "whole image")


def test_an_ordinary_knee_passes_without_warnings(film):
    assert check_radiograph(film()).warnings == ()


@pytest.mark.parametrize(
    "attributes",
    [
        {"BodyPartExamined": None, "ViewPosition": None, "PatientAge": None},
        {"BodyPartExamined": "KNEE JOINT"},
        {"BodyPartExamined": "KNIE RE"},
        {"AnatomicRegionSequence": coded("72696002", "Knee")},
        {"AnatomicRegionSequence": coded("12345", "Knee region structure")},
        {"SeriesDescription": "Knee AP and lateral", "ViewPosition": None},
        {"PatientSpeciesDescription": "Homo sapiens"},
        {"PatientSpeciesCodeSequence": coded("337915000", "homo sapiens")},
        {"PatientAge": "045Y"},
        {"PatientAge": "unknown"},
        {"PatientAge": None, "PatientBirthDate": "19500101", "StudyDate": "20040101"},
    ],
)
def test_headers_that_are_no_reason_to_refuse(film, attributes):
    assert check_radiograph(film(**attributes)).warnings == ()


@pytest.mark.parametrize(
    ("attributes", "part"),
    [
        ({"BodyPartExamined": "CHEST"}, "CHEST"),
        ({"BodyPartExamined": "HAND"}, "HAND"),
        ({"BodyPartExamined": "Some Name"}, "of another kind"),
        ({"AnatomicRegionSequence": coded("51185008", "Chest")}, "51185008"),
        ({"ViewPosition": "LL"}, "View Position LL"),
        ({"ViewPosition": "LATERAL"}, "frontal view"),
        ({"ViewPosition": "SUNRISE"}, "frontal view"),
        ({"ViewPosition": None, "ViewCodeSequence": coded("399067008", "lateral projection")}, "View Code Sequence"),
        ({"ViewPosition": None, "SeriesDescription": "Patella skyline"}, "SeriesDescription"),
        ({"PatientSpeciesDescription": "Canis familiaris"}, "animal"),
        ({"PatientSpeciesCodeSequence": coded("448771007", "Canis lupus familiaris")}, "animal"),
        ({"AcquisitionDeviceProcessingDescription": "CANINE STIFLE"}, "animal"),
    ],
)
def test_other_parts_views_and_species_are_not_a_knee(film, attributes, part):
    with pytest.raises(NotAKnee) as refusal:
        check_radiograph(film(**attributes))
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED
    assert "film.dcm" in str(refusal.value) and part in str(refusal.value)


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientAge": "017Y"},
        {"PatientAge": "200M"},
        {"PatientAge": "900D"},
        {"PatientAge": None, "PatientBirthDate": "19860103", "StudyDate": "20040102"},
        {"PatientAge": "061Y", "PatientBirthDate": "1990.07.20", "StudyDate": "20040102"},
    ],
)
def test_children_are_refused_without_their_age_in_the_message(film, attributes):
    with pytest.raises(InputRefused, match="at least 18 years") as refusal:
        check_radiograph(film(**attributes))
    for value in ("17", "200", "900", "1986", "1990"):
        assert value not in str(refusal.value)


def test_the_day_of_the_eighteenth_birthday_counts(film):
    grown = film(PatientAge=None, PatientBirthDate="19860102", StudyDate="20040102")
    assert "outside of the 45 to 79" in check_radiograph(grown).warnings[0]
    with pytest.raises(InputRefused, match="at least 21"):
        check_radiograph(grown, minimum_age=21)


@pytest.mark.parametrize(("age", "warned"), [("044Y", True), ("045Y", False), ("079Y", False), ("080Y", True)])
def test_ages_that_the_networks_do_not_know_are_warned_about(film, age, warned):
    assert bool(check_radiograph(film(PatientAge=age)).warnings) == warned


@pytest.mark.parametrize("part", ["EXTREMITY", "LOWER LIMB", "LEG", "R LEG"])
def test_wide_body_parts_are_warned_about(film, part):
    assert part in check_radiograph(film(BodyPartExamined=part)).warnings[0]
    assert check_radiograph(film(AnatomicRegionSequence=coded("61685007", "Lower limb"))).warnings


def test_unknown_side_is_refused_unless_told(film):
    unknown = film(ImageLaterality=None)
    with pytest.raises(InputRefused, match="needs a known side"):
        check_radiograph(unknown)
    assert check_radiograph(unknown, side=Side.LEFT) == FilmCheck((Side.LEFT,))


@pytest.mark.parametrize(
    ("pixels", "rule"),
    [
        (np.random.default_rng(0).random((100, 300)), "at least 128 pixels"),
        (np.zeros((200, 200)), "blank"),
        (np.full((200, 200), 0.5) + 0.001 * np.random.default_rng(0).random((200, 200)), "blank"),
        ((np.random.default_rng(0).random((200, 200)) > 0.5).astype(float), "blank"),
        (np.full((200, 200), np.nan), "finite"),
    ],
)
def test_images_that_show_nothing_are_refused(pixels, rule):
    film = Radiograph(pixels.astype(np.float32), None, "none", (Side.RIGHT,), "file name", "1R.png")
    with pytest.raises(InputRefused, match=rule):
        check_radiograph(film)


def test_drawn_knee_passes_and_its_distortions_are_doubted(knee_crop):
    assert check_region(region_of(knee_crop)) == RegionCheck()
    for wrong in (1 - knee_crop, np.rot90(knee_crop), knee_crop[::-1], np.roll(knee_crop, 70, axis=0)):
        rule = "right knee of film.dcm: must look like a knee joint"
        assert rule in str(check_region(region_of(wrong), "film.dcm").doubts[0])


def test_inverted_knee_is_told_as_such(knee_crop):
    assert "Bone looks dark" in str(check_region(region_of(1 - knee_crop)).doubts[0])


def test_saturated_regions_are_doubted(knee_crop):
    for pixels in (np.minimum(knee_crop, 0.5), np.where(np.arange(220)[:, None] < 140, 0, knee_crop)):
        assert "saturated" in str(check_region(region_of(pixels)).doubts[0])


def test_faint_joint_lines_are_warned_about(knee_crop):
    blurred = knee_crop.copy()
    noise = np.random.default_rng(3).normal(0, 1, knee_crop.shape)
    for strength in np.arange(0, 1, 0.05):  # until the joint line is only just seen
        blurred = knee_crop + strength * noise
        if measure_joint(blurred).gap < 0.39:
            break
    assert looks_like_a_joint(measure_joint(blurred))
    assert "faint" in check_region(region_of(blurred)).warnings[0]
    assert check_region(region_of(knee_crop)).warnings == ()


def test_blurred_and_noisy_regions_are_doubted(knee_crop):
    blurred = smooth(knee_crop, 5 / 0.5)
    noisy = knee_crop + np.random.default_rng(3).normal(0, 0.5, knee_crop.shape)
    for pixels, rule in ((blurred, "must be sharp"), (noisy, "above the noise")):
        assert rule in " ".join(str(doubt) for doubt in check_region(region_of(pixels)).doubts)


def with_plate(pixels: np.ndarray, brightness: float) -> np.ndarray:
    """A region with a plate of 30 x 30 mm at the joint, bone and soft tissue darker by its window."""
    bright = 0.6 * pixels
    bright[130:212, 110:192] = brightness
    return bright


def test_metal_is_doubted_by_its_outline_and_by_less_of_it_where_the_detector_says_prosthesis(knee_crop):
    (doubt,) = check_region(region_of(with_plate(knee_crop, 1.0)), "film.dcm").doubts
    assert isinstance(doubt, DoubtfulInput)
    assert (
        "without metal" in str(doubt) and "of the grey range at its outline" in doubt.found and "--force" in str(doubt)
    )
    assert pickle.loads(pickle.dumps(doubt)).args == doubt.args
    natural = region_of(knee_crop)
    assert metal_step(knee_crop, 110.0) < SUSPECTED_STEP
    assert check_region(natural).doubts == check_region(replace(natural, prosthesis=0.97)).doubts == ()


def test_the_step_of_metal_is_that_of_its_outline():
    rows, columns = np.mgrid[:299, :299] - 149.5
    within = np.hypot(rows, columns) < 55  # 20 mm
    assert metal_step(np.where(within, 0.9, 0.4), 110.0) == pytest.approx(1, abs=0.05)
    soft = np.exp(-(rows**2 + columns**2) / 2 / 70**2)
    assert metal_step(soft, 110.0) < 0.1
    assert metal_step(np.where(np.hypot(rows, columns) < 20, 0.9, 0.4), 110.0) == 0  # too small


@pytest.mark.parametrize("folder", ["knee_xray_rois", "knee_xray_rois_299"])
def test_natural_knees_have_no_metal(shared_data, folder):
    files = sorted((shared_data / folder / "val").rglob("*.jpg"))[::16]
    assert max(metal_step(read_picture(file), 95.0) for file in files) <= LARGEST_STEP


def random_images() -> list[np.ndarray]:
    """Images of other things: noise of several spectra, gradients, stripes, a page of text-like strokes."""
    generator = np.random.default_rng(11)
    images = [generator.random((299, 299)) for _ in range(10)]
    frequency = np.hypot(np.fft.fftfreq(299)[:, None], np.fft.rfftfreq(299)[None])
    frequency[0, 0] = 1
    for power in np.linspace(0.7, 2, 20):
        spectrum = np.fft.rfft2(generator.standard_normal((299, 299))) / frequency**power
        images.append(np.fft.irfft2(spectrum, (299, 299)))
    y, x = np.mgrid[:299, :299] / 298
    images += [np.cos(angle) * x + np.sin(angle) * y for angle in np.linspace(0, 6, 12)]
    images += [np.sin(x * k) for k in (5, 20, 60)] + [np.sin(y * k) for k in (5, 20, 60)]
    for _ in range(10):
        page = np.ones((299, 299))
        for line in range(20, 280, 18):
            for start in np.flatnonzero(generator.random(270) > 0.85) + 10:
                page[line : line + generator.integers(3, 11), start : start + generator.integers(1, 5)] = 0
        images.append(page)
    return images


def test_images_of_other_things_fail():
    """Noise hardly ever measures like a joint without joint space, and then the region judge refuses it."""
    passed = [image for image in random_images() if looks_like_a_joint(measure_joint(image))]
    assert len(passed) <= 1
    assert all(likeness_doubts(region_of(image)) for image in passed)


def test_radiographs_of_other_things_fail(shared_data):
    """The thoraces and the test pattern, in both polarities: whole ones never pass, of arbitrary parts hardly any."""
    generator = np.random.default_rng(2)
    whole_passed, part_passed = [], []
    for path in sorted((shared_data / "radiographs_odd").iterdir()):
        dataset = dcmread(path, force=True)
        if not dataset.file_meta.get("TransferSyntaxUID"):
            dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
        whole = decode_stored_values(dataset, path.name)[0].astype(float)
        for index in range(20):
            edge = min(whole.shape) if index == 0 else int(generator.uniform(0.3, 1) * min(whole.shape))
            top, left = (int(generator.integers(0, size - edge + 1)) for size in whole.shape)
            part = whole[top : top + edge, left : left + edge]
            for image in (part, -part):
                (part_passed if index else whole_passed).append(looks_like_a_joint(measure_joint(image)))
    assert len(whole_passed) == 6 and not any(whole_passed)
    assert len(part_passed) == 114 and sum(part_passed) <= 3  # 0.32 instead of 0.26 lets none pass, but refuses KL 4


def test_real_knees_of_the_validation_split_pass(shared_data):
    """At least 98 % of those whose bone is bright; the few that the release stores as negatives are refused.

    Every fourth file; all 826 were measured once (docstring of ``looks_like_a_joint``).
    """
    files = sorted((shared_data / "knee_xray_rois" / "val").rglob("*.jpg"))[::4]
    measured = [measure_joint(np.asarray(Image.open(file).convert("L"))) for file in files]
    negatives = [m for m in measured if max(m.femur, m.tibia) < -0.1]
    assert len(negatives) < 0.02 * len(files)
    assert not any(looks_like_a_joint(m) for m in negatives)
    passed = sum(looks_like_a_joint(m) for m in measured)
    assert passed >= 0.98 * (len(files) - len(negatives))


def test_unprocessed_real_knees_pass_and_upside_down_ones_fail(shared_data):
    files = sorted((shared_data / "knee_xray_rois_raw").rglob("*.png"))
    crops = [np.asarray(Image.open(file).convert("L")) / 255 for file in files]
    assert all(looks_like_a_joint(measure_joint(crop)) for crop in crops)
    assert sum(looks_like_a_joint(measure_joint(1 - crop)) for crop in crops) == 0
    right = (crop if file.stem.endswith("R") else crop[:, ::-1] for file, crop in zip(files, crops, strict=True))
    turned = [crop[::-1] for crop in right if looks_like_a_joint(measure_joint(crop[::-1]))]
    assert len(turned) < len(crops) / 2  # a joint without joint space is one upside down, too: the judge tells
    assert all(likeness_doubts(region_of(crop)) for crop in turned)


def test_simulated_knees_pass():
    for seed in SEED_RANGES["validation"][:3]:
        assert check_region(region_of(simulate_radiograph(seed))) == RegionCheck()


def test_region_checks_do_not_change_the_region(knee_crop):
    region = region_of(knee_crop)
    before = region.pixels.copy()
    check_region(replace(region))
    assert np.array_equal(region.pixels, before)
