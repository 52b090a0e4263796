"""A short soak with a small system: the command, its table, and that the judge sees what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from monai_xray2mri.hospital.soak.judge import Verdict
from monai_xray2mri.hospital.soak.studies import KINDS, PLANTED, draw_studies, film_of, read_templates
from tests.helpers.dicom_objects import program
from tests.helpers.hospital_system import film, install_film_system


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "film.dcm").write_bytes(film("template"))
    return tmp_path / "films"


def test_studies_are_drawn_by_the_seed_and_every_kind_comes(templates):
    films = read_templates(templates, 8)
    first, second = (draw_studies(60, films, 3) for _ in range(2))
    assert [(one.kind, one.uid, one.films) for one in first] == [(one.kind, one.uid, one.films) for one in second]
    assert set(KINDS) == {one.kind for one in first} and len({one.uid for one in first}) == 60
    assert [one.kind for one in draw_studies(60, films, 4)] != [one.kind for one in first]
    assert all(one.patient.startswith(PLANTED) for one in first)
    assert film_of(first[0], films[0]) != film_of(first[1], films[0])


def test_one_fault_of_any_kind_is_not_clean():
    assert Verdict(received=1, ends=Counter(done=1)).is_clean
    for kind in ("lost", "doubled", "wrong_patient", "undelivered", "named"):
        assert not Verdict(**{kind: ["1"]}).is_clean


def test_a_soak_loses_and_doubles_nothing(tmp_path, templates, repository):
    program("Orthanc", "orthanc")
    if os.geteuid():
        pytest.skip("a soak needs root: it runs in network and mount namespaces of its own")
    site, bundle = install_film_system(tmp_path)
    command = [
        sys.executable,
        "-m",
        "monai_xray2mri.cli",
        "benchmark",
        "soak",
        "--studies",
        "14",
        "--incident-every",
        "2",
    ]
    command += ["--films", str(templates), "--bundle", str(bundle), "--steps", "0", "--slices", "0", "--seed", "1"]
    command += ["--output", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": f"{site}:{repository}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)
    if "namespaces of its own" in done.stderr:
        pytest.skip("this machine allows no namespaces")
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["clean"] and found["verdict"]["received"] == 14 and sum(found["incidents"].values()) >= 7
    assert "lost                                       0" in done.stderr
