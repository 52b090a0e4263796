"""Rejection notes: which instances of a study must not be used any more, and why.

A rejection note is a Key Object Selection document (PS3.3 A.35.4) whose title is one of four codes of PS3.16 CID 7011.
The IHE profile Imaging Object Change Management (RAD TF-2, 4.66) hides from every consumer what such a note names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from monai_xray2mri.dicom.structured_report import (
    ReportCode,
    referenced_instances,
    sequence_items,
    text_value,
    walk_report,
)

REASONS: Final[Mapping[str, str]] = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
"""Titles, in the coding scheme DCM, that reject; every other title only selects."""


@dataclass(frozen=True)
class Rejection:
    """What a rejection note rejects.

    Attributes:
        reason: code and meaning of its title: ``"113001, Rejected for Quality Reasons"``.
        instances: SOP Instance UIDs that it names.
        series: Series Instance UIDs of the series that it names without their instances.
    """

    reason: str
    instances: frozenset[str]
    series: frozenset[str]

    def names(self, header: Dataset) -> bool:
        """Whether it rejects the instance with this header."""
        return (
            text_value(header, "SOPInstanceUID") in self.instances
            or text_value(header, "SeriesInstanceUID") in self.series
        )


def is_key_object_selection(header: Dataset) -> bool:
    """Whether an object is a Key Object Selection document, whatever its title."""
    return (
        text_value(header, "SOPClassUID") == KeyObjectSelectionDocumentStorage
        or text_value(header, "Modality").upper() == "KO"
    )


def rejection_of(header: Dataset) -> Rejection | None:
    """What a Key Object Selection document rejects; None if its title does not reject.

    Instances count wherever the document names them: among its evidence or as content items.

    Args:
        header: the whole document; nothing in it raises.
    """
    root, *items = walk_report(header)
    code = _title(root.concept)
    if code is None:
        return None
    named = {item.value for item in items if item.value_type in ("IMAGE", "COMPOSITE", "WAVEFORM")}
    instances = referenced_instances(header) | {uid for uid in named if isinstance(uid, str)}
    return Rejection(f"{code}, {REASONS[code]}", frozenset(instances), frozenset(_series_as_a_whole(header)))


def _title(concept: ReportCode | None) -> str | None:
    """The code of a title that rejects; a scheme that was left out can only be DCM's."""
    known = concept is not None and concept.value in REASONS and concept.scheme.upper() in ("DCM", "")
    return concept.value if known and concept is not None else None


def _series_as_a_whole(header: Dataset) -> set[str]:
    """Series Instance UIDs of the evidence that stand without instances."""
    return {
        text_value(series, "SeriesInstanceUID")
        for study in sequence_items(header, "CurrentRequestedProcedureEvidenceSequence")
        for series in sequence_items(study, "ReferencedSeriesSequence")
        if not sequence_items(series, "ReferencedSOPSequence")
    } - {""}
