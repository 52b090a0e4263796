"""Films are not knees: which of them leave a knee missing, and which are remarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.knee.detection import joints
from monai_xray2mri.radiograph.knee.roi import FoundJoint
from monai_xray2mri.types import Side
from tests.helpers.films import simulated_crop, write_film
from tests.helpers.plans import SAME_STUDY, plan, two_films


def test_two_films_are_two_knees_right_first(tmp_path: Path) -> None:
    two_films(tmp_path)
    assert [case.side for case in plan(tmp_path).cases] == [Side.RIGHT, Side.LEFT]
    only_left = plan(tmp_path, side=Side.LEFT)
    assert [case.side for case in only_left.cases] == [Side.LEFT]
    assert only_left.refusals == ()


def test_of_two_knees_the_bad_one_is_named(tmp_path: Path) -> None:
    two_films(tmp_path, PatientAge="012Y")
    found = plan(tmp_path)
    assert [case.side for case in found.cases] == [Side.RIGHT]
    assert len(found.refusals) == 1
    assert "b.dcm" in str(found.refusals[0])


def upside_down(folder: Path, side: str | None, **replaced: object) -> None:
    """A film that is no frontal knee, but does not say so."""
    write_film(folder / "b.dcm", simulated_crop()[::-1], side, **SAME_STUDY, **replaced)


def unlabeled_left(folder: Path) -> None:
    write_film(folder / "b.dcm", simulated_crop()[:, ::-1], None, **SAME_STUDY)


def cut_off(folder: Path, side: str) -> None:
    path = write_film(folder / "b.dcm", simulated_crop(), side, **SAME_STUDY)
    path.write_bytes(path.read_bytes()[:-20_000])


BLANK = np.zeros((299, 299), np.float32)


BESIDE_A_RIGHT_KNEE = {
    "a silent lateral of the same knee": (lambda folder: upside_down(folder, "R"), False),
    "a silent lateral of no side": (lambda folder: upside_down(folder, None), False),
    "a lateral that says so": (lambda folder: upside_down(folder, "L", ViewPosition="LL"), False),
    "a silent lateral of the other knee": (lambda folder: upside_down(folder, "L"), False),
    "the other knee without its side": (unlabeled_left, True),
    "the same knee without its side": (lambda f: write_film(f / "b.dcm", simulated_crop(), None, **SAME_STUDY), False),
    "a test exposure": (lambda f: write_film(f / "b.dcm", BLANK, "L", **SAME_STUDY), False),
    "a phantom": (lambda folder: upside_down(folder, "L", QualityControlImage="YES"), False),
    "a thumbnail": (lambda f: write_film(f / "b.dcm", simulated_crop()[::3, ::3], "L", **SAME_STUDY), False),
    "a damaged film of the same knee": (lambda folder: cut_off(folder, "R"), False),
    "a damaged film of the other knee": (lambda folder: cut_off(folder, "L"), True),
    "a film that contradicts itself": (lambda folder: upside_down(folder, "R", SeriesDescription="left"), True),
}
"""What lies beside a good film, and whether a knee is missing then."""


@pytest.mark.parametrize("name", BESIDE_A_RIGHT_KNEE)
def test_films_are_not_knees(tmp_path: Path, name: str) -> None:
    """Exit code 8 means that a knee of the study is missing; every other film that is not used is a remark."""
    add, missing = BESIDE_A_RIGHT_KNEE[name]
    write_film(tmp_path / "a.dcm", simulated_crop(), **SAME_STUDY)
    add(tmp_path)
    found = plan(tmp_path, estimate=False)
    assert [case.radiograph.name for case in found.cases] == ["a.dcm"]
    assert bool(found.refusals) is missing
    said = [str(refusal) for refusal in found.refusals] if missing else found.remarks
    assert len([words for words in said if "b.dcm" in words]) == 1
    assert plan(tmp_path, estimate=False, side=Side.RIGHT).refusals == ()


def test_a_film_that_the_detector_is_sure_of_is_one_of_a_knee(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What doubts it may be wrong; a knee that may be missing is said to be."""
    upside_down(tmp_path, "L")
    write_film(tmp_path / "a.dcm", simulated_crop(), **SAME_STUDY)
    sure = FoundJoint(row=60, column=55, side_mm=110, confidence=0.9, prosthesis=0)
    monkeypatch.setattr(joints, "find_joints", lambda pixels, spacing: [sure])
    assert [refusal.what for refusal in plan(tmp_path, estimate=False).refusals] == ["left knee of b.dcm"]


def test_of_pictures_a_logo_is_a_remark(tmp_path: Path) -> None:
    Image.fromarray((simulated_crop() * 255).astype(np.uint8)).save(tmp_path / "1000R.png")
    Image.new("RGB", (200, 200), "red").save(tmp_path / "logo.png")
    found = plan(tmp_path, assume_spacing=True, estimate=False)
    assert [case.radiograph.name for case in found.cases] == ["1000R.png"] and found.refusals == ()
    assert any("logo.png" in remark for remark in found.remarks)


def test_another_body_part_is_passed_over_beside_a_knee(tmp_path: Path) -> None:
    two_films(tmp_path, BodyPartExamined="CHEST")
    found = plan(tmp_path)
    assert len(found.cases) == 1
    assert found.refusals == ()
    assert any("b.dcm" in remark for remark in found.remarks)


def test_a_knee_that_is_not_found_does_not_cost_the_other(tmp_path: Path) -> None:
    crop = simulated_crop()
    gap = np.zeros((299, 60), np.float32)
    pixels = np.concatenate([gap, crop, gap, np.zeros_like(crop), gap], axis=1)
    spacing = f"{110 / 299:.6f}"
    write_film(tmp_path / "film.dcm", pixels, "B", ImagerPixelSpacing=[spacing, spacing])
    found = plan(tmp_path)
    assert [case.side for case in found.cases] == [Side.RIGHT]
    assert len(found.refusals) == 1
    assert "left" in str(found.refusals[0])
