"""Baselines are configurations of the same core: what they drop, and that one trains and is evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.networks.coladiff import StructuralImageEncoder
from monai_xray2mri.systems.knee_xray2mri.evaluation.method_sources import weights_method
from monai_xray2mri.training.configurations import configuration_files
from tests.training.conftest import knees, small_configuration  # noqa: F401

BASELINES = {"train_baseline_ldm": set(), "train_baseline_xdiffusion": {"radiograph"},
             "train_baseline_coladiff": {"radiograph"}}  # fmt: skip


@pytest.mark.parametrize("name", BASELINES)
def test_what_a_baseline_is_not_given_it_never_sees(bundle: Path, small_configuration: Path, name: str) -> None:  # noqa: F811
    parser = ConfigParser()
    files = configuration_files(bundle, [str(small_configuration), name], bundle)
    parser.read_config([str(file) for file in files])
    assert set(parser.get("given")) == BASELINES[name]
    parser["device"] = "$torch.device('cpu')"
    forward = parser.get_parsed_content("train#prepare_batch")
    context, latent, features = forward.draw_kept(64).unbind(dim=1)
    told = (features * forward.draw_known(64).amax(dim=1)).sum()  # the features of how many slices are known
    assert told == 0
    assert (context.sum() > 0) == (latent.sum() > 0) == ("radiograph" in BASELINES[name])
    network = parser.get_parsed_content("network_def")
    structural = isinstance(network.radiograph_encoder, StructuralImageEncoder)
    assert structural == (name == "train_baseline_coladiff")


def test_the_structural_baseline_trains_and_is_a_method(
    bundle: Path,
    knees: Path,  # noqa: F811
    small_configuration: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    both = tmp_path / "both.json"
    overlay = json.loads((bundle / "configs" / "train_baseline_coladiff.json").read_text())
    both.write_text(json.dumps(json.loads(small_configuration.read_text()) | overlay))
    options = ["--bundle", bundle, "--config", both, "--data", knees, "--iterations", 1, "--output", tmp_path / "out"]
    assert main(["train", *map(str, options), "--device", "cpu", "-q"]) == ExitCode.DONE
    method = weights_method(tmp_path / "out" / "model.pt", bundle, str(both), "cpu")
    assert method.given == {"radiograph"} and len(method.record["weights_sha256"]) == 64
    assert isinstance(method.predictor.network.radiograph_encoder, StructuralImageEncoder)
