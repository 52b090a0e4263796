"""Names of every script survive in the MR series, and nobody is named in logs."""

from __future__ import annotations

import logging
import warnings

import pytest
from pydicom import Dataset, dcmread

from monai_xray2mri.dicom.mr_series import build_mr_series
from monai_xray2mri.dicom.synthetic_image import write_images
from tests.helpers.dicom_objects import RIGHT, origin, small

NAMES = {
    "ISO_IR 100": "Müller^Jürgen",
    "ISO_IR 144": "Люксембург",
    "ISO_IR 127": "قباني^لنزار",
    "ISO_IR 126": "Διονυσιος",
    "ISO_IR 138": "שרון^דבורה",
    "GB18030": "Wang^XiaoDong=王^小东",
    "ISO_IR 192": "Żaneta^Ö=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
}


@pytest.mark.parametrize("character_set", NAMES)
def test_names_of_every_script_survive(tmp_path, phantom, make_film, character_set):
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "1", NAMES[character_set].split("^")[0]
    film = make_film(
        SpecificCharacterSet=character_set.split("\\"),
        PatientName=NAMES[character_set],
        PatientComments=NAMES[character_set],
        OtherPatientIDsSequence=[other],
    )
    assert film.PatientName == NAMES[character_set]
    read = dcmread(write_images(tmp_path / "s", build_mr_series(small(phantom), RIGHT, origin(film)))[0])
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert read.PatientName == NAMES[character_set]
    assert read.PatientComments == NAMES[character_set]
    assert read.OtherPatientIDsSequence[0].IssuerOfPatientID == other.IssuerOfPatientID
    assert film.SpecificCharacterSet == (character_set.split("\\") if "\\" in character_set else character_set)


def test_no_patient_data_in_logs_or_warnings(phantom, film, report, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    film.PatientName = "Mononym"  # highdicom warns about names of one component, and quotes them
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write_images(tmp_path / "s", build_mr_series(small(phantom), RIGHT, origin(film, report)))
    said = caplog.text + "".join(capfd.readouterr()) + "".join(str(warning.message) for warning in caught)
    for secret in ("Mononym", "P-17", "1.2.826.0.1", "House", "016600000001"):
        assert secret not in said
