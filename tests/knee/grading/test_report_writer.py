"""Written reports: round trip, coding, conformance, reproducibility, scripts, privacy."""

from __future__ import annotations

import logging
import shutil
import subprocess
import warnings
from datetime import datetime

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ComprehensiveSRStorage

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM, validate_grades
from monai_xray2mri.knee.grading.report_reader import read_grading_report
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.types import Side


@pytest.mark.parametrize("sides", [[Side.RIGHT], [Side.LEFT], [Side.LEFT, Side.RIGHT]])
@pytest.mark.parametrize("final", [True, False])
def test_round_trip_of_all_and_of_few_features(tmp_path, film, right, left, sides, final, dciodvfy):
    gradings = {side: {Side.RIGHT: right, Side.LEFT: left}[side] for side in sides}
    path = write_grading_report(tmp_path / "r.dcm", gradings, film, final=final)
    report = read_grading_report(dcmread(path), "r.dcm")
    assert {side: dict(grading.grades) for side, grading in report.gradings.items()} == {
        side: dict(grading.grades) for side, grading in gradings.items()
    }
    assert report.final == final
    assert report.references == {film.SOPInstanceUID}
    assert (report.patient[0], report.study) == (film.PatientID, film.StudyInstanceUID)
    assert report.written == "20160504093000.000000"
    assert report.remarks == () and report.unsided == 0
    assert dciodvfy(path) == []


def codes(item: Dataset) -> tuple[str, str, str]:
    return item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning


def tree(item: Dataset) -> tuple:
    """Relationship, type, concept, value and children of a content item; UIDs left out."""
    value: object = None
    if item.ValueType == "NUM":
        measured = item.MeasuredValueSequence[0]
        value = (float(measured.NumericValue), codes(measured.MeasurementUnitsCodeSequence[0]))
    elif item.ValueType == "CODE":
        value = codes(item.ConceptCodeSequence[0])
    elif item.ValueType == "TEXT":
        value = item.TextValue
    elif item.ValueType == "PNAME":
        value = str(item.PersonName)
    children = [tree(child) for child in item.get("ContentSequence", ())]
    return item.get("RelationshipType"), item.ValueType, codes(item.ConceptNameCodeSequence[0]), value, children


def test_the_coding_is_that_of_the_shared_example(tmp_path, shared_data, make_film):
    example = dcmread(shared_data / "sr/knee_sr_right_19_features.dcm")
    grading = read_grading_report(example, "example").gradings[Side.RIGHT]
    film = make_film(ImagerPixelSpacing=[0.3, 0.3])
    path = write_grading_report(tmp_path / "r.dcm", {Side.RIGHT: grading}, film, final=False, reader="Reader^Central")
    ours, theirs = tree(dcmread(path)), tree(example)

    def by_concept(node: tuple) -> tuple:
        return (*node[:4], sorted((by_concept(child) for child in node[4]), key=repr))

    for one, other in zip(by_concept(ours)[4], by_concept(theirs)[4], strict=True):
        assert one == other
    written = dcmread(path)
    assert written.SOPClassUID == ComprehensiveSRStorage == example.SOPClassUID
    assert written.CodingSchemeIdentificationSequence == example.CodingSchemeIdentificationSequence
    assert written.ContentTemplateSequence == example.ContentTemplateSequence
    assert (written.CompletionFlag, written.VerificationFlag) == ("COMPLETE", "UNVERIFIED")


def test_a_grade_that_could_not_be_given_says_so(tmp_path, film, left):
    path = write_grading_report(tmp_path / "r.dcm", {Side.LEFT: left}, film, final=True)
    group = dcmread(path).ContentSequence[-1].ContentSequence[0]
    empty = [item for item in group.ContentSequence if item.ValueType == "NUM" and not item.MeasuredValueSequence]
    assert [item.ConceptNameCodeSequence[0].CodeValue for item in empty] == ["XRJSM"]
    assert codes(empty[0].NumericValueQualifierCodeSequence[0]) == ("114007", "DCM", "Measurement not attempted")


def test_equal_arguments_give_equal_bytes_and_others_other_uids(tmp_path, film, make_film, right, left):
    def uid(name, gradings, of=film, **options):
        path = write_grading_report(tmp_path / name, gradings, of, **({"final": True} | options))
        read = dcmread(path)
        assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
        assert read.SOPInstanceUID.startswith("2.25.") and read.SOPInstanceUID.is_valid
        return path.read_bytes(), read.SOPInstanceUID, read.SeriesInstanceUID

    one = uid("1", {Side.RIGHT: right})
    assert one == uid("2", {Side.RIGHT: right})
    others = [
        uid("3", {Side.LEFT: right}),
        uid("4", {Side.RIGHT: left}),
        uid("5", {Side.RIGHT: right}, final=False),
        uid("6", {Side.RIGHT: right}, reader="A^B"),
        uid("7", {Side.RIGHT: right}, written=datetime(2020, 1, 2)),
        uid("8", {Side.RIGHT: right}, make_film(SOPInstanceUID="1.2.9")),
        uid("9", {Side.RIGHT: right}, series_number=5),
        uid("a", {Side.RIGHT: right}, make_film(PatientName="Roe^Jane")),
    ]
    assert len({one[1], *(other[1] for other in others)}) == 9
    assert len({one[1], one[2]}) == 2


