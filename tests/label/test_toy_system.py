"""A stranger's system in the package's MONAI Label app: the page "Adding a system", served without a change."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from monai_xray2mri.cli import main
from tests.helpers.toy_system import install_toy_system

pytest.importorskip("monailabel", reason="MONAI Label has an environment of its own: make test-label")

from tests.label.servers import running


def test_it_is_served(tmp_path: Path, repository: Path, monai_client: type, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = install_toy_system(tmp_path, repository)
    paths = [str(toy.site), str(repository), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    assert main(["label-app", "--output", str(tmp_path / "app"), "--quiet"]) == 0
    with running(tmp_path / "app", toy.picture.parent, tmp_path, ["bundle", str(toy.bundle)]) as server:
        (model,) = server.get("/info/")["models"].values()
        assert model["config"]["radius"] == 2.0 and "toy_blur" in model["description"]
        client: Any = monai_client(server.url, str(tmp_path))
        file, answer = client.infer("xray2mri", "picture", {"radius": 3, "result_extension": ".nrrd"})
        assert answer["provenance"]["options"] == {"radius": 3.0}
        pixels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file)))
        assert pixels.shape == (40, 48) and 0 < pixels[20, 24] < 1  # a picture, whose edge is not sharp any more
        np.testing.assert_allclose(pixels[20, [0, -1]], [0, 1], atol=1e-6)
        query = f"{server.url}/infer/xray2mri?image=picture"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(query, b'params={"smallest": 50}', timeout=120)
        assert caught.value.code == 422 and b"must have sides of 50 pixels" in caught.value.read()
