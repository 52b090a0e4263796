"""What a folder holds: radiographs of one patient and one study, and what is passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import MRImageStorage

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.radiograph.kinds import RADIOGRAPHS
from monai_xray2mri.systems.knee_xray2mri.plan import read_knee_study
from monai_xray2mri.types import Side
from tests.helpers.films import simulated_crop, write_film
from tests.helpers.plans import plan


def test_an_mr_is_no_radiograph(tmp_path: Path) -> None:
    write_film(tmp_path / "mr.dcm", simulated_crop(), Modality="MR", SOPClassUID=MRImageStorage)
    with pytest.raises(InputRefused, match=r"needs a radiograph of the knee.*1 MR"):
        read_knee_study(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no DICOM object"):
        read_knee_study(tmp_path)


def test_a_missing_path_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing at that path"):
        read_knee_study(tmp_path / "nowhere")


def test_other_files_are_passed_over_with_a_remark(film: Path) -> None:
    (film.parent / "notes.txt").write_text("hello")
    write_film(film.parent / "deep" / "mr.dcm", simulated_crop(), Modality="MR")
    study = read_knee_study(film.parent)
    assert len(study.of(RADIOGRAPHS)) == 1
    assert any("notes.txt" in remark for remark in study.remarks)
    assert any("1 MR passed over" in remark for remark in study.remarks)


@pytest.mark.parametrize(("keyword", "what"), [("PatientID", "patient"), ("StudyInstanceUID", "study")])
def test_two_patients_or_studies_are_refused(film: Path, keyword: str, what: str) -> None:
    write_film(
        film.parent / "other.dcm",
        simulated_crop(),
        "L",
        **{"StudyInstanceUID": dcmread(film).StudyInstanceUID, keyword: "1.2.3.999"},
    )
    with pytest.raises(InputRefused, match=f"must be of one {what}") as refusal:
        read_knee_study(film.parent)
    assert "1.2.3.999" not in str(refusal.value)


def test_pictures_beside_films_are_passed_over(film: Path) -> None:
    Image.fromarray((simulated_crop()[:, ::-1] * 255).astype(np.uint8)).save(film.parent / "1000L.png")
    found = plan(film.parent, assume_spacing=True, estimate=False)
    assert [case.side for case in found.cases] == [Side.RIGHT] and found.refusals == ()
    assert "1000L.png: a picture beside DICOM radiographs was passed over" in found.remarks


def test_a_modality_that_holds_other_attributes_is_not_quoted(tmp_path: Path) -> None:
    """A damaged length makes one value of several attributes, names among them."""
    write_film(tmp_path / "film.dcm", simulated_crop(), Modality="CR\x10\x00PN\x10\x00Hidden^Patient")
    with pytest.raises(InputRefused, match="1 DICOM object of another kind") as refusal:
        read_knee_study(tmp_path)
    assert "Hidden" not in str(refusal.value)


def test_a_high_bit_of_another_vr_does_not_matter(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.dcm", simulated_crop())
    header = dcmread(film)
    header.add_new("HighBit", "UI", "1.2")
    header.save_as(film)
    assert len(plan(tmp_path, estimate=False).cases) == 1
