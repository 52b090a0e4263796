"""One knee of a study: what it is, what is said of it, what is computed for it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from monai_xray2mri.knee.detection import joints
from monai_xray2mri.radiograph.kinds import RADIOGRAPH_MODALITIES
from monai_xray2mri.radiograph.knee import checks
from monai_xray2mri.systems.knee_xray2mri.example_study import write_example_study
from monai_xray2mri.systems.knee_xray2mri.options import KneeRequest
from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
from monai_xray2mri.systems.knee_xray2mri.system import SYSTEM
from monai_xray2mri.types import Side
from tests.helpers.films import simulated_crop, write_film
from tests.helpers.plans import plan, report


def test_a_crop_is_one_knee_with_unknown_features(film: Path) -> None:
    found = plan(film.parent, estimate=False)
    assert [case.side for case in found.cases] == [Side.RIGHT]
    assert found.cases[0].grading.source == "missing"
    assert found.cases[0].roi.method == "whole image"
    assert found.refusals == ()


def test_a_case_says_what_it_is_and_each_remark_once(film: Path) -> None:
    report(film)
    case = plan(film.parent).only()
    assert (case.name, case.key, case.title) == ("knee_right", "R", "right knee")
    doubled = replace(case, film_remarks=("as it is", "as it is"), roi=replace(case.roi, remarks=("of it", "as it is")))
    assert doubled.remarks == ("as it is", "of it", *case.grading.remarks)
    record = json.loads(json.dumps(doubled.record()))
    assert (record["side"], record["features"]["XRKL"], record["remarks"]) == ("right", 3, list(doubled.remarks))


def test_what_is_decided_of_a_film_is_decided_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film of both knees: one decision about the sides, one look of the detector, one measurement per region."""
    calls = Counter[str]()

    def count(module: object, name: str) -> None:
        function = getattr(module, name)

        def counted(*arguments: object, **options: object) -> object:
            calls[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, counted)

    for module, name in {checks: "sides_to_use", joints: "find_joints"}.items():
        count(module, name)
    count(checks, "measure_joint")
    write_example_study(tmp_path / "study")
    assert len(plan(tmp_path / "study", estimate=False).cases) == 2
    assert calls == {"sides_to_use": 1, "find_joints": 1, "measure_joint": 2}


def test_the_header_of_a_film_is_parsed_once(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = read_knee_study(film.parent)
    monkeypatch.setattr("monai_xray2mri.radiograph.reading.dcmread", None)
    assert plan_study(study, KneeRequest(estimate=False), 110.0).only().radiograph.name == "film.dcm"


def test_a_single_file_is_a_study(film: Path) -> None:
    assert len(plan(film).cases) == 1


@pytest.mark.parametrize("modality", RADIOGRAPH_MODALITIES)
def test_radiographs_of_every_modality_are_planned(tmp_path: Path, modality: str) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), Modality=modality)
    assert modality in SYSTEM.modalities
    assert [case.side for case in plan(tmp_path).cases] == [Side.RIGHT]


def test_a_file_without_preamble_is_recognised(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.dcm", simulated_crop())
    raw = path.read_bytes()
    dataset: Dataset = dcmread(path)
    dataset.save_as(path, enforce_file_format=False)
    path.write_bytes(raw[132:])
    assert len(plan(tmp_path).cases) == 1


def test_the_side_may_be_told(tmp_path: Path) -> None:
    write_film(tmp_path / "film.dcm", simulated_crop(), None)
    assert plan(tmp_path, side=Side.RIGHT).cases[0].side is Side.RIGHT
