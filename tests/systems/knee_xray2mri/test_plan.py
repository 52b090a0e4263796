"""The knees of a study: its checks, refusals and remarks."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import DigitalXRayImageStorageForProcessing, MRImageStorage

from monai_xray2mri.core.system import Plan
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.errors import DoubtfulInput, ExitCode, InputRefused, NotAKnee, UsageError, Xray2MRIError
from monai_xray2mri.knee.detection import joints
from monai_xray2mri.knee.detection.koa import ESTIMATED
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.radiograph.kinds import RADIOGRAPH_MODALITIES, RADIOGRAPHS
from monai_xray2mri.radiograph.knee import checks
from monai_xray2mri.radiograph.knee.roi import FoundJoint
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.example_study import write_example_study
from monai_xray2mri.systems.knee_xray2mri.options import KneeRequest
from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
from monai_xray2mri.systems.knee_xray2mri.system import SYSTEM
from monai_xray2mri.types import Side
from tests.dicom.test_rejection import note
from tests.dicom.test_study import write
from tests.helpers.films import read_picture, real_crops, simulated_crop, write_film

GRADES = {"XRKL": 3, "XRJSM": 2, "XROSFM": 1}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "study" / "film.dcm", simulated_crop())


def plan(study: Path, **options: object) -> Plan[KneeCase]:
    return plan_study(read_knee_study(study), KneeRequest(**options), 110.0)  # type: ignore[arg-type]


def report(film: Path, side: Side = Side.RIGHT, final: bool = True, **replaced: str) -> Path:
    header = dcmread(film)
    for keyword, value in replaced.items():
        setattr(header, keyword, value)
    path = film.parent / "report.dcm"
    return write_grading_report(path, {side: Grading(GRADES)}, header, final=final)


def test_a_crop_is_one_knee_with_unknown_features(film: Path) -> None:
    found = plan(film.parent, estimate=False)
    assert [case.side for case in found.cases] == [Side.RIGHT]
    assert found.cases[0].grading.source == "missing"
    assert found.cases[0].roi.method == "whole image"
    assert found.refusals == ()


def test_a_knee_that_nothing_grades_is_graded_by_the_classifier_and_marked(film: Path) -> None:
    grading = plan(film.parent).cases[0].grading
    assert grading.source == ESTIMATED
    assert set(grading.grades) == {"XRKL"} and grading.grades["XRKL"] in range(5)
    assert any("not read by a person" in remark for remark in grading.remarks)
    report(film)
    assert plan(film.parent).cases[0].grading.source == "structured report"


def test_what_a_check_doubts_is_refused_unless_forced(tmp_path: Path) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop()[::-1])
    with pytest.raises(DoubtfulInput, match=r"film\.dcm.*--force"):
        plan(tmp_path)
    case = plan(tmp_path, force=True).cases[0]
    assert case.forced
    assert any("used by force" in remark and "film.dcm" in remark for remark in case.remarks)


def test_a_case_says_what_it_is_and_each_remark_once(film: Path) -> None:
    report(film)
    case = plan(film.parent).only()
    assert (case.name, case.key, case.title) == ("knee_right", "R", "right knee")
    doubled = replace(case, film_remarks=("as it is", "as it is"), roi=replace(case.roi, remarks=("of it", "as it is")))
    assert doubled.remarks == ("as it is", "of it", *case.grading.remarks)
    record = json.loads(json.dumps(doubled.record()))
    assert (record["side"], record["features"]["XRKL"], record["remarks"]) == ("right", 3, list(doubled.remarks))


def test_a_film_of_something_else_is_none_whose_header_contradicts_itself(tmp_path: Path) -> None:
    """What it shows is the reason to name, not the contradiction about its side."""
    write_film(tmp_path / "film.dcm", simulated_crop(), "R", BodyPartExamined="CHEST", SeriesDescription="left")
    with pytest.raises(NotAKnee, match="CHEST"):
        plan(tmp_path)
    write_film(tmp_path / "film.dcm", simulated_crop(), "R", SeriesDescription="left")
    with pytest.raises(InputRefused, match="sources of the side that agree"):
        plan(tmp_path)


def test_what_is_decided_of_a_film_is_decided_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film of both knees: one decision about the sides, one look of the detector, one measurement per region."""
    calls = Counter[str]()

    def count(module: object, name: str) -> None:
        function = getattr(module, name)

        def counted(*arguments: object, **options: object) -> object:
            calls[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, counted)

    for module, name in {checks: "sides_to_use", joints: "find_joints"}.items():
        count(module, name)
    count(checks, "measure_joint")
    write_example_study(tmp_path / "study")
    assert len(plan(tmp_path / "study", estimate=False).cases) == 2
    assert calls == {"sides_to_use": 1, "find_joints": 1, "measure_joint": 2}


