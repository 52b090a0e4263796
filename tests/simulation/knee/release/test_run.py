"""Releases as a whole: tables, resumption, kills, workers."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from monai_xray2mri.errors import SomeCasesFailed, UsageError
from monai_xray2mri.runtime.files import lock_folder
from monai_xray2mri.runtime.processes import workers_of
from monai_xray2mri.simulation.knee.people.participants import draw_participant
from monai_xray2mri.simulation.knee.release import run as release_run
from monai_xray2mri.simulation.knee.release.layout import CLINICAL, CONTENTS, ENROLLEES, EXAMINATIONS, GRADINGS, places
from monai_xray2mri.simulation.knee.release.run import simulate_release

CALL = """
import signal
import sys
from pathlib import Path
from monai_xray2mri.simulation.knee.release.run import simulate_release
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings
from monai_xray2mri.runtime.processes import workers_of
from monai_xray2mri.runtime.processes import workers_of
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    settings = ReleaseSettings(int(sys.argv[2]), int(sys.argv[3]), films="plain")
    simulate_release(Path(sys.argv[1]), settings, workers=int(sys.argv[4]))
"""


@pytest.fixture
def start(repository, settings, tmp_path):
    """Function that starts a run in a process of its own, which the test may kill."""
    script = tmp_path / "call.py"
    script.write_text(CALL)
    running = []

    def run(folder, workers=1, knees=settings.knees):
        command = [sys.executable, str(script), *map(str, (folder, settings.seed, knees, workers))]
        path = os.pathsep.join([str(repository), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        running.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_until(condition, seconds=240.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def test_release_is_complete_and_says_what_it_is(release, settings):
    record = json.loads((release / "release.json").read_text())
    assert record == {**settings.as_record(), "complete": True, "failed_seeds": []}
    assert "Nobody in it is real" in (release / "README.txt").read_text()
    assert sorted(path.name for path in release.iterdir()) == sorted(
        [
            "00m", "AllClinical_ASCII", "General_ASCII", "README.txt", "X-Ray Image Assessments_ASCII",
            "X-Ray MetaData_ASCII", "release.json", "truth",
        ]
    )  # fmt: skip
    assert not list(release.rglob(".*"))


def test_tables_join_with_the_images(release, settings):
    participants = [draw_participant(seed) for seed in settings.seeds]
    with (release / CONTENTS).open() as file:
        listed = list(csv.DictReader(file))
    assert [row["SeriesDescription"] for row in listed] == [
        "Bilateral PA Fixed Flexion Knee", "COR_T1_3D_FLASH_RIGHT",
    ] * 2  # fmt: skip
    for row in listed:
        assert (release / "00m" / row["Folder"] / "001").is_file()
    with (release / GRADINGS).open() as file:
        readings = list(csv.DictReader(file, delimiter="|"))
    first = [row for row in readings if row["READPRJ"] == "15"]
    assert [(row["ID"], row["SIDE"]) for row in first] == [
        (str(participant.number), side) for participant in participants for side in "12"
    ]
    assert {row["V00BARCDBU"] for row in first} == {participant.barcode for participant in participants}
    for table in (EXAMINATIONS, ENROLLEES, CLINICAL):
        with (release / table).open() as file:
            rows = list(csv.DictReader(file, delimiter="|"))
        assert [row["ID"] for row in rows] == [str(participant.number) for participant in participants]


def test_complete_release_is_left_as_it_is(release, settings, contents):
    before = {path: path.stat().st_mtime_ns for path in (release / "00m").rglob("001")}
    assert simulate_release(release, settings).simulated == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_killed_at_any_moment_and_finished_by_others_gives_the_same_bytes(release, start, tmp_path, contents, settings):
    folder = tmp_path / "killed"
    alone = start(folder)
    wait_until(lambda: list(folder.glob("00m/0.*/.*.part/*/1*/010")) or list(folder.glob("truth/*/manifest.json")))
    alone.send_signal(signal.SIGKILL)  # the first participant's series is being written
    alone.wait()
    assert json.loads((folder / "release.json").read_text())["complete"] is False

    pair = start(folder, workers=2)
    wait_until(lambda: list(folder.glob("truth/*/manifest.json")))
    orphans = workers_of(pair.pid)
    pair.send_signal(signal.SIGKILL)  # one participant is complete, the other is not
    pair.wait()
    wait_until(lambda: not any(Path(f"/proc/{orphan}").exists() for orphan in orphans), seconds=20)

    simulate_release(folder, settings)
    assert contents(folder) == contents(release)


def test_interrupted_run_leaves_nothing_half_written(start, tmp_path):
    folder = tmp_path / "interrupted"
    process = start(folder, workers=2, knees=8)  # more than are done when the signal arrives, however slow this process
    wait_until(lambda: list(folder.glob("00m/0.*/.*.part")))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=240)
    assert process.returncode != 0
    assert errors.decode().count("Traceback") == 1, "the workers are to be silent"
    assert not list(folder.rglob("*.part"))


def test_damage_is_mended_and_more_knees_can_be_asked_for(release, tmp_path, settings, contents):
    begun = tmp_path / "begun"
    shutil.copytree(release, begun)
    second = places(draw_participant(settings.seed + 1))
    (begun / second.mr / "007").write_bytes(b"")
    shutil.rmtree(begun / "General_ASCII")
    record = {**replace(settings, knees=1).as_record(), "complete": True, "failed_seeds": []}
    (begun / "release.json").write_text(json.dumps(record))
    plans = []
    summary = simulate_release(begun, settings, announce=plans.append)
    assert (summary.simulated, summary.complete) == (1, 2)
    assert [(plan.complete, len(plan.remaining)) for plan in plans] == [(1, 1)]
    assert contents(begun) == contents(release)


def test_knee_that_cannot_be_simulated_is_named(release, tmp_path, settings, monkeypatch):
    begun = tmp_path / "begun"
    shutil.copytree(release, begun)
    healthy = draw_participant(settings.seed + 1)
    shutil.rmtree(begun / places(healthy).truth)

    def faulty(seed, prevalence):
        participant = draw_participant(seed, prevalence)
        return replace(participant, grades={}) if seed == healthy.seed else participant

    monkeypatch.setattr(release_run, "draw_participant", faulty)
    with pytest.raises(SomeCasesFailed, match=f"1 of 2 knees .*seed {healthy.seed}: unexpected KeyError"):
        simulate_release(begun, settings)
    record = json.loads((begun / "release.json").read_text())
    assert (record["complete"], record["failed_seeds"]) == (False, [healthy.seed])
    assert str(healthy.number) not in (begun / CLINICAL).read_text()


def test_killed_worker_ends_the_run_in_words(start, tmp_path):
    process = start(tmp_path / "out", workers=2)
    wait_until(lambda: len(workers_of(process.pid)) == 2)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=240)
    assert "OutOfMemory: a worker: must live until its task is done" in errors.decode()
    assert not list((tmp_path / "out").rglob("*.part"))


def test_release_in_use_is_refused(release, settings):
    with lock_folder(release), pytest.raises(UsageError, match="another run"):
        simulate_release(release, settings)


def test_less_than_one_worker_is_refused(tmp_path, settings):
    with pytest.raises(UsageError, match="workers"):
        simulate_release(tmp_path / "out", settings, workers=0)
    assert not (tmp_path / "out").exists()
