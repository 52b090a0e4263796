"""What derived objects take over: dates, damaged values, nested texts."""

from __future__ import annotations

import warnings

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from monai_xray2mri.dicom.source import (
    PATIENT_KEYWORDS,
    STUDY_KEYWORDS,
    anonymous_source,
    copy_patient_and_study,
    source_moment,
)


@pytest.mark.parametrize(
    ("present", "moment"),
    [
        ({"AcquisitionDate": "20200102", "AcquisitionTime": "101112", "StudyDate": "20191231"}, ("20200102", "101112")),
        ({"AcquisitionDate": "20200102", "StudyDate": "20191231", "StudyTime": "08"}, ("20200102", "")),
        ({"ContentDate": "20200103", "ContentTime": "1011", "AcquisitionTime": "070000"}, ("20200103", "1011")),
        ({"SeriesDate": "20200104", "SeriesTime": "101112.123"}, ("20200104", "101112.123")),
        ({"StudyDate": "20200105"}, ("20200105", "")),
        ({"AcquisitionDate": "99999999", "StudyDate": "20200105", "StudyTime": "noon"}, ("20200105", "")),
        ({"AcquisitionTime": "101112"}, ("", "")),
    ],
)
def test_the_moment_is_the_best_date_with_its_own_time(present, moment):
    source = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in present.items():
            setattr(source, keyword, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert source_moment(source) == moment


def test_a_damaged_value_is_left_out_without_a_word(film, caplog):
    film[Tag("PatientWeight")] = RawDataElement(Tag("PatientWeight"), "DS", 4, b"fat!", 0, False, True)
    film[Tag("PatientBirthDate")] = RawDataElement(Tag("PatientBirthDate"), "DA", 6, b"spring", 0, False, True)
    film[Tag("PatientAge")] = RawDataElement(Tag("PatientAge"), "UL", 4, b"\1\0\0\0", 0, False, True)
    target = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy_patient_and_study(film, target)
    assert "PatientWeight" not in target and "PatientAge" not in target
    assert "PatientBirthDate" in target and not target.PatientBirthDate
    assert caplog.text == ""
    assert target.PatientID == "P-17"


def test_the_source_is_not_changed(film):
    before = film.to_json()
    copy_patient_and_study(film, Dataset())
    assert film.to_json() == before


def test_a_sequence_item_of_its_own_character_set_is_decoded(make_film, tmp_path):
    inner, item = Dataset(), Dataset()
    inner.SpecificCharacterSet, inner.CodeMeaning = "ISO_IR 144", "Москва"
    item.SpecificCharacterSet = "ISO_IR 144"
    item.InstitutionName, item.PersonIdentificationCodeSequence = "Клиника", [inner]
    item.PersonName = "Пирогов^Николай"
    film = make_film(SpecificCharacterSet="ISO_IR 100", ReferringPhysicianIdentificationSequence=[item])
    target = Dataset()
    copy_patient_and_study(film, target)
    target.save_as(tmp_path / "t.dcm", implicit_vr=False, little_endian=True)
    read = dcmread(tmp_path / "t.dcm", force=True).ReferringPhysicianIdentificationSequence[0]
    assert (read.InstitutionName, read.PersonName) == ("Клиника", "Пирогов^Николай")
    assert read.PersonIdentificationCodeSequence[0].CodeMeaning == "Москва"
    assert not any(element.keyword == "SpecificCharacterSet" for element in read.iterall())


def test_image_attributes_of_the_source_are_not_taken_over(film):
    target = Dataset()
    copy_patient_and_study(film, target)
    assert not {"Modality", "Manufacturer", "Rows", "SOPInstanceUID", "SeriesInstanceUID"} & set(target.dir())
    assert not set(PATIENT_KEYWORDS) & set(STUDY_KEYWORDS)


def test_an_anonymous_source_names_nobody_and_depends_on_the_content():
    source = anonymous_source(b"content")
    assert source.PatientID == "ANONYMOUS" and "PatientName" not in source and "SOPClassUID" not in source
    assert source == anonymous_source(b"content")
    assert source.StudyInstanceUID != anonymous_source(b"other").StudyInstanceUID
