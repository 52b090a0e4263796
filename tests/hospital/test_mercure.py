"""mercure's calling convention against the entry point and the module's description.

mercure (its version of 2026) mounts ``/tmp/data`` with the flat files of a series or study and ``task.json``, mounts
``/tmp/output``, sets the variables of :func:`called`, takes every exit code but 0 for a failure, and sends what
matches ``*.dcm`` in the output folder itself, in no folder below it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HOSPITAL = Path(__file__).parents[2] / "hospital"
MODULE = json.loads((HOSPITAL / "mercure_module.json").read_text())
APP = """
import os, sys, time
from pathlib import Path
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
source, output = Path(arguments["-i"]), Path(arguments["-o"])
names = sorted(file.name for file in source.iterdir())
if "refused.dcm" in names:
    sys.exit(3)
if "slow.dcm" in names:
    Path(os.environ["STARTED"]).touch()
    time.sleep(60)
if "killed.dcm" in names:
    os.kill(os.getpid(), 9)
for name in ("series/IM_0001.dcm", "series/IM_0002.dcm", "report.dcm", "preview.png"):
    (output / "knee_right" / name).parent.mkdir(parents=True, exist_ok=True)
    (output / "knee_right" / name).write_text(name)
"""


def called(tmp_path: Path, *names: str) -> tuple[list[str], dict[str, str], Path]:
    """Command, variables and output folder of a call with files of some names."""
    data, output, app = tmp_path / "data", tmp_path / "output", tmp_path / "app"
    for folder in (data, output, app):
        folder.mkdir()
    (app / "__main__.py").write_text(APP)
    for name in names:
        (data / name).write_text("")
    (data / "task.json").write_text(json.dumps({"id": "1", "process": {"module_name": "xray2mri", "settings": {}}}))
    variables = {f"{name}INPUT{joint}PATH": str(data) for name, joint in (("MONAI_", ""), ("HOLOSCAN_", "_"))}
    variables |= {f"{name}OUTPUT{joint}PATH": str(output) for name, joint in (("MONAI_", ""), ("HOLOSCAN_", "_"))}
    variables |= {"MERCURE_IN_DIR": str(data), "MERCURE_OUT_DIR": str(output), "HOLOSCAN_APPLICATION": str(app)}
    variables |= {**json.loads(MODULE["environment"]), "STARTED": str(tmp_path / "started"), "PATH": os.environ["PATH"]}
    return [sys.executable, str(HOSPITAL / "tools.py")], variables, output


def test_objects_come_to_lie_where_mercure_sends_from(tmp_path):
    command, variables, output = called(tmp_path, "1.2.3#film.dcm")
    assert subprocess.run(command, env=variables, check=False).returncode == 0
    sent = {file.name: file.read_text() for file in output.glob("*.dcm")}
    assert sent == {
        "knee_right_series_IM_0001.dcm": "series/IM_0001.dcm",
        "knee_right_series_IM_0002.dcm": "series/IM_0002.dcm",
        "knee_right_report.dcm": "report.dcm",
    }
    assert [file.name for file in output.rglob("*.png")] == ["preview.png"]


@pytest.mark.parametrize("name, code", [("refused.dcm", 3), ("killed.dcm", 137)])
def test_what_failed_ends_with_its_own_code_and_leaves_nothing(tmp_path, name, code):
    command, variables, output = called(tmp_path, name)
    assert subprocess.run(command, env=variables, check=False).returncode == code
    assert not list(output.iterdir())


def test_a_container_that_is_stopped_ends_the_app(tmp_path):
    command, variables, output = called(tmp_path, "slow.dcm")
    with subprocess.Popen(command, env=variables) as process:
        end = time.monotonic() + 30
        while not (tmp_path / "started").exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    assert not list(output.iterdir())


def test_the_description_has_mercures_fields_and_room_for_temporary_files():
    assert MODULE["docker_tag"].startswith("localhost/xray2mri:") and MODULE["requires_root"] is False
    known = {
        "docker_tag", "additional_volumes", "environment", "docker_arguments", "settings", "contact", "comment",
        "constraints", "resources", "requires_root", "requires_persistence",
    }  # fmt: skip
    assert set(MODULE) <= known
    arguments, variables = json.loads(MODULE["docker_arguments"]), json.loads(MODULE["environment"])
    assert arguments["read_only"] is True and variables["TMPDIR"] in arguments["tmpfs"]
