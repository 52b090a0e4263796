"""A system that makes DICOM results in a millisecond, for the hospital's worker: two slices and their mark per film.

A film of a chest is none of its subject, a film without Imager Pixel Spacing is refused unless a report comes with it,
a report changes the result, and a film whose Image Comments say so makes it fail or last a minute.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    BasicTextSRStorage,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    MRImageStorage,
)

from monai_xray2mri.core.options import Option
from monai_xray2mri.core.system import Outputs, Plan
from monai_xray2mri.dicom.kinds import REPORTS, Kind
from monai_xray2mri.dicom.marks import mark_synthetic
from monai_xray2mri.dicom.source import copy_patient_and_study
from monai_xray2mri.dicom.study import StudyFile, read_study
from monai_xray2mri.dicom.uids import deterministic_uid, encoded
from monai_xray2mri.errors import InputRefused, NotAKnee
from monai_xray2mri.hospital.maker import Answer, Stopped, make_results
from monai_xray2mri.hospital.settings import ModelSettings
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.types import Volume

FILMS = Kind("films", ("CR", "DX"), one_study=True)
SLICES = 2


def instance(kind: str, modality: str, patient: str, study: str, name: str, **values: object) -> Dataset:
    """An object with the UIDs that its names give."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = kind
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = deterministic_uid(study, name)
    dataset.StudyInstanceUID = deterministic_uid(study)
    dataset.SeriesInstanceUID = deterministic_uid(study, name, "series")
    dataset.Modality, dataset.PatientID, dataset.PatientName = modality, patient, f"Planted^{patient}"
    dataset.AccessionNumber, dataset.StudyDate = f"ACC{patient}", "20261130"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def film(study: str, name: str = "film", patient: str = "", **values: object) -> bytes:
    """A film that the system takes."""
    known: dict[str, object] = {"BodyPartExamined": "KNEE", "ImagerPixelSpacing": [0.2, 0.2], **values}
    dataset = instance(ComputedRadiographyImageStorage, "CR", patient or f"P-{study}", study, name, **known)
    for keyword, value in known.items():
        if value is None:
            delattr(dataset, keyword)
    dataset.Rows = dataset.Columns = 4
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 7, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = bytes(16)
    return encoded(dataset)


def report(study: str, name: str = "report", patient: str = "") -> bytes:
    """A report by somebody else."""
    dataset = instance(BasicTextSRStorage, "SR", patient or f"P-{study}", study, name)
    dataset.ValueType = "CONTAINER"
    return encoded(dataset)


def rejection(study: str, rejected: str = "film", patient: str = "") -> bytes:
    """A note that rejects a film."""
    dataset = instance(KeyObjectSelectionDocumentStorage, "KO", patient or f"P-{study}", study, f"rejects {rejected}")
    code, item, reference = Dataset(), Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113001", "DCM", "Rejected for Quality Reasons"
    dataset.ValueType, dataset.ConceptNameCodeSequence = "CONTAINER", [code]
    reference.ReferencedSOPClassUID = ComputedRadiographyImageStorage
    reference.ReferencedSOPInstanceUID = deterministic_uid(study, rejected)
    item.ValueType, item.RelationshipType, item.ReferencedSOPSequence = "IMAGE", "CONTAINS", [reference]
    dataset.ContentSequence = [item]
    return encoded(dataset)


@dataclass(frozen=True)
class FilmCase:
    film: StudyFile
    reports: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"film_{self.key}"

    @property
    def key(self) -> str:
        return hashlib.sha256(str(self.film.header.SOPInstanceUID).encode()).hexdigest()[:8]

    title = "film"

    def record(self) -> dict[str, object]:
        return {}


@dataclass(frozen=True)
class Written:
    directory: Path


@dataclass(frozen=True)
class FilmResult:
    case: FilmCase
    provenance: Mapping[str, object]
    volume: Volume
    uncertainty: Volume | None = None

    def save(self, folder: Path | str, outputs: Outputs | None = None) -> Written:
        written = Written(Path(folder) / self.case.name)
        source, version = self.case.film.header, str(self.provenance["version"])
        key = (str(source.SOPInstanceUID), str(source.PatientID), self.case.reports, version)
        with whole_directory(written.directory) as draft:
            for number in range(SLICES):
                if (content := _SLICES.get((*key, number))) is None:
                    content = _SLICES[*key, number] = encoded(_slice(source, key, self.provenance, number))
                (draft / f"{number}.dcm").write_bytes(content)
        return written


