"""Notes that a service adds to a study: valid, known as own, the same whenever they are written."""

from __future__ import annotations

import pytest
from pydicom import dcmread

from monai_xray2mri.dicom.notes import Referred, refusal_report, rejection_note, replacement_report
from monai_xray2mri.dicom.own_results import is_own_result
from monai_xray2mri.dicom.rejection import rejection_of
from monai_xray2mri.dicom.structured_report import walk_report
from monai_xray2mri.dicom.uids import encoded
from tests.helpers.dicom_objects import film_header

MR = "1.2.840.10008.5.1.4.1.1.4"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
OLD = [Referred("2.25.1", MR, "2.25.11"), Referred("2.25.1", MR, "2.25.12"), Referred("2.25.2", PDF, "2.25.21")]
NEW = [Referred("2.25.3", MR, "2.25.31")]
MAKERS = {
    "refusal": lambda header: refusal_report(header, ["film: needs a pixel spacing (found: none)"], NEW),
    "replacement": lambda header: replacement_report(header, OLD, NEW),
    "rejection": lambda header: rejection_note(header, OLD, "Replaced."),
}


@pytest.fixture(params=sorted(MAKERS))
def maker(request):
    return MAKERS[request.param]


def test_a_note_is_valid(maker, tmp_path, dciodvfy):
    (tmp_path / "note.dcm").write_bytes(encoded(maker(film_header())))
    assert dciodvfy(tmp_path / "note.dcm") == []


def test_a_note_belongs_to_the_study_and_is_known_as_own(maker):
    header = film_header()
    note = maker(header)
    assert (note.PatientID, note.StudyInstanceUID) == (header.PatientID, header.StudyInstanceUID)
    assert is_own_result(note) and note.SeriesDescription.startswith("SYNTHETIC")


def test_the_same_note_twice_is_the_same_instance(maker):
    assert encoded(maker(film_header())) == encoded(maker(film_header()))
    other = maker(film_header(PatientID="another"))
    assert other.SOPInstanceUID != maker(film_header()).SOPInstanceUID


def test_a_rejection_note_is_read_as_one_and_names_everything():
    note = MAKERS["rejection"](film_header())
    found = rejection_of(note)
    assert found is not None and found.instances == {one.uid for one in OLD}
    kinds = [item.value_type for item in walk_report(note)]
    assert kinds.count("IMAGE") == 2 and kinds.count("COMPOSITE") == 1


def test_a_refusal_says_why_in_words(tmp_path):
    (tmp_path / "report.dcm").write_bytes(encoded(MAKERS["refusal"](film_header())))
    texts = [item.value for item in walk_report(dcmread(tmp_path / "report.dcm")) if item.value_type == "TEXT"]
    assert "film: needs a pixel spacing (found: none)" in texts
