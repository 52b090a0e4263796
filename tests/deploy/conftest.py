"""Real environments with the wheel of this package and holoscan-cli, installed by pip in either order."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

HOLOSCAN_CLI = "holoscan-cli==4.2.0"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, its output as text."""
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        **options,
    )


class Environment:
    """A virtual environment without pip; its dependencies come from the environment that runs the tests."""

    def __init__(self, folder: Path, dependencies: bool = True) -> None:
        venv.create(folder, symlinks=True)
        self.python = folder / "bin" / "python"
        self.command = folder / "bin" / "monai-deploy"
        self.packages = Path(
            run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
        )
        if dependencies:  # a plain path: the .pth files there are not read again, so no hook comes along
            (self.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def pip(self, *arguments: str | Path) -> None:
        """Run this interpreter's pip for the environment."""
        done = run(PIP[0], *PIP[1:], "--python", self.python, *arguments)
        assert done.returncode == 0, done.stderr

    def install(self, wheel: Path) -> None:
        """Install a wheel, again if it is there."""
        self.pip("install", "--no-deps", "--no-index", "--force-reinstall", wheel)


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    def make(name: str, **options: bool) -> Environment:
        return Environment(tmp_path_factory.mktemp(name), **options)

    return make


@pytest.fixture(scope="session")
def holoscan_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that owns the script ``monai-deploy``."""
    folder = tmp_path_factory.mktemp("holoscan_cli")
    done = run(*PIP, "download", "--no-deps", "--only-binary", ":all:", "-d", folder, HOLOSCAN_CLI)
    if done.returncode:
        pytest.skip(f"{HOLOSCAN_CLI} cannot be downloaded: no package index is reachable")
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The wheel of this package."""
    folder = tmp_path_factory.mktemp("wheel")
    done = run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, repository)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("monai_xray2mri-*.whl"))
