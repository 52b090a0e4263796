"""The report of a synthesis: what it says, what it refers to, and that it is never taken for a reading."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from pydicom import Dataset, dcmread

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.own_results import is_own_result
from monai_xray2mri.dicom.structured_report import referenced_instances, walk_report
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.dicom.uncertainty import SpreadSummary
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.systems.knee_xray2mri.products import knee_products
from monai_xray2mri.systems.knee_xray2mri.result_report import report_of
from monai_xray2mri.types import Side
from tests.helpers.dicom_objects import dciodvfy
from tests.helpers.results import case, synthesis

__all__ = ["dciodvfy"]

PROVENANCE = {
    "weights_sha256": "0123456789abcdef" * 4,
    "version": "1.2.3",
    "model": "knee_xray2mri 0.2.0",
    "options": {"seed": 5, "steps": 20},
}


@pytest.fixture
def made(film, left):
    """The images of a left knee."""

    def build(of=film, report=None, spread: bool = True, remarks=("1 older radiograph",), **replaced):
        knee = replace(case(of, Side.LEFT), grading=left, report=report, film_remarks=remarks)
        result = synthesis(knee, 2 if spread else 1)
        products = knee_products(replace(result, provenance=PROVENANCE | replaced))
        return replace(products, spread=SpreadSummary(8, 0.02, 0.06, 0.3) if spread else None)

    return build


@pytest.fixture
def make(made):
    """Build a report of the left knee and read it as from a file."""

    def read(tmp_path, **options) -> Dataset:
        document = report_of(made(**options))
        path = tmp_path / "report.dcm"
        path.write_bytes(encoded(document))
        return dcmread(path)

    return read


def said(report: Dataset) -> dict[str, list[object]]:
    """Values by the code value of their concept."""
    values: dict[str, list[object]] = {}
    for item in walk_report(report):
        if item.concept is not None and item.value is not None:
            values.setdefault(item.concept.value, []).append(item.value)
    return values


def test_it_says_what_went_in_and_what_came_out(tmp_path, make, made, film):
    images = made().images
    report = make(tmp_path)
    values = said(report)
    assert values["XRKL"] == [0] and values["XROSTL"] == [2] and "XRJSM" not in values
    assert values["FEATURESOURCE"] == ["features file"]
    assert values["CHECKREMARK"] == ["1 older radiograph"]
    assert values["SAMPLECOUNT"] == [8] and values["SDMEAN"] == [0.02]
    assert (values["SDP95"], values["SDMAX"]) == ([0.06], [0.3])
    assert values["112002"] == [images[0].SeriesInstanceUID, images[-1].SeriesInstanceUID]
    known = [item.value for item in walk_report(report) if item.value_type == "TEXT"]
    assert f"weights_sha256={PROVENANCE['weights_sha256']}" in known
    assert {"seed=5", "steps=20", "knee_xray2mri 0.2.0", "monai_xray2mri 1.2.3"} <= set(known)
    assert any("not calibrated" in text for text in known)
    assert DISCLAIMER in known
    assert {item.laterality for item in walk_report(report) if item.value_type == "NUM" and item.depth > 3} <= {
        "L",
        None,
    }
    assert referenced_instances(report) == {film.SOPInstanceUID, *(image.SOPInstanceUID for image in images)}


def test_it_belongs_to_the_film_and_says_that_it_is_synthetic(tmp_path, make, film):
    report = make(tmp_path)
    assert (report.PatientID, report.StudyInstanceUID) == (film.PatientID, film.StudyInstanceUID)
    assert (report.ContentDate, report.ContentTime, report.SeriesNumber) == ("20160504", "093000", 932)
    assert report.SyntheticData == "YES" and is_own_result(report)
    assert report.SeriesDescription.startswith("SYNTHETIC") and len(report.SeriesDescription) <= 64
    assert (report.VerificationFlag, report.CompletionFlag) == ("UNVERIFIED", "COMPLETE")
    assert not {"InstanceCreationDate", "ContributionDateTime"} & {element.keyword for element in report.iterall()}


def test_a_reading_is_not_taken_for_a_result(tmp_path, make_film, left):
    simulated = make_film(SyntheticData="YES")
    assert not is_own_result(dcmread(write_grading_report(tmp_path / "r", {Side.LEFT: left}, simulated, final=True)))
    assert not is_own_result(Dataset())


def _rename_codes(dataset: Dataset) -> None:
    """Codes of another scheme in the whole tree, as a gateway may map private ones; their declaration stays."""
    for element in dataset:
        if element.VR == "SQ" and element.keyword != "CodingSchemeIdentificationSequence":
            for item in element.value:
                if item.get("CodingSchemeDesignator") == "99XRAY2MRI":
                    item.CodingSchemeDesignator = "99GATEWAY"
                _rename_codes(item)


def _empty_texts(dataset: Dataset) -> None:
    """No text in the whole tree."""
    for element in dataset:
        for item in element.value if element.VR == "SQ" else ():
            if "TextValue" in item:
                item.TextValue = "removed"
            _empty_texts(item)


MARKS = {
    "equipment": lambda report: delattr(report, "ContributingEquipmentSequence"),
    "weights": lambda report: delattr(report, "SoftwareVersions"),
    "declared scheme": lambda report: delattr(report, "CodingSchemeIdentificationSequence"),
    "codes": _rename_codes,
    "texts": _empty_texts,
    "description": lambda report: delattr(report, "SeriesDescription"),
}
"""What tells a report of a synthesis, and how it is lost. Synthetic Data and Manufacturer tell none of it."""


@pytest.mark.parametrize("kept", MARKS)
def test_any_one_mark_tells_an_own_report(make, tmp_path, kept):
    """It must never be read as a radiologist's, whatever an archive, a gateway or a de-identification has removed."""
    report = make(tmp_path)
    for keyword in ("SyntheticData", "Manufacturer", "ManufacturerModelName", "ImplementationVersionName"):
        if keyword in report:
            delattr(report, keyword)
    for mark, lose in MARKS.items():
        if mark != kept and not (kept == "codes" and mark == "declared scheme"):
            lose(report)
    if kept == "codes":
        del report.CodingSchemeIdentificationSequence
    assert is_own_result(report)


