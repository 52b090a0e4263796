"""The calibration of a bundle: of its weights and of its sampler alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monai_xray2mri.core.calibration import CALIBRATION_FILE, Calibration, read_calibration
from monai_xray2mri.errors import WeightsError

SAMPLING = {
    "steps": 10,
    "guidance": 1.0,
    "feature_guidance": 2.0,
    "eta": 0.0,
    "noise_shared": 0.1,
    "noise_length_mm": 2,
}
CALIBRATION = Calibration(
    0.9, 2.5, 2.9, 0.1, 0.12, 0.02, 8, SAMPLING, 150, ("2000000", "2000199"), "1.0", weights_sha256="abc"
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path


def test_a_calibration_is_of_its_weights_alone(bundle: Path) -> None:
    assert read_calibration(bundle, "abc") is None
    (bundle / CALIBRATION_FILE).write_text(json.dumps(CALIBRATION.record()))
    found = read_calibration(bundle, "abc")
    assert found is not None and found == replace(CALIBRATION, seeds=["2000000", "2000199"])  # type: ignore[arg-type]
    assert read_calibration(bundle, "other") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"scale": 2.5}', json.dumps(CALIBRATION.record() | {"scale": None})])
def test_a_damaged_calibration_is_refused(bundle: Path, text: str) -> None:
    (bundle / CALIBRATION_FILE).write_text(text)
    with pytest.raises(WeightsError, match="calibration"):
        read_calibration(bundle, "abc")


def test_it_holds_for_samples_that_are_drawn_as_it_was() -> None:
    assert CALIBRATION.holds_for(8, dict(SAMPLING))
    assert not CALIBRATION.holds_for(4, SAMPLING)
    assert not CALIBRATION.holds_for(8, SAMPLING | {"steps": 20})


def test_entries_of_an_earlier_version_are_read(bundle: Path) -> None:
    content = CALIBRATION.record()
    content["people"] = content.pop("participants")
    (bundle / CALIBRATION_FILE).write_text(json.dumps(content))
    found = read_calibration(bundle, "abc", {"people": "participants"})
    assert found is not None and found.participants == 150
