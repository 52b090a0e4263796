"""Bundles that start from MR slices or photographs through the whole worker, between an Orthanc in memory and PACS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from monai_xray2mri.hospital.archive import Archive
from monai_xray2mri.hospital.events import Events, JsonLog
from monai_xray2mri.hospital.maker import Answer, make_results
from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.settings import ModelSettings
from monai_xray2mri.hospital.worker import Worker
from monai_xray2mri.photograph.record import PreparedFoot
from monai_xray2mri.systems.foot_xray_sccdm import plan
from monai_xray2mri.systems.registry import system_of
from monai_xray2mri.types import Side
from tests.helpers.feet import prepared_foot, take_photographs_at_their_word, write_photograph, write_small_foot_bundle
from tests.helpers.slices import knee_series, write_small_bundle
from tests.helpers.ward import Ward


class BundleMaker:
    """Makes results with a real bundle in this process."""

    def __init__(self, bundle: Path) -> None:
        self.version, self._model = "1", ModelSettings(bundle, "cpu")
        self.system = system_of(bundle)
        self._predictor = self.system.predictor(bundle, "cpu")
        self.made = 0

    def make(self, source: Path, output: Path, seconds: float, stop: Callable[[], bool]) -> Answer:
        self.made += 1
        return make_results(self.system, self._predictor, self._model, True, source, output)

    def close(self) -> None:
        pass


def answered(ward: Ward, maker: BundleMaker, files: list[Path]) -> tuple[Worker, str]:
    """A worker, and the study that it has answered."""
    (study,) = {ward.orthanc.receive(file.read_bytes()) for file in files}
    archive = Archive(ward.settings.orthanc, ward.orthanc)
    events = Events(JsonLog(ward.log))
    worker = Worker(archive, maker, ward.settings, maker.system.modalities, events, clock=lambda: ward.ticks)
    ward.settle(worker, rounds=2)
    assert ward.state(study) is State.DONE, ward.record(study)
    return worker, study


def a_right_foot(path: Path, pixel_mm: float | None = None, **options: object) -> tuple[PreparedFoot, ...]:
    """What the photograph shows, without the networks that would find it."""
    return (prepared_foot(Side.RIGHT, dcmread(path, stop_before_pixels=True), pixel_mm),)


def test_mr_slices_become_a_volume_that_is_no_source_of_another_one(repository, tmp_path):
    ward, maker = Ward(), BundleMaker(write_small_bundle(repository, tmp_path))
    slices = sorted(knee_series(tmp_path / "series").glob("*.dcm"))
    worker, study = answered(ward, maker, slices)
    results = ward.results(study)
    assert len(results) > 1 and set(results) <= set(ward.taken)
    ward.settle(worker, rounds=2)  # the volume is a series of MR slices, too
    assert maker.made == 1 and ward.results(study) == results
    assert {source.uid for source in worker._reader.contents(worker._reader.holding(study)).sources} == {
        str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in slices
    }


def test_a_photograph_becomes_a_radiograph(repository, tmp_path, monkeypatch):
    take_photographs_at_their_word(monkeypatch)
    monkeypatch.setattr(plan, "prepare_feet", a_right_foot)
    ward, maker = Ward(), BundleMaker(write_small_foot_bundle(repository, tmp_path))
    _, study = answered(ward, maker, [write_photograph(tmp_path / "right.dcm")])
    radiographs = ward.results(study, "CR")
    assert radiographs and set(radiographs) <= set(ward.taken)


@pytest.mark.parametrize("name, modality", [("mri_xdiffusion", "MR"), ("foot_xray_sccdm", "XC")])
def test_the_worker_looks_for_what_the_bundle_takes(repository, name, modality):
    assert tuple(system_of(repository / "bundle" / name).modalities) == (modality,)