def test_without_any_mark_a_report_is_not_known_as_own(make, tmp_path):
    """So that the test above can fail."""
    report = make(tmp_path)
    for lose in (*MARKS.values(), lambda report: delattr(report, "SyntheticData")):
        lose(report)
    assert not is_own_result(report)


@pytest.mark.parametrize("purpose", [True, False])
def test_own_equipment_is_told_by_any_of_its_entries(make, tmp_path, purpose):
    report = make(tmp_path)
    for mark, lose in MARKS.items():
        if mark != "equipment":
            lose(report)
    equipment = report.ContributingEquipmentSequence[0]
    del equipment.PurposeOfReferenceCodeSequence, equipment.SoftwareVersions
    del equipment[("Manufacturer", "ContributionDescription")[purpose]]
    assert is_own_result(report)


def test_the_source_report_is_referred_to(tmp_path, make, film, left):
    source = dcmread(write_grading_report(tmp_path / "s.dcm", {Side.LEFT: left}, film, final=True))
    report = make(tmp_path, report=source)
    assert source.SOPInstanceUID in referenced_instances(report)
    assert source.SOPInstanceUID in said(report)["SOURCEREPORT"]


@pytest.mark.parametrize("several", [True, False])
def test_dciodvfy_finds_no_error(tmp_path, make, dciodvfy, several):
    make(tmp_path, **({} if several else {"spread": False, "remarks": ()}))
    assert dciodvfy(tmp_path / "report.dcm") == []


def test_equal_arguments_give_equal_bytes_and_others_other_uids(tmp_path, make, left):
    one, again = make(tmp_path), make(tmp_path)
    assert encoded(one) == encoded(again)
    others = [
        make(tmp_path, options={"seed": 6, "steps": 20}),
        make(tmp_path, weights_sha256="f" * 64),
        make(tmp_path, version="1.2.4"),
        make(tmp_path, remarks=()),
        make(tmp_path, spread=False),
    ]
    assert len({one.SOPInstanceUID, *(other.SOPInstanceUID for other in others)}) == 6


@pytest.mark.parametrize("lacks", ["SOPInstanceUID", "SeriesInstanceUID", "StudyDate"])
def test_a_film_that_cannot_be_referred_to_is_refused(tmp_path, make, make_film, lacks):
    with pytest.raises(InputRefused, match="needs a film with a date"):
        make(tmp_path, of=make_film(**{lacks: None}))


def test_dcmtk_reads_the_whole_tree(tmp_path, make):
    program = shutil.which("dsrdump")
    if program is None:
        pytest.skip("dsrdump (Debian package dcmtk) is not installed")
    make(tmp_path)
    done = subprocess.run(
        [program, str(tmp_path / "report.dcm")], capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0 and "E:" not in done.stderr
    assert "Spread of the samples of a generative model" in done.stdout
