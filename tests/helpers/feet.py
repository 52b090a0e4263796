"""Photographs of feet, prepared and as files, and a bundle of random weights that is small."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, VLPhotographicImageStorage

from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.errors import DoubtfulInput
from monai_xray2mri.photograph.record import Photograph, PreparedFoot
from monai_xray2mri.simulation.foot.foot import SimulatedFoot, photograph_whole_foot, simulate_foot
from monai_xray2mri.simulation.foot.people import SEED_RANGES
from monai_xray2mri.systems.foot_xray_sccdm import angles, plan
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.detector import Keypoints
from monai_xray2mri.types import Side


def write_small_foot_bundle(repository: Path, folder: Path) -> Path:
    """The shipped bundle of SCCDM with a network of random weights and two steps; 256 x 256 pixels stay."""
    bundle = folder / "foot_xray_sccdm"
    shutil.copytree(repository / "bundle" / "foot_xray_sccdm", bundle, ignore=shutil.ignore_patterns("*.pt"))
    file = bundle / "configs" / "inference.json"
    parser = ConfigParser(json.loads(file.read_text()))
    parser.update(
        {
            "diffusion_def#width": 8, "diffusion_def#multipliers": [1, 2], "diffusion_def#groups": 4,
            "diffusion_def#attention_levels": [1], "network_def#steps": 2,
        }
    )  # fmt: skip
    file.write_text(json.dumps(parser.get()))
    torch.manual_seed(0)
    (bundle / "models").mkdir(exist_ok=True)
    network = parser.get_parsed_content("network_def")
    torch.nn.init.normal_(network.denoiser.tail[2].weight, std=0.1)  # zero at the start of a training: nothing is drawn
    torch.save(network.state_dict(), bundle / "models" / "model.pt")
    return bundle


@cache
def a_foot() -> SimulatedFoot:
    """A foot of the test range."""
    return simulate_foot(SEED_RANGES["test"][0])


def prepared_foot(
    side: Side = Side.RIGHT, header: Dataset | None = None, pixel_mm: float | None = 0.7, **known: Any
) -> PreparedFoot:
    """That foot as the networks see it; of which side, and with which scale, is a matter of words."""
    foot = a_foot()
    color = np.rint(foot.cut_out.transpose(1, 2, 0) * 255).astype(np.uint8)
    grey = np.rint(color @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    matrix = np.diag([1.0, 1.0 if side is Side.RIGHT else -1.0, 1.0])
    photograph = Photograph(color, "photo.png", hashlib.sha256(color.tobytes()).hexdigest(), header)
    source = "none" if pixel_mm is None else "given"
    values: dict[str, Any] = {"side_source": "hallux", "scale_source": source} | known
    return PreparedFoot(
        grey, color, grey > 0, side, matrix=matrix, pixel_mm=pixel_mm, photograph=photograph, **values
    )  # fmt: skip


def take_photographs_at_their_word(patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let names tell what photographs show, and keypoints be those of the truth, so that no network is asked.

    ``left.png`` is a left foot, ``both.png`` two, ``blurred.png`` is doubted; returns what was asked for.
    """
    calls: list[dict[str, Any]] = []

    def prepare(path: Path, **options: Any) -> tuple[PreparedFoot, ...]:
        calls.append({"path": path, **options})
        if "blurred" in path.name:
            raise DoubtfulInput(f"photograph {options['name']}", "must be sharp", "blurred", "Take another.")
        sides = [side for side in Side if side.word in path.name or "both" in path.name]
        chosen = [side for side in sides if options["side"] in (None, side)]
        header = dcmread(path, stop_before_pixels=True) if path.suffix == ".dcm" else None
        return tuple(prepared_foot(side, header, options["pixel_mm"]) for side in chosen)

    patch.setattr(plan, "prepare_feet", prepare)
    sure = np.full(10, 0.9, np.float32)
    patch.setattr(angles, "find_keypoints", lambda image: Keypoints(a_foot().keypoints, sure))
    return calls


@cache
def _whole_foot() -> np.ndarray:
    """[N,N,3] uint8: that foot, whole, as a camera sees it that stands further back."""
    pixels = photograph_whole_foot(SEED_RANGES["test"][0], size=384).photograph
    return np.rint(pixels.transpose(1, 2, 0) * 255).astype(np.uint8)


def foot_picture(side: Side = Side.RIGHT, size: int = 768) -> Image.Image:
    """The photograph of that foot on its floor, as a camera would store it."""
    pixels = _whole_foot()
    image = Image.fromarray(pixels if side is Side.RIGHT else np.ascontiguousarray(pixels[:, ::-1]))
    return image.resize((size, size), Image.Resampling.LANCZOS)


def write_photograph(path: Path, side: Side = Side.RIGHT, **header: object) -> Path:
    """The photograph as VL Photographic Image Storage; ``header`` sets or (None) removes attributes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.asarray(foot_picture(side))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, VLPhotographicImageStorage
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.Modality = VLPhotographicImageStorage, "XC"
    data.SOPInstanceUID = deterministic_uid("photograph", side.value, path.name)
    data.StudyInstanceUID, data.SeriesInstanceUID = deterministic_uid("study"), deterministic_uid("series", path.name)
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Foot^Anna", "F1", "19600102", "F"
    data.StudyDate = data.ContentDate = data.AcquisitionDate = "20260304"
    data.StudyTime = data.ContentTime = data.AcquisitionTime = "101112"
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = "1", "A1", ""
    data.SeriesNumber, data.InstanceNumber, data.Manufacturer = 1, 1, "Camera"
    data.ImageType, data.LossyImageCompression = ["ORIGINAL", "PRIMARY"], "00"
    data.AcquisitionContextSequence = []
    data.Rows, data.Columns, data.SamplesPerPixel, data.PlanarConfiguration = *pixels.shape[:2], 3, 0
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PhotometricInterpretation, data.PixelData = "RGB", pixels.tobytes()
    for keyword, value in header.items():
        if value is None:
            del data[keyword]
        else:
            setattr(data, keyword, value)
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True)
    return path


def jpeg_with_secrets(path: Path, *, place: tuple[float, float, float] = (47.0, 22.0, 37.0), **texts: str) -> Path:
    """The photograph as a JPEG whose EXIF tells place, owner and camera."""
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x8298] = (texts.get(name, "HIDDEN") for name in ("words", "artist", "owner"))
    gps = exif.get_ifd(0x8825)
    gps.update({1: "N", 2: place, 3: "E", 4: (8.0, 32.0, 59.0)})
    buffer = io.BytesIO()
    foot_picture().save(buffer, "JPEG", quality=95, exif=exif, comment=b"HIDDEN comment")
    path.write_bytes(buffer.getvalue())
    return path
