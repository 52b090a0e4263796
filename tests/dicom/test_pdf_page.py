"""The result page and its DICOM wrapping: text of every script, the same bytes, conformance."""

from __future__ import annotations

import subprocess
from datetime import datetime

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from monai_xray2mri.dicom.encapsulated_pdf import ResultPage
from monai_xray2mri.dicom.mr_series import build_mr_series
from monai_xray2mri.dicom.own_results import is_own_result
from monai_xray2mri.dicom.pdf_page import FONTS, SCRIPTS, UNPRINTABLE, Page, Picture, render
from monai_xray2mri.dicom.source import anonymous_source
from monai_xray2mri.dicom.uids import encoded
from tests.helpers.dicom_objects import LEFT, RIGHT, origin, program, small

MOMENT = datetime(2016, 5, 4, 9, 45)
NAMES = [
    "Müller Żaneta Nguyễn",
    "Люксембург",
    "Διονυσιος",
    "山田 太郎 やまだ",
    "王 小东 龘",
    "홍 길동",
    "สมชาย",
    "Արամ შოთა",
]
"""Scripts whose letters come out of a PDF in the order in which they were written."""
SHAPED = ["قباني لنزار", "שרון דבורה", "श्रीनिवास", "தமிழ்", "රවි", "అర్జున్", "អង្គរ", "အောင်", "አበበ"]


def page(*names: str) -> Page:
    picture = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    facts = [(f"Name {number}", name) for number, name in enumerate(names)]
    return Page("Title", "Warning", facts, [[Picture("Film", picture, 0.3)]], [("Head", ["line"])], ["note"])


@pytest.fixture(scope="module")
def scripts() -> bytes:
    """A page with names of many scripts; made once, for fonts take a while to load."""
    return render(page(*NAMES, *SHAPED), MOMENT)


def text_of(pdf: bytes) -> str:
    done = subprocess.run([program("pdftotext", "poppler-utils"), "-layout", "-", "-"], input=pdf, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_names_of_every_script_are_printed(scripts):
    text = text_of(scripts)
    for name in NAMES:
        assert name in text
    assert UNPRINTABLE not in text
    for words in ("Title", "Warning", "Film", "Head", "line", "note"):
        assert words in text


def test_it_is_one_page(scripts):
    done = subprocess.run([program("pdfinfo", "poppler-utils"), "-"], input=scripts, capture_output=True)
    assert b"Pages:           1" in done.stdout and b"A4" in done.stdout
    assert b"2016" in done.stdout


def test_the_same_page_is_the_same_bytes_and_another_is_not():
    one = render(page("Doe Jane"), MOMENT)
    assert one == render(page("Doe Jane"), MOMENT)
    assert one != render(page("Roe Jane"), MOMENT)
    assert one.startswith(b"%PDF-")


def test_letters_without_font_are_said_to_be_missing():
    text = text_of(render(page("Doe \N{EGYPTIAN HIEROGLYPH A001}"), MOMENT))
    assert f"Doe {UNPRINTABLE}" in text and "stands for letters" in text


def test_every_font_is_there_with_its_licence():
    licences = (FONTS / "LICENSES.txt").read_text()
    for name, _ in SCRIPTS:
        assert (FONTS / f"{name}.ttf").is_file()
        assert name in licences or "NotoSans*-Regular" in licences
    assert "SIL OPEN FONT LICENSE" in licences.upper() and "Bitstream Vera" in licences


@pytest.fixture
def document(film, phantom):
    images = build_mr_series(small(phantom), RIGHT, origin(film))
    return ResultPage(b"%PDF-1.3 odd", RIGHT, origin(film), images)


def test_the_document_holds_the_page_in_the_films_study(tmp_path, document, film, dciodvfy):
    path = tmp_path / "page.dcm"
    path.write_bytes(encoded(document))
    read = dcmread(path)
    assert read.EncapsulatedDocument[: read.EncapsulatedDocumentLength] == b"%PDF-1.3 odd"
    assert (read.PatientName, read.StudyInstanceUID) == (film.PatientName, film.StudyInstanceUID)
    assert (read.ContentDate, read.ContentTime) == ("20160504", "094512.5")
    assert (read.Modality, read.SeriesNumber, read.Laterality) == ("DOC", 941, "R")
    assert (read.SyntheticData, read.BurnedInAnnotation) == ("YES", "YES")
    assert is_own_result(read)
    assert read.SourceInstanceSequence[0].ReferencedSOPInstanceUID == film.SOPInstanceUID
    assert len(read.SourceInstanceSequence) == 3
    assert not {"InstanceCreationDate", "InstanceCreationTime"} & set(read.dir())
    assert dciodvfy(path) == []


def test_the_document_of_a_picture_names_nobody(tmp_path, dciodvfy):
    path = tmp_path / "page.dcm"
    path.write_bytes(encoded(ResultPage(b"%PDF-", LEFT, origin(anonymous_source(b"x")), [])))
    assert dcmread(path).PatientID == "ANONYMOUS"
    assert dciodvfy(path) == []


def test_uids_follow_the_content(document, film):
    same = ResultPage(b"%PDF-1.3 odd", RIGHT, origin(film), [])
    again = ResultPage(b"%PDF-1.3 odd", RIGHT, origin(film), [])
    other = ResultPage(b"%PDF-1.3 off", RIGHT, origin(film), [])
    assert encoded(same) == encoded(again)
    assert len({same.SOPInstanceUID, other.SOPInstanceUID, document.SOPInstanceUID}) == 3
