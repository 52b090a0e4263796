"""A study is sorted into the kinds that are asked for; nothing else is assumed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from monai_xray2mri.dicom.kinds import REPORTS, Kind
from monai_xray2mri.dicom.readable import unreadable_tags
from monai_xray2mri.dicom.study import read_study
from monai_xray2mri.errors import InputRefused, UsageError

VOLUMES = Kind("MR volumes", ("MR",), one_study=True)
PHOTOGRAPHS = Kind("photographs", ("XC",), (".png",), ("PNG",), (".nii.gz",))


def write(path: Path, modality: str, study: str = "1.2.3", **attributes: object) -> Path:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = MRImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PatientID, dataset.StudyInstanceUID = modality, "T-1", study
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two slices, a report, a chest film, a photograph and a text."""
    for name, modality in {"b/1.dcm": "MR", "a/2.dcm": "MR", "report.dcm": "SR", "film.dcm": "CR"}.items():
        write(tmp_path / name, modality)
    (tmp_path / "photo.PNG").touch()
    (tmp_path / "notes.txt").write_text("hello")
    return tmp_path


def test_files_are_sorted_into_the_kinds_asked_for(folder: Path) -> None:
    study = read_study(folder, [VOLUMES, REPORTS])
    assert [file.name for file in study.of(VOLUMES)] == ["a/2.dcm", "b/1.dcm"]
    assert [file.name for file in study.of(REPORTS)] == ["report.dcm"]
    assert study.of(PHOTOGRAPHS) == () and study.passed_over == {"CR": 1}
    assert "1 CR passed over: only MR and SR are used" in study.remarks
    assert "notes.txt: is no DICOM file and was passed over" in study.remarks


def test_a_kind_may_have_files_that_are_no_dicom(folder: Path) -> None:
    study = read_study(folder, [PHOTOGRAPHS])
    assert [(file.name, file.header) for file in study.of(PHOTOGRAPHS)] == [("photo.PNG", None)]
    assert "notes.txt: is neither DICOM nor PNG and was passed over" in study.remarks


def test_what_counts_alone_does_not_count_among_others(tmp_path: Path) -> None:
    file = tmp_path / "photo.nii.gz"
    file.touch()
    assert [found.path for found in read_study(file, [PHOTOGRAPHS]).of(PHOTOGRAPHS)] == [file]
    assert read_study(tmp_path, [PHOTOGRAPHS]).of(PHOTOGRAPHS) == ()


def test_a_study_without_any_of_them_is_no_error(folder: Path) -> None:
    study = read_study(folder, [Kind("ultrasound", ("US",))])
    assert study.files == {"ultrasound": ()} and study.passed_over == {"CR": 1, "MR": 2, "SR": 1}


@pytest.mark.parametrize(("attribute", "what"), [("PatientID", "patient"), ("StudyInstanceUID", "study")])
def test_what_must_be_of_one_study_is_refused_from_two(folder: Path, attribute: str, what: str) -> None:
    write(folder / "other.dcm", "MR", **{attribute: "1.2.999"})
    with pytest.raises(InputRefused, match=f"must be of one {what} .found: MR volumes of 2.") as refusal:
        read_study(folder, [VOLUMES])
    assert "1.2.999" not in str(refusal.value)
    write(folder / "other.dcm", "SR", **{attribute: "1.2.999"})
    assert len(read_study(folder, [VOLUMES, REPORTS]).of(REPORTS)) == 2


def test_files_of_a_kind_are_replaced_with_their_reason(folder: Path) -> None:
    study = read_study(folder, [VOLUMES, REPORTS])
    fewer = study.with_files(VOLUMES, study.of(VOLUMES)[:1], ["one is enough"])
    assert len(fewer.of(VOLUMES)) == 1 and fewer.of(REPORTS) == study.of(REPORTS)
    assert fewer.remarks == (*study.remarks, "one is enough")


def test_a_path_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing at that path"):
        read_study(tmp_path / "nowhere", [REPORTS])


def test_unreadable_elements_are_dropped_also_inside_sequences_if_asked(tmp_path: Path) -> None:
    """One rule for the headers of a study and of a film; a report's items are read one by one."""
    nested = Dataset()
    nested.StudyID = "damage"
    path = write(tmp_path / "1.dcm", "MR", StudyID="damage", RequestAttributesSequence=[nested])
    path.write_bytes(path.read_bytes().replace(b"SH\x06\0damage", b"FD\x06\0damage"))  # six bytes are no double
    (file,) = read_study(path, [VOLUMES]).of(VOLUMES)
    assert "StudyID" not in file.header and "RequestAttributesSequence" in file.header
    assert unreadable_tags(dcmread(path)) == {0x00200010}
    assert unreadable_tags(dcmread(path), inside_sequences=True) == {0x00200010, 0x00400275}
