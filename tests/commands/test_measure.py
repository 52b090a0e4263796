"""``xray2mri measure`` and ``train-part``: choices that are spelled without loading what they name, and help."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.commands import measure_networks, measure_simulator, simulate_set
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.knee.data import simulated
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES
from monai_xray2mri.systems.knee_xray2mri.evaluation import ceilings, continuity


def test_choices_are_those_of_the_modules() -> None:
    assert sorted(SEED_RANGES) == list(measure_simulator.SEED_RANGES)
    assert list(ceilings.REDRAWN) == list(measure_simulator.REDRAWN)
    assert continuity.TARGETS == measure_networks.TARGETS
    assert simulated.SPLITS == simulate_set.SPLITS


@pytest.mark.parametrize("command", ["measure", "train-part", "simulate-set", "fit-template"])
def test_help_loads_no_torch(command: str) -> None:
    code = f"""
import sys
from monai_xray2mri.cli import main
try:
    main(["{command}", "--help"])
except SystemExit:
    sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_refusal_is_told_in_words(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    assert main(["measure", "koa", "--weights", str(tmp_path / "none.pt")]) == ExitCode.USAGE
    assert "none.pt" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["detector", "judge", "koa", "segmenter"])
def test_a_trained_part_is_a_file_that_the_user_names(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It never lies in the package, which may be shared or read-only."""
    needed = {
        "detector": ["--films", "films", "--real", "crops"],
        "judge": ["--real", "crops"],
        "koa": ["--start", "weights", "--real", "crops"],
        "segmenter": [],
    }
    with pytest.raises(SystemExit, match=str(int(ExitCode.USAGE))):
        main(["train-part", part, *needed[part]])
    assert "arguments are required: --output\n" in capsys.readouterr().err


def test_volumes_from_radiographs_lie_in_the_cube_of_slices() -> None:
    drawn = np.zeros((2, 50, 256, 256), np.float32)
    drawn[:, 0] = 1  # the most posterior slice that is modelled
    cubes = np.load(io.BytesIO(measure_networks._in_the_cube(drawn)))
    assert cubes.shape == (2, 96, 96, 96) and cubes.dtype == np.float16
    bright = np.flatnonzero(cubes[0].max(axis=(1, 2)) > 0.1)
    assert set(bright) <= {71, 72} and len(bright)  # counted from the front


def test_other_bundles_make_no_volumes_from_radiographs(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = repository / "bundle" / "mri_xdiffusion"
    output = tmp_path / "out"
    assert main(["measure", "projections", "--bundle", str(bundle), "--output", str(output)]) == ExitCode.WEIGHTS
    assert "must be of the system knee_xray2mri" in capsys.readouterr().err and not output.exists()
