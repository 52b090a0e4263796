"""Rejection notes exclude what they name, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.rejection import REASONS, is_key_object_selection, rejection_of
from monai_xray2mri.dicom.study import Study, read_study
from tests.dicom.test_study import VOLUMES, write

FILM, OTHER, SERIES = "1.2.3.10", "1.2.3.11", "1.2.3.20"


def note(
    title: str = "113001", scheme: str = "DCM", evidence: tuple[str, ...] = (FILM,), items: tuple[str, ...] = (FILM,),
    series: str = "",
) -> Dataset:  # fmt: skip
    """Attributes of a Key Object Selection document."""
    document, concept = Dataset(), Dataset()
    document.SOPClassUID, document.Modality = KeyObjectSelectionDocumentStorage, "KO"
    document.ValueType = "CONTAINER"
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = title, scheme, "a title"
    document.ConceptNameCodeSequence = [concept]
    study, listed = Dataset(), Dataset()
    listed.SeriesInstanceUID = series or "1.2.3.99"
    listed.ReferencedSOPSequence = [_reference(uid) for uid in evidence]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = "1.2.3", [listed] if evidence or series else []
    document.CurrentRequestedProcedureEvidenceSequence = [study]
    document.ContentSequence = [_item(uid) for uid in items]
    return document


def _reference(uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = uid
    return reference


def _item(uid: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ReferencedSOPSequence = "CONTAINS", "IMAGE", [_reference(uid)]
    return item


def read(folder: Path, *notes: Dataset) -> Study:
    """A study of two volumes and a report with these notes."""
    write(folder / "a.dcm", "MR", SOPInstanceUID=FILM, SeriesInstanceUID=SERIES)
    write(folder / "b.dcm", "MR", SOPInstanceUID=OTHER, SeriesInstanceUID="1.2.3.21")
    write(folder / "report.dcm", "SR", SOPInstanceUID="1.2.3.12")
    for number, document in enumerate(notes):
        values = {element.keyword: element.value for element in document if element.keyword != "Modality"}
        write(folder / f"kos{number}.dcm", "KO", **values)
    return read_study(folder, [VOLUMES, REPORTS])


def names(study: Study) -> list[str]:
    return [file.name for kind in (VOLUMES, REPORTS) for file in study.of(kind)]


@pytest.mark.parametrize("code", REASONS)
def test_each_title_that_rejects_excludes_what_it_names(tmp_path: Path, code: str) -> None:
    study = read(tmp_path, note(code))
    assert names(study) == ["b.dcm", "report.dcm"]
    assert f"a.dcm: rejected ({code}, {REASONS[code]}) by kos0.dcm and not used" in study.remarks
    assert study.passed_over == {f"MR volumes rejected ({code}, {REASONS[code]})": 1}


@pytest.mark.parametrize("title", ["113000", "113002", "113004", "113010", "113030", ""])
def test_other_titles_reject_nothing(tmp_path: Path, title: str) -> None:
    study = read(tmp_path, note(title))
    assert names(study) == ["a.dcm", "b.dcm", "report.dcm"]
    assert study.passed_over == {"key object selection that rejects nothing": 1}


@pytest.mark.parametrize(
    ("document", "rejected"),
    [
        (note(evidence=(), items=(FILM,)), ["a.dcm"]),
        (note(evidence=(FILM,), items=()), ["a.dcm"]),
        (note(evidence=(FILM,), items=(OTHER,)), ["a.dcm", "b.dcm"]),
        (note(evidence=("9.9",), items=("9.9",)), []),
        (note(evidence=(), items=()), []),
        (note(evidence=(), items=(), series=SERIES), ["a.dcm"]),
        (note(evidence=("9.9",), items=(), series=SERIES), []),
        (note(evidence=("1.2.3.12",), items=()), ["report.dcm"]),
        (note(scheme=""), ["a.dcm"]),
        (note(scheme="dcm"), ["a.dcm"]),
        (note(scheme="99LOCAL"), []),
    ],
)
def test_what_a_note_names(tmp_path: Path, document: Dataset, rejected: list[str]) -> None:
    """Among its evidence or its items, by instance, or a series as a whole; films of other studies are not here."""
    kept = [name for name in ("a.dcm", "b.dcm", "report.dcm") if name not in rejected]
    assert names(read(tmp_path, document)) == kept


def test_several_notes_and_a_study_without_any_film_left(tmp_path: Path) -> None:
    study = read(tmp_path, note("113001"), note("113037", evidence=(OTHER,), items=()), note("113000"))
    assert study.of(VOLUMES) == ()
    assert len([remark for remark in study.remarks if "rejected (" in remark]) == 2
    assert sum(count for what, count in study.passed_over.items() if "rejected (" in what) == 2


def test_a_rejected_film_of_another_patient_is_not_one_of_two(tmp_path: Path) -> None:
    """It came in under the wrong entry of the worklist, and the note says so."""
    write(tmp_path / "wrong.dcm", "MR", SOPInstanceUID="1.2.3.13", PatientID="T-2")
    study = read(tmp_path, note("113038", evidence=("1.2.3.13",), items=()))
    assert names(study) == ["a.dcm", "b.dcm", "report.dcm"]


def test_a_key_object_selection_is_told_by_its_class_or_its_modality() -> None:
    document = note()
    assert is_key_object_selection(document)
    document.Modality = "OT"
    assert is_key_object_selection(document)
    document.Modality, document.SOPClassUID = "KO", "1.2.840.10008.5.1.4.1.1.88.11"
    assert is_key_object_selection(document)
    document.Modality = "SR"
    assert not is_key_object_selection(document)


def test_a_damaged_document_rejects_nothing() -> None:
    assert rejection_of(Dataset()) is None
    document = note()
    document.CurrentRequestedProcedureEvidenceSequence = document.ContentSequence = None
    found = rejection_of(document)
    assert found is not None and found.instances == frozenset()
