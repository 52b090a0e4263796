"""Ten mutated studies through the app on real Holoscan; the package's own functions take two hundred of them."""

from __future__ import annotations

import pytest
from pydicom import dcmread

from monai_xray2mri.errors import ExitCode
from monai_xray2mri.mutation.film import IDENTIFIERS
from monai_xray2mri.mutation.harness import Corpus
from tests.films import simulated_crop

pytest.importorskip("holoscan", reason="the extra deploy is not installed")

NOT_LOADED = {"no preamble", "links"}
"""What the SDK's loader does not take (docs/app.md): refused, though the command line uses it."""


@pytest.mark.parametrize("number", range(10))
def test_a_mutated_study_is_used_or_refused_in_words(run_app, tiny_bundle, tmp_path, caplog, capfd, number):
    name, benign = Corpus(simulated_crop(), seed=9).write(number, tmp_path / "study")
    output = tmp_path / "out"
    code = run_app("-i", tmp_path / "study", "-o", output, "-m", tiny_bundle, "--steps", 1, "-l", "debug")
    told = caplog.text + "".join(capfd.readouterr())
    assert code in ({ExitCode.DONE} if benign and name not in NOT_LOADED else {ExitCode.DONE, ExitCode.INPUT_REFUSED})
    assert "Traceback" not in told
    assert not [value for whole in IDENTIFIERS.values() for value in whole.split("^") if value in told]
    written = [path for path in output.rglob("*") if path.is_file()] if output.exists() else []
    if code == ExitCode.INPUT_REFUSED:
        assert written == [] and told.strip()
    else:
        assert len([dcmread(path) for path in written if path.name.startswith("IM_")]) == 5
