"""Four mutated studies through `monai-deploy exec`; the package's own functions take two hundred of them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom import dcmread

from monai_xray2mri.errors import ExitCode
from monai_xray2mri.systems.knee_xray2mri.fuzzing.film import IDENTIFIERS
from monai_xray2mri.systems.knee_xray2mri.fuzzing.harness import Corpus
from tests.helpers.films import simulated_crop

pytest.importorskip("holoscan", reason="the extra deploy is not installed")


@pytest.mark.parametrize("number", range(4))
def test_a_mutated_study_is_used_or_refused_in_words(repository, tiny_bundle, tmp_path, number):
    _, benign = Corpus(simulated_crop(), seed=9).write(number, tmp_path / "study")
    output = tmp_path / "out"
    command = [
        sys.executable, "-m", "monai_xray2mri.deploy", "exec", repository / "app_package", "-i", tmp_path / "study",
        "-o", output, "-m", tiny_bundle, "-l", "DEBUG", "--", "--steps", "1",
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    told = done.stdout + done.stderr
    used_or_refused = {ExitCode.DONE, ExitCode.INPUT_REFUSED}
    assert done.returncode in ({ExitCode.DONE} if benign else used_or_refused), told
    assert "Traceback" not in told
    assert not [value for whole in IDENTIFIERS.values() for value in whole.split("^") if value in told]
    written = [path for path in output.rglob("*") if path.is_file()] if output.exists() else []
    if done.returncode == ExitCode.INPUT_REFUSED:
        assert written == [] and told.strip()
    else:
        assert len([dcmread(path) for path in written if path.name.startswith("IM_")]) == 5
