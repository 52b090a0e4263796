"""Reasons in a header not to use a film: it shows another body part, view or species, or a child."""

from __future__ import annotations

import datetime
import re

from pydicom import Dataset

from monai_xray2mri.dicom.placeholders import code_text, is_placeholder, shown_code
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.errors import InputRefused, NotAKnee
from monai_xray2mri.radiograph.side_words import names_knee, split_words, word_set

KNOWN_AGES = (45, 79)
"""Ages at enrolment in the OAI, whose films and MR the networks are made for."""
LAST_DUMMY_YEAR = 1900
"""Birth dates up to this year stand for none: forms write 1900-01-01."""

_GENERIC_PARTS = word_set(
    "extremity extremities extremety leg legs limb limbs lower ext le joint joints skeleton skeletal bone bones msk "
    "musculoskeletal orthopedic orthopaedic lextremity lowerextremity lowerextremities lowextremity lowerlimb longleg "
    "whole full long standing bein beine jambe jambes membre membres inferieur inferieurs extremidad pierna piernas "
    "miembro inferior gamba gambe arto inferiore perna pernas membro ben been benen noga"
)
"""Body parts so wide that a knee may be meant."""
_KNEE_CODES = frozenset(("72696002", "49076000", "6757004", "82169009", "T-D9200", "T-15720", "T-15728"))
_GENERIC_CODES = frozenset(("61685007", "30021000", "66019005", "T-D9000", "T-D9400", "T-D0300"))
"""Knee, knee joint, right and left knee; lower limb, lower leg, extremity, in SNOMED CT and its older
identifiers (PS3.16 CID 4031)."""

_FRONTAL_VIEWS = frozenset(("ap", "pa", "frontal", "front", "anteroposterior", "posteroanterior"))
_OTHER_VIEWS = word_set(
    "lateral lat seitlich profil profile lateralis laterolateral sunrise skyline merchant laurin tangential axial "
    "axiale patellofemoral defile oblique schrag tunnel notch intercondylar"
)
"""Not Rosenberg's: that is a weight-bearing PA film in flexion, as the OAI's."""
_OTHER_POSITIONS = word_set("LL RL LLD RLD LLO RLO ML LM MLO LMO RAO LAO RPO LPO LAT OBL AX AXIAL")
_ANIMALS = word_set(
    "canine feline equine bovine dog horse rabbit veterinary veterinarian veterinaire tierarzt hund katze pferd "
    "chien chat cheval porcine murine ovine"
)
_CAT = re.compile(r"\bcats?\b(?!\W{0,2}(?:\d|scan\b|[ivx]+\b|[a-e]\b|score\b|class))", re.IGNORECASE)
"""The animal, not a category ("OA Cat 2") or a CAT scan."""
_PERSONS = word_set("homo human humans person man mensch humain humano umano")
_PERSON_CODES = frozenset(("337915000", "L-85B00", "9606"))
_TEXTS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
_DATES = ("StudyDate", "AcquisitionDate", "SeriesDate", "ContentDate")


def check_header(header: Dataset, name: str, minimum_age: int) -> tuple[str, ...]:
    """Refuse films that the header says are not a frontal knee of an adult; what is not said is no reason.

    Args:
        header: the DICOM header.
        name: how messages call the film.
        minimum_age: youngest patient in years.

    Returns:
        Warnings.

    Raises:
        NotAKnee: another species, body part or view.
        InputRefused: the patient is too young.
    """
    return check_subject(header, name) + _check_age(header, name, minimum_age)


def check_subject(header: Dataset, name: str) -> tuple[str, ...]:
    """Refuse what the header says is no frontal knee of a person, of any age.

    Args:
        header: the DICOM header.
        name: how messages call the film.

    Returns:
        Warnings.

    Raises:
        NotAKnee: another species, body part or view.
    """
    _check_species(header, name)
    warnings = _check_body_part(header, name)
    _check_view(header, name)
    return warnings


def _check_species(header: Dataset, name: str) -> None:
    """Refuse animals (PS3.3 C.7.1.1), which may also be told only in a description."""
    codes = [str(code.get("CodeValue", "")) for code in header.get("PatientSpeciesCodeSequence") or []]
    species = str(header.get("PatientSpeciesDescription") or "")
    texts = [str(header.get(keyword) or "") for keyword in _TEXTS]
    coded_animal = any(code not in _PERSON_CODES and not is_placeholder(code) for code in codes)
    described_animal = not is_placeholder(species) and not set(split_words(species)) & _PERSONS
    named_animal = any(_ANIMALS & set(split_words(text)) or _CAT.search(text) for text in texts)
    if coded_animal or described_animal or named_animal:
        raise NotAKnee(f"radiograph {name}", "must show a person", "an animal by the header")


