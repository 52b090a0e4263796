"""The side comes from the header by a fixed order, from the user where the header is silent, and from no guess."""

from __future__ import annotations

import csv
from pathlib import Path

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


def coded(value: str, scheme: str = "SCT", meaning: str = "meaning") -> Dataset:
    return header(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


REQUEST = "RequestAttributesSequence"


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
        ({"ImageLaterality": "RIGHT"}, R, "ImageLaterality"),
        ({"Laterality": "left"}, L, "Laterality"),
        ({"ImageLaterality": "Ri"}, R, "ImageLaterality"),
        ({"ImageLaterality": "LE"}, L, "ImageLaterality"),
        ({"ImageLaterality": ["R", "L"]}, BOTH, "ImageLaterality"),
        ({"ImageLaterality": "R/L"}, BOTH, "ImageLaterality"),
        ({"ImageLaterality": "BOTH"}, BOTH, "ImageLaterality"),
        ({"ImageLaterality": "BILATERAL"}, BOTH, "ImageLaterality"),
        ({"ImageLaterality": "links"}, L, "ImageLaterality"),
        ({"ImageLaterality": "DERECHA"}, R, "ImageLaterality"),
        ({"ImageLaterality": "UNKNOWN", "Laterality": "N/A", "ProtocolName": "KNEE R"}, R, "ProtocolName"),
        ({"AnatomicRegionModifierSequence": [coded("24028007")]}, R, "AnatomicRegionModifierSequence"),
        (
            {"PrimaryAnatomicStructureSequence": [header(PrimaryAnatomicStructureModifierSequence=[coded("7771000")])]},
            L,
            "PrimaryAnatomicStructureModifierSequence",
        ),
        (
            {"PrimaryAnatomicStructureModifierSequence": [coded("G-A100", "SNM3")]},
            R,
            "PrimaryAnatomicStructureModifierSequence",
        ),
        (
            {"AnatomicRegionSequence": [coded("82169009", meaning="Left knee region structure")]},
            L,
            "AnatomicRegionSequence",
        ),
        ({"AnatomicRegionModifierSequence": [coded("1", "99X", "Links")]}, L, "AnatomicRegionModifierSequence"),
        ({"ProcedureCodeSequence": [coded("73562-RT", "C4", "Knee 3 views")]}, R, "ProcedureCodeSequence"),
        ({"ProcedureCodeSequence": [coded("7356250", "C4", "Knee")]}, BOTH, "ProcedureCodeSequence"),
        ({"ProcedureCodeSequence": [coded("X1", "99X", "XR KNEE LT")]}, L, "ProcedureCodeSequence"),
        ({"ProcedureCodeSequence": [coded("73562", "C4", "Knee 3 views")]}, (), "none"),
        ({"PerformedProtocolCodeSequence": [coded("P", "99X", "Knie re ap")]}, R, "PerformedProtocolCodeSequence"),
        ({REQUEST: [header(RequestedProcedureDescription="Left knee")]}, L, REQUEST),
        (
            {"RequestAttributesSequence": [header(ScheduledProtocolCodeSequence=[coded("P", "9", "Knie li")])]},
            L,
            REQUEST,
        ),
        (
            {
                "RequestAttributesSequence": [
                    header(ScheduledProcedureStepDescription="R knee"),
                    header(RequestedProcedureCodeSequence=[coded("1", "99X", "L knee")]),
                ]
            },
            BOTH,
            REQUEST,
        ),
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
        ({"ImageLaterality": "LEFT", "SeriesDescription": "Knee AP right"}, ('says left ("LEFT")', '"right"')),
        ({"ImageLaterality": "L", "Laterality": "Right"}, ("ImageLaterality says left", "Laterality says right")),
        (
            {"ImageLaterality": "R", "PrimaryAnatomicStructureModifierSequence": [coded("7771000")]},
            ("PrimaryAnatomicStructureModifierSequence says left",),
        ),
        (
            {"ImageLaterality": "R", "ProcedureCodeSequence": [coded("73560LT", "C4")]},
            ("ImageLaterality says right", 'ProcedureCodeSequence says left ("LT")'),
        ),
        (
            {"Laterality": "L", "RequestAttributesSequence": [header(RequestedProcedureDescription="Knie rechts")]},
            ("Laterality says left", 'RequestAttributesSequence says right ("rechts")'),
        ),
    ],
)
def test_contradictions_are_refused_and_both_sources_named(attributes, named):
    with pytest.raises(InputRefused) as refusal:
        sides_of(header(**attributes), "film.dcm")
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED
    for part in ("film.dcm", *named):
        assert part in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "shown"), [("X", "X"), ("R?", "another kind"), ("1", "1"), ("Mrs Miller, Jane", "another kind")]
)
@pytest.mark.parametrize("keyword", ["ImageLaterality", "Laterality"])
def test_a_laterality_that_cannot_be_read_is_refused(keyword, value, shown):
    with pytest.raises(InputRefused, match=f"needs a {keyword} of R, L or B .found: {keyword} .*{shown}"):
        sides_of(header(**{keyword: value}, SeriesDescription="right knee"), "film.dcm")


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


def descriptions() -> list[tuple[str, str]]:
    with (Path(__file__).parents[1] / "data" / "side_descriptions.csv").open(encoding="utf-8", newline="") as file:
        return [(line["text"], line["side"]) for line in csv.DictReader(file)]


def test_words_for_the_side_in_descriptions_of_many_languages():
    letters = {R: "R", L: "L", BOTH: "B", (): "none"}
    read = {text: letters[sides_in_text(text)[0]] for text, _ in descriptions()}
    assert len(read) > 450
    assert read == dict(descriptions())


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
