"""The files of a result as instances of a study in Orthanc."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.hospital.archive import instance_identifier
from monai_xray2mri.hospital.maker import MakingFailed
from monai_xray2mri.hospital.record import Instance


@dataclass(frozen=True)
class Result:
    """Instances with their bytes, in the order in which they are stored and sent."""

    instances: tuple[Instance, ...]
    contents: Mapping[str, Path | bytes]

    def content(self, instance: Instance) -> bytes:
        """The file of an instance."""
        content = self.contents[instance.id]
        return content if isinstance(content, bytes) else content.read_bytes()


@quiet()
def result_of(files: Iterable[Path], documents: Iterable[Dataset], study_uid: str) -> Result:
    """A result of files that a system wrote and of documents that the worker adds.

    Args:
        files: DICOM objects.
        documents: further objects.
        study_uid: of the study that all of them must belong to.

    Raises:
        MakingFailed: one belongs to another study (code ``other-study``): nothing of it is stored.
    """
    contents: dict[str, Path | bytes] = {}
    instances = list[Instance]()
    parts: list[Path | bytes] = [*files, *(encoded(document) for document in documents)]
    for content in parts:
        raw = content if isinstance(content, bytes) else content.read_bytes()
        header = _header(content)
        if text_value(header, "StudyInstanceUID") != study_uid:
            raise MakingFailed("other-study", "a result names another study than its source")
        names = [text_value(header, f"{level}InstanceUID") for level in ("Study", "Series", "SOP")]
        instance = Instance(
            instance_identifier(text_value(header, "PatientID"), *names),
            names[2],
            text_value(header, "SOPClassUID"),
            names[1],
            hashlib.md5(raw, usedforsecurity=False).hexdigest(),
        )
        instances.append(instance)
        contents[instance.id] = content
    return Result(tuple(instances), contents)


def _header(content: Path | bytes) -> Dataset:
    from io import BytesIO

    return dcmread(BytesIO(content) if isinstance(content, bytes) else content, stop_before_pixels=True)
