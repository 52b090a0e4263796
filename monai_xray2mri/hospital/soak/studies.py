"""Studies of a soak: copies of a few films with people of their own, whose names must turn up nowhere."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian

from monai_xray2mri.dicom.copies import as_other_study
from monai_xray2mri.dicom.uids import deterministic_uid, encoded
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.runtime.optional import optional_library

PLANTED: Final = "Plantedname"
"""Begins every patient's name and identifier."""

KINDS: Final = {
    "plain": 30,
    "sent twice": 6,
    "same again after the answer": 6,
    "late film": 6,
    "report after the answer": 6,
    "refused": 8,
    "report after a refusal": 6,
    "chest": 6,
    "corrupt": 4,
    "result coerced and sent back": 6,
    "deleted while it is made": 5,
    "copied by Orthanc": 5,
}
"""What becomes of a study, and how often, as weights."""
EXPECTED: Final = {
    "refused": ("refused",),
    "report after a refusal": ("refused", "done"),  # as the system makes of it
    "corrupt": ("refused",),
    "chest": ("passed over",),
    "deleted while it is made": ("deleted",),
}
"""How it may end; everything else is done."""
CHANGED: Final = ("late film", "report after the answer", "report after a refusal")
"""Kinds to which a source comes after the answer, which must then be another one."""


@dataclass
class SoakStudy:
    """One study.

    Attributes:
        number: of the soak.
        kind: what becomes of it.
        patient: its Patient ID.
        uid: its Study Instance UID.
        films: of which it consists at first.
        orthanc: its identifier in Orthanc, once it was sent.
        sent: when it was sent, in seconds of the soak's clock, which never goes back.
        ended: when it was seen to be at its end.
        acted: whether what comes later has happened.
        before: fingerprint of the sources that were answered before that happened.
    """

    number: int
    kind: str
    patient: str
    uid: str
    films: list[bytes] = field(default_factory=list)
    orthanc: str = ""
    sent: float = 0.0
    ended: float = 0.0
    acted: bool = False
    before: str = ""

    @property
    def expected(self) -> tuple[str, ...]:
        """How it may end."""
        return EXPECTED.get(self.kind, ("done",))


def read_templates(folder: Path, largest: int) -> list[Dataset]:
    """Films that studies are copied from.

    Args:
        folder: of DICOM films; other files are passed over.
        largest: how many are read.

    Raises:
        InputRefused: there is none.
    """
    found = list[Dataset]()
    for file in sorted(folder.rglob("*.dcm")):
        dataset = dcmread(file)
        if dataset.get("Modality") in ("CR", "DX", "RG", "MR") and len(found) < largest:
            found.append(dataset)
    if not found:
        raise InputRefused("films", "must hold a DICOM image", "none", "Give a folder of them with --films.")
    return found


def draw_studies(count: int, templates: Sequence[Dataset], seed: int) -> list[SoakStudy]:
    """The studies of a soak; equal arguments give equal studies. Each kind comes before any comes a second time."""
    rng = random.Random(seed)
    kinds = list(KINDS) + rng.choices(list(KINDS), weights=list(KINDS.values()), k=max(0, count - len(KINDS)))
    kinds = kinds[:count]
    rng.shuffle(kinds)
    return [_study(number, kind, templates[number % len(templates)], seed) for number, kind in enumerate(kinds)]


def _study(number: int, kind: str, template: Dataset, seed: int) -> SoakStudy:
    patient, uid = f"{PLANTED}{number:05d}", deterministic_uid("soak", seed, number)
    study = SoakStudy(number, kind, patient, str(uid))
    study.films = [film_of(study, template)]
    return study


def film_of(study: SoakStudy, template: Dataset, name: str = "film") -> bytes:
    """A film of a study."""
    dataset = as_other_study(template, study.patient, study.uid, name)
    dataset.AccessionNumber = f"{study.number:08d}"
    if study.kind in ("refused", "report after a refusal"):
        for keyword in ("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing"):
            if keyword in dataset:
                delattr(dataset, keyword)
    if study.kind == "chest":
        dataset.BodyPartExamined = "CHEST"
    if study.kind == "corrupt":
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 3 // 2 * 2]
    return encoded(dataset)


def late_film_of(study: SoakStudy) -> bytes:
    """A further film of a study, which shows what its first one shows."""
    return film_of(study, dcmread(BytesIO(study.films[0])), "late film")


def report_of(study: SoakStudy) -> bytes:
    """A report of somebody else, which names nothing that a system reads."""
    report = Dataset()
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = deterministic_uid(study.uid, "report")
    report.StudyInstanceUID, report.SeriesInstanceUID = study.uid, deterministic_uid(study.uid, "report", "series")
    report.PatientID, report.PatientName, report.Modality = study.patient, f"{study.patient}^Soak", "SR"
    report.ValueType = "CONTAINER"
    return encoded(report)


def coerced(content: bytes) -> bytes:
    """A result as an archive may change it: other identifiers, another modality."""
    dataset = dcmread(BytesIO(content))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = deterministic_uid(dataset.SOPInstanceUID, 1)
    dataset.SeriesInstanceUID, dataset.Modality = deterministic_uid(dataset.SeriesInstanceUID, 1), "CR"
    return encoded(dataset)


def send(content: bytes, port: int, title: str) -> bool:
    """C-STORE an object; returns whether it was taken."""
    library: Any = optional_library("pynetdicom", "soak")
    dataset = dcmread(BytesIO(content))
    entity = library.AE("MODALITY")
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 30
    entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title=title)
    if not association.is_established:
        return False
    try:
        status = association.send_c_store(dataset)
        return bool(status) and status.Status == 0x0000
    finally:
        association.release()
