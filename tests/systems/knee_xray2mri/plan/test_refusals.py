"""Films that are refused, and which doubts a user may override."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.errors import DoubtfulInput, InputRefused, NotAKnee, Xray2MRIError
from monai_xray2mri.types import Side
from tests.helpers.films import simulated_crop, write_film
from tests.helpers.plans import plan


def test_what_a_check_doubts_is_refused_unless_forced(tmp_path: Path) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop()[::-1])
    with pytest.raises(DoubtfulInput, match=r"film\.dcm.*--force"):
        plan(tmp_path)
    case = plan(tmp_path, force=True).cases[0]
    assert case.forced
    assert any("used by force" in remark and "film.dcm" in remark for remark in case.remarks)


def test_a_film_of_something_else_is_none_whose_header_contradicts_itself(tmp_path: Path) -> None:
    """What it shows is the reason to name, not the contradiction about its side."""
    write_film(tmp_path / "film.dcm", simulated_crop(), "R", BodyPartExamined="CHEST", SeriesDescription="left")
    with pytest.raises(NotAKnee, match="CHEST"):
        plan(tmp_path)
    write_film(tmp_path / "film.dcm", simulated_crop(), "R", SeriesDescription="left")
    with pytest.raises(InputRefused, match="sources of the side that agree"):
        plan(tmp_path)


def test_a_film_of_the_other_knee_is_doubted(tmp_path: Path) -> None:
    write_film(tmp_path / "film.dcm", np.ascontiguousarray(simulated_crop()[:, ::-1]), "R")
    with pytest.raises(DoubtfulInput, match="right knee"):
        plan(tmp_path)


def test_force_does_not_make_a_good_knee_doubtful(film: Path) -> None:
    case = plan(film.parent, force=True).cases[0]
    assert not case.forced and not any("force" in remark for remark in case.remarks)


@pytest.mark.parametrize("replaced", [{"PatientAge": "012Y"}, {"ImageLaterality": None}, {"ImagerPixelSpacing": None}])
def test_age_side_and_spacing_cannot_be_forced(tmp_path: Path, replaced: dict[str, object]) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), **replaced)
    with pytest.raises(InputRefused):
        plan(tmp_path, force=True)


@pytest.mark.parametrize("uid", [None, ""])
def test_a_film_that_no_result_can_share_a_study_with_is_refused_before_anything_is_made(tmp_path: Path, uid) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), StudyInstanceUID=uid)
    with pytest.raises(InputRefused, match="needs a Study Instance UID"):
        plan(tmp_path)


@pytest.mark.parametrize(
    ("replaced", "rule"),
    [
        ({"PatientAge": "017Y"}, "18"),
        ({"ImageLaterality": None}, "side"),
        ({"ImagerPixelSpacing": None}, "spacing"),
        ({"BodyPartExamined": "CHEST"}, "CHEST"),
    ],
)
def test_a_film_that_cannot_be_trusted_is_refused(tmp_path: Path, replaced: dict[str, object], rule: str) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), **replaced)
    with pytest.raises(InputRefused, match=rule):
        plan(tmp_path)


def test_the_wrong_side_is_refused(film: Path) -> None:
    with pytest.raises(Xray2MRIError):
        plan(film, side=Side.LEFT)


def test_a_file_truncated_in_its_pixels_is_refused(film: Path) -> None:
    film.write_bytes(film.read_bytes()[:-20_000])
    with pytest.raises(InputRefused, match=r"film\.dcm"):
        plan(film.parent)


def test_pictures_need_side_and_spacing(tmp_path: Path) -> None:
    picture = tmp_path / "knee.png"
    Image.fromarray((simulated_crop() * 255).astype(np.uint8)).save(picture)
    with pytest.raises(InputRefused):
        plan(picture, side=Side.RIGHT)
    with pytest.raises(InputRefused):
        plan(picture, assume_spacing=True)
    case = plan(picture, side=Side.RIGHT, assume_spacing=True).cases[0]
    assert any("assumed" in remark for remark in case.remarks)


@pytest.mark.parametrize(
    "name",
    [
        "fo-dicom_CR-MONO1-10-chest_noPreamble",
        "highdicom_DX_thorax_dog_MONO1_8bit.dcm",
        "pydicom-data_vlut_04_VOILUT.dcm",
    ],
)
def test_radiographs_of_something_else_are_refused(shared_data: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(shared_data / "radiographs_odd" / name, tmp_path / name)
    with pytest.raises(InputRefused):
        plan(tmp_path, side=Side.RIGHT)
    with pytest.raises(InputRefused):
        plan(tmp_path)
