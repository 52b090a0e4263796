"""Results of this software, known again by any of the marks that it leaves in them (:mod:`.marks`).

Every study is asked for them, also where nothing is written: this module loads nothing that writes.
"""

from __future__ import annotations

import re

from pydicom import Dataset

from monai_xray2mri.core.wording import DISCLAIMER, SHORT_DISCLAIMER
from monai_xray2mri.dicom.structured_report import (
    ReportCode,
    ReportItem,
    sequence_items,
    text_value,
    walk_report,
)

SOFTWARE = "monai_xray2mri"
CODING_SCHEME = "99XRAY2MRI"
WEIGHTS = "weights sha256 "
"""What Software Versions says of the weights begins with this."""
HASH = "weights_sha256="
"""What the parameters of a result begin with."""

_CODED = ("CodingSchemeIdentificationSequence", "DerivationCodeSequence")
_COMMENTS = ("ImageComments", "DerivationDescription")
_SAID = (DISCLAIMER, SHORT_DISCLAIMER)
_DESCRIPTION = re.compile("SYNTHETIC .*not for clinical use", re.IGNORECASE)
"""Series Description of everything that a synthesis writes."""


def is_own_result(dataset: Dataset) -> bool:
    """Whether an object was made by a synthesis of this software (of any version); nothing in it raises.

    Any one of the marks that :mod:`~monai_xray2mri.dicom.marks` and the private codes leave suffices: what lost
    attributes on its way through an archive is a result all the same. Manufacturer, observer and Synthetic Data alone
    tell nothing: this software writes readings of films, too, and simulates films.
    """
    return (
        any(_is_of_synthesis(item) for item in sequence_items(dataset, "ContributingEquipmentSequence"))
        or _names_weights(dataset)
        or any(_is_own_code(item) for keyword in _CODED for item in sequence_items(dataset, keyword))
        or bool(_DESCRIPTION.match(text_value(dataset, "SeriesDescription")))
        or any(text in text_value(dataset, keyword) for text in _SAID for keyword in _COMMENTS)
        or any(_tells_synthesis(item) for item in walk_report(dataset))
    )


def _is_of_synthesis(equipment: Dataset) -> bool:
    """Whether an item of Contributing Equipment is this software's, which names itself there for a synthesis only."""
    return (
        text_value(equipment, "Manufacturer").lower() == SOFTWARE
        or _names_weights(equipment)
        or HASH in text_value(equipment, "ContributionDescription")
    )


def _names_weights(dataset: Dataset) -> bool:
    return WEIGHTS in text_value(dataset, "SoftwareVersions")


def _is_own_code(item: Dataset) -> bool:
    return text_value(item, "CodingSchemeDesignator").upper() == CODING_SCHEME


def _tells_synthesis(item: ReportItem) -> bool:
    """Whether a content item of a report is coded in this software's scheme, says its disclaimer or its weights."""
    codes = [code for code in (item.concept, item.value) if isinstance(code, ReportCode)]
    if any(code.scheme.upper() == CODING_SCHEME for code in codes):
        return True
    return isinstance(item.value, str) and (item.value in _SAID or item.value.startswith(HASH))
