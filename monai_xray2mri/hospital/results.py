"""The files of a result as instances of a study in Orthanc."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.hospital.archive import instance_identifier
from monai_xray2mri.hospital.maker import MakingFailed
from monai_xray2mri.hospital.record import LOSABLE, Instance


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

    Small objects are padded, see :func:`padded`.

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
    for part in parts:
        header = _header(part)
        raw = padded(part if isinstance(part, bytes) else part.read_bytes(), header)
        content = part if isinstance(part, Path) and len(raw) == part.stat().st_size else raw
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


def padded(content: bytes, header: Dataset) -> bytes:
    """An object with so much Data Set Trailing Padding (FFFC,FFFC; PS3.10 7.2) that a full disk cannot lose it unseen.

    Equal objects are padded equally, with bytes that no compression of the storage makes small again.

    Args:
        content: its file.
        header: its attributes; of another encoding than Explicit VR Little Endian it stays as it is.
    """
    syntax = header.file_meta.TransferSyntaxUID
    lacking = LOSABLE - len(content)
    if lacking <= 0 or syntax.is_implicit_VR or not syntax.is_little_endian or syntax.is_deflated:
        return content
    lacking += lacking % 2
    element = struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, lacking)
    return content + element + hashlib.shake_256(content).digest(lacking)


def _header(content: Path | bytes) -> Dataset:
    from io import BytesIO

    return dcmread(BytesIO(content) if isinstance(content, bytes) else content, stop_before_pixels=True)
