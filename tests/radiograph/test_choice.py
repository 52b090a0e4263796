"""Of several films of one part the newest shot is used, and of one shot the image that is nearest to it."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
)

from monai_xray2mri.radiograph.choice import choose, is_same_shot
from monai_xray2mri.types import Radiograph, Side

RAW = {"SOPClassUID": DigitalXRayImageStorageForProcessing, "PresentationIntentType": "FOR PROCESSING"}
SHOWN = {"SOPClassUID": DigitalXRayImageStorageForPresentation, "PresentationIntentType": "FOR PRESENTATION"}
LATER = {"AcquisitionTime": "102000"}


def film(name: str, **attributes: object) -> Radiograph:
    header = Dataset()
    values = {
        "SOPClassUID": ComputedRadiographyImageStorage, "SOPInstanceUID": f"1.2.{ord(name[0])}",
        "StudyDate": "20200102", "StudyTime": "100000", "AcquisitionDate": "20200102", "AcquisitionTime": "101112",
    }  # fmt: skip
    for keyword, value in (values | attributes).items():
        if value is not None:
            setattr(header, keyword, value)
    pixels = np.zeros((2, 2), np.float32)
    return Radiograph(pixels, (0.1, 0.1), "ImagerPixelSpacing", (Side.RIGHT,), "ImageLaterality", name, header)


def source(instance: str) -> list[Dataset]:
    item = Dataset()
    item.ReferencedSOPInstanceUID = instance
    return [item]


CASES = {
    "raw and processed": ({**SHOWN}, {**RAW, "InstanceNumber": 2}, "b: an image FOR PROCESSING"),
    "raw by intent alone": ({}, {"PresentationIntentType": "FOR PROCESSING", "InstanceNumber": 2}, "b: an image"),
    "the processed one is called derived": (
        {**SHOWN, "ImageType": ["DERIVED", "PRIMARY"], "SourceImageSequence": source("1.2.98")},
        {**RAW, "ImageType": ["ORIGINAL", "PRIMARY"]},
        "b: an image FOR PROCESSING",
    ),
    "processed later, as its content says": (
        {**SHOWN, "ContentTime": "101000"}, {**RAW, "ContentTime": "102500"}, "b: an image FOR PROCESSING",
    ),
    "without acquisition times": (
        {**SHOWN, "AcquisitionTime": None}, {**RAW, "AcquisitionTime": None, "ContentDate": "20200102"}, "b: an image",
    ),
    "fractions of a second": (
        {**SHOWN, "AcquisitionTime": "101112"}, {**RAW, "AcquisitionTime": "101112.250"}, "b: an image FOR PROCESSING",
    ),
    "a date and time in one": (
        {**SHOWN, "AcquisitionDateTime": "20200102101112.5+0100"}, {**RAW}, "b: an image FOR PROCESSING",
    ),
    "one event of irradiation": (
        {**SHOWN, "IrradiationEventUID": "1.9"}, {**RAW, "IrradiationEventUID": "1.9", "AcquisitionTime": None},
        "b: an image FOR PROCESSING",
    ),
    "a secondary copy": ({}, {"ImageType": ["DERIVED", "SECONDARY"]}, "b: a secondary copy"),
    "a secondary copy that was made later": ({}, {**LATER, "ImageType": ["DERIVED", "SECONDARY", "AI"]}, "b: a sec"),
    "a captured copy": ({}, {**LATER, "ConversionType": "WSD"}, "b: a secondary copy"),
    "an annotated copy": ({}, {"BurnedInAnnotation": "YES", "InstanceNumber": 9}, "b: an annotated copy"),
    "an annotated copy for presentation of a raw film": (
        {**RAW}, {**SHOWN, "BurnedInAnnotation": "YES"}, "b: an annotated copy",
    ),
    "derived": ({}, {"ImageType": ["DERIVED", "PRIMARY"], "InstanceNumber": 9}, "b: an image derived"),
    "derived in words": ({}, {"DerivationDescription": "sharpened", "InstanceNumber": 9}, "b: an image derived"),
    "derived by its source, later": (
        {}, {**LATER, "SourceImageSequence": source("1.2.97")}, "b: an image derived",
    ),
}  # fmt: skip
"""The film to use, the other one, and what is said of it."""


@pytest.mark.parametrize("name", CASES)
def test_of_one_shot_the_image_nearest_to_it_is_used(name: str) -> None:
    used, other, said = CASES[name]
    for films in ([film("a", **used), film("b", **other)], [film("b", **other), film("a", **used)]):
        choice = choose(films)
        assert films[choice.index].name == "a" and choice.older == 0
        assert len(choice.remarks) == 1 and choice.remarks[0].startswith(said)


RETAKES = {
    "later": LATER,
    "later, raw": {**LATER, **RAW},
    "later, derived but primary": {**LATER, "ImageType": ["DERIVED", "PRIMARY"]},
    "later, annotated": {**LATER, "BurnedInAnnotation": "YES"},
    "another event of irradiation": {"IrradiationEventUID": "1.10", "InstanceNumber": 2, **RAW},
    "a duplicate with a higher number": {"InstanceNumber": 2},
}


@pytest.mark.parametrize("name", RETAKES)
def test_a_retake_replaces_what_came_before(name: str) -> None:
    films = [film("b", **RETAKES[name]), film("a", IrradiationEventUID="1.9")]
    assert choose(films).index == 0 and choose(films).remarks == () and choose(films).older == 1


def test_if_all_are_copies_the_newest_copy_is_used() -> None:
    copies = [film(name, ImageType=["DERIVED", "SECONDARY"], InstanceNumber=n) for n, name in enumerate("abc")]
    choice = choose(copies)
    assert (choice.index, choice.older, choice.remarks) == (2, 2, ())


def test_retake_pair_and_copy_together() -> None:
    films = [film("a", **SHOWN), film("b", **RAW), film("c", **LATER, **SHOWN), film("d", **LATER, **RAW),
             film("e", **LATER, ImageType=["DERIVED", "SECONDARY"])]  # fmt: skip
    choice = choose(films)
    assert films[choice.index].name == "c" and choice.older == 2
    assert [remark[0] for remark in choice.remarks] == ["d", "e"]


def test_pictures_have_no_header_and_the_last_name_counts() -> None:
    pictures = [Radiograph(np.zeros((2, 2), np.float32), None, "none", (Side.RIGHT,), "file name", n) for n in "ab"]
    assert choose(pictures).index == 1 and choose(pictures[:1]).index == 0


def test_views_that_differ_are_two_shots() -> None:
    first, second = (film("a", ViewPosition=view, AcquisitionTime=None).dataset for view in ("AP", "PA"))
    assert not is_same_shot(first, second) and is_same_shot(first, first)
