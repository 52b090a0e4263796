"""What every object of this software shares: the marks of synthetic content, its equipment, its references.

PS3.3 C.12.1 (Synthetic Data), C.12.1.1.5 (Contributing Equipment), table 10-3 (Referenced Instances).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom import Dataset

from monai_xray2mri.core.identity import package_version
from monai_xray2mri.core.wording import DISCLAIMER, SHORT_DISCLAIMER
from monai_xray2mri.dicom.product import Product
from monai_xray2mri.dicom.structured_report import (
    ReportCode,
    ReportItem,
    sequence_items,
    text_value,
    walk_report,
)
from monai_xray2mri.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

SOFTWARE = "monai_xray2mri"
CODING_SCHEME = "99XRAY2MRI"

SOURCE_PURPOSE = CodedConcept("121322", "DCM", "Source Image for Image Processing Operation")
REPORT_PURPOSE = CodedConcept("128225", "DCM", "Source report")
SYNTHESIZING_EQUIPMENT = CodedConcept("109100", "DCM", "Synthesizing Equipment")

_TEXT_LIMIT = 1024  # characters of an ST
_WEIGHTS = "weights sha256 "
"""What Software Versions says of the weights begins with this."""


def coding_scheme() -> CodingSchemeIdentificationItem:
    """The declaration of this software's own codes."""
    return CodingSchemeIdentificationItem(
        CODING_SCHEME, name="monai_xray2mri derivations", responsible_organization=SOFTWARE
    )


def mark_synthetic(dataset: Dataset, provenance: Mapping[str, object], did: str = "Generated the image.") -> None:
    """Set Synthetic Data and the equipment that synthesized.

    Args:
        dataset: any object.
        provenance: what made it, see `software_versions`.
        did: beginning of the Contribution Description.

    Raises:
        ValueError: the provenance lacks the weights' hash.
    """
    dataset.SyntheticData = "YES"
    equipment = hd.ContributingEquipment(
        SOFTWARE,
        SYNTHESIZING_EQUIPMENT,
        manufacturer_model_name=model_name(provenance),
        software_versions=software_versions(provenance),
        contribution_description=_contribution(provenance, did),
    )
    dataset.ContributingEquipmentSequence = [equipment]


def name_anatomy(dataset: Dataset, product: Product) -> None:
    """Set the part of the body that a series shows (PS3.3 C.7.3.1, 10.5)."""
    dataset.BodyPartExamined = product.body_part
    if product.laterality is not None:
        dataset.Laterality = product.laterality.value
    dataset.AnatomicRegionSequence = [product.region]


def is_own_result(dataset: Dataset) -> bool:
    """Whether an object was made by a synthesis of this software (of any version); nothing in it raises.

    Any one of the marks that :func:`mark_synthetic`, :func:`software_versions` and the private codes leave suffices:
    what lost attributes on its way through an archive is a result all the same. Manufacturer, observer and Synthetic
    Data alone tell nothing: this software writes readings of films, too, and simulates films.
    """
    return (
        any(_is_of_synthesis(item) for item in sequence_items(dataset, "ContributingEquipmentSequence"))
        or _names_weights(dataset)
        or any(_is_own_code(item) for keyword in _CODED for item in sequence_items(dataset, keyword))
        or bool(_DESCRIPTION.match(text_value(dataset, "SeriesDescription")))
        or any(text in text_value(dataset, keyword) for text in _SAID for keyword in _COMMENTS)
        or any(_tells_synthesis(item) for item in walk_report(dataset))
    )


_CODED = ("CodingSchemeIdentificationSequence", "DerivationCodeSequence")
_COMMENTS = ("ImageComments", "DerivationDescription")
_SAID = (DISCLAIMER, SHORT_DISCLAIMER)
_DESCRIPTION = re.compile("SYNTHETIC .*not for clinical use", re.IGNORECASE)
"""Series Description of everything that a synthesis writes."""
_HASH = "weights_sha256="
"""What :func:`parameters` begin with."""


def _is_of_synthesis(equipment: Dataset) -> bool:
    """Whether an item of Contributing Equipment is this software's, which names itself there for a synthesis only."""
    return (
        text_value(equipment, "Manufacturer").lower() == SOFTWARE
        or _names_weights(equipment)
        or _HASH in text_value(equipment, "ContributionDescription")
    )


def _names_weights(dataset: Dataset) -> bool:
    return _WEIGHTS in text_value(dataset, "SoftwareVersions")


def _is_own_code(item: Dataset) -> bool:
    return text_value(item, "CodingSchemeDesignator").upper() == CODING_SCHEME


def _tells_synthesis(item: ReportItem) -> bool:
    """Whether a content item of a report is coded in this software's scheme, says its disclaimer or its weights."""
    codes = [code for code in (item.concept, item.value) if isinstance(code, ReportCode)]
    if any(code.scheme.upper() == CODING_SCHEME for code in codes):
        return True
    return isinstance(item.value, str) and (item.value in _SAID or item.value.startswith(_HASH))


def sign_file(dataset: Dataset) -> None:
    """Name this implementation and the instance in the file meta information."""
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME


def reference(dataset: Dataset, purpose: CodedConcept) -> Dataset:
    """SOP Instance Reference with a purpose (PS3.3 tables 10-11 and 10-3)."""
    item = Dataset()
    item.ReferencedSOPClassUID = dataset.SOPClassUID
    item.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def is_instance(dataset: Dataset) -> bool:
    """Whether a header names an instance that can be referred to (a picture's stand-in does not)."""
    return bool(dataset.get("SOPClassUID") and dataset.get("SOPInstanceUID"))


def model_name(provenance: Mapping[str, object]) -> str:
    """Manufacturer's Model Name (0008,1090): the model, else the software."""
    return str(provenance.get("model", SOFTWARE))[:64]


def software_versions(provenance: Mapping[str, object]) -> list[str]:
    """Software Versions (0018,1020): of the package, and of the weights, whose whole hash the equipment gives.

    Args:
        provenance: ``weights_sha256`` is needed, ``version`` is used if there.

    Raises:
        ValueError: the weights' hash is missing.
    """
    weights = provenance.get("weights_sha256")
    if not isinstance(weights, str) or not weights:
        raise ValueError("Argument 'provenance' must hold the weights' hash under 'weights_sha256'.")
    return [f"{SOFTWARE} {provenance.get('version', package_version())}"[:64], f"{_WEIGHTS}{weights[:32]}"]


def parameters(provenance: Mapping[str, object]) -> list[str]:
    """Hash of the weights, then the other numbers and short texts with the resolved options, as ``key=value``."""
    options = provenance.get("options")
    values = {**provenance, **(options if isinstance(options, Mapping) else {})}
    known = [f"{_HASH}{values.pop('weights_sha256')}"]
    for key, value in sorted(values.items()):
        if isinstance(value, (str, int, float, bool)) and len(str(value)) <= 64:
            known.append(f"{key}={value}")
    return known


def _contribution(provenance: Mapping[str, object], did: str) -> str:
    """The parameters in one line, within the 1024 characters of an ST."""
    text = f"{did} {'; '.join(parameters(provenance))}"
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 4]} ..."