def test_a_film_of_the_other_knee_is_doubted(tmp_path: Path) -> None:
    write_film(tmp_path / "film.dcm", np.ascontiguousarray(simulated_crop()[:, ::-1]), "R")
    with pytest.raises(DoubtfulInput, match="right knee"):
        plan(tmp_path)


def test_force_does_not_make_a_good_knee_doubtful(film: Path) -> None:
    case = plan(film.parent, force=True).cases[0]
    assert not case.forced and not any("force" in remark for remark in case.remarks)


@pytest.mark.parametrize("replaced", [{"PatientAge": "012Y"}, {"ImageLaterality": None}, {"ImagerPixelSpacing": None}])
def test_age_side_and_spacing_cannot_be_forced(tmp_path: Path, replaced: dict[str, object]) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), **replaced)
    with pytest.raises(InputRefused):
        plan(tmp_path, force=True)


def test_a_single_file_is_a_study(film: Path) -> None:
    assert len(plan(film).cases) == 1


def test_gradings_come_from_the_report(film: Path) -> None:
    report(film)
    case = plan(film.parent).cases[0]
    assert {name: case.grading.grades[name] for name in GRADES} == GRADES
    assert case.grading.source == "structured report"
    assert case.report is not None
    assert case.report.SOPInstanceUID == case.grading.reference


def test_a_preliminary_report_is_used_with_a_remark(film: Path) -> None:
    report(film, final=False)
    case = plan(film.parent).cases[0]
    assert case.grading.grades["XRKL"] == 3
    assert any("preliminary" in remark for remark in case.grading.remarks)


def test_features_that_are_given_replace_the_report(film: Path) -> None:
    report(film)
    case = plan(film.parent, features={Side.RIGHT: Grading({"XRKL": 1}, source="features file")}).cases[0]
    assert case.grading.grades == {"XRKL": 1}
    assert case.report is None
    assert any("replace those of the reports" in remark for remark in case.grading.remarks)


@pytest.mark.parametrize(
    ("side", "replaced", "rule"),
    [
        (Side.LEFT, {}, "must grade the right knee"),
        (Side.RIGHT, {"PatientID": "SOMEBODY-ELSE"}, "another patient"),
        (Side.RIGHT, {"SOPInstanceUID": "1.2.3.4"}, "another film"),
        (Side.RIGHT, {"StudyInstanceUID": "1.2.3.5"}, "another study"),
    ],
)
def test_a_report_that_does_not_belong_is_refused(film: Path, side: Side, replaced: dict[str, str], rule: str) -> None:
    report(film, side, **replaced)
    with pytest.raises(InputRefused, match=rule) as refusal:
        plan(film.parent)
    assert "SOMEBODY" not in str(refusal.value)
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED


def test_an_mr_is_no_radiograph(tmp_path: Path) -> None:
    write_film(tmp_path / "mr.dcm", simulated_crop(), Modality="MR", SOPClassUID=MRImageStorage)
    with pytest.raises(InputRefused, match=r"needs a radiograph of the knee.*1 MR"):
        read_knee_study(tmp_path)


@pytest.mark.parametrize("modality", RADIOGRAPH_MODALITIES)
def test_radiographs_of_every_modality_are_planned(tmp_path: Path, modality: str) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), Modality=modality)
    assert modality in SYSTEM.modalities
    assert [case.side for case in plan(tmp_path).cases] == [Side.RIGHT]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no DICOM object"):
        read_knee_study(tmp_path)


