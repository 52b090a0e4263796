"""What is written for a foot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import SecondaryCaptureImageStorage

from monai_xray2mri.core.system import Marked, Outputs
from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.dicom.own_results import is_own_result
from monai_xray2mri.dicom.structured_report import walk_report
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.systems.foot_xray_sccdm import angles
from monai_xray2mri.systems.foot_xray_sccdm.case import FootCase
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.detector import Keypoints
from monai_xray2mri.systems.foot_xray_sccdm.products import foot_products
from monai_xray2mri.systems.foot_xray_sccdm.result import FootResult
from monai_xray2mri.systems.registry import Loaded
from monai_xray2mri.types import Side
from tests.helpers.dicom_objects import dciodvfy, held_by_orthanc  # noqa: F401 - a fixture
from tests.helpers.feet import a_foot, prepared_foot, write_photograph


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> pydicom.Dataset:
    file = write_photograph(tmp_path_factory.mktemp("photograph") / "photo.dcm", Laterality="R", PatientOrientation="")
    return pydicom.dcmread(file, stop_before_pixels=True)


@pytest.fixture(scope="module")
def results(loaded: Loaded, header: pydicom.Dataset) -> dict[str, FootResult]:
    """A right foot of a DICOM photograph, drawn three times; a left foot of a picture, drawn once."""
    known, sure = a_foot().keypoints, np.full(10, 0.9, np.float32)

    def near(image: np.ndarray) -> Keypoints:
        moved = np.random.default_rng(int(image.sum())).normal(0, 1, known.shape)
        return Keypoints((known + moved).astype(np.float32), sure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(angles, "find_keypoints", near)
        predict, resolve = loaded.predictor.predict, loaded.predictor.resolve
        right = FootCase(prepared_foot(Side.RIGHT, header))
        left = FootCase(prepared_foot(Side.LEFT, pixel_mm=None, doubts=("too dark",)))
        return {"right": predict(right, resolve(samples=3)), "left": predict(left, resolve())}


def saved(result: FootResult, folder: Path, **outputs: Any) -> Path:
    return result.save(folder, Outputs(**outputs)).directory


def test_the_folder_of_a_foot(results: dict[str, FootResult], tmp_path: Path) -> None:
    right = saved(results["right"], tmp_path, sample_series=True, nifti=True)
    common = {"dicom", "page.dcm", "page.pdf", "preview.png", "radiograph.png", "report.json"}
    more = {"uncertainty", "report.dcm", "samples", "radiograph.nii.gz", "std.nii.gz"}
    assert right.name == "foot_right" and {path.name for path in right.iterdir()} == common | more
    left = saved(results["left"], tmp_path, sample_series=True)  # of one sample there is nothing else to write
    assert left.name == "foot_left" and {path.name for path in left.iterdir()} == common
    report = json.loads((right / "report.json").read_text())
    assert (
        report["angles"]["interval"] == "range of the samples" and "synthetic image" in report["angles"]["measured_on"]
    )
    assert report["keypoints"]["hallux tip"]["confidence"] == 0.9 and report["options"]["samples"] == 3
    assert (report["image"]["spacing_mm"], report["side"], report["structured_report"]) == (0.7, "R", "report.dcm")
    for name in ("radiograph.png", "preview.png"):
        with Image.open(right / name) as picture:
            assert picture.info["Description"] == SHORT_DISCLAIMER
    assert nibabel.load(right / "radiograph.nii.gz").header.get_zooms()[:2] == pytest.approx((0.7, 0.7))


def test_the_radiograph_is_a_marked_secondary_capture(
    results: dict[str, FootResult], header: pydicom.Dataset, tmp_path: Path
) -> None:
    folder = saved(results["right"], tmp_path)
    image = pydicom.dcmread(folder / "dicom" / "IM_0001.dcm")
    assert image.SOPClassUID == SecondaryCaptureImageStorage and image.ConversionType == "SYN"
    assert image.Modality == "CR" and image.SyntheticData == "YES" and is_own_result(image)
    assert list(image.ImageType) == ["DERIVED", "SECONDARY", "OTHER", "SYNTHETIC"]
    assert (image.BodyPartExamined, image.Laterality, list(image.PatientOrientation)) == ("FOOT", "R", ["R", "P"])
    region = image.AnatomicRegionSequence[0]
    assert region.CodeMeaning == "Foot" and region.AnatomicRegionModifierSequence[0].CodeMeaning == "Right"
    assert image.SourceImageSequence[0].ReferencedSOPInstanceUID == header.SOPInstanceUID
    assert image.StudyInstanceUID == header.StudyInstanceUID and image.PatientName == header.PatientName
    assert list(map(float, image.PixelSpacing)) == [0.7, 0.7] and "PixelSpacingCalibrationType" not in image
    assert "FrameOfReferenceUID" not in image and "ImagePositionPatient" not in image
    plain = foot_products(results["right"], "none").mean
    np.testing.assert_array_equal(plain.pixel_array, np.rint(results["right"].volume.voxels[0] * 4095))
    corner = image.pixel_array != plain.pixel_array
    assert corner[-15:, :80].any() and not corner[:-15].any() and not corner[:, 80:].any()
    with Image.open(folder / "radiograph.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.round(image.pixel_array * (255 / 4095)))


@pytest.mark.parametrize(
    ("source", "kind"), [("none", None), ("given", None), ("disc", "FIDUCIAL"), ("coded square", "FIDUCIAL")]
)
def test_a_scale_is_told_as_it_is_known(results: dict[str, FootResult], source: str, kind: str | None) -> None:
    foot = replace(results["right"].case.foot, scale_source=source, pixel_mm=None if source == "none" else 0.7)
    image = foot_products(replace(results["right"], case=FootCase(foot))).mean
    assert image.get("PixelSpacingCalibrationType") == kind and ("PixelSpacing" in image) == (source != "none")
    assert bool(image.get("PixelSpacingCalibrationDescription")) == (kind is not None)


def test_a_left_foot_is_written_as_a_left_foot(results: dict[str, FootResult]) -> None:
    left, foot = results["left"], a_foot()
    assert left.provenance["forced"] and left.case.remarks == ("forced: too dark",)
    shown = left.case.shown(left.case.foot.grey)
    np.testing.assert_array_equal(shown[:, ::-1], left.case.foot.grey)
    row, column = left.points["hallux tip"]
    tip = foot.keypoints[8]
    assert (row, 255 - column) == pytest.approx(tuple(tip), abs=5)
    assert isinstance(left, Marked) and left.landmarks["hallux tip"] == (column, row, 0.0)
    assert left.measurements["hallux valgus angle"].endswith("degrees")
    products = foot_products(left)
    assert products.mean.Laterality == "L" and products.mean.PatientID == "ANONYMOUS"
    assert products.mean.SeriesNumber != foot_products(results["right"]).mean.SeriesNumber
    assert "overridden" in products.mean.ImageComments


def test_the_report_holds_the_angles_with_their_range_on_the_radiograph(
    results: dict[str, FootResult], tmp_path: Path
) -> None:
    folder = saved(results["right"], tmp_path)
    document = pydicom.dcmread(folder / "report.dcm")
    assert len(hd.sr.srread(folder / "report.dcm").content.get_image_measurement_groups()) == 3
    items = list(walk_report(document))
    numbers = {item.concept.value: item for item in items if item.value_type == "NUM" and item.concept}
    valgus = results["right"].measures.angles["hallux_valgus"]
    assert numbers["HVA"].value == round(valgus.median, 2) and numbers["HVA"].laterality == "R"
    assert numbers["IMA"].value == round(results["right"].measures.angles["intermetatarsal"].median, 2)
    texts = [str(item.value) for item in items if item.value_type == "TEXT"]
    assert any("Measured on a synthetic image" in text for text in texts)
    measured = find(document, "HVA")
    by_name = {child.ConceptNameCodeSequence[0].CodeValue: child for child in measured.ContentSequence}
    for code, width in (("371886008", valgus.high - valgus.median), ("371885007", valgus.median - valgus.low)):
        value = by_name[code].MeasuredValueSequence[0]
        assert float(value.NumericValue) == pytest.approx(width, abs=0.006)
        assert value.MeasurementUnitsCodeSequence[0].CodeValue == "deg"
    axes = [child for child in measured.ContentSequence if child.ValueType == "SCOORD"]
    image = pydicom.dcmread(folder / "dicom" / "IM_0001.dcm")
    row, column = results["right"].points["metatarsal 1 base"]
    assert list(axes[0].GraphicData[:2]) == pytest.approx([column + 0.5, row + 0.5], abs=1e-3) and len(axes) == 2
    referenced = axes[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert referenced == image.SOPInstanceUID


def find(node: pydicom.Dataset, code: str) -> pydicom.Dataset:
    """The content item of a concept, anywhere below."""
    for child in node.get("ContentSequence", ()):
        names = child.get("ConceptNameCodeSequence")
        if names and names[0].get("CodeValue") == code:
            return child
        if (found := find(child, code)) is not None:
            return found
    return None  # type: ignore[return-value]


def test_every_object_is_valid(results: dict[str, FootResult], tmp_path: Path, dciodvfy: Any) -> None:  # noqa: F811
    disc = replace(results["right"].case.foot, scale_source="disc")
    with_disc = replace(results["right"], case=FootCase(disc))
    folders = [saved(with_disc, tmp_path, sample_series=True), saved(results["left"], tmp_path)]
    files = [file for folder in folders for file in folder.rglob("*.dcm")]
    assert len(files) == 9
    for file in files:
        assert dciodvfy(file) == [], file


def test_orthanc_takes_everything(results: dict[str, FootResult], tmp_path: Path) -> None:
    held = held_by_orthanc(saved(results["right"], tmp_path, sample_series=True))
    assert held["stored"] == ["Success"] * 7 and held["patients"] == 1
    assert sorted(series["modality"] for series in held["series"]) == ["CR"] * 5 + ["DOC", "SR"]
    for series in held["series"]:
        assert series["description"].startswith("SYNTHETIC")
        assert series.get("preview", b"\x89PNG".hex()) == b"\x89PNG".hex()


def test_equal_results_are_equal_bytes_and_texts_fit(
    results: dict[str, FootResult], loaded: Loaded, tmp_path: Path
) -> None:
    first, second = (saved(results["right"], tmp_path / name, sample_series=True) for name in ("a", "b"))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file
    for file in first.rglob("*.dcm"):
        assert len(pydicom.dcmread(file).SeriesDescription) <= 64
    picture = results["left"].case.foot.photograph
    resaved = FootCase(replace(results["left"].case.foot, photograph=replace(picture, sha256="0" * 64, name="b.png")))
    assert foot_products(replace(results["left"], case=resaved)).mean == foot_products(results["left"]).mean
    other = replace(results["right"], provenance={**results["right"].provenance, "version": "other"})
    assert foot_products(other).mean.SOPInstanceUID != foot_products(results["right"]).mean.SOPInstanceUID


def test_what_cannot_be_written_is_refused_before_anything_is(results: dict[str, FootResult], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="parametric_map"):
        saved(results["right"], tmp_path, parametric_map=True)
    header = results["right"].case.header
    assert header is not None
    without = pydicom.Dataset()
    without.update({element.tag: element for element in header if element.keyword != "StudyInstanceUID"})
    photograph = replace(results["right"].case.foot.photograph, dataset=without)
    case = FootCase(replace(results["right"].case.foot, photograph=photograph))
    with pytest.raises(InputRefused, match="Study Instance UID"):
        saved(replace(results["right"], case=case), tmp_path)
    assert not list(tmp_path.iterdir())
