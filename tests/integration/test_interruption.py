"""Stopped, without room, without memory: a clean exit code, nothing half-written, and a rerun succeeds.

The program runs in a forked process, since limits and signals would hit the tests' own.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.runtime.interruption import TERMINATED
from tests.helpers.films import simulated_crop, write_film

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
LONG = ("--steps", "1000", "--samples", "50")
LIMITED = """
import resource, sys
from pathlib import Path
import monai.bundle, monai_xray2mri.systems.knee_xray2mri.output, monai_xray2mri.systems.knee_xray2mri.predictor
from monai_xray2mri.cli import main
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
sys.exit(main(sys.argv[1:]))
"""
"""The program in an interpreter of its own, which has no memory left over from other tests."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "study" / "film.dcm", simulated_crop())


def arguments(film: Path, bundle: Path, output: Path, *more: str) -> list[str]:
    return ["synthesize", str(film.parent), str(output), "--bundle", str(bundle), "--device", "cpu", *more]


def start(call: list[str], prepare: Callable[[], object] = lambda: None) -> int:
    """Run the command line in a forked process; returns its process id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        prepare()
        code = int(main(call))
    finally:
        os._exit(code)


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wait_for(pattern: str, folder: Path, child: int) -> None:
    """Wait until a file of that name appears or the process ends."""
    while not any(folder.parent.glob(pattern)):
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "the process ended too early"
        time.sleep(0.002)


def assert_rerun_succeeds(film: Path, bundle: Path, output: Path) -> None:
    assert not output.exists() or not any(output.iterdir())
    assert main(arguments(film, bundle, output, "--steps", "1")) == ExitCode.DONE
    assert [path.name for path in output.iterdir()] == ["knee_right"]


@pytest.mark.parametrize(
    ("moment", "options"), [("out", LONG), ("out/.knee_right.*.part/dicom/IM_0001.dcm", ("--steps", "1"))]
)
def test_termination(film, tiny_bundle, tmp_path, moment, options):
    output = tmp_path / "out"
    child = start(arguments(film, tiny_bundle, output, *options))
    wait_for(moment, output, child)
    os.kill(child, signal.SIGTERM)
    assert exit_code(child) == TERMINATED
    assert_rerun_succeeds(film, tiny_bundle, output)


def test_files_that_may_not_grow(film, tiny_bundle, tmp_path):
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    output = tmp_path / "out"
    assert exit_code(start(arguments(film, tiny_bundle, output, "--steps", "1"), limit)) == ExitCode.USAGE
    assert_rerun_succeeds(film, tiny_bundle, output)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system of its own; only root may."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        if os.geteuid() or shutil.which("mount") is None:
            pytest.skip("only root can mount a small disk")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True)
        if done.returncode:
            pytest.skip("mounting is not allowed here")
        return place

    yield mount
    subprocess.run(["umount", place], capture_output=True)


def test_full_disk(film, tiny_bundle, small_disk):
    output = small_disk("size=64k") / "out"
    assert exit_code(start(arguments(film, tiny_bundle, output, "--steps", "1"))) == ExitCode.USAGE
    assert list(output.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=64m", output.parent], check=True)
    assert_rerun_succeeds(film, tiny_bundle, output)


def test_read_only_output(film, tiny_bundle, small_disk):
    place = small_disk("size=64m,ro")
    assert exit_code(start(arguments(film, tiny_bundle, place / "out", "--steps", "1"))) == ExitCode.USAGE
    subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    assert_rerun_succeeds(film, tiny_bundle, place / "out")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell how much memory is in use")
def test_too_little_memory(film, bundle, tiny_bundle, tmp_path):
    """All slices of the shipped bundle at once need gigabytes."""
    output = tmp_path / "out"
    many = ("--steps", "1", "--slices", "500", "--chunk", "500")
    call = arguments(film, bundle, output, *many)
    assert subprocess.run([sys.executable, "-c", LIMITED, *call], capture_output=True).returncode == (
        ExitCode.OUT_OF_MEMORY
    )
    assert_rerun_succeeds(film, tiny_bundle, output)