def test_a_missing_path_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing at that path"):
        read_knee_study(tmp_path / "nowhere")


def test_other_files_are_passed_over_with_a_remark(film: Path) -> None:
    (film.parent / "notes.txt").write_text("hello")
    write_film(film.parent / "deep" / "mr.dcm", simulated_crop(), Modality="MR")
    study = read_knee_study(film.parent)
    assert len(study.of(RADIOGRAPHS)) == 1
    assert any("notes.txt" in remark for remark in study.remarks)
    assert any("1 MR passed over" in remark for remark in study.remarks)


@pytest.mark.parametrize(("keyword", "what"), [("PatientID", "patient"), ("StudyInstanceUID", "study")])
def test_two_patients_or_studies_are_refused(film: Path, keyword: str, what: str) -> None:
    write_film(
        film.parent / "other.dcm",
        simulated_crop(),
        "L",
        **{"StudyInstanceUID": dcmread(film).StudyInstanceUID, keyword: "1.2.3.999"},
    )
    with pytest.raises(InputRefused, match=f"must be of one {what}") as refusal:
        read_knee_study(film.parent)
    assert "1.2.3.999" not in str(refusal.value)


def two_films(folder: Path, **second: object) -> None:
    first = write_film(folder / "a.dcm", simulated_crop())
    same = {"StudyInstanceUID": dcmread(first).StudyInstanceUID}
    write_film(folder / "b.dcm", simulated_crop()[:, ::-1], "L", **(same | second))


def test_two_films_are_two_knees_right_first(tmp_path: Path) -> None:
    two_films(tmp_path)
    assert [case.side for case in plan(tmp_path).cases] == [Side.RIGHT, Side.LEFT]
    only_left = plan(tmp_path, side=Side.LEFT)
    assert [case.side for case in only_left.cases] == [Side.LEFT]
    assert only_left.refusals == ()


def test_of_two_knees_the_bad_one_is_named(tmp_path: Path) -> None:
    two_films(tmp_path, PatientAge="012Y")
    found = plan(tmp_path)
    assert [case.side for case in found.cases] == [Side.RIGHT]
    assert len(found.refusals) == 1
    assert "b.dcm" in str(found.refusals[0])


def upside_down(folder: Path, side: str | None, **replaced: object) -> None:
    """A film that is no frontal knee, but does not say so."""
    write_film(folder / "b.dcm", simulated_crop()[::-1], side, **SAME_STUDY, **replaced)


def unlabeled_left(folder: Path) -> None:
    write_film(folder / "b.dcm", simulated_crop()[:, ::-1], None, **SAME_STUDY)


def cut_off(folder: Path, side: str) -> None:
    path = write_film(folder / "b.dcm", simulated_crop(), side, **SAME_STUDY)
    path.write_bytes(path.read_bytes()[:-20_000])


SAME_STUDY = {"StudyInstanceUID": "1.2.3"}
BLANK = np.zeros((299, 299), np.float32)
BESIDE_A_RIGHT_KNEE = {
    "a silent lateral of the same knee": (lambda folder: upside_down(folder, "R"), False),
    "a silent lateral of no side": (lambda folder: upside_down(folder, None), False),
    "a lateral that says so": (lambda folder: upside_down(folder, "L", ViewPosition="LL"), False),
    "a silent lateral of the other knee": (lambda folder: upside_down(folder, "L"), False),
    "the other knee without its side": (unlabeled_left, True),
    "the same knee without its side": (lambda f: write_film(f / "b.dcm", simulated_crop(), None, **SAME_STUDY), False),
    "a test exposure": (lambda f: write_film(f / "b.dcm", BLANK, "L", **SAME_STUDY), False),
    "a phantom": (lambda folder: upside_down(folder, "L", QualityControlImage="YES"), False),
    "a thumbnail": (lambda f: write_film(f / "b.dcm", simulated_crop()[::3, ::3], "L", **SAME_STUDY), False),
    "a damaged film of the same knee": (lambda folder: cut_off(folder, "R"), False),
    "a damaged film of the other knee": (lambda folder: cut_off(folder, "L"), True),
    "a film that contradicts itself": (lambda folder: upside_down(folder, "R", SeriesDescription="left"), True),
}
"""What lies beside a good film, and whether a knee is missing then."""


