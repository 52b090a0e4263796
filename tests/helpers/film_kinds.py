"""Films of all kinds that modalities send: transfer syntaxes, polarities, SOP classes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import SimpleITK
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from monai_xray2mri.dicom.uids import deterministic_uid, encoded
from tests.helpers.films import cr_dataset


def encapsulate_with_gdcm(dataset: Dataset, compressor: str, folder: Path) -> None:
    """Compress the pixels of a data set; compressor ``JPEG`` is lossless (SV1), ``JPEG2000``, too."""
    kind = np.uint8 if dataset.BitsAllocated == 8 else np.uint16
    stored = np.frombuffer(dataset.PixelData, kind)[: dataset.Rows * dataset.Columns]
    writer = SimpleITK.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.SetFileName(str(folder / "coded.dcm"))
    writer.Execute(SimpleITK.GetImageFromArray(stored.reshape(1, dataset.Rows, dataset.Columns)))
    coded = dcmread(folder / "coded.dcm")
    dataset.PixelData = encapsulate([next(generate_frames(coded.PixelData, number_of_frames=1))])
    dataset.file_meta.TransferSyntaxUID = coded.file_meta.TransferSyntaxUID
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True


def films_of_all_kinds() -> dict[str, bytes]:
    """One film of each kind, in a study of its own; all show the same, 96 x 80 pixels of 12 bit."""
    rows, columns = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 80), indexing="ij")
    pixels = ((rows**2 + columns) / 2).astype(np.float32)
    stored = np.rint(pixels * 4095).astype("<u2")
    inverse = {"PhotometricInterpretation": "MONOCHROME1", "PixelData": (4095 - stored).tobytes()}
    digital = {"SOPClassUID": DigitalXRayImageStorageForPresentation, "Modality": "DX"}
    kinds = {
        "CR": cr_dataset(pixels),
        "CR, MONOCHROME1": cr_dataset(pixels, **inverse),
        "DX": cr_dataset(pixels, **digital),
        "implicit": cr_dataset(pixels),
        "big endian": cr_dataset(pixels, PixelData=stored.astype(">u2").tobytes()),
        "deflated": cr_dataset(pixels),
        "RLE": cr_dataset(pixels),
        "JPEG lossless": cr_dataset(pixels),
        "JPEG 2000": cr_dataset(pixels),
    }
    kinds["implicit"].file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    kinds["big endian"].file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    kinds["deflated"].file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    kinds["RLE"].compress(RLELossless)
    with tempfile.TemporaryDirectory() as folder:
        encapsulate_with_gdcm(kinds["JPEG lossless"], "JPEG", Path(folder))
        encapsulate_with_gdcm(kinds["JPEG 2000"], "JPEG2000", Path(folder))
    for name, dataset in kinds.items():
        dataset.StudyInstanceUID = deterministic_uid("kinds", name)
        dataset.SeriesInstanceUID = deterministic_uid("kinds", name, "series")
        dataset.SOPInstanceUID = deterministic_uid("kinds", name, "film")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return {name: encoded(dataset) for name, dataset in kinds.items()}
