"""MONAI Label with a bundle that takes MR: its task makes what the predictor makes of the same slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.systems.registry import load
from tests.helpers.slices import a_knee, write_image, write_small_bundle

pytest.importorskip("monailabel", reason="MONAI Label has an environment of its own: make test-label")

from monailabel.datastore.local import LocalDatastore

from monai_xray2mri.label.store import PATTERNS, is_source
from monai_xray2mri.label.strategy import Generate
from monai_xray2mri.label.task import SynthesisTask


def test_slices_become_a_volume_and_next_sample_makes_the_one_that_is_missing(repository: Path, tmp_path: Path) -> None:
    loaded = load(write_small_bundle(repository, tmp_path), "cpu")
    (tmp_path / "studies").mkdir()
    source = write_image(a_knee(), tmp_path / "studies" / "knee.nrrd")
    store = LocalDatastore(str(tmp_path / "studies"), extensions=PATTERNS)
    task = SynthesisTask(loaded, store)
    file, answer = task({"image": str(source), "slice": "5 17", "views": "2", "side": ""})
    wanted = loaded(source, slice=[5, 17], views=2)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(file)), wanted.volume.voxels)
    assert [one["number"] for one in answer["provenance"]["slices"]] == [5, 17]
    assert answer["uncertainty"] == "knee_uncertainty" and answer["side"] == ""
    for wrong, kind in (({"slice": "40"}, UsageError), ({"views": 0.5}, UsageError)):
        with pytest.raises(kind):
            task({"image": str(source), **wrong})
    with pytest.raises(InputRefused, match="earlier synthesis"):
        task({"image": store.get_image_uri("knee_uncertainty")})

    def infer(request: dict) -> dict:
        made, params = task({**request, "image": store.get_image_uri(request["image"])})
        return {"file": made, "params": params}

    assert Generate(task, infer, {})({}, store) == {"id": "knee_synthetic_mri"}
    assert not is_source("knee_synthetic_mri", Path(store.get_image_uri("knee_synthetic_mri")), loaded.system)
