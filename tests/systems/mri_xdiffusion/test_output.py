"""The files of a result for people and archives: page, structured report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from monai_xray2mri import load
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.own_results import is_own_result
from monai_xray2mri.dicom.structured_report import referenced_instances, walk_report
from monai_xray2mri.dicom.uids import deterministic_uid
from tests.helpers.dicom_objects import dciodvfy
from tests.helpers.slices import a_knee, knee_series, write_image

__all__ = ["dciodvfy"]


@pytest.fixture(scope="module")
def folder(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of two views from two slices."""
    place = tmp_path_factory.mktemp("result")
    source = knee_series(place / "series")
    result = load(small_bundle, "cpu")(source, slice=[5, 12], views=2)
    return result.save(place / "out").directory  # type: ignore[attr-defined,no-any-return]


def test_the_report_says_which_slices_were_used(folder: Path) -> None:
    report = pydicom.dcmread(folder / "report.dcm")
    items = list(walk_report(report))
    said = {item.concept.value: item.value for item in items if item.concept is not None and item.value is not None}
    assert said["GIVENSLICES"] == "5, 12 of 24"
    assert said["SAMPLECOUNT"] == 2 and 0 < said["SDMEAN"] < 1  # type: ignore[operator]
    assert any(item.value == DISCLAIMER for item in items)
    groups = [item for item in items if item.finding_site is not None]
    assert {item.finding_site.meaning for item in groups if item.finding_site} == {"Knee"}
    assert {item.laterality for item in groups} == {"L"}
    referenced = referenced_instances(report)
    given = {deterministic_uid("slice", number) for number in (4, 11)}
    images = {
        pydicom.dcmread(file).SOPInstanceUID for kind in ("dicom", "uncertainty") for file in (folder / kind).iterdir()
    }
    assert referenced == given | images
    assert report.SeriesNumber == 933 and is_own_result(report)


def test_the_page_is_there_twice_and_says_the_same(folder: Path) -> None:
    pdf, page = (folder / "page.pdf").read_bytes(), pydicom.dcmread(folder / "page.dcm")
    assert pdf.startswith(b"%PDF") and page.EncapsulatedDocument[: page.EncapsulatedDocumentLength] == pdf
    assert page.SeriesNumber == 943 and is_own_result(page)
    assert pydicom.dcmread(folder / "report.dcm").StudyInstanceUID == page.StudyInstanceUID


@pytest.mark.parametrize("name", ["report.dcm", "page.dcm"])
def test_the_standard_is_kept(folder: Path, name: str, dciodvfy: Callable[[Path], list[str]]) -> None:
    assert dciodvfy(folder / name) == []


def test_a_file_without_a_date_gets_a_page_alone(small_bundle: Path, tmp_path: Path) -> None:
    source = write_image(a_knee(), tmp_path / "knee.nii.gz")
    directory = load(small_bundle, "cpu")(source, side="R").save(tmp_path / "out").directory  # type: ignore[attr-defined]
    assert (directory / "page.pdf").is_file() and not (directory / "report.dcm").exists()
