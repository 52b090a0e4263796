"""MONAI Label with a bundle that takes photographs: its own app's task, and MONAI Label's task for bundles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from monai_xray2mri.errors import DoubtfulInput, UsageError
from monai_xray2mri.systems.registry import load
from tests.helpers.feet import foot_picture, take_photographs_at_their_word, write_small_foot_bundle

pytest.importorskip("monailabel", reason="MONAI Label has an environment of its own: make test-label")

from monailabel.datastore.local import LocalDatastore

from monai_xray2mri.label.store import PATTERNS, is_source
from monai_xray2mri.label.strategy import Generate
from monai_xray2mri.label.task import SynthesisTask
from tests.label.servers import STUBS


@pytest.fixture(scope="module")
def bundle(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_foot_bundle(repository, tmp_path_factory.mktemp("bundles"))


@pytest.fixture(autouse=True)
def _photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    take_photographs_at_their_word(monkeypatch)


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    folder = tmp_path / "studies"
    folder.mkdir()
    for name in ("left", "blurred"):
        foot_picture(size=64).save(folder / f"{name}.png")
    return folder


def test_a_photograph_becomes_a_picture_with_landmarks(bundle: Path, studies: Path) -> None:
    loaded = load(bundle, "cpu")
    store = LocalDatastore(str(studies), extensions=PATTERNS)
    task = SynthesisTask(loaded, store)
    assert task.info()["dimension"] == 2 and task.config()["variant"][0] == "none"
    source = studies / "left.png"
    file, answer = task({"image": str(source), "samples": "2", "side": "", "pixel_mm": "0.5"})
    wanted = loaded(source, samples=2, pixel_mm=0.5)
    image = SimpleITK.ReadImage(file)
    assert image.GetDimension() == 2 and image.GetSpacing() == (0.5, 0.5)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), wanted.volume.voxels[0])
    assert answer["side"] == "L" and answer["uncertainty"] == "left_uncertainty_L"
    assert answer["landmarks"] == {name: list(place) for name, place in wanted.landmarks.items()}
    assert set(answer["measurements"]) == {"hallux valgus angle", "intermetatarsal angle"}
    with pytest.raises(DoubtfulInput, match="must be sharp"):
        task({"image": str(studies / "blurred.png")})
    with pytest.raises(UsageError, match="pixel_mm"):
        task({"image": str(source), "pixel_mm": "-1"})

    def infer(request: dict) -> dict:
        made, params = task({**request, "image": store.get_image_uri(request["image"])})
        return {"file": made, "params": params}

    assert Generate(task, infer, {})({}, store) == {"id": "left_synthetic_xray_L"}
    kept = store.get_image_uri("left_synthetic_xray_L")
    assert not is_source("left_synthetic_xray_L", Path(kept), loaded.system)


def test_the_stock_task_for_bundles_sends_the_same_picture(
    bundle: Path, studies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(STUBS)  # it imports torchvision, which it does not need here
    from monailabel.tasks.infer.bundle import BundleInferTask

    task = BundleInferTask(str(bundle), {"preload": "false"})
    assert task.is_valid() and task.info()["dimension"] == 2
    request = {"image": str(studies / "left.png"), "device": "cpu", "samples": 2, "result_extension": ".nrrd"}
    file, _ = task(request)
    image = SimpleITK.ReadImage(file)
    assert image.GetDimension() == 2
    wanted = load(bundle, "cpu")(studies / "left.png", samples=2).volume.voxels[0]
    np.testing.assert_allclose(SimpleITK.GetArrayFromImage(image), wanted, atol=1e-6)
