"""The walker: what it inherits, what it forgives, and that no report can make it fall."""

from __future__ import annotations

import random
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from monai_xray2mri.dicom import structured_report
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.structured_report import (
    MAX_DEPTH,
    ReportCode,
    referenced_instances,
    text_value,
    walk_report,
)
from tests.helpers import report_items
from tests.helpers.report_items import code, item


def number(value: object, concept: str = "XRKL", *children: Dataset, keyword: str = "NumericValue") -> Dataset:
    return report_items.number(code(concept), value, *children, keyword=keyword)


def laterality(value: str, scheme: str = "SCT") -> Dataset:
    concept = {"SCT": "272741003", "SRT": "G-C171", "99SDM": "G-C171"}[scheme]
    return item("CODE", code(concept, scheme), ConceptCodeSequence=[code(value, scheme)])


def finding_site(*children: Dataset, scheme: str = "SCT") -> Dataset:
    concept, site = {"SCT": ("363698007", "49076000"), "SRT": ("G-C0E3", "T-15720")}[scheme]
    return item("CODE", code(concept, scheme), *children, ConceptCodeSequence=[code(site, scheme)])


RIGHT, LEFT, BOTH = laterality("24028007"), laterality("7771000"), laterality("51440002")


def numbers(root: Dataset) -> list[tuple[object, object]]:
    return [(found.value, found.laterality) for found in walk_report(root) if found.value_type == "NUM"]


def test_items_come_in_document_order_with_their_depth():
    root = item("CONTAINER", code("126000", "DCM"), item("CONTAINER", None, number(1), number(2)), number(3))
    assert [(found.value_type, found.depth) for found in walk_report(root)] == [
        ("CONTAINER", 0),
        ("CONTAINER", 1),
        ("NUM", 2),
        ("NUM", 2),
        ("NUM", 1),
    ]
    assert [value for value, _ in numbers(root)] == [1, 2, 3]
    assert next(walk_report(root)).concept == ReportCode("126000", "DCM", "meaning")


def test_laterality_is_that_of_the_nearest_ancestor():
    root = item(
        "CONTAINER",
        None,
        item("CONTAINER", None, finding_site(RIGHT), number(1), number(2, "XRKL", finding_site(LEFT)), number(3)),
        item("CONTAINER", None, LEFT, item("CONTAINER", None, number(4))),
        number(5),
    )
    assert numbers(root) == [(1, "R"), (2, "L"), (3, "R"), (4, "L"), (5, None)]


@pytest.mark.parametrize(
    ("modifiers", "side"),
    [
        ([laterality("G-A100", "SRT")], "R"),
        ([finding_site(laterality("G-A101", "SRT"), scheme="SRT")], "L"),
        ([laterality("G-A101", "99SDM")], "L"),
        ([BOTH], "B"),
        ([RIGHT, LEFT], "B"),
        ([finding_site(RIGHT), finding_site(LEFT)], "B"),
        ([finding_site()], None),
        ([laterality("255561001")], None),
        ([laterality("24028007", "SRT")], None),
    ],
)
def test_sides_are_read_in_old_and_new_codes_and_never_guessed(modifiers, side):
    assert numbers(item("CONTAINER", None, *modifiers, number(1))) == [(1, side)]


def test_finding_site_is_inherited():
    root = item("CONTAINER", None, finding_site(RIGHT), number(1))
    assert [found.finding_site.value for found in walk_report(root) if found.value_type == "NUM"] == ["49076000"]


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (number("2"), 2.0),
        (number("3.0"), 3.0),
        (number(1.5, keyword="FloatingPointValue"), 1.5),
        (item("NUM", code("XRKL"), MeasuredValueSequence=[]), None),
        (item("NUM", code("XRKL")), None),
        (item("NUM", code("XRKL"), MeasuredValueSequence=[Dataset()]), None),
        (item("TEXT", code("XRKL"), TextValue=" 2: Grade 2 "), "2: Grade 2"),
        (item("CODE", code("XRKL"), ConceptCodeSequence=[code("2")]), ReportCode("2", "99OAI", "meaning")),
        (item("CODE", code("XRKL")), None),
        (item("UIDREF", code("1"), UID="1.2.3"), "1.2.3"),
        (item("DATETIME", code("1"), DateTime="2020"), "2020"),
        (item("IMAGE"), None),
        (item("SCOORD"), None),
        (Dataset(), None),
    ],
)
def test_values_by_type(node, value):
    assert [found.value for found in walk_report(node)] == [value]


