"""UIDs of the MR series: equal for equal inputs, others for any difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from monai_xray2mri.dicom.mr_series import build_mr_series, write_mr_series
from monai_xray2mri.types import KneeVolume, Radiograph, Side
from tests.helpers.dicom_objects import PROVENANCE, WEIGHTS, small


def test_equal_inputs_give_equal_bytes(tmp_path, phantom, film, report):
    for name in ("a", "b"):
        write_mr_series(tmp_path / name, small(phantom), film, provenance=PROVENANCE, report=report)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def changed_pixel(volume: KneeVolume) -> KneeVolume:
    voxels = volume.voxels.copy()
    voxels[1, 100, 100] += 0.01
    return replace(volume, voxels=voxels)


DIFFERENCES = {
    "pixels": lambda volume: {"volume": changed_pixel(volume)},
    "side": lambda volume: {"volume": replace(volume, side=Side.LEFT)},
    "seed": lambda volume: {"provenance": PROVENANCE | {"options": {"seed": 6, "steps": 20, "sampler": "ddim"}}},
    "weights": lambda volume: {"provenance": PROVENANCE | {"weights_sha256": WEIGHTS[::-1]}},
    "version": lambda volume: {"provenance": PROVENANCE | {"version": "1.2.4"}},
    "nested option": lambda volume: {"provenance": PROVENANCE | {"region": {"box": [1, 2]}}},
    "label": lambda volume: {"label": "none"},
    "series number": lambda volume: {"series_number": 77},
    "report": lambda volume: {"report": None},
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_any_difference_gives_other_uids(phantom, film, report, difference):
    volume = small(phantom)
    given = {"volume": volume, "provenance": PROVENANCE, "report": report}
    one = build_mr_series(radiograph=film, **given)
    other = build_mr_series(radiograph=film, **(given | DIFFERENCES[difference](volume)))
    for keyword in ("SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        assert not {image[keyword].value for image in one} & {image[keyword].value for image in other}


@pytest.mark.parametrize("keyword", ["PatientName", "SOPInstanceUID", "StudyInstanceUID", "PatientWeight"])
def test_another_source_gives_other_uids(phantom, film, make_film, keyword):
    value = {"PatientName": "Roe^Jane", "PatientWeight": 71}.get(keyword, "1.2.999")
    one = build_mr_series(small(phantom), film, provenance=PROVENANCE)
    other = build_mr_series(small(phantom), make_film(**{keyword: value}), provenance=PROVENANCE)
    assert one[0].SeriesInstanceUID != other[0].SeriesInstanceUID


def test_a_picture_without_header_gets_an_anonymous_study_that_both_knees_share(tmp_path, phantom, dciodvfy):
    def written(pixels: np.ndarray, side: Side, name: str) -> Dataset:
        picture = Radiograph(pixels, None, "assumed", (side,), "user", "knee.png")
        paths = write_mr_series(tmp_path / name, replace(small(phantom), side=side), picture, provenance=PROVENANCE)
        assert dciodvfy(paths[0]) == []
        return dcmread(paths[0])

    pixels = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    right, left = written(pixels, Side.RIGHT, "r"), written(pixels, Side.LEFT, "l")
    assert right.PatientID == "ANONYMOUS" and not right.PatientName and not right.StudyDate
    assert right.StudyInstanceUID == left.StudyInstanceUID
    assert right.SeriesInstanceUID != left.SeriesInstanceUID
    assert "SourceImageSequence" not in right
    assert written(pixels.T, Side.RIGHT, "o").StudyInstanceUID != right.StudyInstanceUID


def test_a_radiograph_record_counts_as_its_header(phantom, film):
    record = Radiograph(np.zeros((4, 4), np.float32), (0.2, 0.2), "ImagerPixelSpacing", (), "", "a.dcm", dataset=film)
    one = build_mr_series(small(phantom), film, provenance=PROVENANCE)
    other = build_mr_series(small(phantom), record, provenance=PROVENANCE)
    assert one[0] == other[0]
