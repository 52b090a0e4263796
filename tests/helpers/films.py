"""Radiographs for tests, written as a hospital would send them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import TEST

REGION_MM = 110.0


@cache
def simulated_crop(number: int = 0) -> np.ndarray:
    """[299,299] in [0,1]: the joint region of an unseen simulated right knee."""
    return np.asarray(simulate_knee(TEST[number]).radiograph, dtype=np.float32)


def real_crops(shared_data: Path, grade: int, side: str) -> list[Path]:
    """Real joint regions as first released: 299 x 299 PNG, not enhanced."""
    return sorted((shared_data / "knee_xray_rois_raw" / "train" / str(grade)).glob(f"*{side}.png"))


def read_picture(path: Path) -> np.ndarray:
    """A grey picture in [0,1]."""
    return np.asarray(Image.open(path).convert("L"), dtype=np.float32) / 255


def cr_dataset(pixels: np.ndarray, side: str | None = "R", **replaced: object) -> Dataset:
    """A CR image of a picture [H,W] in [0,1] that is 110 mm wide, MONOCHROME2, 12 bit.

    Keywords replace attributes, None removes them.
    """
    rows, columns = pixels.shape
    spacing = REGION_MM / columns
    identity = f"{pixels.tobytes()[:4096]!r}{side}"
    attributes: dict[str, object] = {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": generate_uid(entropy_srcs=["film", identity]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=["series", identity]),
        "StudyInstanceUID": generate_uid(entropy_srcs=["study", identity]),
        "Modality": "CR", "PatientName": "Test^Knee", "PatientID": "T-1", "PatientAge": "060Y", "PatientSex": "F",
        "StudyDate": "20200102", "StudyTime": "101112", "AcquisitionDate": "20200102", "AcquisitionTime": "101113",
        "BodyPartExamined": "KNEE", "ViewPosition": "PA", "ImageLaterality": side, "PatientOrientation": ["L", "F"],
        "ImagerPixelSpacing": [f"{spacing:.6f}", f"{spacing:.6f}"], "Rows": rows, "Columns": columns,
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 12,
        "HighBit": 11, "PixelRepresentation": 0, "PixelData": np.rint(pixels * 4095).astype("<u2").tobytes(),
    } | replaced  # fmt: skip
    dataset = Dataset()
    for keyword, value in attributes.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def write_film(path: Path, pixels: np.ndarray, side: str | None = "R", **replaced: object) -> Path:
    """Write :func:`cr_dataset`; the parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cr_dataset(pixels, side, **replaced).save_as(path, enforce_file_format=True)
    return path