def test_dates_are_given_or_the_films_and_never_the_moment_of_writing(tmp_path, film, left):
    read = dcmread(write_grading_report(tmp_path / "r", {Side.LEFT: left}, film, final=True))
    assert (read.ContentDate, read.ContentTime) == ("20160504", "093000")
    read = dcmread(
        write_grading_report(tmp_path / "r", {Side.LEFT: left}, film, final=True, written=datetime(2020, 1, 2, 3, 4, 5))
    )
    assert (read.ContentDate, read.ContentTime) == ("20200102", "030405")
    assert not {"InstanceCreationDate", "ContributionDateTime"} & {element.keyword for element in read.iterall()}


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 192", "Żaneta^Ö=山田^太郎"),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎"),
    ],
)
def test_names_of_every_script_survive(tmp_path, make_film, left, character_set, name, dciodvfy):
    film = make_film(SpecificCharacterSet=character_set.split("\\"), PatientName=name)
    path = write_grading_report(tmp_path / "r.dcm", {Side.LEFT: left}, film, final=True, reader="Łukasz^Ø")
    read = dcmread(path)
    assert (read.SpecificCharacterSet, read.PatientName) == ("ISO_IR 192", name)
    assert read.ContentSequence[2].PersonName == "Łukasz^Ø"
    assert dciodvfy(path) == []


@pytest.mark.parametrize(
    "lacks",
    [
        ["PatientOrientation"],
        ["ImagerPixelSpacing"],
        ["PatientName", "PatientBirthDate", "PatientSex", "StudyID"],
        ["Rows", "Columns", "Modality", "AccessionNumber", "StudyTime", "ImagerPixelSpacing", "PatientOrientation"],
    ],
)
def test_films_may_lack_what_is_not_needed(tmp_path, make_film, left, lacks, dciodvfy):
    film = make_film(**dict.fromkeys(lacks))
    path = write_grading_report(tmp_path / "r.dcm", {Side.LEFT: left}, film, final=True)
    assert dict(read_grading_report(dcmread(path), "r").gradings[Side.LEFT].grades) == dict(left.grades)
    assert dciodvfy(path) == []


def test_a_report_of_a_simulated_film_says_so(tmp_path, make_film, left, dciodvfy):
    path = write_grading_report(tmp_path / "r.dcm", {Side.LEFT: left}, make_film(SyntheticData="YES"), final=True)
    assert dcmread(path).SyntheticData == "YES"
    assert dciodvfy(path) == []


@pytest.mark.parametrize(
    ("gradings", "lacks", "words"),
    [
        ({}, [], "at least one knee"),
        ({"L"}, ["SOPInstanceUID"], "film without SOPInstanceUID"),
        ({"L"}, ["StudyDate"], "needs a date"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, make_film, left, gradings, lacks, words):
    with pytest.raises(InputRefused, match=words) as refused:
        write_grading_report(
            tmp_path / "r.dcm", {Side(side): left for side in gradings}, make_film(**dict.fromkeys(lacks)), final=True
        )
    assert "Doe" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_a_usage_error(tmp_path, film, left):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_grading_report(tmp_path / "file/r.dcm", {Side.LEFT: left}, film, final=True)


def test_no_patient_data_in_logs_or_warnings(tmp_path, make_film, left, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with quiet():
        film = make_film(PatientName="Mononym", StudyID="much too long for a short string")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = write_grading_report(tmp_path / "r.dcm", {Side.LEFT: left}, film, final=True, reader="Mono")
    said = caplog.text + "".join(capfd.readouterr()) + "".join(str(warning.message) for warning in caught)
    for secret in ("Mono", "P-17", "1.2.826.0.1", "much too long"):
        assert secret not in said
    assert dcmread(path).PatientName == "Mononym"


def test_every_feature_has_a_short_code_and_meaning(tmp_path, film):
    grading = validate_grades(dict.fromkeys(FEATURE_BY_STEM, 0))
    report = dcmread(write_grading_report(tmp_path / "r.dcm", {Side.RIGHT: grading}, film, final=True))
    coded = [element.value for element in report.iterall() if element.keyword == "CodeValue"]
    meant = [element.value for element in report.iterall() if element.keyword == "CodeMeaning"]
    assert set(FEATURE_BY_STEM) <= set(coded)
    assert max(map(len, coded)) <= 16 and max(map(len, meant)) <= 64


def test_dcmtk_reads_the_whole_tree(tmp_path, film, right, left):
    program = shutil.which("dsrdump")
    if program is None:
        pytest.skip("dsrdump (Debian package dcmtk) is not installed")
    path = write_grading_report(tmp_path / "r.dcm", {Side.RIGHT: right, Side.LEFT: left}, film, final=True)
    done = subprocess.run([program, str(path)], capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0 and "E:" not in done.stderr
    assert done.stdout.count("<contains NUM:") == 22
    assert 'Joint space narrowing grade, medial")=empty (114007,DCM,"Measurement not attempted")' in done.stdout
