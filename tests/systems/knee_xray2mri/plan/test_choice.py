"""Which of several films of a knee is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DigitalXRayImageStorageForProcessing

from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.errors import InputRefused
from tests.dicom.test_rejection import note
from tests.dicom.test_study import write
from tests.helpers.films import simulated_crop, write_film
from tests.helpers.plans import SAME_STUDY, plan, two_films


def rejection_note(folder: Path, *films: Path) -> None:
    values = {element.keyword: element.value for element in note(evidence=tuple(
        dcmread(film).SOPInstanceUID for film in films), items=())}  # fmt: skip
    values.pop("Modality")
    write(folder / "kos.dcm", "KO", **values)


def test_a_rejected_film_gives_way_and_without_any_other_the_reason_is_named(tmp_path: Path) -> None:
    good = write_film(tmp_path / "a.dcm", simulated_crop(), **SAME_STUDY, SOPInstanceUID="1.2.4")
    retake = {"AcquisitionTime": "120000", "SOPInstanceUID": "1.2.5"}
    bad = write_film(tmp_path / "b.dcm", simulated_crop(), **SAME_STUDY, **retake)
    rejection_note(tmp_path, bad)
    assert plan(tmp_path, estimate=False).only().radiograph.name == "a.dcm"
    rejection_note(tmp_path, good, bad)
    with pytest.raises(InputRefused, match=r"2 radiographs rejected .113001, Rejected for Quality Reasons"):
        plan(tmp_path)


def test_of_a_raw_and_a_processed_film_the_processed_one_is_used(tmp_path: Path) -> None:
    raw = {"Modality": "DX", "SOPClassUID": DigitalXRayImageStorageForProcessing, "InstanceNumber": 2}
    write_film(tmp_path / "a.dcm", simulated_crop(), **SAME_STUDY, InstanceNumber=1, SOPInstanceUID="1.2.4")
    write_film(tmp_path / "b.dcm", simulated_crop(), **SAME_STUDY, **raw, PresentationIntentType="FOR PROCESSING")
    case = plan(tmp_path, estimate=False).only()
    assert case.radiograph.name == "a.dcm"
    assert any(remark.startswith("b.dcm: an image FOR PROCESSING") for remark in case.remarks)


def test_of_several_films_of_a_knee_the_newest_is_used(tmp_path: Path) -> None:
    two_films(
        tmp_path,
        ImageLaterality="R",
        AcquisitionDate="20200103",
        PixelData=np.rint(simulated_crop() * 4000).astype("<u2").tobytes(),
    )
    case = plan(tmp_path).cases[0]
    assert case.radiograph.name == "b.dcm"
    assert any("1 older radiographs" in remark for remark in case.remarks)


@pytest.mark.parametrize(
    ("first", "second", "newest"),
    [
        ({"AcquisitionTime": None, "ContentTime": "235959"}, {"AcquisitionTime": "080000"}, "b.dcm"),
        ({"AcquisitionDate": None, "SeriesDate": "20200109"}, {"AcquisitionDate": "20200105"}, "a.dcm"),
        ({"AcquisitionDate": "1995.07.20"}, {"AcquisitionDate": "19950101"}, "a.dcm"),
        ({"InstanceNumber": 2}, {"InstanceNumber": 1}, "a.dcm"),
    ],
)
def test_the_newest_film_is_the_one_whose_date_the_result_says(
    tmp_path: Path, first: dict[str, object], second: dict[str, object], newest: str
) -> None:
    """A date counts with its own time only, and the date of a series counts, too."""
    film = write_film(tmp_path / "a.dcm", simulated_crop(), **first)
    same = {"StudyInstanceUID": dcmread(film).StudyInstanceUID, "SOPInstanceUID": "1.2.3"}
    write_film(tmp_path / "b.dcm", simulated_crop(), **(same | second))
    case = plan(tmp_path, estimate=False).only()
    assert case.radiograph.name == newest
    other = dcmread(tmp_path / ("a.dcm" if newest == "b.dcm" else "b.dcm"))
    used = case.radiograph.dataset
    assert used is not None
    assert source_moment(used)[0].replace(".", "") >= source_moment(other)[0].replace(".", "")


def test_a_film_whose_number_is_none_is_used(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.dcm", simulated_crop(), InstanceNumber=4711)
    film.write_bytes(film.read_bytes().replace(b"4711", b"4x11"))
    assert len(plan(tmp_path, estimate=False).cases) == 1
