"""Both knee bundles in MONAI Label's own ``monaibundle`` app."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from monai.bundle import ConfigParser

from monai_xray2mri.core.volumes import volume_affine
from tests.label.conftest import Radiographs

pytest.importorskip("monailabel", reason="MONAI Label has an environment of its own: make test-label")

from tests.label.servers import RunningServer, running, tiny_copy

BUNDLES = ("knee_xray2mri", "knee_xray2mri_koa")
QUICK = {"steps": 1, "slices": 4, "result_extension": ".nrrd"}


@pytest.fixture(scope="module")
def app(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("apps") / "monaibundle"
    shutil.copytree(Path(sys.prefix) / "monailabel" / "sample-apps" / "monaibundle", folder)
    for name in BUNDLES:
        tiny_copy(repository / "bundle" / name, folder / "model" / name)
    return folder


@pytest.fixture(scope="module")
def server(app: Path, radiographs: Radiographs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copytree(radiographs.folder, folder / "studies")
    conf = ["models", ",".join(BUNDLES), "zoo_source", "local", "skip_trainers", "true"]
    with running(app, folder / "studies", folder, conf, stub=True) as started:
        yield started


@pytest.fixture
def client(server: RunningServer, monai_client: type, tmp_path: Path) -> Any:
    return monai_client(server.url, str(tmp_path))


def refusal(server: RunningServer, query: str, **parameters: Any) -> tuple[int, str]:
    body = "params=" + urllib.parse.quote(json.dumps({**QUICK, **parameters}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/infer/{query}", body.encode(), timeout=120)
    return caught.value.code, json.load(caught.value)["detail"]


def test_both_are_offered_with_their_options(server: RunningServer) -> None:
    models = server.get("/info/")["models"]
    assert set(models) == set(BUNDLES)
    for model in models.values():
        options = {"side", "steps", "slices", "samples", "seed", "assume_spacing", "result_extension", "result_dtype"}
        assert options <= set(model["config"])
        assert (model["config"]["steps"], model["config"]["model_filename"]) == (2, ["model.pt"])


@pytest.mark.parametrize(
    ("model", "name", "side"),
    [
        ("knee_xray2mri", "right", ""),
        ("knee_xray2mri", "left", ""),
        ("knee_xray2mri", "picture", "R"),
        ("knee_xray2mri", "mirrored", "L"),
        ("knee_xray2mri", "nrrd", "R"),
        ("knee_xray2mri_koa", "right", "R"),
        ("knee_xray2mri_koa", "mirrored", "L"),
    ],
)
def test_radiographs_of_every_kind_become_volumes_in_place(
    client: Any, app: Path, radiographs: Radiographs, model: str, name: str, side: str
) -> None:
    file = getattr(radiographs, name)
    parameters = {**QUICK, "side": side, "seed": "7", "samples": "", "assume_spacing": name == "picture"}
    result, _ = client.infer(model, "", parameters, file=str(file))
    image = SimpleITK.ReadImage(result)
    assert (image.GetSize(), image.GetPixelIDTypeAsString()) == ((64, 64, 4), "32-bit float")
    affine = volume_affine(64, 64, 4, 2.5, 4 * 1.5 / 3)
    place = [image.TransformIndexToPhysicalPoint(index) for index in ((0, 0, 0), (63, 0, 0), (0, 63, 0), (0, 0, 3))]
    corners = [(0, 0, 0, 1), (0, 63, 0, 1), (63, 0, 0, 1), (0, 0, 3, 1)]  # the file's first axis runs down the rows
    np.testing.assert_allclose(place, [(affine @ corner)[:3] for corner in corners], atol=1e-4)
    wanted = in_process(app / "model" / model, file, side, name == "picture")  # [row,column,slice]
    np.testing.assert_allclose(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), wanted, atol=1e-5)


def in_process(bundle: Path, file: Path, side: str, assume_spacing: bool) -> np.ndarray:
    """The same volume by the bundle's configuration alone, as ``python -m monai.bundle run`` uses it."""
    import torch

    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.update(
        {"bundle_root": str(bundle), "side": side, "assume_spacing": assume_spacing, "steps": 1, "slices": 4, "seed": 7,
         "device": "$torch.device('cpu')"}
    )  # fmt: skip
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    data = parser.get_parsed_content("preprocessing")({"image": str(file)})
    data["pred"] = parser.get_parsed_content("inferer")(data["image"][None], network)[0]
    place = parser.get_parsed_content("postprocessing").transforms[0]
    return np.asarray(place(data)["pred"][0])


def test_what_cannot_be_done_is_answered_with_the_reason(server: RunningServer, app: Path) -> None:
    model = BUNDLES[0]
    wrong, chest = refusal(server, f"{model}?image=nifti"), refusal(server, f"{model}?image=nrrd", side="both")
    assert (wrong[0], "side" in wrong[1]) == (422, True)
    assert (chest[0], "one of: R, L" in chest[1]) == (400, True)
    unknown, steps = (
        refusal(server, f"{model}?image=nobody"),
        refusal(server, f"{model}?image=nifti", side="R", steps=99999),
    )
    assert (unknown[0], "studies folder" in unknown[1]) == (404, True)
    assert (steps[0], "within 1.." in steps[1]) == (400, True)
    words = refusal(server, f"{model}?image=nifti", side="R", steps="many")
    assert (words[0], "whole number" in words[1]) == (400, True)


def test_dicom_of_something_else_is_refused(client: Any, radiographs: Radiographs) -> None:
    with pytest.raises(Exception) as caught:
        client.infer(BUNDLES[0], "", QUICK, file=str(radiographs.chest))
    assert "Status: 422" in caught.value.msg and "chest" in caught.value.msg.lower()


def test_integers_fill_their_range(client: Any, radiographs: Radiographs) -> None:
    """The unmodified plug-in asks for bytes."""
    result, _ = client.infer(BUNDLES[0], "", {**QUICK, "result_dtype": "uint8"}, file=str(radiographs.right))
    values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(result))
    assert values.dtype == np.uint8 and len(np.unique(values)) > 20


def test_the_slicer_module_works_without_features_and_uncertainty(
    client: Any, radiographs: Radiographs, tmp_path: Path
) -> None:
    from Xray2MRILib import Server, Settings, Source

    ours = Server(client, str(tmp_path))
    ours.connect()
    assert (ours.models, ours.features) == (list(BUNDLES), [])
    result = ours.synthesize(BUNDLES[0], Source(str(radiographs.right)), Settings(steps=1, slices=4, samples=2))
    assert SimpleITK.ReadImage(result.volume).GetSize() == (64, 64, 4)
    assert result.uncertainty is None and "SYNTHETIC" in result.warning


def test_a_second_model_is_named_with_the_remedy(server: RunningServer, app: Path) -> None:
    """MONAI Label takes the shortest name; the others would be loaded silently, in part."""
    second = app / "model" / BUNDLES[0] / "models" / "a.pt"
    second.write_bytes(b"")
    try:
        status, reason = refusal(server, f"{BUNDLES[0]}?image=nifti", side="R")
    finally:
        second.unlink()
    assert status == 500 and "a.pt, model.pt" in reason and "Move the others" in reason
