"""Stores of training sets, of whatever they hold."""

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
from monai_xray2mri.training.store import ArraySpec, ArrayStore

SMALL = {"slices": ArraySpec("uint8", (3, 4)), "latents": ArraySpec("float16", (2,))}


def index(count: int, **more: Any) -> dict[str, Any]:
    return {"cases": list(range(count)), "source": "scanner", **more}


def small(directory: Path, count: int = 4, **more: Any) -> ArrayStore:
    return ArrayStore.create(directory, count, index(count, **more), SMALL)


def case(value: int) -> dict[str, np.ndarray]:
    return {"slices": np.full((3, 4), value, np.uint8), "latents": np.full(2, value / 2, np.float16)}


def write_one(directory: Path, row: int) -> None:
    ArrayStore.open(directory).write(row, case(row + 1))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    store = small(tmp_path)
    store.write(2, case(7))
    again = ArrayStore.open(tmp_path)
    assert again.done.tolist() == [False, False, True, False]
    for name, value in case(7).items():
        np.testing.assert_array_equal(again.read(2)[name], value)
        assert not again.read(1)[name].any()
    with pytest.raises(ValueError, match="read-only"):
        again.read(2)["slices"][0] = 1


def test_processes_write_different_cases_at_the_same_time(tmp_path: Path) -> None:
    small(tmp_path, 12)
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        for job in [pool.submit(write_one, tmp_path, row) for row in range(12)]:
            job.result()
    store = ArrayStore.open(tmp_path)
    assert store.done.all()
    assert store.array("slices")[:, 0, 0].tolist() == list(range(1, 13))


def test_making_it_again_keeps_what_is_complete(tmp_path: Path) -> None:
    small(tmp_path).write(1, case(5))
    store = small(tmp_path)
    assert store.done.tolist() == [False, True, False, False]
    assert store.read(1)["slices"][0, 0] == 5


@pytest.mark.parametrize("other", [{"source": "other"}, {"rule": "other"}, {"cases": [0, 1, 2, 9]}])
def test_sets_are_not_mixed(tmp_path: Path, other: dict[str, Any]) -> None:
    small(tmp_path).write(1, case(5))
    with pytest.raises(UsageError, match=f"another set: {next(iter(other))} differ"):
        small(tmp_path, **other)
    assert ArrayStore.open(tmp_path).read(1)["slices"][0, 0] == 5


def test_a_set_of_another_size_is_another_set(tmp_path: Path) -> None:
    small(tmp_path)
    with pytest.raises(UsageError, match="cases differ"):
        small(tmp_path, 5)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="must be empty"):
        small(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_it_starts_anew_where_it_was_killed_before_the_index(tmp_path: Path) -> None:
    small(tmp_path).write(0, case(3))
    (tmp_path / "index.json").rename(tmp_path / ".index.json.1.part")
    assert not small(tmp_path).done.any()


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    huge = {"slices": ArraySpec("uint8", (1 << 55,))}
    with pytest.raises(UsageError, match=r"needs \d+\.\d GB.*GB free"):
        ArrayStore.create(tmp_path / "set", 1, index(1), huge)
    assert not list((tmp_path / "set").iterdir())


def test_its_room_is_reserved(tmp_path: Path) -> None:
    spec = {"slices": ArraySpec("uint8", (1 << 20,))}
    ArrayStore.create(tmp_path, 2, index(2), spec)
    assert (tmp_path / "slices.npy").stat().st_blocks * 512 >= 2 << 20  # not a sparse file


def test_cases_that_are_not_whole_are_not_written(tmp_path: Path) -> None:
    store = small(tmp_path)
    with pytest.raises(ValueError, match="needs the arrays"):
        store.write(0, {"slices": case(1)["slices"]})
    with pytest.raises(ValueError, match=r"latents must be float16 \(2,\)"):
        store.write(0, {**case(1), "latents": np.zeros(2)})
    assert not store.done.any()
    assert not store.read(0)["slices"].any()


def test_an_index_must_name_the_cases(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs 'cases'"):
        ArrayStore.create(tmp_path, 4, {"source": "scanner"}, SMALL)
    with pytest.raises(ValueError, match="names 3 cases"):
        ArrayStore.create(tmp_path, 4, index(3), SMALL)
    with pytest.raises(UsageError, match="at least one case"):
        small(tmp_path, 0)


def test_damage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no index\.json"):
        ArrayStore.open(tmp_path)
    small(tmp_path)
    content = (tmp_path / "index.json").read_text()
    (tmp_path / "latents.npy").write_bytes((tmp_path / "latents.npy").read_bytes()[:-4])
    with pytest.raises(UsageError, match=r"latents\.npy must hold \(4, 2\) of float16"):
        ArrayStore.open(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps(json.loads(content) | {"format": 99}))
    with pytest.raises(UsageError, match="format 99"):
        ArrayStore.open(tmp_path)
    (tmp_path / "index.json").write_text(content[:20])
    with pytest.raises(UsageError, match="readable"):
        ArrayStore.open(tmp_path)


def test_other_processes_are_sent_the_place_not_the_content(tmp_path: Path) -> None:
    store = ArrayStore.create(tmp_path, 4, index(4), {"slices": ArraySpec("uint8", (1 << 20,))})
    assert store.done.shape == (4,)
    assert store.array("slices").nbytes > 4e6
    sent = pickle.dumps(store)
    assert len(sent) < 5000
    assert pickle.loads(sent).done.tolist() == [False] * 4


def test_a_subclass_names_what_it_stores(tmp_path: Path) -> None:
    class FootStore(ArrayStore):
        case, command = "foot", "simulate feet"

    with pytest.raises(UsageError, match="Make one: simulate feet"):
        FootStore.open(tmp_path)
    with pytest.raises(ValueError, match="needs 'foots'"):
        FootStore.create(tmp_path, 1, index(1), SMALL)
    store = FootStore.create(tmp_path, 1, {"foots": ["left"]}, SMALL)
    assert isinstance(store, FootStore) and len(store) == 1
