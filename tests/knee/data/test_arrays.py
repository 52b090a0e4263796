"""What a training set keeps of a knee."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.data.arrays import (
    ACQUIRED_SLICES,
    GEOMETRY,
    IMAGE_SIZE,
    KNEE_ARRAYS,
    MARGIN,
    PIXEL_MM,
    REGION_MM,
    SLICE_MM,
    WIDE_SIZE,
    KneeStore,
    knee_arrays,
)
from monai_xray2mri.knee.data.simulated import simulated_index
from monai_xray2mri.radiograph.knee import joint
from monai_xray2mri.simulation.knee.mri import mr
from monai_xray2mri.training.store import ArraySpec


def index(count: int, **more: Any) -> dict[str, Any]:
    return {"source": "oai", "knees": list(range(count)), "geometry": {}, "intensity": "none", **more}


def test_a_knee_is_rounded_to_what_is_kept() -> None:
    generator = np.random.default_rng(0)
    volume = generator.uniform(-0.1, 1.1, (50, 256, 256))
    region = generator.random((WIDE_SIZE, WIDE_SIZE))
    lesions = np.zeros(volume.shape, np.uint8)
    lesions[4, 17, 250] = 6
    arrays = knee_arrays(volume, region, {"XRKL": 3, "XRJSM": None}, lesions)
    assert {name: (str(value.dtype), value.shape) for name, value in arrays.items()} == {
        name: (spec.dtype, spec.shape) for name, spec in KNEE_ARRAYS.items()
    }
    assert np.abs(arrays["slices"] / 255 - volume.clip(0, 1)).max() <= 0.5 / 255 + 1e-9
    assert np.abs(arrays["radiographs"] / 65535 - region).max() <= 0.5 / 65535 + 1e-9
    assert arrays["features"].sum() == 1  # an unknown feature is a group of zeros
    assert np.argwhere(arrays["lesions"]).tolist() == [[4, 2, 31]]
    assert not knee_arrays(volume, region, {})["lesions"].any()


def test_an_index_must_say_what_the_knees_are(tmp_path: Path) -> None:
    small = {"slices": ArraySpec("uint8", (3, 4))}
    for key in ("source", "knees", "geometry", "intensity"):
        with pytest.raises(ValueError, match=key):
            KneeStore.create(tmp_path, 4, {name: value for name, value in index(4).items() if name != key}, small)
    with pytest.raises(ValueError, match="source must be one of"):
        KneeStore.create(tmp_path, 4, index(4, source="elsewhere"), small)
    with pytest.raises(ValueError, match="names 3 knees"):
        KneeStore.create(tmp_path, 4, index(3), small)
    with pytest.raises(UsageError, match="at least one knee"):
        KneeStore.create(tmp_path, 0, index(0), small)


def test_the_files_of_a_set_stay_as_they_are(tmp_path: Path) -> None:
    """Sets that lie on disks, of 3.6 MB a knee, are read for as long as the format is 1."""
    KneeStore.create(tmp_path, 2, simulated_index(range(2)))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "done.npy", "features.npy", "index.json", "lesions.npy", "radiographs.npy", "slices.npy",
    ]  # fmt: skip
    kept = json.loads((tmp_path / "index.json").read_text())
    assert list(kept) == ["format", "source", "knees", "simulator", "visibility", "geometry", "intensity", "arrays"]
    assert kept["format"] == 1
    assert kept["geometry"] == {
        "modelled_slices": [13, 62], "image_size": 256, "pixel_mm": 0.625, "slice_mm": 1.5, "region_mm": 110.0,
        "region_pixels": 299, "margin": 0.12,
    }  # fmt: skip
    assert kept["arrays"] == {
        "slices": ["uint8", [50, 256, 256]],
        "radiographs": ["uint16", [371, 371]],
        "features": ["uint8", [61]],
        "lesions": ["uint8", [50, 32, 32]],
    }


def test_the_rooms_below_have_the_same_knee() -> None:
    """They may not import this room, so a few of its numbers stand there a second time."""
    assert (mr.SLICES, mr.SLICE_MM, mr.PIXEL_MM, mr.MATRIX) == (ACQUIRED_SLICES, SLICE_MM, PIXEL_MM, IMAGE_SIZE)
    assert joint.REGION_MM == REGION_MM == GEOMETRY["region_mm"]
    assert GEOMETRY["margin"] == MARGIN
