"""MONAI's view of a radiograph: what the bundles' preprocessing makes of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor

from monai_xray2mri.errors import InputRefused, UnknownName, UsageError
from monai_xray2mri.systems.knee_xray2mri.example_study import write_example_study
from monai_xray2mri.systems.knee_xray2mri.transforms import LoadKneeRegiond, ScaleToStoredd


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of both knees."""
    folder = tmp_path_factory.mktemp("study")
    write_example_study(folder)
    return folder / "film.dcm"


def test_a_film_of_both_knees_needs_a_side(both: Path) -> None:
    with pytest.raises(InputRefused, match=r"right knee and left knee.*R or L"):
        LoadKneeRegiond("image")({"image": str(both)})
    right, left = (LoadKneeRegiond("image", side=side)({"image": str(both)})["image"] for side in "RL")
    assert (right.meta["side"], left.meta["side"], right.shape) == ("R", "L", (1, 256, 256))
    assert not torch.equal(right, left)


def test_options_may_be_texts_or_empty_and_wrong_ones_are_named(both: Path) -> None:
    """As clients of MONAI Label send them."""
    load = LoadKneeRegiond("image", side=["left", "right"], assume_spacing="false")
    assert load({"image": str(both)})["image"].meta["side"] == "L"
    for options, message in (({"side": "both"}, "option side"), ({"assume_spacing": "perhaps"}, "true or false")):
        with pytest.raises(UsageError, match=message):
            LoadKneeRegiond("image", **options)({"image": str(both)})
    with pytest.raises(UnknownName, match="studies folder"):
        LoadKneeRegiond("image")({"image": ""})


def test_integers_fill_their_range() -> None:
    volume = MetaTensor(torch.tensor([[-0.1, 0.5, 1.2]]), affine=torch.eye(4) * 2)
    assert ScaleToStoredd("pred", "uint8")({"pred": volume})["pred"].tolist() == [[0, 128, 255]]
    scaled = ScaleToStoredd("pred", "int16")({"pred": volume})["pred"]
    assert scaled.tolist() == [[0, 2048, 4095]] and torch.equal(scaled.affine, volume.affine)
    assert ScaleToStoredd("pred", "")({"pred": volume})["pred"] is volume
