"""What every result page says: whose source it was, which model made the result, what the checks found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydicom import Dataset

from monai_xray2mri.dicom.marks import parameters
from monai_xray2mri.dicom.product import Product
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.dicom.uncertainty import SpreadSummary, meaning_of

MAX_REMARKS: Final = 6
"""Remarks that the page has room for; report.json and the structured report hold all."""
_LONGEST_REMARK = 112  # characters


def page_moment(header: Dataset) -> datetime:
    """Creation date of the page: that of the source, for equal bytes; 1 January 2000 without one."""
    date, time = source_moment(header)
    digits = time.partition(".")[0].ljust(6, "0")
    return datetime.strptime(f"{date}{digits}", "%Y%m%d%H%M%S") if date else datetime(2000, 1, 1)


def readable_name(name: str) -> str:
    """A DICOM person name for people: component groups behind each other, carets as blanks (PS3.5, 6.2.1)."""
    groups = (" ".join(part for part in group.split("^") if part) for group in name.split("="))
    return " / ".join(group for group in groups if group)


def patient_facts(header: Dataset, taken: str, side: str) -> list[tuple[str, str]]:
    """Label and text of what the page says of patient and source; what is not known is left out.

    Args:
        header: of the source.
        taken: label of its date: ``"Radiograph of"``.
        side: of the body, and what told it.
    """
    born, sex = text_value(header, "PatientBirthDate"), text_value(header, "PatientSex")
    facts = {
        "Patient": readable_name(text_value(header, "PatientName")),
        "Patient ID": text_value(header, "PatientID"),
        "Born, sex": ", ".join(text for text in (_date(born), sex) if text),
        taken: _date(source_moment(header)[0]),
        "Accession number": text_value(header, "AccessionNumber"),
        "Side": side,
    }
    return [(label, text) for label, text in facts.items() if text]


def model_lines(provenance: Mapping[str, object]) -> list[str]:
    """Model, weights and options, one a line."""
    return [parameter.replace("=", ": ", 1) for parameter in parameters(provenance)]


def remark_lines(provenance: Mapping[str, Any]) -> list[str]:
    """The remarks, as many as there is room for."""
    remarks = [_cut(str(remark)) for remark in provenance.get("remarks", ())]
    more = len(remarks) - MAX_REMARKS
    shown = remarks[:MAX_REMARKS] + ([f"and {more} more in report.json"] if more > 0 else [])
    return shown or ["All checks passed without a remark."]


def spread_lines(spread: SpreadSummary | None, product: Product, provenance: Mapping[str, object]) -> list[str]:
    """The spread of the samples in a few figures, and what it means."""
    if spread is None:
        return ["One sample was drawn: no uncertainty can be given."]
    figures = f"mean {spread.mean:.4f}, 95th percentile {spread.percentile_95:.4f}, highest {spread.highest:.4f}"
    return [f"{spread.samples} samples: {figures}.", f"{meaning_of(product, provenance)}."]


def _date(digits: str) -> str:
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 else digits


def _cut(remark: str) -> str:
    return remark if len(remark) <= _LONGEST_REMARK else f"{remark[: _LONGEST_REMARK - 4]} ..."
