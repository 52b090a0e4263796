"""``monai-deploy exec``: what it starts, how it refuses, what it hands on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from monai_xray2mri.deploy.command import entry_point, main
from monai_xray2mri.errors import UsageError


def execute(*arguments, **variables):
    """``python -m monai_xray2mri.deploy exec`` in a process of its own, since it becomes the app."""
    return subprocess.run(
        [sys.executable, "-m", "monai_xray2mri.deploy", "exec", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, env={**os.environ, **variables},
    )  # fmt: skip


def test_entry_point_prefers_main_then_app(tmp_path):
    (tmp_path / "app.py").touch()
    assert entry_point(tmp_path) == tmp_path / "app.py"
    (tmp_path / "__main__.py").touch()
    assert entry_point(tmp_path) == tmp_path
    assert entry_point(tmp_path / "app.py") == tmp_path / "app.py"


def test_entry_point_refuses_what_is_no_app(tmp_path):
    (tmp_path / "notes.txt").touch()
    for path, found in (
        (tmp_path, "without either"),
        (tmp_path / "notes.txt", "another file"),
        (tmp_path / "x", "nothing"),
    ):
        with pytest.raises(UsageError, match=found):
            entry_point(path)


@pytest.mark.parametrize("name", ["__main__.py", "app.py"])
def test_the_app_runs_as_python_would_run_it(tmp_path, name):
    (tmp_path / "neighbour.py").write_text("VALUE = 5\n")
    (tmp_path / name).write_text(
        "import os, sys\nfrom neighbour import VALUE\n"
        "print(__name__, sys.argv, os.environ['HOLOSCAN_INPUT_PATH'])\nsys.exit(VALUE)\n"
    )
    done = execute(tmp_path, "-o", "out", "-l", "debug", "-w", "work", "--", "-i", "x", HOLOSCAN_INPUT_PATH="study")
    entry = str(tmp_path if name == "__main__.py" else tmp_path / name)
    expected = [entry, "-o", "out", "-w", "work", "-l", "DEBUG", "-i", "x"]
    assert (done.returncode, done.stdout.strip()) == (5, f"__main__ {expected} study"), done.stderr


def test_an_app_that_ends_well_or_badly(tmp_path):
    app = tmp_path / "app.py"
    app.write_text("")
    assert execute(app).returncode == 0
    app.write_text("raise ValueError('x')")
    assert execute(app).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "APP"),
        (("nowhere",), "nothing at that path"),
        (("nowhere", "--side", "R"), "unrecognized arguments: --side"),
    ],
)
def test_wrong_calls_end_with_code_2_and_a_message(arguments, message):
    done = execute(*arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("code", [None, 0, 4])
def test_other_commands_go_to_the_sdk_as_they_are(monkeypatch, code):
    calls = []
    monkeypatch.setattr(sys, "argv", ["bin/anything.py", "package", "exec", "-x"])
    assert main(sdk_main=lambda: calls.append(list(sys.argv)) or code) == (code or 0)
    assert calls == [["bin/monai-deploy", "package", "exec", "-x"]]


def test_the_cuda_runtime_of_the_wheel_is_loaded_with_the_package():
    """Without it ``import monai`` fails beside the Deploy SDK on a machine that has no CUDA."""
    pytest.importorskip("nvidia.cu13", reason="nvidia-cuda-runtime is not installed")
    script = "import monai_xray2mri, pathlib; print(pathlib.Path('/proc/self/maps').read_text())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "nvidia/cu13/lib/libcudart.so.13" in done.stdout, done.stderr
