"""Values that stand for none say nothing; the knee is known by its name in many languages."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from monai_xray2mri.errors import InputRefused, NotAKnee
from monai_xray2mri.radiograph.knee.header_checks import check_header

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


def header(**attributes: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in ({"StudyDate": "20040102", "PatientAge": "061Y"} | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def coded(value: str, meaning: str) -> list[Dataset]:
    return [header(CodeValue=value, CodingSchemeDesignator="99X", CodeMeaning=meaning)]


@pytest.mark.parametrize(
    "part",
    [
        "",
        "NONE",
        "UNDEFINED",
        "DEFAULT",
        "OTHER",
        "UNKNOWN",
        "N/A",
        "NOT SPECIFIED",
        "NOT_DEFINED",
        "ANY",
        "--",
        "*",
        "?",
    ],
)
def test_a_body_part_that_stands_for_none_says_nothing(part):
    assert check_header(header(BodyPartExamined=part), "film.dcm", 18) == ()
    assert check_header(header(AnatomicRegionSequence=coded(part or "NONE", part)), "film.dcm", 18) == ()


@pytest.mark.parametrize(
    "part",
    [
        "KNEE",
        "KNEES",
        "KNEE_R",
        "LKNEE",
        "GENU",
        "GENU_DX",
        "Knie",
        "KNIEGELENK",
        "GENOU",
        "GENOUX",
        "RODILLA",
        "RODILLAS",
        "GINOCCHIO",
        "GINOCCHIA",
        "JOELHO",
        "GENOLL",
        "KNÄ",
        "KNÆ",
        "KNE",
        "POLVI",
        "PÕLV",
        "KOLANO",
        "KOLENO",
        "KOLJENO",
        "TÉRD",
        "GENUNCHI",
        "DİZ",
        "ΓΟΝΑΤΟ",
        "КОЛЕНО",
        "КОЛІНО",
        "КОЛЯНО",
        "LUTUT",
        "GỐI",
        "膝",
        "膝关节",
        "ひざ",
        "무릎",
        "슬관절",
        "الركبة",
        "ברך",
        "घुटना",
        "เข่า",
    ],
)
def test_the_knee_in_many_languages(part):
    assert check_header(header(BodyPartExamined=part), "film.dcm", 18) == ()


@pytest.mark.parametrize("part", ["PIERNA", "MEMBRE INFERIEUR", "BEIN", "LOWEREXTREMITY", "LONGLEG", "GAMBA"])
def test_a_limb_is_remarked(part):
    (remark,) = check_header(header(BodyPartExamined=part), "film.dcm", 18)
    assert part in remark


@pytest.mark.parametrize("part", ["CHEST", "HAND", "HIP", "LSPINE", "TORAX", "MAIN", "ANKLE", "KNOCHEN X", "GENITAL"])
def test_another_part_is_refused(part):
    with pytest.raises(NotAKnee, match=f"must show a knee .found: Body Part Examined {part}"):
        check_header(header(BodyPartExamined=part), "film.dcm", 18)


@pytest.mark.parametrize(
    ("text", "animal"),
    [
        ("OA Cat 2 knee", False),
        ("KNEE CAT. III", False),
        ("Cat A right knee", False),
        ("CAT scan planning knee", False),
        ("cat score knee", False),
        ("cat, left stifle", True),
        ("Cats knee", True),
        ("K9 dog knee", True),
    ],
)
def test_a_category_is_no_animal(text, animal):
    if not animal:
        assert check_header(header(SeriesDescription=text), "film.dcm", 18) == ()
        return
    with pytest.raises(NotAKnee, match="animal"):
        check_header(header(SeriesDescription=text), "film.dcm", 18)


@pytest.mark.parametrize("species", ["NONE", "unknown", "Human", "homo sapiens", "Mensch"])
def test_a_person_or_no_species_passes(species):
    coded_species = coded("9606", "Homo sapiens")
    found = check_header(
        header(PatientSpeciesDescription=species, PatientSpeciesCodeSequence=coded_species), "film.dcm", 18
    )
    assert found == ()


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientBirthDate": "20040102"},
        {"PatientBirthDate": "20040102", "AcquisitionDate": "20040105"},
        {"PatientBirthDate": "20040105", "AcquisitionDate": "20040105"},
        {"PatientBirthDate": "19000101"},
        {"PatientBirthDate": "19000101", "StudyDate": "19000101"},
        {"PatientBirthDate": "18581117"},
        {"PatientBirthDate": "00010101"},
    ],
)
def test_a_birth_date_that_stands_for_none_leaves_the_age_unknown(attributes):
    (remark,) = check_header(header(PatientAge=None, **attributes), "film.dcm", 18)
    assert remark.startswith("the patient's age is unknown")
    assert check_header(header(**attributes), "film.dcm", 18) == ()
    with pytest.raises(InputRefused, match="younger by Patient's Age"):
        check_header(header(PatientAge="000D", **attributes), "film.dcm", 18)


def test_an_age_of_zero_yields_to_a_birth_date_years_ago():
    assert check_header(header(PatientAge="000Y", PatientBirthDate="19440101"), "film.dcm", 18) == ()


def test_a_child_by_a_real_birth_date_is_refused():
    with pytest.raises(InputRefused, match="younger by Patient's Birth Date"):
        check_header(header(PatientAge=None, PatientBirthDate="20040101"), "film.dcm", 18)
