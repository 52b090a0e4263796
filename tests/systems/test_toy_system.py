"""A stranger's system: the page "Adding a system", installed as a package of its own and run in every way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri import load
from monai_xray2mri.errors import InputRefused, UsageError, WeightsError
from monai_xray2mri.systems.registry import find_system, system_names, system_of
from tests.helpers.toy_system import ToySystem, blocks, install_toy_system


@pytest.fixture
def toy(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> ToySystem:
    toy = install_toy_system(tmp_path, repository)
    monkeypatch.syspath_prepend(toy.site)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(toy.site), str(repository), os.environ.get("PYTHONPATH", "")])
    )
    return toy


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)


def test_it_is_found_by_its_entry_point(toy):
    assert "toy_blur" in system_names() and "knee_xray2mri" in system_names()
    assert system_of(toy.bundle).name == "toy_blur"


def test_python(toy, tmp_path):
    result = load(toy.bundle)(toy.picture, radius=3)
    assert result.volume.voxels.shape == (1, 40, 48)
    written = result.save(tmp_path / "out")
    pixels = np.asarray(Image.open(written.directory / "blurred.png")).astype(int)
    assert written.directory == tmp_path / "out" / "picture"
    assert pixels[20, 0] == 0 and pixels[20, -1] == 255 and 0 < pixels[20, 24] < 255  # the edge is not sharp any more
    assert json.loads((written.directory / "report.json").read_text())["options"] == {"radius": 3}


def test_what_python_refuses(toy):
    loaded = load(toy.bundle)
    with pytest.raises(UsageError, match="must be among: smallest, radius"):
        loaded(toy.picture, steps=3)
    with pytest.raises(UsageError, match=r"option radius: must be within 0\.\.100"):
        loaded(toy.picture, radius=101)
    with pytest.raises(InputRefused, match="must have sides of 50 pixels"):
        loaded(toy.picture, smallest=50)


def test_command_line(toy, tmp_path):
    cli = ("-m", "monai_xray2mri.cli")
    done = run(*cli, "synthesize", toy.picture, tmp_path / "out", "--bundle", toy.bundle, "--radius", 3)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out' / 'picture'}\n"), done.stderr
    assert (tmp_path / "out" / "picture" / "blurred.png").is_file()
    again = run(*cli, "synthesize", toy.picture, tmp_path / "out", "--bundle", toy.bundle)
    assert again.returncode == 2 and "must not hold picture yet" in again.stderr
    checked = run(*cli, "check", toy.picture, "--bundle", toy.bundle)
    assert json.loads(checked.stdout)["pictures"] == [{"file": "picture.png", "remarks": []}]
    refused = run(*cli, "check", toy.picture, "--bundle", toy.bundle, "--smallest", 50)
    assert refused.returncode == 3 and "must have sides of 50 pixels" in refused.stderr
    told = json.loads(run(*cli, "info", "--bundle", toy.bundle).stdout)
    assert told["bundle"]["system"] == "toy_blur" and "toy_blur" in told["systems"]
    other = run(*cli, "check", toy.picture, "--bundle", toy.bundle, "--side", "R")
    assert other.returncode == 2 and "--side" in other.stderr  # an option of the knee's


def test_deploy_app(toy, tmp_path, repository, monkeypatch):
    pytest.importorskip("holoscan", reason="the extra deploy is not installed")
    monkeypatch.setenv("XRAY2MRI_RADIUS", "4")
    done = run(repository / "app_package", "-i", toy.picture.parent, "-o", tmp_path / "out", "-m", toy.bundle)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "picture" / "report.json").read_text())
    assert report["options"] == {"radius": 4} and report["model"] == "toy_bundle 0.1"


def test_evaluation(toy, tmp_path):
    done = run("-m", "monai_xray2mri.cli", "evaluate", "--bundle", toy.bundle, "--output", tmp_path / "out", "-q")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["methods"]
    assert found["toy_bundle"]["psnr"]["mean"] > found["unchanged"]["psnr"]["mean"] + 3
    assert "Evaluation of a blur" in (tmp_path / "out" / "report.html").read_text()


def test_a_system_that_is_not_installed_is_named(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text('{"system": "no_such_system", "version": "1"}')
    with pytest.raises(WeightsError, match="system no_such_system: must be one of: knee_xray2mri"):
        system_of(tmp_path)


def test_a_package_that_fails_is_named(toy):
    (toy.site / "toy_blur" / "__init__.py").write_text("import no_such_module\n")
    sys.modules.pop("toy_blur", None)
    with pytest.raises(WeightsError, match=r"system toy_blur: must be importable \(found: ModuleNotFoundError"):
        find_system("toy_blur")


def test_the_page_shows_the_commands_that_are_tested_here(repository):
    page = (repository / "docs" / "adding_a_system.md").read_text()
    assert "xray2mri synthesize" in page and "load(" in blocks(page, "python")[2]