def _check_body_part(header: Dataset, name: str) -> tuple[str, ...]:
    """Refuse another body part, by Body Part Examined (0018,0015) and Anatomic Region Sequence (0008,2218)."""
    part = code_text(header, "BodyPartExamined")
    regions = [item for item in header.get("AnatomicRegionSequence") or [] if item.get("CodeValue")]
    warnings = []
    if not is_placeholder(part) and not names_knee(part):
        words = set(split_words(part)) - {"r", "l", "rt", "lt", "right", "left", "of", "both"}
        if words - _GENERIC_PARTS:
            raise _other_part(name, f"Body Part Examined {shown_code(part)}")
        warnings.append(f"Body Part Examined says {shown_code(part)}, not KNEE")
    for region in regions:
        code, meaning = str(region.CodeValue), str(region.get("CodeMeaning") or "")
        if code in _KNEE_CODES or names_knee(meaning) or (is_placeholder(code) and is_placeholder(meaning)):
            continue
        if code not in _GENERIC_CODES:
            raise _other_part(name, f"Anatomic Region {shown_code(code)}")
        warnings.append("Anatomic Region says the limb, not the knee")
    return tuple(warnings)


def _other_part(name: str, found: str) -> NotAKnee:
    return NotAKnee(
        f"radiograph {name}",
        "must show a knee",
        found,
        "Give the knee radiograph, or correct the header if it is wrong.",
    )


def _check_view(header: Dataset, name: str) -> None:
    """Refuse lateral, axial and oblique views, by View Position (0018,5101), the view's code, or a description."""
    position = str(header.get("ViewPosition") or "").strip().upper()
    if position.lower() in _OTHER_POSITIONS or _tells_other_view(position):
        raise _other_view(name, f"View Position {shown_code(position)}")
    for code in header.get("ViewCodeSequence") or []:
        if _tells_other_view(str(code.get("CodeMeaning") or "")):
            raise _other_view(name, "another view by View Code Sequence")
    if position not in ("AP", "PA"):
        for keyword in _TEXTS:
            if _tells_other_view(str(header.get(keyword) or "")):
                raise _other_view(name, f"another view by {keyword}")


def _tells_other_view(text: str) -> bool:
    """Tell whether a text names another view and no frontal one ("AP and lateral" may be either film)."""
    words = set(split_words(text))
    return bool(words & _OTHER_VIEWS) and not words & _FRONTAL_VIEWS


def _other_view(name: str, found: str) -> NotAKnee:
    return NotAKnee(
        f"radiograph {name}", "must be a frontal view (AP or PA)", found, "Give the frontal film of the knee."
    )


def _check_age(header: Dataset, name: str, minimum_age: int) -> tuple[str, ...]:
    """Refuse children; warn outside of the ages that the networks know. No age is quoted: it is patient data."""
    birth, moments = _date(str(header.get("PatientBirthDate") or "")), _moments(header)
    dummy = birth is not None and (birth.year <= LAST_DUMMY_YEAR or birth in moments)
    computed = None if dummy else _computed_age(header)
    stated = _stated_age(header)
    if stated == 0 and computed:  # years of age by the birth date: the 0 stands for none
        stated = None
    ages = {"Patient's Age": stated, "Patient's Birth Date": computed}
    known = {source: age for source, age in ages.items() if age is not None}
    for source, age in known.items():
        if age < minimum_age:
            raise InputRefused(
                f"radiograph {name}",
                f"the patient must be at least {minimum_age} years old",
                f"younger by {source}",
                "The networks know adult knees only.",
            )
    if dummy and not known:
        kind = "of the study" if birth in moments else "that stands for none"
        return (f"the patient's age is unknown: the birth date is the date {kind}",)
    low, high = KNOWN_AGES
    if any(not low <= int(age) <= high for age in known.values()):
        return (f"the patient's age is outside of the {low} to {high} years that the networks are made for",)
    return ()


def _moments(header: Dataset) -> set[datetime.date]:
    """The dates on which the film may have been taken; a birth date among them is none."""
    dates = (_date(str(header.get(keyword) or "")) for keyword in _DATES)
    return {date for date in dates if date is not None}


def _stated_age(header: Dataset) -> float | None:
    """Return Patient's Age (0010,1010) in years; None if absent or malformed."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", str(header.get("PatientAge") or "").strip().upper())
    return int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]] if match else None


def _computed_age(header: Dataset) -> float | None:
    """Return the years from Patient's Birth Date to the film; None if either is absent or malformed."""
    birth, taken = _date(str(header.get("PatientBirthDate") or "")), _date(source_moment(header)[0])
    if birth is None or taken is None or taken < birth:
        return None
    return taken.year - birth.year - ((taken.month, taken.day) < (birth.month, birth.day))


def _date(text: str) -> datetime.date | None:
    digits = re.sub(r"\D", "", text)[:8]  # old files write 1995.07.20
    try:
        return datetime.datetime.strptime(digits, "%Y%m%d").date()
    except ValueError:
        return None