_SLICES: dict[tuple[object, ...], bytes] = {}
"""What was made before: hundreds of tests make the same."""


def _slice(source: Dataset, identity: Any, provenance: Mapping[str, object], number: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    uid = deterministic_uid("slice", identity, number)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.SeriesInstanceUID, dataset.Modality = deterministic_uid("mr", identity), "MR"
    dataset.InstanceNumber, dataset.SeriesDescription = number + 1, "SYNTHETIC COR T1, not for clinical use"
    copy_patient_and_study(source, dataset)
    mark_synthetic(dataset, provenance)
    return dataset


class FilmPredictor:
    device = "cpu"

    def __init__(self, version: str) -> None:
        self.version = version

    @property
    def name(self) -> str:
        return f"film {self.version}"

    def record(self) -> dict[str, object]:
        return {"weights_sha256": "ab" * 32}

    def server_info(self) -> dict[str, object]:
        return {}

    def resolve(self, **options: object) -> dict[str, object]:
        return options

    def work(self, sampling: object) -> int:
        return 1

    def predict(self, case: FilmCase, sampling: object, progress: Any = None) -> FilmResult:
        if case.film.header.get("ImageComments") == "fail":
            raise RuntimeError("Planted^Secret")
        if case.film.header.get("ImageComments") == "slow":
            time.sleep(60)
        provenance = {"weights_sha256": "ab" * 32, "version": self.version}
        return FilmResult(case, provenance, Volume(np.zeros((1, 1, 1), np.float32), np.eye(4)))


class FilmSystem:
    name = "film"
    summary = "film to slices"
    product = "synthetic_mri"
    modalities = ("CR", "DX")
    request_options: tuple[Option, ...] = ()
    sampling_options: tuple[Option, ...] = ()
    work_unit = "slice"
    cases_word = "films"

    def request(self, **values: object) -> None:
        return None

    def plan(self, source: Path, request: object, bundle: Path) -> Plan[FilmCase]:
        study = read_study(source, (FILMS, REPORTS))
        reports = tuple(sorted(str(one.header.SOPInstanceUID) for one in study.of(REPORTS)))
        cases, refusals = [], []
        for one in study.of(FILMS):
            if one.header.get("BodyPartExamined") == "CHEST":
                continue
            if len(dcmread(one.path).PixelData) < 16:
                refusals.append(InputRefused(f"film {one.name}", "must hold all its pixels", "fewer"))
            elif "ImagerPixelSpacing" not in one.header and not reports:
                refusals.append(InputRefused(f"film {one.name}", "needs a pixel spacing", "none", "Send one."))
            else:
                cases.append(FilmCase(one, reports))
        if not cases and not refusals:
            if study.of(FILMS):
                raise NotAKnee("study", "must show a knee", "a chest")
            raise InputRefused("study", "needs a film", "none that can be read")
        if not cases:
            raise refusals[0]
        return Plan(tuple(cases), tuple(refusals))

    def predictor(self, bundle: Path, device: str = "auto") -> FilmPredictor:
        return FilmPredictor("1")

    def suites(self) -> Mapping[str, object]:
        return {}


SYSTEM = FilmSystem()


def install_film_system(folder: Path) -> tuple[Path, Path]:
    """Make the system known to other processes; returns a folder for ``sys.path``, and a bundle of it."""
    site, bundle = folder / "site", folder / "film_bundle"
    for place in (site / "film_system-0.1.dist-info", bundle / "configs"):
        place.mkdir(parents=True)
    (bundle / "configs" / "metadata.json").write_text(json.dumps({"system": "film", "version": "0.1"}))
    (site / "film_system-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: film\nVersion: 0.1\n")
    entry = "[monai_xray2mri.systems]\nfilm = tests.helpers.hospital_system:SYSTEM\n"
    (site / "film_system-0.1.dist-info" / "entry_points.txt").write_text(entry)
    return site, bundle


class InlineMaker:
    """Makes results in this process, with the function that the child process runs."""

    def __init__(self, version: str = "1", partial: bool = True) -> None:
        self.version, self.partial = version, partial
        self.made = 0
        self.during: Callable[[], object] = lambda: None

    def make(self, source: Path, output: Path, seconds: float, stop: Callable[[], bool]) -> Answer:
        self.made += 1
        self.during()
        if stop():
            raise Stopped("result", "was not finished", "the worker was told to stop")
        predictor = FilmPredictor(self.version)
        return make_results(FilmSystem(), predictor, ModelSettings(bundle=Path("film")), self.partial, source, output)

    def close(self) -> None:
        pass
