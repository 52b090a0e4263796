"""What the result page of one knee says: pictures, features, model, checks, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from pydicom import Dataset

from monai_xray2mri.core.pictures import montage
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.marks import parameters
from monai_xray2mri.dicom.pdf_page import Page, Picture
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.dicom.uncertainty import SHOWN, meaning_of
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.preview import film_with_box
from monai_xray2mri.systems.knee_xray2mri.products import Products

MAX_REMARKS = 6
"""Remarks that the page has room for; report.json and the structured report hold all."""

_LONGEST_REMARK = 110  # characters
_FILM_WIDTH, _FILM_HEIGHT = 0.34, 0.27  # of the text's width


def page_of(products: Products) -> Page:
    """The page of one knee."""
    synthesis, case = products.synthesis, products.synthesis.case
    film = film_with_box(case.radiograph, case.roi.box)
    width = min(_FILM_WIDTH, _FILM_HEIGHT * film.width / film.height)
    first = [Picture(f"Radiograph, {case.title} in the box", film, width)]
    if synthesis.uncertainty is not None:
        shown = replace(synthesis.uncertainty, voxels=synthesis.uncertainty.voxels / SHOWN)
        caption = f"Uncertainty: standard deviation of the samples, white = {SHOWN:g} of the intensity range or more"
        first.append(Picture(caption, montage(shown, 5, 2), 1 - _FILM_WIDTH))
    mr = Picture("Synthetic coronal MR, slices from anterior to posterior", montage(synthesis.volume, 5, 2))
    columns = [
        (f"Features used ({case.grading.source})", _features(case.grading)),
        ("Model", _model(synthesis.provenance)),
        ("Checks and uncertainty", [*_remarks(synthesis.provenance), *_spread(products)]),
    ]
    facts = _facts(products.origin.header, case)
    return Page(f"Synthetic MR of the {case.title}", DISCLAIMER, facts, [first, [mr]], columns)


def page_moment(header: Dataset) -> datetime:
    """Creation date of the page: the radiograph's, for equal bytes; 1 January 2000 without one."""
    date, time = source_moment(header)
    digits = time.partition(".")[0].ljust(6, "0")
    return datetime.strptime(f"{date}{digits}", "%Y%m%d%H%M%S") if date else datetime(2000, 1, 1)


def readable_name(name: str) -> str:
    """A DICOM person name for people: component groups behind each other, carets as blanks (PS3.5, 6.2.1)."""
    groups = (" ".join(part for part in group.split("^") if part) for group in name.split("="))
    return " / ".join(group for group in groups if group)


def _facts(header: Dataset, case: KneeCase) -> list[tuple[str, str]]:
    born, sex = text_value(header, "PatientBirthDate"), text_value(header, "PatientSex")
    facts = {
        "Patient": readable_name(text_value(header, "PatientName")),
        "Patient ID": text_value(header, "PatientID"),
        "Born, sex": ", ".join(text for text in (_date(born), sex) if text),
        "Radiograph of": _date(source_moment(header)[0]),
        "Accession number": text_value(header, "AccessionNumber"),
        "Side": f"{case.side.word} ({case.radiograph.sides_source})",
    }
    return [(label, text) for label, text in facts.items() if text]


def _date(digits: str) -> str:
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 else digits


def _features(grading: Grading) -> list[str]:
    known = {feature: grading.grades.get(feature.stem) for feature in FEATURES}
    lines = [f"{feature.description}: {grade}" for feature, grade in known.items() if grade is not None]
    unknown = sum(grade is None for grade in known.values())
    return [*lines, *([f"{unknown} of {len(FEATURES)} unknown"] if unknown else [])]


def _model(provenance: Mapping[str, object]) -> list[str]:
    return [parameter.replace("=", ": ", 1) for parameter in parameters(provenance)]


def _remarks(provenance: Mapping[str, object]) -> list[str]:
    remarks = [_cut(str(remark)) for remark in provenance.get("remarks", ())]  # type: ignore[attr-defined]
    more = len(remarks) - MAX_REMARKS
    shown = remarks[:MAX_REMARKS] + ([f"and {more} more in report.json"] if more > 0 else [])
    return shown or ["All checks passed without a remark."]


def _cut(remark: str) -> str:
    return remark if len(remark) <= _LONGEST_REMARK else f"{remark[: _LONGEST_REMARK - 4]} ..."


def _spread(products: Products) -> list[str]:
    spread = products.spread
    if spread is None:
        return ["One sample was drawn: no uncertainty can be given."]
    figures = f"mean {spread.mean:.4f}, 95th percentile {spread.percentile_95:.4f}, highest {spread.highest:.4f}"
    return [f"{spread.samples} samples: {figures}.", f"{meaning_of(products.product, products.synthesis.provenance)}."]
