"""``xray2mri simulate``, in this process."""

from __future__ import annotations

import json

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.simulation.knee.people.seeds import SHIFTED, TEST, TRAINING


def call(*arguments):
    return main(["simulate", *map(str, arguments)])


def test_one_knee_of_the_test_range(tmp_path, capsys):
    output = tmp_path / "release"
    arguments = ("--knees", 1, "--split", "test", "--films", "plain", "--mr-matrix", 512, "--output", output)
    assert call(*arguments) == ExitCode.DONE
    said = capsys.readouterr()
    assert said.out == f"{output}\n"
    assert "1 knee to simulate: about 46 MB of disk" in said.err
    record = json.loads((output / "release.json").read_text())
    assert (record["seed"], record["split"], record["complete"]) == (TEST.start, "test", True)
    assert (record["mr_matrix"], record["films"]) == (512, "plain")
    assert len(list(output.glob("00m/*/*/*/1*/*"))) == 80

    assert call(*arguments, "--quiet", "--verify") == ExitCode.DONE
    assert capsys.readouterr().err == ""
    assert call("--knees", 1, "--split", "test", "--mr-matrix", 512, "--output", output) == ExitCode.USAGE
    assert "whose films is not varied" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--knees", 0), "knees: must be at least 1"),
        (("--knees", 1, "--seed", SHIFTED.stop), "must lie in one of the simulator's ranges"),
        (("--knees", len(TRAINING), "--split", "training"), "knees can start here"),
        (("--knees", 1, "--split", "holdout"), "split: must be one of"),
        (("--knees", 1, "--split", "test", "--seed", 3), "range of the test split"),
        (("--knees", 1, "--visibility", 2), "visibility"),
        (("--knees", 1, "--workers", 0), "workers"),
    ],
)
def test_usage_errors_say_what_is_wrong_and_make_nothing(tmp_path, capsys, arguments, words):
    assert call(*arguments, "--output", tmp_path / "release") == ExitCode.USAGE
    assert words in capsys.readouterr().err
    assert not (tmp_path / "release").exists()


def test_output_that_is_a_file_or_someone_else_s_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert call("--knees", 1, "--output", tmp_path / "file") == ExitCode.USAGE
    assert "found: a file" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    assert call("--knees", 1, "--output", tmp_path / "mine") == ExitCode.USAGE
    assert "no release.json" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