@pytest.mark.parametrize("name", BESIDE_A_RIGHT_KNEE)
def test_films_are_not_knees(tmp_path: Path, name: str) -> None:
    """Exit code 8 means that a knee of the study is missing; every other film that is not used is a remark."""
    add, missing = BESIDE_A_RIGHT_KNEE[name]
    write_film(tmp_path / "a.dcm", simulated_crop(), **SAME_STUDY)
    add(tmp_path)
    found = plan(tmp_path, estimate=False)
    assert [case.radiograph.name for case in found.cases] == ["a.dcm"]
    assert bool(found.refusals) is missing
    said = [str(refusal) for refusal in found.refusals] if missing else found.remarks
    assert len([words for words in said if "b.dcm" in words]) == 1
    assert plan(tmp_path, estimate=False, side=Side.RIGHT).refusals == ()


def test_a_film_that_the_detector_is_sure_of_is_one_of_a_knee(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What doubts it may be wrong; a knee that may be missing is said to be."""
    upside_down(tmp_path, "L")
    write_film(tmp_path / "a.dcm", simulated_crop(), **SAME_STUDY)
    sure = FoundJoint(row=60, column=55, side_mm=110, confidence=0.9, prosthesis=0)
    monkeypatch.setattr(joints, "find_joints", lambda pixels, spacing: [sure])
    assert [refusal.what for refusal in plan(tmp_path, estimate=False).refusals] == ["left knee of b.dcm"]


def test_of_pictures_a_logo_is_a_remark(tmp_path: Path) -> None:
    Image.fromarray((simulated_crop() * 255).astype(np.uint8)).save(tmp_path / "1000R.png")
    Image.new("RGB", (200, 200), "red").save(tmp_path / "logo.png")
    found = plan(tmp_path, assume_spacing=True, estimate=False)
    assert [case.radiograph.name for case in found.cases] == ["1000R.png"] and found.refusals == ()
    assert any("logo.png" in remark for remark in found.remarks)


def test_pictures_beside_films_are_passed_over(film: Path) -> None:
    Image.fromarray((simulated_crop()[:, ::-1] * 255).astype(np.uint8)).save(film.parent / "1000L.png")
    found = plan(film.parent, assume_spacing=True, estimate=False)
    assert [case.side for case in found.cases] == [Side.RIGHT] and found.refusals == ()
    assert "1000L.png: a picture beside DICOM radiographs was passed over" in found.remarks


def rejection_note(folder: Path, *films: Path) -> None:
    values = {element.keyword: element.value for element in note(evidence=tuple(
        dcmread(film).SOPInstanceUID for film in films), items=())}  # fmt: skip
    values.pop("Modality")
    write(folder / "kos.dcm", "KO", **values)


def test_a_rejected_film_gives_way_and_without_any_other_the_reason_is_named(tmp_path: Path) -> None:
    good = write_film(tmp_path / "a.dcm", simulated_crop(), **SAME_STUDY, SOPInstanceUID="1.2.4")
    retake = {"AcquisitionTime": "120000", "SOPInstanceUID": "1.2.5"}
    bad = write_film(tmp_path / "b.dcm", simulated_crop(), **SAME_STUDY, **retake)
    rejection_note(tmp_path, bad)
    assert plan(tmp_path, estimate=False).only().radiograph.name == "a.dcm"
    rejection_note(tmp_path, good, bad)
    with pytest.raises(InputRefused, match=r"2 radiographs rejected .113001, Rejected for Quality Reasons"):
        plan(tmp_path)


def test_of_a_raw_and_a_processed_film_the_processed_one_is_used(tmp_path: Path) -> None:
    raw = {"Modality": "DX", "SOPClassUID": DigitalXRayImageStorageForProcessing, "InstanceNumber": 2}
    write_film(tmp_path / "a.dcm", simulated_crop(), **SAME_STUDY, InstanceNumber=1, SOPInstanceUID="1.2.4")
    write_film(tmp_path / "b.dcm", simulated_crop(), **SAME_STUDY, **raw, PresentationIntentType="FOR PROCESSING")
    case = plan(tmp_path, estimate=False).only()
    assert case.radiograph.name == "a.dcm"
    assert any(remark.startswith("b.dcm: an image FOR PROCESSING") for remark in case.remarks)


@pytest.mark.parametrize("uid", [None, ""])
def test_a_film_that_no_result_can_share_a_study_with_is_refused_before_anything_is_made(tmp_path: Path, uid) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), StudyInstanceUID=uid)
    with pytest.raises(InputRefused, match="needs a Study Instance UID"):
        plan(tmp_path)


def test_the_header_of_a_film_is_parsed_once(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = read_knee_study(film.parent)
    monkeypatch.setattr("monai_xray2mri.radiograph.reading.dcmread", None)
    assert plan_study(study, KneeRequest(estimate=False), 110.0).only().radiograph.name == "film.dcm"


def test_another_body_part_is_passed_over_beside_a_knee(tmp_path: Path) -> None:
    two_films(tmp_path, BodyPartExamined="CHEST")
    found = plan(tmp_path)
    assert len(found.cases) == 1
    assert found.refusals == ()
    assert any("b.dcm" in remark for remark in found.remarks)


def test_of_several_films_of_a_knee_the_newest_is_used(tmp_path: Path) -> None:
    two_films(
        tmp_path,
        ImageLaterality="R",
        AcquisitionDate="20200103",
        PixelData=np.rint(simulated_crop() * 4000).astype("<u2").tobytes(),
    )
    case = plan(tmp_path).cases[0]
    assert case.radiograph.name == "b.dcm"
    assert any("1 older radiographs" in remark for remark in case.remarks)


@pytest.mark.parametrize(
    ("first", "second", "newest"),
    [
        ({"AcquisitionTime": None, "ContentTime": "235959"}, {"AcquisitionTime": "080000"}, "b.dcm"),
        ({"AcquisitionDate": None, "SeriesDate": "20200109"}, {"AcquisitionDate": "20200105"}, "a.dcm"),
        ({"AcquisitionDate": "1995.07.20"}, {"AcquisitionDate": "19950101"}, "a.dcm"),
        ({"InstanceNumber": 2}, {"InstanceNumber": 1}, "a.dcm"),
    ],
)
def test_the_newest_film_is_the_one_whose_date_the_result_says(
    tmp_path: Path, first: dict[str, object], second: dict[str, object], newest: str
) -> None:
    """A date counts with its own time only, and the date of a series counts, too."""
    film = write_film(tmp_path / "a.dcm", simulated_crop(), **first)
    same = {"StudyInstanceUID": dcmread(film).StudyInstanceUID, "SOPInstanceUID": "1.2.3"}
    write_film(tmp_path / "b.dcm", simulated_crop(), **(same | second))
    case = plan(tmp_path, estimate=False).only()
    assert case.radiograph.name == newest
    other = dcmread(tmp_path / ("a.dcm" if newest == "b.dcm" else "b.dcm"))
    used = case.radiograph.dataset
    assert used is not None
    assert source_moment(used)[0].replace(".", "") >= source_moment(other)[0].replace(".", "")


def test_a_film_whose_number_is_none_is_used(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.dcm", simulated_crop(), InstanceNumber=4711)
    film.write_bytes(film.read_bytes().replace(b"4711", b"4x11"))
    assert len(plan(tmp_path, estimate=False).cases) == 1


@pytest.mark.parametrize(
    ("replaced", "rule"),
    [
        ({"PatientAge": "017Y"}, "18"),
        ({"ImageLaterality": None}, "side"),
        ({"ImagerPixelSpacing": None}, "spacing"),
        ({"BodyPartExamined": "CHEST"}, "CHEST"),
    ],
)
def test_a_film_that_cannot_be_trusted_is_refused(tmp_path: Path, replaced: dict[str, object], rule: str) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), **replaced)
    with pytest.raises(InputRefused, match=rule):
        plan(tmp_path)


def test_the_side_may_be_told(tmp_path: Path) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), None)
    assert plan(tmp_path, side=Side.RIGHT).cases[0].side is Side.RIGHT


def test_the_wrong_side_is_refused(film: Path) -> None:
    with pytest.raises(Xray2MRIError):
        plan(film, side=Side.LEFT)


def test_a_file_truncated_in_its_pixels_is_refused(film: Path) -> None:
    film.write_bytes(film.read_bytes()[:-20_000])
    with pytest.raises(InputRefused, match=r"film\.dcm"):
        plan(film.parent)


def test_pictures_need_side_and_spacing(tmp_path: Path) -> None:
    picture = tmp_path / "knee.png"
    Image.fromarray((simulated_crop() * 255).astype(np.uint8)).save(picture)
    with pytest.raises(InputRefused):
        plan(picture, side=Side.RIGHT)
    with pytest.raises(InputRefused):
        plan(picture, assume_spacing=True)
    case = plan(picture, side=Side.RIGHT, assume_spacing=True).cases[0]
    assert any("assumed" in remark for remark in case.remarks)


def test_the_report_of_all_19_features_is_used_for_its_film(shared_data: Path, tmp_path: Path) -> None:
    """The film is wrapped with the very identifiers that the report refers to."""
    source = shared_data / "sr" / "knee_sr_right_19_features.dcm"
    shutil.copy(source, tmp_path / "report.dcm")
    header = dcmread(source)
    film_uid = header.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    write_film(
        tmp_path / "film.dcm", read_picture(real_crops(shared_data, 3, "R")[0]), PatientID=header.PatientID,
        StudyInstanceUID=header.StudyInstanceUID, SOPInstanceUID=film_uid.ReferencedSOPInstanceUID,
    )  # fmt: skip
    grading = plan(tmp_path).cases[0].grading
    assert len([grade for grade in grading.grades.values() if grade is not None]) == 19
    assert grading.grades["XRKL"] == 3
    assert any("preliminary" in remark for remark in grading.remarks)


@pytest.mark.parametrize(
    "name",
    [
        "fo-dicom_CR-MONO1-10-chest_noPreamble",
        "highdicom_DX_thorax_dog_MONO1_8bit.dcm",
        "pydicom-data_vlut_04_VOILUT.dcm",
    ],
)
def test_radiographs_of_something_else_are_refused(shared_data: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(shared_data / "radiographs_odd" / name, tmp_path / name)
    with pytest.raises(InputRefused):
        plan(tmp_path, side=Side.RIGHT)
    with pytest.raises(InputRefused):
        plan(tmp_path)


def test_foreign_reports_are_passed_over(shared_data: Path, film: Path) -> None:
    for name in ("highdicom_sr_document_TID1500.dcm", "dcmjs_sample-sr_TID1500.dcm"):
        shutil.copy(shared_data / "sr" / name, film.parent / name)
    grading = plan(film.parent, estimate=False).cases[0].grading
    assert grading.source == "missing"
    assert len([remark for remark in grading.remarks if "no knee gradings" in remark]) == 2


def test_a_file_without_preamble_is_recognised(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.dcm", simulated_crop())
    raw = path.read_bytes()
    dataset: Dataset = dcmread(path)
    dataset.save_as(path, enforce_file_format=False)
    path.write_bytes(raw[132:])
    assert len(plan(tmp_path).cases) == 1


def test_a_knee_that_is_not_found_does_not_cost_the_other(tmp_path: Path) -> None:
    crop = simulated_crop()
    gap = np.zeros((299, 60), np.float32)
    pixels = np.concatenate([gap, crop, gap, np.zeros_like(crop), gap], axis=1)
    spacing = f"{110 / 299:.6f}"
    write_film(tmp_path / "film.dcm", pixels, "B", ImagerPixelSpacing=[spacing, spacing])
    found = plan(tmp_path)
    assert [case.side for case in found.cases] == [Side.RIGHT]
    assert len(found.refusals) == 1
    assert "left" in str(found.refusals[0])
