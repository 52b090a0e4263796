"""The store of training sets."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.training.store import GEOMETRY, KNEE_ARRAYS, WIDE_SIZE, ArraySpec, KneeStore, knee_arrays

SMALL = {"slices": ArraySpec("uint8", (3, 4)), "latents": ArraySpec("float16", (2,))}


def index(count: int, **more: Any) -> dict[str, Any]:
    return {"source": "oai", "knees": list(range(count)), "geometry": {}, "intensity": "none", **more}


def small(directory: Path, count: int = 4, **more: Any) -> KneeStore:
    return KneeStore.create(directory, count, index(count, **more), SMALL)


def knee(value: int) -> dict[str, np.ndarray]:
    return {"slices": np.full((3, 4), value, np.uint8), "latents": np.full(2, value / 2, np.float16)}


def write_one(directory: Path, row: int) -> None:
    KneeStore.open(directory).write(row, knee(row + 1))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    store = small(tmp_path)
    store.write(2, knee(7))
    again = KneeStore.open(tmp_path)
    assert again.done.tolist() == [False, False, True, False]
    for name, value in knee(7).items():
        np.testing.assert_array_equal(again.read(2)[name], value)
        assert not again.read(1)[name].any()
    with pytest.raises(ValueError, match="read-only"):
        again.read(2)["slices"][0] = 1


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


def test_processes_write_different_knees_at_the_same_time(tmp_path: Path) -> None:
    small(tmp_path, 12)
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        for job in [pool.submit(write_one, tmp_path, row) for row in range(12)]:
            job.result()
    store = KneeStore.open(tmp_path)
    assert store.done.all()
    assert store.array("slices")[:, 0, 0].tolist() == list(range(1, 13))


def test_making_it_again_keeps_what_is_complete(tmp_path: Path) -> None:
    small(tmp_path).write(1, knee(5))
    store = small(tmp_path)
    assert store.done.tolist() == [False, True, False, False]
    assert store.read(1)["slices"][0, 0] == 5


@pytest.mark.parametrize("other", [{"source": "simulated"}, {"intensity": "other"}, {"knees": [0, 1, 2, 9]}])
def test_sets_are_not_mixed(tmp_path: Path, other: dict[str, Any]) -> None:
    small(tmp_path).write(1, knee(5))
    with pytest.raises(UsageError, match=f"another set: {next(iter(other))} differ"):
        small(tmp_path, **other)
    assert KneeStore.open(tmp_path).read(1)["slices"][0, 0] == 5


def test_a_set_of_another_size_is_another_set(tmp_path: Path) -> None:
    small(tmp_path)
    with pytest.raises(UsageError, match="knees differ"):
        small(tmp_path, 5)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="must be empty"):
        small(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_it_starts_anew_where_it_was_killed_before_the_index(tmp_path: Path) -> None:
    small(tmp_path).write(0, knee(3))
    (tmp_path / "index.json").rename(tmp_path / ".index.json.1.part")
    assert not small(tmp_path).done.any()


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    huge = {"slices": ArraySpec("uint8", (1 << 55,))}
    with pytest.raises(UsageError, match=r"needs \d+\.\d GB.*GB free"):
        KneeStore.create(tmp_path / "set", 1, index(1), huge)
    assert not list((tmp_path / "set").iterdir())


def test_its_room_is_reserved(tmp_path: Path) -> None:
    spec = {"slices": ArraySpec("uint8", (1 << 20,))}
    KneeStore.create(tmp_path, 2, index(2), spec)
    assert (tmp_path / "slices.npy").stat().st_blocks * 512 >= 2 << 20  # not a sparse file


def test_knees_that_are_not_whole_are_not_written(tmp_path: Path) -> None:
    store = small(tmp_path)
    with pytest.raises(ValueError, match="needs the arrays"):
        store.write(0, {"slices": knee(1)["slices"]})
    with pytest.raises(ValueError, match=r"latents must be float16 \(2,\)"):
        store.write(0, {**knee(1), "latents": np.zeros(2)})
    assert not store.done.any()
    assert not store.read(0)["slices"].any()


def test_an_index_must_say_what_the_knees_are(tmp_path: Path) -> None:
    for key in ("source", "knees", "geometry", "intensity"):
        with pytest.raises(ValueError, match=key):
            KneeStore.create(tmp_path, 4, {name: value for name, value in index(4).items() if name != key}, SMALL)
    with pytest.raises(ValueError, match="source must be one of"):
        small(tmp_path, source="elsewhere")
    with pytest.raises(ValueError, match="names 3 knees"):
        KneeStore.create(tmp_path, 4, index(3), SMALL)
    with pytest.raises(UsageError, match="at least one knee"):
        small(tmp_path, 0)


def test_damage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no index\.json"):
        KneeStore.open(tmp_path)
    small(tmp_path)
    content = (tmp_path / "index.json").read_text()
    (tmp_path / "latents.npy").write_bytes((tmp_path / "latents.npy").read_bytes()[:-4])
    with pytest.raises(UsageError, match=r"latents\.npy must hold \(4, 2\) of float16"):
        KneeStore.open(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps(json.loads(content) | {"format": 99}))
    with pytest.raises(UsageError, match="format 99"):
        KneeStore.open(tmp_path)
    (tmp_path / "index.json").write_text(content[:20])
    with pytest.raises(UsageError, match="readable"):
        KneeStore.open(tmp_path)


def test_other_processes_are_sent_the_place_not_the_content(tmp_path: Path) -> None:
    store = KneeStore.create(tmp_path, 4, index(4, geometry=dict(GEOMETRY)))
    assert store.done.shape == (4,)
    assert store.array("slices").nbytes > 1e7
    sent = pickle.dumps(store)
    assert len(sent) < 5000
    assert pickle.loads(sent).done.tolist() == [False] * 4
