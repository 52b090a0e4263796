"""What every object of this software shares: the marks of synthetic content, its equipment, its references.

PS3.3 C.12.1 (Synthetic Data), C.12.1.1.5 (Contributing Equipment), table 10-3 (Referenced Instances).
"""

from __future__ import annotations

from collections.abc import Mapping

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom import Dataset

from monai_xray2mri.core.identity import package_version
from monai_xray2mri.dicom.own_results import CODING_SCHEME, HASH, SOFTWARE, WEIGHTS
from monai_xray2mri.dicom.product import Product
from monai_xray2mri.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

SOURCE_PURPOSE = CodedConcept("121322", "DCM", "Source Image for Image Processing Operation")
REPORT_PURPOSE = CodedConcept("128225", "DCM", "Source report")
SYNTHESIZING_EQUIPMENT = CodedConcept("109100", "DCM", "Synthesizing Equipment")

_TEXT_LIMIT = 1024  # characters of an ST


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
    return [f"{SOFTWARE} {provenance.get('version', package_version())}"[:64], f"{WEIGHTS}{weights[:32]}"]


def parameters(provenance: Mapping[str, object]) -> list[str]:
    """Hash of the weights, then the other numbers and short texts with the resolved options, as ``key=value``."""
    options = provenance.get("options")
    values = {**provenance, **(options if isinstance(options, Mapping) else {})}
    known = [f"{HASH}{values.pop('weights_sha256')}"]
    for key, value in sorted(values.items()):
        if isinstance(value, (str, int, float, bool)) and len(str(value)) <= 64:
            known.append(f"{key}={value}")
    return known


def _contribution(provenance: Mapping[str, object], did: str) -> str:
    """The parameters in one line, within the 1024 characters of an ST."""
    text = f"{did} {'; '.join(parameters(provenance))}"
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 4]} ..."
