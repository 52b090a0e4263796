"""``xray2mri benchmark simulate``, in this process; its numbers are not judged, only that they are measured."""

from __future__ import annotations

import json

from monai_xray2mri.cli import main
from monai_xray2mri.commands import benchmark
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION


def test_table_for_people_and_json_for_programs(capsys):
    assert main(["benchmark", "simulate", "--knees", "1", "--only", "radiograph", "batch"]) == ExitCode.DONE
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["load"] >= 0 and answer["cores"] >= 1
    assert answer["simulator_version"] == SIMULATOR_VERSION
    assert [one["kind"] for one in answer["measurements"]] == ["radiograph", "batch"]
    for one in answer["measurements"]:
        assert benchmark.KINDS[one["kind"]] in said.err
        assert 0.01 < one["fastest"] <= one["seconds"]
        assert one["device_memory_mb"] is None
        assert 100 < one["memory_mb"] < 20_000


def test_fewer_than_one_knee_is_refused(capsys):
    assert main(["benchmark", "simulate", "--knees", "0"]) == ExitCode.USAGE
    assert "at least 1" in capsys.readouterr().err


def test_everything_that_is_offered_can_be_made():
    assert list(benchmark._makers()) == list(benchmark.KINDS)
