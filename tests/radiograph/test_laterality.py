"""The side comes from the header by a fixed order, from the user where the header is silent, and from no guess."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from monai_xray2mri.errors import ExitCode, InputRefused
from monai_xray2mri.radiograph.laterality import sides_of, sides_to_use
from monai_xray2mri.radiograph.side_words import sides_in_text
from monai_xray2mri.types import Radiograph, Side

R, L = (Side.RIGHT,), (Side.LEFT,)
BOTH = (Side.RIGHT, Side.LEFT)


def header(**attributes: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def region_with(*codes: tuple[str, str]) -> list[Dataset]:
    modifiers = [header(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning="x") for value, scheme in codes]
    return [header(CodeValue="72696002", CodingSchemeDesignator="SCT", AnatomicRegionModifierSequence=modifiers)]


@pytest.mark.parametrize(
    ("attributes", "sides", "source"),
    [
        ({"ImageLaterality": "R"}, R, "ImageLaterality"),
        ({"ImageLaterality": "B"}, BOTH, "ImageLaterality"),
        ({"ImageLaterality": "U", "Laterality": "L"}, L, "Laterality"),
        ({"ImageLaterality": "", "Laterality": "R"}, R, "Laterality"),
        ({"AnatomicRegionSequence": region_with(("7771000", "SCT"))}, L, "AnatomicRegionModifierSequence"),
        ({"AnatomicRegionSequence": region_with(("G-A100", "SRT"))}, R, "AnatomicRegionModifierSequence"),
        ({"AnatomicRegionSequence": region_with(("51440002", "SCT"))}, BOTH, "AnatomicRegionModifierSequence"),
        (
            {"AnatomicRegionSequence": region_with(("7771000", "SCT"), ("24028007", "SCT"))},
            BOTH,
            "AnatomicRegionModifierSequence",
        ),
        ({"SeriesDescription": "Bilateral PA Fixed Flexion Knee"}, BOTH, "SeriesDescription"),
        ({"ProtocolName": "Knie rechts a.p."}, R, "ProtocolName"),
        ({"AcquisitionDeviceProcessingDescription": "KNEE L AP"}, L, "AcquisitionDeviceProcessingDescription"),
        ({"BodyPartExamined": "LKNEE"}, L, "BodyPartExamined"),
        ({"StudyDescription": "XR KNEE LT 2V"}, L, "StudyDescription"),
        ({"ViewPosition": "L"}, (), "none"),
        ({"ViewPosition": "AP RT"}, R, "ViewPosition"),
        ({"PatientOrientation": ["L", "F"], "SeriesDescription": "PA flexion"}, (), "none"),
        ({}, (), "none"),
    ],
)
def test_sources_of_the_side(attributes, sides, source):
    assert sides_of(header(**attributes), "film.dcm") == (sides, source)


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"ImageLaterality": "R", "Laterality": "L"}, ("ImageLaterality says right", "Laterality says left")),
        ({"ImageLaterality": "L", "SeriesDescription": "Genou droit"}, ("ImageLaterality says left", '"droit"')),
        ({"Laterality": "R", "SeriesDescription": "Bilateral PA"}, ("right", "SeriesDescription says both sides")),
        ({"ImageLaterality": "R", "StudyDescription": "Left knee"}, ("StudyDescription says left",)),
        (
            {"ImageLaterality": "R", "AnatomicRegionSequence": region_with(("7771000", "SCT"))},
            ("AnatomicRegionModifierSequence says left", "7771000"),
        ),
        ({"SeriesDescription": "R knee", "ProtocolName": "knee left"}, ("SeriesDescription", "ProtocolName")),
    ],
)
def test_contradictions_are_refused_and_both_sources_named(attributes, named):
    with pytest.raises(InputRefused) as refusal:
        sides_of(header(**attributes), "film.dcm")
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED
    for part in ("film.dcm", *named):
        assert part in str(refusal.value)


def test_free_text_is_never_quoted():
    with pytest.raises(InputRefused) as refusal:
        sides_of(header(ImageLaterality="R", SeriesDescription="Mrs Miller left knee"), "film.dcm")
    assert "Miller" not in str(refusal.value) and '"left"' in str(refusal.value)


@pytest.mark.parametrize(
    ("image", "study", "sides"),
    [("R", "XR both knees bilateral", R), ("B", "XR right knee", BOTH), ("L", "Knees R and L", L)],
)
def test_a_study_may_cover_more_or_fewer_knees_than_the_film(image, study, sides):
    found, source = sides_of(header(ImageLaterality=image, StudyDescription=study), "film.dcm")
    assert (found, source) == (sides, "ImageLaterality")


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("RIGHT KNEE", R),
        ("knee_lt_ap", L),
        ("R KNEE", R),
        ("KNEE, L", L),
        ("L and R knee", BOTH),
        ("Knie li.", L),
        ("Knie bds.", BOTH),
        ("Kniegelenk beidseits im Stehen", BOTH),
        ("Genou gauche", L),
        ("rodilla derecha", R),
        ("Ginocchio dx", R),
        ("joelho esquerdo", L),
        ("knä höger", R),
        ("knæ venstre", L),
        ("kolano prawe", R),
        ("правый коленный сустав", R),
        ("右膝", R),
        ("両膝", BOTH),
        ("right and left", BOTH),
        ("L", L),
        ("both knees", BOTH),
        ("PA fixed flexion", ()),
        ("L SPINE", ()),
        ("upright", ()),
        ("bright", ()),
        ("both views", ()),
        ("Genou D", R),
        ("Kniegelenk re. a.p.", R),
        ("DX KNEE", ()),  # a modality
        ("Knee re-take", ()),
        ("LL", ()),
        ("", ()),
    ],
)
def test_words_for_the_side(text, sides):
    assert sides_in_text(text)[0] == sides


def film(sides: tuple[Side, ...]) -> Radiograph:
    return Radiograph(None, None, "none", sides, "ImageLaterality", "film.dcm")  # type: ignore[arg-type]


def test_the_user_selects_a_side_or_tells_an_unknown_one():
    assert sides_to_use(film(BOTH)) == BOTH
    assert sides_to_use(film(BOTH), Side.LEFT) == L
    assert sides_to_use(film(()), Side.RIGHT) == R


def test_unknown_side_is_refused_with_the_remedy():
    with pytest.raises(InputRefused, match=r"film\.dcm: needs a known side.*--side"):
        sides_to_use(film(()))


def test_the_users_side_must_not_contradict_the_film():
    with pytest.raises(InputRefused, match=r"right knee that was asked for.*left by ImageLaterality"):
        sides_to_use(film(L), Side.RIGHT)
