"""Simulating a training set: the command, interruption, refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.errors import ExitCode, InputRefused, UsageError
from monai_xray2mri.knee.data.arrays import KneeStore
from monai_xray2mri.knee.data.simulated import simulate_training_set, training_arrays
from monai_xray2mri.knee.data.slices import TrainingSlices, ValidationSlices
from monai_xray2mri.runtime.processes import children_of
from monai_xray2mri.simulation.knee.people.seeds import (
    CALIBRATION,
    LESION_ENRICHED,
    SIMULATOR_VERSION,
    TEST,
    TRAINING,
    VALIDATION,
)


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "monai_xray2mri.cli", "simulate-set", "--output", str(folder), *options]


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_it_resumes_with_the_knees_that_are_missing(
    repository: Path, tmp_path: Path, stored_knees: list[dict[str, np.ndarray]]
) -> None:
    folder = tmp_path / "knees"
    line = command(folder, "--knees", "3", "--workers", "1")
    running = subprocess.Popen(line, cwd=repository, start_new_session=True)
    wait_for(lambda: (folder / "index.json").exists() and KneeStore.open(folder).done.any())
    workers = children_of(running.pid) if Path("/proc").is_dir() else []
    running.send_signal(signal.SIGKILL)
    running.wait()
    wait_for(lambda: not any(alive(worker) for worker in workers))  # it leaves no process behind
    store = KneeStore.open(folder)
    complete = store.done.copy()
    assert complete[0] and not complete.all()
    marked = np.load(folder / "slices.npy", mmap_mode="r+")
    marked[0, 0, 0, 0] = 77  # a knee that is complete is not simulated again
    assert subprocess.run(line, cwd=repository, check=False).returncode == 0
    assert KneeStore.open(folder).done.all()
    assert marked[0, 0, 0, 0] == 77
    for row, expected in enumerate(stored_knees):
        for name, value in KneeStore.open(folder).read(row).items():
            same = np.array(value)
            if (row, name) == (0, "slices"):
                same[0, 0, 0] = expected[name][0, 0, 0]
            np.testing.assert_array_equal(same, expected[name], err_msg=f"{name} of knee {row}")
    assert len(TrainingSlices(folder)) == 150
    other = subprocess.run([*line, "--seed", "1"], cwd=repository, capture_output=True, text=True, check=False)
    assert other.returncode == ExitCode.USAGE
    assert "another set: knees differ" in other.stderr
    assert "Traceback" not in other.stderr


def test_the_index_says_what_the_knees_are(tmp_path: Path) -> None:
    store = simulate_training_set(tmp_path, VALIDATION[7:8], split="validation", visibility=1.0)
    assert store.index["source"] == "simulated"
    assert store.index["knees"] == [VALIDATION[7]]
    assert store.index["simulator"] == SIMULATOR_VERSION
    assert store.index["visibility"] == 1.0
    assert store.index["geometry"]["modelled_slices"] == [13, 62]
    for name, value in training_arrays(VALIDATION[7], visibility=1.0).items():
        np.testing.assert_array_equal(value, store.read(0)[name])
    assert len(ValidationSlices(tmp_path)) == 50


@pytest.mark.parametrize("held_out", [VALIDATION, CALIBRATION, TEST, LESION_ENRICHED])
def test_held_out_seeds_are_refused(held_out: range, tmp_path: Path) -> None:
    with pytest.raises(InputRefused) as refusal:
        simulate_training_set(tmp_path / "new", [TRAINING[0], held_out[0]])
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED
    assert not (tmp_path / "new").exists()


def test_other_requests_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="validation range"):
        simulate_training_set(tmp_path / "new", [0], split="validation")
    with pytest.raises(UsageError, match="training, validation"):
        simulate_training_set(tmp_path / "new", TEST[:1], split="test")
    with pytest.raises(InputRefused, match="visibility"):
        simulate_training_set(tmp_path / "new", [0], visibility=1.5)
    with pytest.raises(UsageError, match="at least one knee"):
        simulate_training_set(tmp_path / "new", [])
    assert not (tmp_path / "new").exists()
