"""Which of several films of one part of the body is used.

The newest shot is, as a retake replaces what came before it. Of one shot there may be several images: what the detector
gave and what the maker's processing made of it, and copies with drawings or in another format. Of these the one is used
that was made for display and changed least since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset

from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.dicom.structured_report import sequence_items, text_value
from monai_xray2mri.radiograph.presentation import is_for_processing
from monai_xray2mri.types import Radiograph

_DERIVED_BY = ("DerivationDescription", "DerivationCodeSequence", "SourceImageSequence")


@dataclass(frozen=True)
class Choice:
    """The film to use of several.

    Attributes:
        index: its place among them.
        remarks: why others are not used.
        older: how many others are of earlier shots, or earlier images of this one.
    """

    index: int
    remarks: tuple[str, ...] = ()
    older: int = 0


def choose(films: Sequence[Radiograph]) -> Choice:
    """Choose the film to use.

    Args:
        films: of one part of the body, one or more.

    Returns:
        The choice: no secondary copy if there is another film; the newest shot; of one shot what is least annotated,
        for presentation before for processing (PS3.3 C.8.11.1.1.1), the original before what is derived; then the
        newest.
    """
    headers = [film.dataset or Dataset() for film in films]
    ages = [_age(film) for film in films]
    primary = [index for index, header in enumerate(headers) if not is_secondary(header)] or list(range(len(films)))
    newest = max(primary, key=lambda index: ages[index])
    shot = [index for index in primary if index == newest or is_same_shot(headers[index], headers[newest])]
    best = min(_rank(headers[index]) for index in shot)
    chosen = max((index for index in shot if _rank(headers[index]) == best), key=lambda index: ages[index])
    remarks, older = list[str](), 0
    for index, film in enumerate(films):
        if index not in primary:
            remarks.append(f"{film.name}: a secondary copy was not used")
        elif index in shot and _rank(headers[index]) != best:
            remarks.append(f"{film.name}: {_lesser(headers[index], headers[chosen])}")
        elif index != chosen:
            older += 1
    return Choice(chosen, tuple(remarks), older)


def _age(film: Radiograph) -> tuple[str, str, int, str]:
    """When a film was taken, as the result will say it; of one moment, its number in the series, then its name."""
    header = film.dataset or Dataset()
    date, time = source_moment(header)
    number = str(header.get("InstanceNumber") or "")
    return date.replace(".", ""), time, int(number) if number.isdecimal() else 0, film.name


def _rank(header: Dataset) -> tuple[bool, bool, bool]:
    """What speaks against an image of a shot, in order of weight."""
    return _says_yes(header, "BurnedInAnnotation"), is_for_processing(header), _is_derived(header)


def _lesser(header: Dataset, chosen: Dataset) -> str:
    """Why an image of the chosen one's shot was not used."""
    annotated, processing, _ = (bool(a) and not b for a, b in zip(_rank(header), _rank(chosen), strict=True))
    if annotated:
        return "an annotated copy of the film was not used"
    if processing:
        return "an image FOR PROCESSING; that of the same shot FOR PRESENTATION was used"
    return "an image derived from the film was not used"


def is_secondary(header: Dataset) -> bool:
    """Whether an image is no exposure of its own: made of others (PS3.3 C.7.6.1.1.2), or captured (C.8.6.1)."""
    return "SECONDARY" in _image_type(header)[1:2] or bool(text_value(header, "ConversionType"))


def is_same_shot(first: Dataset, second: Dataset) -> bool:
    """Whether two images can be of one exposure: what both headers tell does not differ.

    One that names the other as its source is; different events of irradiation, views or moments of acquisition are not.
    """
    if _names(first, second) or _names(second, first):
        return True
    for keyword in ("IrradiationEventUID", "ViewPosition"):
        told = [text_value(header, keyword) for header in (first, second)]
        if all(told) and told[0] != told[1]:
            return False
    moments = [_acquired(header) for header in (first, second)]
    return not all(moments) or moments[0] == moments[1]


def _names(header: Dataset, other: Dataset) -> bool:
    """Whether an image names another one among its sources."""
    instance = text_value(other, "SOPInstanceUID")
    sources = sequence_items(header, "SourceImageSequence")
    return bool(instance) and any(text_value(item, "ReferencedSOPInstanceUID") == instance for item in sources)


def _acquired(header: Dataset) -> str:
    """Acquisition as digits to the second; empty if date or time is missing."""
    whole = text_value(header, "AcquisitionDateTime") or text_value(header, "AcquisitionDate") + text_value(
        header, "AcquisitionTime"
    )
    digits = whole.replace(".", "").replace(":", "").replace("-", "")[:14]
    return digits if len(digits) == 14 else ""


def _is_derived(header: Dataset) -> bool:
    return _image_type(header)[:1] == ["DERIVED"] or any(header.get(keyword) for keyword in _DERIVED_BY)


def _image_type(header: Dataset) -> list[str]:
    value = header.get("ImageType")
    return [value.upper()] if isinstance(value, str) else [str(one).upper() for one in value or ()]


def _says_yes(header: Dataset, keyword: str) -> bool:
    return text_value(header, keyword).upper() == "YES"
