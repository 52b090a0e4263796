"""The bundle: MONAI's own commands, and one volume by every way of asking for it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from monai.bundle import ConfigWorkflow, run, verify_metadata, verify_net_in_out

from monai_xray2mri import load
from monai_xray2mri.cli import main
from monai_xray2mri.core.system import Outputs
from monai_xray2mri.errors import ExitCode
from tests.helpers.slices import knee_series


@pytest.fixture(scope="module")
def shipped(repository: Path) -> Path:
    return repository / "bundle" / "mri_xdiffusion"


def test_the_bundle_is_complete(shipped: Path) -> None:
    for name in ("LICENSE", "docs/README.md", "docs/data_license.txt", "configs/metadata.json", "configs/train.json",
                 "configs/validate.json", "configs/inference.json", "configs/logging.conf"):  # fmt: skip
        assert (shipped / name).is_file(), name
    assert sum(file.stat().st_size for file in shipped.rglob("*") if file.is_file()) < 9e6
    metadata = json.loads((shipped / "configs" / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]


def test_monai_verifies_metadata_input_and_output(shipped: Path, repository: Path, tmp_path: Path) -> None:
    schema = shutil.copy(repository / "tests" / "bundle" / "metadata_schema.json", tmp_path)
    options = {
        "net_id": "network_def",
        "config_file": str(shipped / "configs" / "inference.json"),
        "network_def#steps": 1,
    }
    verify_metadata(meta_file=str(shipped / "configs" / "metadata.json"), filepath=schema)
    verify_net_in_out(meta_file=str(shipped / "configs" / "metadata.json"), **options)
    wrong = json.loads((shipped / "configs" / "metadata.json").read_text())
    wrong["network_data_format"]["outputs"]["pred"]["num_channels"] = 2
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    with pytest.raises(ValueError, match="channel"):
        verify_net_in_out(meta_file=str(tmp_path / "wrong.json"), **options)


def test_the_configuration_has_the_properties_monai_asks_for(small_bundle: Path, tmp_path: Path) -> None:
    workflow = ConfigWorkflow(
        config_file=str(small_bundle / "configs" / "inference.json"),
        meta_file=str(small_bundle / "configs" / "metadata.json"),
        logging_file=False, workflow_type="infer", bundle_root=str(small_bundle), dataset_dir=str(tmp_path),
    )  # fmt: skip
    workflow.initialize()
    assert not workflow.check_properties()


@pytest.fixture
def app(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app's folder importable; what it does to the process's logging is undone."""
    pytest.importorskip("holoscan", reason="the extra deploy is not installed")
    monkeypatch.syspath_prepend(repository / "app_package")
    root = logging.getLogger()
    filters = list(root.filters)
    yield
    root.filters[:] = filters


def test_every_way_gives_one_volume(small_bundle: Path, tmp_path: Path, app: None) -> None:
    """Python, command line, MONAI Deploy app and ``monai.bundle run``: a left knee, two slices, two views."""
    series = knee_series(tmp_path / "in" / "series")
    wanted = load(small_bundle, "cpu")(series, slice=[5, 17], views=2, keep_input=True)
    wanted.save(tmp_path / "python", Outputs(nifti=True))
    options = ["--slice", "5", "17", "--views", "2", "--keep-input", "--nifti", "--device", "cpu"]
    bundle, out = ["--bundle", str(small_bundle)], str(tmp_path / "cli")
    assert main(["synthesize", str(series), out, *bundle, *options, "--quiet"]) == ExitCode.DONE
    from launch import main as app_main

    arguments = ["-i", str(series), "-o", str(tmp_path / "app"), "-m", str(small_bundle), *options]
    assert app_main(arguments) == ExitCode.DONE
    run(
        config_file=str(small_bundle / "configs" / "inference.json"),
        meta_file=str(small_bundle / "configs" / "metadata.json"),
        bundle_root=str(small_bundle), dataset_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "monai"),
        device="$torch.device('cpu')", slice="5,17", views=2, keep_input=True,
    )  # fmt: skip
    files = [tmp_path / way / "volume" / "volume.nii.gz" for way in ("python", "cli", "app")]
    for file in (*files, tmp_path / "monai" / "series_synthetic_mri.nii.gz"):
        image = SimpleITK.ReadImage(str(file))
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), wanted.volume.voxels, err_msg=str(file))
        np.testing.assert_allclose(image.GetOrigin(), wanted.volume.affine[:3, 3], atol=1e-4)
    assert nibabel.load(files[0]).header["descrip"].tobytes().startswith(b"SYNTHETIC")
    reports = [json.loads((file.parent / "report.json").read_text()) for file in files]
    assert all({**report, "run": None} == {**reports[0], "run": None} for report in reports)
