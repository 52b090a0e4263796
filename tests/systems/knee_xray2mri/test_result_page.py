"""What the result page says about a knee."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.result_page import MAX_REMARKS, page_moment, readable_name
from monai_xray2mri.dicom.uncertainty import SpreadSummary
from monai_xray2mri.systems.knee_xray2mri.products import knee_products
from monai_xray2mri.systems.knee_xray2mri.result_page import page_of
from monai_xray2mri.types import Side
from tests.helpers.dicom_objects import film_header
from tests.helpers.results import case, synthesis

HEADER = film_header(
    PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう", AcquisitionDate="20160504", AcquisitionTime="0945"
)


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("Doe^Jane^^Dr", "Doe Jane Dr"),
        ("Wang^XiaoDong=王^小东", "Wang XiaoDong / 王 小东"),
        ("=山田", "山田"),
        ("", ""),
    ],
)
def test_names_are_written_for_people(name, readable):
    assert readable_name(name) == readable


def test_the_page_says_who_what_from_what_and_how_sure():
    knee = case(HEADER, Side.LEFT)
    page = page_of(replace(knee_products(synthesis(knee)), spread=SpreadSummary(3, 0.1, 0.2, 0.3)))
    facts = dict(page.facts)
    assert facts["Patient"] == "Yamada Tarou / 山田 太郎 / やまだ たろう"
    assert (facts["Patient ID"], facts["Born, sex"], facts["Radiograph of"]) == ("P-17", "1955-02-03, F", "2016-05-04")
    assert facts["Side"] == "left (ImageLaterality)"
    (head, features), (_, model), (_, checks) = page.columns
    assert head == "Features used (structured report)"
    assert features == [
        "Joint space narrowing grade, medial: 2", "Kellgren and Lawrence grade: 3", "17 of 19 unknown",
    ]  # fmt: skip
    assert {"seed: 5", "steps: 20", "model: knee_xray2mri 0.2.0"} <= set(model)
    assert checks[0] == "report of film.dcm: preliminary"
    assert checks[1].startswith("3 samples: mean 0.1000") and "not calibrated" in checks[2]
    assert page.warning == DISCLAIMER
    assert [len(row) for row in page.pictures] == [2, 1]


def test_without_samples_it_says_that_it_cannot_tell_how_sure():
    knee = case(HEADER)
    page = page_of(knee_products(synthesis(knee, 1)))
    assert page.columns[2][1][-1] == "One sample was drawn: no uncertainty can be given."
    assert [len(row) for row in page.pictures] == [1, 1]


def test_remarks_are_kept_to_the_room_there_is():
    knee = case(HEADER)
    result = synthesis(knee, 1)
    result = replace(result, provenance=result.provenance | {"remarks": ["x" * 500] * (MAX_REMARKS + 3)})
    remarks = page_of(knee_products(result)).columns[2][1][:-1]
    assert len(remarks) == MAX_REMARKS + 1 and remarks[-1] == "and 3 more in report.json"
    assert max(map(len, remarks)) == 112


def test_the_date_of_the_document_is_the_radiographs():
    assert page_moment(HEADER) == datetime(2016, 5, 4, 9, 45)
    assert page_moment(film_header(StudyDate=None)) == datetime(2000, 1, 1)
