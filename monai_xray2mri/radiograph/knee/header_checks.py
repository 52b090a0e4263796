"""Reasons in a header not to use a film: it shows another body part, view or species, or a child."""

from __future__ import annotations

import datetime
import re

from pydicom import Dataset

from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.errors import InputRefused, NotAKnee
from monai_xray2mri.radiograph.side_words import split_words, word_set

KNOWN_AGES = (45, 79)
"""Ages at enrolment in the OAI, whose films and MR the networks are made for."""

_KNEE_STEMS = ("knee", "knie", "genou", "rodilla", "ginocchi", "joelho", "kolan", "kolen", "polvi", "колен")
_KNEE_WORDS = frozenset(("kne", "kna", "diz", "knees"))
_KNEE_SIGNS = ("膝", "무릎")
_GENERIC_PARTS = word_set(
    "extremity extremities extremety leg legs limb lower ext le joint joints skeleton bone bones msk other unknown "
    "orthopedic lextremity lowerextremity lowerlimb bein jambe membre inferieur"
)
"""Body parts so wide that a knee may be meant."""
_KNEE_CODES = frozenset(("72696002", "49076000", "T-D9200", "T-15720", "T-15728"))
_GENERIC_CODES = frozenset(("61685007", "30021000", "66019005", "T-D9000", "T-D9400", "T-D0300"))
"""Knee, knee joint; lower limb, lower leg, extremity, in SNOMED CT and its older identifiers (PS3.16 CID 4031)."""

_FRONTAL_VIEWS = frozenset(("ap", "pa", "frontal", "front", "anteroposterior", "posteroanterior"))
_OTHER_VIEWS = word_set(
    "lateral lat seitlich profil profile lateralis laterolateral sunrise skyline merchant laurin tangential axial "
    "axiale patellofemoral defile oblique schrag tunnel notch intercondylar"
)
"""Not Rosenberg's: that is a weight-bearing PA film in flexion, as the OAI's."""
_OTHER_POSITIONS = word_set("LL RL LLD RLD LLO RLO ML LM MLO LMO RAO LAO RPO LPO LAT OBL AX AXIAL")
_ANIMALS = word_set(
    "canine feline equine bovine dog cat horse rabbit veterinary veterinarian veterinaire tierarzt hund katze pferd "
    "chien chat cheval porcine murine ovine"
)
_PERSON_CODES = frozenset(("337915000", "L-85B00"))
_TEXTS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")


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
    described = set(split_words(str(header.get("PatientSpeciesDescription") or "")))
    texts = {word for keyword in _TEXTS for word in split_words(str(header.get(keyword) or ""))}
    coded_animal = any(code not in _PERSON_CODES for code in codes)
    described_animal = bool(described) and not described & {"homo", "human"}
    if coded_animal or described_animal or texts & _ANIMALS:
        raise NotAKnee(f"radiograph {name}", "must show a person", "an animal by the header")


def _check_body_part(header: Dataset, name: str) -> tuple[str, ...]:
    """Refuse another body part, by Body Part Examined (0018,0015) and Anatomic Region Sequence (0008,2218)."""
    part = str(header.get("BodyPartExamined") or "").strip()
    regions = [item for item in header.get("AnatomicRegionSequence") or [] if item.get("CodeValue")]
    warnings = []
    if part and not _is_knee(part):
        words = set(split_words(part)) - {"r", "l", "right", "left", "of", "both"}
        if words - _GENERIC_PARTS:
            raise _other_part(name, f"Body Part Examined {_code_string(part)}")
        warnings.append(f"Body Part Examined says {_code_string(part)}, not KNEE")
    for region in regions:
        code, meaning = str(region.CodeValue), str(region.get("CodeMeaning") or "")
        if code in _KNEE_CODES or _is_knee(meaning):
            continue
        if code not in _GENERIC_CODES:
            raise _other_part(name, f"Anatomic Region {_code_string(code)}")
        warnings.append("Anatomic Region says the limb, not the knee")
    return tuple(warnings)


def _is_knee(text: str) -> bool:
    words = split_words(text)
    stems = any(stem in word for stem in _KNEE_STEMS for word in words)
    return stems or bool(set(words) & _KNEE_WORDS) or any(sign in text for sign in _KNEE_SIGNS)


def _other_part(name: str, found: str) -> NotAKnee:
    return NotAKnee(
        f"radiograph {name}",
        "must show a knee",
        found,
        "Give the knee radiograph, or correct the header if it is wrong.",
    )


def _code_string(value: str) -> str:
    """Return a value that looks like a code; anything else could be free text and is not quoted."""
    return value if re.fullmatch(r"[A-Z0-9 _-]{1,16}", value) else "of another kind"


def _check_view(header: Dataset, name: str) -> None:
    """Refuse lateral, axial and oblique views, by View Position (0018,5101), the view's code, or a description."""
    position = str(header.get("ViewPosition") or "").strip().upper()
    if position.lower() in _OTHER_POSITIONS or _tells_other_view(position):
        raise _other_view(name, f"View Position {_code_string(position)}")
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
    ages = {"Patient's Age": _stated_age(header), "Patient's Birth Date": _computed_age(header)}
    known = {source: age for source, age in ages.items() if age is not None}
    for source, age in known.items():
        if age < minimum_age:
            raise InputRefused(
                f"radiograph {name}",
                f"the patient must be at least {minimum_age} years old",
                f"younger by {source}",
                "The networks know adult knees only.",
            )
    low, high = KNOWN_AGES
    if any(not low <= int(age) <= high for age in known.values()):
        return (f"the patient's age is outside of the {low} to {high} years that the networks are made for",)
    return ()


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
