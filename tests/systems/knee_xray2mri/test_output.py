"""What is written for a knee: which files, equal bytes for equal results, other UIDs for others, no way back in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydicom import dcmread

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.kinds import RADIOGRAPHS
from monai_xray2mri.systems.knee_xray2mri.plan import read_knee_study
from monai_xray2mri.types import Side
from tests.helpers.dicom_objects import dciodvfy, film_header, held_by_orthanc
from tests.helpers.results import case, contents, synthesis

__all__ = ["dciodvfy"]

HEADER = film_header(ImageLaterality="R")
EVERYTHING = Outputs(nifti=True, sample_series=True, parametric_map=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A result with everything that can be asked for; tests do not change it."""
    knee = case(HEADER)
    output = tmp_path_factory.mktemp("out")
    return synthesis(knee).save(output, EVERYTHING).directory


def test_everything_is_there(written):
    folders = {str(path.parent) for path in map(Path, contents(written))}
    assert folders == {".", "dicom", "uncertainty", "samples/sample_01", "samples/sample_02"}
    assert {path.name for path in written.iterdir() if path.is_file()} == {
        "mri.nii.gz", "std.nii.gz", "page.dcm", "page.pdf", "preview.png", "report.dcm", "report.json",
        "uncertainty_map.dcm",
    }  # fmt: skip
    report = json.loads((written / "report.json").read_text())
    assert report["uncertainty"]["samples"] == 2 and report["uncertainty"]["directory"] == "uncertainty"
    assert report["structured_report"] == "report.dcm"
    document = dcmread(written / "page.dcm")
    assert document.EncapsulatedDocument.rstrip(b"\0") == (written / "page.pdf").read_bytes().rstrip(b"\0")


def test_dciodvfy_finds_no_error_in_any_object(written, dciodvfy):
    files = sorted(written.rglob("*.dcm"))
    assert len(files) == 4 * 4 + 3
    assert {file.name: errors for file in files if (errors := dciodvfy(file))} == {}


def test_one_study_one_frame_of_reference_and_no_uid_twice(written):
    objects = [dcmread(path) for path in written.rglob("*.dcm")]
    assert {one.StudyInstanceUID for one in objects} == {HEADER.StudyInstanceUID}
    assert len({one.FrameOfReferenceUID for one in objects if "FrameOfReferenceUID" in one}) == 1
    assert len({one.SOPInstanceUID for one in objects}) == len(objects)
    assert len({one.SeriesInstanceUID for one in objects}) == len({one.SeriesNumber for one in objects}) == 7
    assert all(one.SyntheticData == "YES" for one in objects)


def uids(folder: Path) -> set[str]:
    objects = [dcmread(path) for path in folder.rglob("*.dcm")]
    return {str(uid) for one in objects for uid in (one.SOPInstanceUID, one.SeriesInstanceUID)}


def test_a_rerun_writes_the_same_bytes(written, tmp_path):
    knee = case(HEADER)
    again = synthesis(knee).save(tmp_path, EVERYTHING).directory
    assert contents(again) == contents(written)


DIFFERENCES = {
    "seed": (HEADER, {"seed": 6}, Outputs()),
    "steps": (HEADER, {"steps": 21}, Outputs()),
    "label": (HEADER, {}, Outputs(label="none")),
    "film": (film_header(ImageLaterality="R", SOPInstanceUID="1.2.826.0.1.1.2"), {}, Outputs()),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_any_other_result_has_other_uids(written, tmp_path, difference):
    header, options, outputs = DIFFERENCES[difference]
    knee = case(header)
    other = synthesis(knee, **options).save(tmp_path, outputs).directory
    assert uids(other) and not uids(other) & uids(written)


def test_images_do_not_depend_on_what_files_are_called(written, tmp_path):
    knee = case(HEADER, name="renamed.dcm")
    other = synthesis(knee).save(tmp_path).directory
    assert contents(other / "dicom") == contents(written / "dicom")
    assert contents(other / "uncertainty") == contents(written / "uncertainty")


def test_one_sample_has_no_uncertainty(tmp_path):
    knee = case(HEADER)
    folder = synthesis(knee, 1).save(tmp_path).directory
    assert sorted(path.name for path in folder.iterdir()) == [
        "dicom", "page.dcm", "page.pdf", "preview.png", "report.dcm", "report.json",
    ]  # fmt: skip
    assert json.loads((folder / "report.json").read_text())["uncertainty"] is None


@pytest.mark.parametrize("header", [None, film_header(StudyDate=None)])
def test_a_picture_and_a_film_without_date_get_no_report(tmp_path, header, dciodvfy):
    knee = case(header)
    folder = synthesis(knee).save(tmp_path).directory
    assert not (folder / "report.dcm").exists()
    assert json.loads((folder / "report.json").read_text())["structured_report"] is None
    assert dciodvfy(folder / "page.dcm") == []


def test_what_comes_back_with_the_study_is_no_input(written, tmp_path):
    shutil.copytree(written, tmp_path / "study")
    for picture in ("preview.png", "page.pdf", "report.json"):
        (tmp_path / "study" / picture).unlink()
    with pytest.raises(InputRefused, match="19 result of an earlier synthesis"):
        read_knee_study(tmp_path / "study")
    HEADER.save_as(tmp_path / "study" / "film.dcm", implicit_vr=False, little_endian=True)
    study = read_knee_study(tmp_path / "study")
    assert [film.name for film in study.of(RADIOGRAPHS)] == ["film.dcm"] and study.of(REPORTS) == ()
    assert "19 result of an earlier synthesis passed over: only CR, DX, RG and SR are used" in study.remarks


def test_left_and_right_share_a_study_and_no_series(written, tmp_path):
    knee = case(HEADER, Side.LEFT)
    left = synthesis(knee).save(tmp_path).directory
    assert left.name == "knee_left" and not uids(left) & uids(written)
    assert {dcmread(path).SeriesNumber for path in left.rglob("*.dcm")} == {902, 912, 932, 942}


def test_orthanc_takes_everything_and_orders_the_slices(written):
    held = held_by_orthanc(written)
    assert held["stored"] == ["Success"] * 19 and held["patients"] == 1
    images = [series for series in held["series"] if series["modality"] == "MR"]
    assert len(images) == 4 and sorted(series["modality"] for series in held["series"])[:1] == ["DOC"]
    for series in images:
        assert series["description"].startswith("SYNTHETIC")
        assert (series["type"], series["order"]) == ("Volume", [1, 2, 3, 4])
        assert series["preview"] == b"\x89PNG".hex()
    (document,) = [series for series in held["series"] if series["modality"] == "DOC"]
    assert document["pdf"] == (written / "page.pdf").read_bytes().rstrip(b"\0").hex()
    assert any(series["modality"] == "SR" for series in held["series"])
