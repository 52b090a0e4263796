"""The package's MONAI Label app: a real server, asked by MONAI Label's own client and by the Slicer module's logic."""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from monai_xray2mri.cli import main
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from tests.label.conftest import GRADES, Radiographs

pytest.importorskip("monailabel", reason="MONAI Label has an environment of its own: make test-label")

from monai_xray2mri.deploy.pydicom_names import know_old_name
from tests.label.servers import RunningServer, running, tiny_copy

know_old_name()  # as a server's start does

QUICK = {"steps": 1, "slices": 4, "result_extension": ".nrrd"}


@pytest.fixture(scope="module")
def tiny(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_copy(bundle, tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("apps") / "app"
    assert main(["label-app", "--output", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def server(
    app: Path, tiny: Path, radiographs: Radiographs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    studies = folder / "studies"
    shutil.copytree(radiographs.folder, studies)
    os.utime(studies / "right.dcm")  # the newest
    conf = ["bundle", str(tiny), "device", "cpu", "steps", "1", "slices", "4", "samples", "2"]
    with running(app, studies, folder, conf) as started:
        yield started


@pytest.fixture
def client(server: RunningServer, monai_client: type, tmp_path: Path) -> Any:
    return monai_client(server.url, str(tmp_path))


@pytest.fixture(scope="module")
def predictor(tiny: Path) -> Xray2MRI:
    return Xray2MRI.from_bundle(tiny, "cpu")


def read(file: str | Path) -> SimpleITK.Image:
    return SimpleITK.ReadImage(str(file))


def refusal(server: RunningServer, query: str, **parameters: Any) -> tuple[int, str]:
    """Status and reason of a request that cannot be carried out."""
    body = "params=" + urllib.parse.quote(json.dumps({**QUICK, **parameters}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/infer/{query}", body.encode(), timeout=120)
    return caught.value.code, json.load(caught.value)["detail"]


def test_it_says_what_it_offers(server: RunningServer) -> None:
    info = server.get("/info/")
    assert info["models"]["xray2mri"]["type"] == "others"
    assert list(info["strategies"]) == ["generate"]
    assert len(info["features"]) == 19 and info["features"][9]["name"] == "XRKL"
    assert "SYNTHETIC" in info["disclaimer"]


@pytest.mark.parametrize("side", ["right", "left"])
def test_volumes_are_the_predictors(client: Any, predictor: Xray2MRI, radiographs: Radiographs, side: str) -> None:
    """Bit by bit, on the right side and in place."""
    file, answer = client.infer("xray2mri", side, {**QUICK, "seed": 3})
    features = GRADES if side == "right" else None
    wanted = predictor(getattr(radiographs, side), steps=1, slices=4, seed=3, features=features).volume
    image = read(file)
    np.testing.assert_array_equal(SimpleITK.GetArrayViewFromImage(image), wanted.voxels)
    np.testing.assert_allclose(image.GetOrigin(), wanted.affine[:3, 3], atol=1e-6)
    np.testing.assert_allclose(image.GetSpacing(), wanted.spacing, atol=1e-6)
    axes = np.array(image.GetDirection()).reshape(3, 3)
    np.testing.assert_allclose(axes, [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-9)  # to the left, down, backwards
    assert (answer["side"], "SYNTHETIC" in answer["disclaimer"]) == (side[0].upper(), True)


def test_features_come_from_the_report_or_the_request(client: Any) -> None:
    _, answer = client.infer("xray2mri", "right", QUICK)
    known = {name: grade for name, grade in answer["provenance"]["features"].items() if grade is not None}
    assert (known, answer["provenance"]["features_source"]) == (GRADES, "structured report")
    _, answer = client.infer("xray2mri", "right", {**QUICK, "features": {"XRKL": 1}})
    assert answer["provenance"]["features_source"] == "request"
    assert answer["provenance"]["features"]["XRKL"] == 1
    _, answer = client.infer("xray2mri", "left", QUICK)
    assert answer["provenance"]["features_source"] not in ("request", "structured report", "missing")  # estimated
    _, answer = client.infer("xray2mri", "left", {**QUICK, "estimate": "false"})
    assert answer["provenance"]["features_source"] == "missing"


@pytest.mark.parametrize("name", ["right", "picture", "nifti", "nrrd"])
def test_radiographs_of_every_kind_can_be_sent(client: Any, radiographs: Radiographs, name: str) -> None:
    """The same knee as the film of the datastore: nearly the same volume, whatever file brings it."""
    file = getattr(radiographs, name)
    sent, answer = client.infer(
        "xray2mri", "", {**QUICK, "side": "R", "assume_spacing": name == "picture"}, file=str(file)
    )
    assert answer["side"] == "R"
    own, _ = client.infer("xray2mri", "right", {**QUICK, "features": {"XRKL": None}})
    assert read(sent).GetSize() == read(own).GetSize() == (64, 64, 4)


def test_integers_fill_their_range(client: Any) -> None:
    file, answer = client.infer("xray2mri", "right", {**QUICK, "result_dtype": "uint8"})
    image = read(file)
    assert image.GetPixelIDTypeAsString() == "8-bit unsigned integer"
    assert answer["full_scale"] == 255
    floats = SimpleITK.GetArrayFromImage(read(client.infer("xray2mri", "right", QUICK)[0]))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), np.rint(np.clip(floats, 0, 1) * 255))


def test_the_slicer_module_gets_volume_and_uncertainty(
    client: Any, predictor: Xray2MRI, radiographs: Radiographs, tmp_path: Path
) -> None:
    from Xray2MRILib import Server, Settings, Source

    ours = Server(client, str(tmp_path))
    ours.connect()
    assert (ours.models, len(ours.features), ours.default("xray2mri", "steps")) == (["xray2mri"], 19, 2)
    knee = Source(str(radiographs.left), options={"features": {"XRKL": 2}})
    result = ours.synthesize("xray2mri", knee, Settings(steps=1, slices=4, samples=2, seed=5))
    wanted = predictor(radiographs.left, steps=1, slices=4, samples=2, seed=5, features={"XRKL": 2})
    assert wanted.uncertainty is not None and result.uncertainty is not None
    volume, spread = (SimpleITK.GetArrayFromImage(read(file)) for file in (result.volume, result.uncertainty))
    np.testing.assert_array_equal(volume, wanted.volume.voxels)
    np.testing.assert_array_equal(spread, wanted.uncertainty.voxels)
    assert (result.side, "SYNTHETIC" in result.warning, result.provenance["options"]["seed"]) == ("L", True, 5)


def test_the_slicer_module_shows_reasons(
    client: Any, monai_client: type, radiographs: Radiographs, tmp_path: Path
) -> None:
    from Xray2MRILib import Refused, Server, Settings, Source

    ours = Server(client, str(tmp_path))
    ours.connect()
    with pytest.raises(Refused, match=r"(?i)^radiograph .*chest") as caught:
        ours.synthesize("xray2mri", Source(str(radiographs.chest)), Settings())
    assert "Status" not in str(caught.value) and "{" not in str(caught.value)
    with pytest.raises(Refused, match="Is the server running"):
        Server(monai_client("http://127.0.0.1:9", str(tmp_path)), str(tmp_path)).connect()


def test_what_cannot_be_done_is_answered_with_the_reason(server: RunningServer) -> None:
    answers = {
        "unknown image": refusal(server, "xray2mri?image=nobody"),
        "unknown model": refusal(server, "spleen?image=right"),
        "wrong side": refusal(server, "xray2mri?image=right", side="L"),
        "no side": refusal(server, "xray2mri?image=right", side="both"),
        "chest": refusal(server, "xray2mri?image=chest"),
        "report": refusal(server, "xray2mri?image=reading"),
        "picture": refusal(server, "xray2mri?image=picture", side="R"),
        "words": refusal(server, "xray2mri?image=right", steps="many"),
        "too many": refusal(server, "xray2mri?image=right", steps=100_000),
        "feature": refusal(server, "xray2mri?image=right", features={"XRKL": "severe"}),
        "type": refusal(server, "xray2mri?image=right", result_extension=".exe"),
    }
    assert {name: status for name, (status, _) in answers.items()} == {
        "unknown image": 404, "unknown model": 404, "wrong side": 422, "no side": 400, "chest": 422, "report": 422,
        "picture": 422, "words": 400, "too many": 400, "feature": 422, "type": 400,
    }  # fmt: skip
    words = {
        "unknown image": "studies folder", "wrong side": "left", "chest": "CHEST", "picture": "spacing",
        "words": "whole number", "too many": "within 1..", "feature": "XRKL",
    }  # fmt: skip
    for name, word in words.items():
        assert word.lower() in answers[name][1].lower(), answers[name]


def test_it_answers_while_it_computes_and_computes_one_at_a_time(server: RunningServer, client: Any) -> None:
    """Also of two requests at once each gets its own volume; the log tells the progress of one, then of the other."""
    before = len(server.log.read_text())
    long = {"steps": 20, "slices": 10, "seed": 1}
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(client.infer, "xray2mri", side, {**QUICK, **long}) for side in ("right", "left")]
        time.sleep(0.2)
        answered = 0
        while not any(job.done() for job in jobs):
            server.get("/info/")
            answered += 1
        sides = [job.result()[1]["side"] for job in jobs]
    assert (sides, answered > 0) == (["R", "L"], True)
    said = [line for line in server.log.read_text()[before:].splitlines() if "Synthesis of the" in line]
    order = ["right" if "right knee" in line else "left" for line in said]
    assert order in (sorted(order), sorted(order, reverse=True)) and len(order) >= 4
    assert "10 of 10 slices" in said[-1]


def test_next_sample_is_a_new_volume_each_time(client: Any, server: RunningServer) -> None:
    """What the unmodified plug-in does with `generate`: the volume is a file to load, and the next is another."""
    names = []
    for _ in range(3):
        sample = client.next_sample("generate", {})
        assert read(sample["path"]).GetSize() == (64, 64, 4)
        names.append(sample["id"])
    assert names[0] == "right_synthetic_mri_R" and names[2] == "right_synthetic_mri_R"  # all done: the newest again
    assert names[1] == "left_synthetic_mri_L"
    assert "right_uncertainty_R" in server.get("/datastore/?output=all")["objects"]  # two samples are its default
    with urllib.request.urlopen(f"{server.url}/datastore/image?image={names[0]}", timeout=60) as answer:
        assert answer.read() == Path(sample["path"]).read_bytes()


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"bundle": "/nowhere"}, "must hold configs/metadata.json .*--conf bundle"),
        ({"steps": "few"}, "option steps: must be a whole number"),
        ({"device": "abacus"}, "option device"),
    ],
)
def test_it_does_not_start_with_a_wrong_option(tmp_path: Path, tiny: Path, conf: dict[str, str], message: str) -> None:
    from monai_xray2mri.errors import Xray2MRIError
    from monai_xray2mri.label.app import SynthesisApp

    with pytest.raises(Xray2MRIError, match=message):
        SynthesisApp(str(tmp_path), str(tmp_path), {"bundle": str(tiny), **conf})


def test_it_does_not_start_on_a_port_in_use(server: RunningServer) -> None:
    from monai_xray2mri.errors import UsageError
    from monai_xray2mri.label.app import require_free_port

    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(UsageError, match=f"port {port}: must be free .*--port {port + 1}"):
        require_free_port(port)
