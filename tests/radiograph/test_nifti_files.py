"""Radiographs as NIfTI and NRRD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from monai_xray2mri.dicom.study import read_study
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.kinds import RADIOGRAPHS
from monai_xray2mri.radiograph.reading import read_radiograph

PIXELS = np.arange(12, dtype=np.int16).reshape(3, 4) * 100 - 300


def write(path: Path, values: np.ndarray, spacing: tuple[float, ...] = (0.2, 0.3, 1.0), vector: bool = False) -> Path:
    image = SimpleITK.GetImageFromArray(values, isVector=vector)
    image.SetSpacing(spacing[: image.GetDimension()])
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("name", ["film.nii.gz", "film.nii", "FILM.NRRD"])
@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 4)])
def test_columns_and_rows_are_as_stored(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    film = read_radiograph(write(tmp_path / name, PIXELS.reshape(shape)))
    np.testing.assert_allclose(film.pixels, (PIXELS + 300) / 1100, atol=1e-6)
    np.testing.assert_allclose(film.spacing, (0.3, 0.2), atol=1e-6)
    assert (film.spacing_source, film.sides, film.dataset) == ("image file", (), None)
    assert any("bone is taken to be bright" in remark for remark in film.remarks)


def test_a_spacing_of_one_millimetre_is_none(tmp_path: Path) -> None:
    """Viewers give it to pictures that have none."""
    film = read_radiograph(write(tmp_path / "film.nrrd", PIXELS[None], (1.0, 1.0, 1.0)))
    assert (film.spacing, film.spacing_source) == (None, "none")
    assert any("1 mm is taken as unknown" in remark for remark in film.remarks)


def test_volumes_colors_and_damage_are_refused(tmp_path: Path) -> None:
    volume = write(tmp_path / "volume.nii.gz", np.zeros((2, 3, 4), np.int16))
    colors = write(tmp_path / "colours.nrrd", np.zeros((3, 4, 3), np.uint8), vector=True)
    broken = tmp_path / "broken.nrrd"
    broken.write_bytes(colors.read_bytes()[:60])
    numbers = write(tmp_path / "numbers.nrrd", np.full((3, 4), np.nan, np.float32))
    for file, rule in {
        volume: "must be one grey picture .*4 x 3 x 2 voxels", colors: "must be one grey picture .*3 values each",
        broken: "must be a complete NIfTI or NRRD", numbers: "must hold numbers only",
    }.items():  # fmt: skip
        with pytest.raises(InputRefused, match=rule):
            read_radiograph(file)


def test_a_study_is_one_such_file_not_one_among_others(tmp_path: Path) -> None:
    """A folder may hold volumes of earlier syntheses."""
    file = write(tmp_path / "film.nrrd", PIXELS)
    assert [film.path for film in read_study(file, [RADIOGRAPHS]).of(RADIOGRAPHS)] == [file]
    assert read_study(tmp_path, [RADIOGRAPHS]).of(RADIOGRAPHS) == ()