@pytest.mark.parametrize("keyword", ["CodeValue", "LongCodeValue", "URNCodeValue"])
def test_every_form_of_code_value_is_read(keyword):
    assert next(walk_report(item("TEXT", code("XRKL", keyword=keyword)))).concept.value == "XRKL"


def test_an_empty_number_says_why():
    reason = [code("114007", "DCM")]
    empty = item("NUM", code("XRKL"), MeasuredValueSequence=[], NumericValueQualifierCodeSequence=reason)
    assert next(walk_report(empty)).qualifier.key == ("114007", "DCM")


def test_an_unreadable_number_is_given_as_text():
    node = number("1")
    measured = node.MeasuredValueSequence[0]
    measured[Tag("NumericValue")] = RawDataElement(Tag("NumericValue"), "DS", 6, b"two   ", 0, False, True)
    assert next(walk_report(node)).value == "two"


def test_references_are_collected_from_both_evidence_sequences():
    def evidence(uid: str) -> list[Dataset]:
        study, series, instance = Dataset(), Dataset(), Dataset()
        instance.ReferencedSOPInstanceUID = uid
        series.ReferencedSOPSequence, study.ReferencedSeriesSequence = [instance], [series]
        return [study]

    root = Dataset()
    root.CurrentRequestedProcedureEvidenceSequence = evidence("1.2.3")
    root.PertinentOtherEvidenceSequence = evidence("1.2.4")
    assert referenced_instances(root) == {"1.2.3", "1.2.4"}
    assert referenced_instances(Dataset()) == set()
    image = item(
        "IMAGE",
        ReferencedSOPSequence=root.CurrentRequestedProcedureEvidenceSequence[0]
        .ReferencedSeriesSequence[0]
        .ReferencedSOPSequence,
    )
    assert next(walk_report(image)).value == "1.2.3"


def test_deep_trees_end_at_the_limit_and_say_so():
    node = number(1)
    for _ in range(3 * MAX_DEPTH):
        node = item("CONTAINER", None, node)
    found = list(walk_report(node))
    assert [entry.depth for entry in found] == list(range(MAX_DEPTH + 1))
    assert [entry.complete for entry in found] == [True] * MAX_DEPTH + [False]


def test_long_reports_end_at_the_limit_and_say_so(monkeypatch):
    monkeypatch.setattr(structured_report, "MAX_ITEMS", 10)
    root = item("CONTAINER", None, *(number(value) for value in range(100)))
    found = list(walk_report(root))
    assert len(found) == 10
    assert [entry.complete for entry in found] == [True] * 9 + [False]


def test_datasets_that_are_no_reports_yield_one_item_at_most():
    image = Dataset()
    image.Modality, image.ContentSequence = "CR", None
    assert [found.value_type for found in walk_report(image)] == [""]
    assert text_value(image, "PatientID") == ""


@pytest.mark.parametrize("name", ["highdicom_sr_document_TID1500.dcm", "dcmjs_sample-sr_TID1500.dcm"])
def test_reports_of_other_tools_are_read(shared_data, name):
    found = list(walk_report(dcmread(shared_data / "sr" / name)))
    assert len(found) > 10 and all(entry.complete for entry in found)
    assert any(isinstance(entry.value, float) for entry in found)
    assert all(entry.laterality is None for entry in found)


def test_damaged_reports_neither_raise_nor_talk(shared_data, caplog, recwarn):
    original = (shared_data / "sr/knee_sr_right_19_features.dcm").read_bytes()
    dice = random.Random(3)
    walked = 0
    for _ in range(60):
        damaged = bytearray(original)
        for _ in range(dice.choice((1, 5, 50))):
            damaged[dice.randrange(400, len(damaged))] = dice.randrange(256)
        length = dice.choice((len(damaged), dice.randrange(2000, len(damaged))))
        with quiet():
            try:
                dataset = dcmread(BytesIO(bytes(damaged[:length])))
            except Exception:  # such a file never becomes a dataset
                continue
        walked += len(list(walk_report(dataset))) > 0
        referenced_instances(dataset)
    assert walked > 20
    assert caplog.text == "" and not recwarn.list
