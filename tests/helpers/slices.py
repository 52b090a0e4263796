"""MR series as files, and a bundle of random weights that is small."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from monai.bundle import ConfigParser
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.types import Volume

CORONAL = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
Change = Callable[[int, FileDataset], object]


def a_knee(slices: int = 24, step: float = 4.0, pixel: float = 4.0, side: int = 38) -> Volume:
    """A coronal series of something round, off its middle."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, count) for count in (slices, side, side)), indexing="ij")
    noise = np.random.default_rng(0).normal(0, 1, x.shape)
    affine = np.eye(4)
    affine[:3, :3] = CORONAL * [pixel, pixel, step]
    affine[:3, 3] = (-70, -40, 75)
    return Volume((100 * np.exp(-3 * ((x - 0.2) ** 2 + y**2 + z**2)) + noise + 5).astype(np.float32), affine)


def _as_knee(index: int, data: FileDataset) -> None:
    data.FrameOfReferenceUID, data.BodyPartExamined, data.ScanningSequence = "1.2.3.4", "KNEE", ["GR", "SE"]
    data.Laterality, data.PatientPosition, data.StudyDate = "L", "FFS", "20200102"
    data.SOPInstanceUID = deterministic_uid("slice", index)
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID


def knee_series(folder: Path, change: Change | None = None, volume: Volume | None = None) -> Path:
    def both(index: int, data: FileDataset) -> None:
        _as_knee(index, data)
        if change is not None:
            change(index, data)

    return write_series(volume or a_knee(), folder, both)


def write_small_bundle(repository: Path, folder: Path) -> Path:
    """The shipped bundle of X-Diffusion with a network of random weights: 32 sections in a cube of 160 mm."""
    bundle = folder / "mri_xdiffusion"
    shutil.copytree(repository / "bundle" / "mri_xdiffusion", bundle)
    file = bundle / "configs" / "inference.json"
    parser = ConfigParser(json.loads(file.read_text()))
    parser.update(
        {
            "diffusion_def#channels": [8, 8, 16], "diffusion_def#groups": 4, "diffusion_def#sample_size": 8,
            "encoder_def#encoder#channels": [8, 8, 8], "encoder_def#encoder#image_size": 32,
            "network_def#image_size": 32, "network_def#steps": 1,
        }
    )  # fmt: skip
    file.write_text(json.dumps(parser.get()))
    torch.manual_seed(0)
    (bundle / "models").mkdir(exist_ok=True)
    torch.save(parser.get_parsed_content("network_def").state_dict(), bundle / "models" / "model.pt")
    return bundle


def write_image(volume: Volume, path: Path) -> Path:
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
    image = SimpleITK.GetImageFromArray(volume.voxels)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    image.SetDirection((volume.affine[:3, :3] / spacing).flatten().tolist())
    SimpleITK.WriteImage(image, str(path))
    return path


def write_series(volume: Volume, folder: Path, change: Callable[[int, FileDataset], object] | None = None) -> Path:
    """A DICOM series with shuffled names; ``change`` may spoil a slice."""
    folder.mkdir(parents=True)
    series, study = generate_uid(), generate_uid()
    column, row, step = volume.affine[:3, :3].T
    for index, voxels in enumerate(volume.voxels):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        data.Modality, data.PatientID, data.StudyInstanceUID, data.SeriesInstanceUID = "MR", "1", study, series
        data.Rows, data.Columns, data.SamplesPerPixel = *voxels.shape, 1
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.PixelSpacing = [float(np.linalg.norm(row)), float(np.linalg.norm(column))]
        unit = [*(column / np.linalg.norm(column)), *(row / np.linalg.norm(row))]
        data.ImageOrientationPatient = [round(float(value), 8) for value in unit]
        data.ImagePositionPatient = [round(float(value), 6) for value in volume.affine[:3, 3] + index * step]
        data.SliceThickness = float(np.linalg.norm(step))
        data.RescaleSlope, data.RescaleIntercept = 0.1, 0.0
        data.PixelData = np.rint(voxels * 10).astype("<i2").tobytes()
        if change is not None:
            change(index, data)
        data.save_as(folder / f"{(index * 5) % 97:02d}.dcm")
    return folder
