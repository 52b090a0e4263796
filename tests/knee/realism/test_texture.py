"""How marrow and outlines of slices are measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.data.arrays import PIXEL_MM
from monai_xray2mri.knee.realism.texture import octave_power, real_look, simulated_look, variation
from monai_xray2mri.simulation.knee.mri.contrast import WATER_EXCITED_FLASH
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION

COLUMNS = np.arange(256) * PIXEL_MM


def stripes(cycles_per_mm: float, height: float = 0.1) -> np.ndarray:
    return np.tile(1 + height * np.sin(2 * np.pi * cycles_per_mm * COLUMNS), (256, 1))


@pytest.mark.parametrize(("cycles_per_mm", "band"), [(0.06, 0), (0.11, 1), (0.23, 2), (0.45, 3)])
def test_power_lies_in_the_band_of_the_stripes(cycles_per_mm: float, band: int) -> None:
    power = octave_power(stripes(cycles_per_mm), (128, 128))
    assert power[band] == pytest.approx(0.1**2 / 2, rel=0.05)
    assert power.sum() == pytest.approx(power[band], rel=0.02)


def test_power_does_not_depend_on_the_scale() -> None:
    assert octave_power(300 * stripes(0.2), (128, 128)) == pytest.approx(octave_power(stripes(0.2), (128, 128)))


def series(folder: Path, slices: int = 3) -> Path:
    """Slices of 512 x 512 pixels of half the size, each with its own stripes in the marrow."""
    folder.mkdir()
    for number in range(1, slices + 1):
        fine = np.arange(512) * PIXEL_MM / 2
        pixels = np.tile(1000 * (1 + 0.1 * number * np.sin(2 * np.pi * 0.25 * fine)), (512, 1)).astype(np.uint16)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        file = pydicom.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        file.SOPClassUID, file.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        file.InstanceNumber, file.PixelSpacing = number, [PIXEL_MM / 2, PIXEL_MM / 2]
        file.Rows = file.Columns = 512
        file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 0
        file.BitsAllocated = file.BitsStored = 16
        file.HighBit, file.PixelData = 15, pixels.tobytes()
        file.save_as(folder / f"{9 - number}.dcm", enforce_file_format=True)
    return folder


def test_a_real_series_is_measured_where_the_table_says(tmp_path: Path) -> None:
    table = tmp_path / "marrow.csv"
    table.write_text("slice,row,column\n2,256,256\n2,300,200\n3,256,256\n")
    look = real_look(series(tmp_path / "series"), table)
    assert len(look.power) == 2
    assert look.variation[0] == pytest.approx(0.2 / np.sqrt(2), rel=0.15)
    assert look.variation[2] == pytest.approx(0.3 / np.sqrt(2), rel=0.15)
    record = look.record()
    assert record["patches"] == 3
    assert max(record["power"], key=record["power"].get) == "0.16 to 0.32/mm"


@pytest.mark.parametrize("lines", ["slice,row\n1,2\n", "slice,row,column\n7,256,256\n", "slice,row,column\n"])
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, lines: str) -> None:
    table = tmp_path / "marrow.csv"
    table.write_text(lines)
    with pytest.raises(InputRefused, match=r"table marrow\.csv"):
        real_look(series(tmp_path / "series", 1), table)


def test_simulated_marrow_is_even_but_not_flat() -> None:
    look = simulated_look(VALIDATION[:1], WATER_EXCITED_FLASH)
    assert len(look.variation) > 100
    assert 0.02 < np.median(look.variation) < 0.07
    assert variation(np.ones((4, 4))) == 0
