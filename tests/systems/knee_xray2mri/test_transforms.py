"""MONAI's view of a radiograph: what the bundles' preprocessing makes of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.systems.knee_xray2mri.example_study import write_example_study
from monai_xray2mri.systems.knee_xray2mri.transforms import LoadKneeRegiond


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
