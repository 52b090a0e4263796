"""Radiographs of all kinds, and MONAI Label's own client."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from pydicom import dcmread

from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.types import Side
from tests.helpers.films import REGION_MM, simulated_crop, write_film

GRADES = {"XRKL": 3, "XRJSM": 2, "XROSFM": 1}
MODULE = Path(__file__).parents[2] / "monai_xray2mri" / "label" / "slicer_module" / "Xray2MRI"


@dataclass(frozen=True)
class Radiographs:
    """Files of one simulated knee."""

    folder: Path

    def __getattr__(self, name: str) -> Path:
        """``right`` is ``right.dcm``, and so on."""
        for file in self.folder.glob(f"{name}.*"):
            return file
        raise AttributeError(name)


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """[299,299] in [0,1]."""
    return simulated_crop()


@pytest.fixture(scope="session")
def radiographs(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Radiographs:
    """A studies folder: a right and a left knee, the right one's report, a chest, a picture, NIfTI and NRRD."""
    folder = tmp_path_factory.mktemp("studies")
    chest = np.random.default_rng(0).random(pixels.shape, dtype=np.float32)
    write_film(folder / "chest.dcm", chest, None, BodyPartExamined="CHEST", ViewPosition="PA")
    write_film(folder / "left.dcm", np.ascontiguousarray(pixels[:, ::-1]), "L")
    film = write_film(folder / "right.dcm", pixels, "R")
    write_grading_report(folder / "reading.dcm", {Side.RIGHT: Grading(GRADES)}, dcmread(film), final=True)
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(folder / "picture.png")
    image = SimpleITK.GetImageFromArray(np.rint(pixels * 4095).astype(np.int16)[None])  # one slice, as Slicer uploads
    image.SetSpacing((REGION_MM / pixels.shape[1], REGION_MM / pixels.shape[0], 1.0))
    SimpleITK.WriteImage(image, str(folder / "nifti.nii.gz"))
    SimpleITK.WriteImage(image, str(folder / "nrrd.nrrd"))
    mirrored = SimpleITK.GetImageFromArray(SimpleITK.GetArrayViewFromImage(image)[:, :, ::-1])
    mirrored.CopyInformation(image)
    SimpleITK.WriteImage(mirrored, str(folder / "mirrored.nii"))
    return Radiographs(folder)


@pytest.fixture(scope="session")
def monai_client() -> type:
    """The class of MONAI Label's client, as its extension for Slicer brings it."""
    pytest.importorskip("monailabel", reason="MONAI Label has an environment of its own: make test-label")
    folder = Path(sys.prefix) / "monailabel" / "plugins" / "slicer" / "MONAILabel"
    sys.path[:0] = [str(folder), str(MODULE)]
    from MONAILabelLib import MONAILabelClient

    return MONAILabelClient
