"""A result page as Encapsulated PDF (DICOM PS3.3 A.45.1) in the study of the result's source."""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
from pydicom import DataElement, Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DA, TM

from monai_xray2mri.dicom.marks import (
    is_instance,
    mark_synthetic,
    model_name,
    name_anatomy,
    sign_file,
    software_versions,
)
from monai_xray2mri.dicom.own_results import SOFTWARE
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import CHARACTER_SET, TYPE_2_KEYWORDS, copy_patient_and_study, source_moment
from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid


class ResultPage(hd.SOPClass):
    """The page of one result; valid when the constructor returns."""

    def __init__(self, pdf: bytes, product: Product, origin: Origin, images: Sequence[Dataset]) -> None:
        """Wrap a PDF document.

        Args:
            pdf: the document.
            product: what the page shows.
            origin: what that was made from, and how; dates are those of its source.
            images: the series that was generated.

        Raises:
            ValueError: the provenance lacks the weights' hash.
        """
        placeholder = deterministic_uid("to be replaced by a hash of the content")
        source, provenance = origin.header, origin.provenance
        title = f"SYNTHETIC {product.modality} of {product.subject}: page, not for clinical use"
        with quiet():
            super().__init__(
                study_instance_uid=str(source.StudyInstanceUID),
                series_instance_uid=placeholder,
                series_number=product.numbers.page,
                sop_instance_uid=placeholder,
                sop_class_uid=EncapsulatedPDFStorage,
                instance_number=1,
                modality="DOC",
                manufacturer=SOFTWARE,
                transfer_syntax_uid=ExplicitVRLittleEndian,
                series_description=title,
                manufacturer_model_name=model_name(provenance),
                specific_character_set=CHARACTER_SET,
            )
            for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
                if keyword in self:
                    delattr(self, keyword)  # highdicom's are the moment of writing
            for keyword in TYPE_2_KEYWORDS:
                setattr(self, keyword, self.get(keyword) or None)
            self["SoftwareVersions"] = DataElement("SoftwareVersions", "LO", software_versions(provenance))
            copy_patient_and_study(source, self)
            mark_synthetic(self, provenance, f"Generated the {product.modality} series that this page shows.")
            self._set_document(pdf, title, source, images)
            name_anatomy(self, product)
            digest = dataset_digest(self)
            self.SeriesInstanceUID = deterministic_uid("series", digest)
            self.SOPInstanceUID = deterministic_uid("instance", digest)
            sign_file(self)

    def _set_document(self, pdf: bytes, title: str, source: Dataset, images: Sequence[Dataset]) -> None:
        """SC Equipment (PS3.3 C.8.6.1) and Encapsulated Document (C.24.2)."""
        date, time = source_moment(source)
        self.ConversionType = "WSD"
        for keyword in ("ContentDate", "ContentTime", "AcquisitionDateTime", "ConceptNameCodeSequence"):
            setattr(self, keyword, None)  # type 2
        if date:
            self.ContentDate, self.ContentTime = DA(date), TM(time)
        self.BurnedInAnnotation = "YES"  # the page names the patient
        self.DocumentTitle = title
        self.MIMETypeOfEncapsulatedDocument = "application/pdf"
        if sources := [_instance(one) for one in (source, *images) if is_instance(one)]:  # type 1C: not empty
            self.SourceInstanceSequence = sources
        self.EncapsulatedDocumentLength = len(pdf)
        self.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)


def _instance(dataset: Dataset) -> Dataset:
    """SOP Instance Reference (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = dataset.SOPClassUID
    item.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    return item
