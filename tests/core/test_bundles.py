"""Bundles on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_xray2mri.core.bundles import require_one_model, require_weights_of
from monai_xray2mri.errors import WeightsError


def test_a_bundle_has_one_model_with_all_weights(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 2)
    models = tmp_path / "models"
    models.mkdir()
    with pytest.raises(WeightsError, match=r"models/model.pt and no other .pt file \(found: none\)"):
        require_one_model(tmp_path)
    torch.save(network.state_dict(), models / "model.pt")
    require_one_model(tmp_path)
    require_weights_of(tmp_path, network)
    with pytest.raises(WeightsError, match=r"1 missing and 0 unknown, e\.g\. extra"):
        network.register_buffer("extra", torch.zeros(1))
        require_weights_of(tmp_path, network)
    (models / "a.pt").touch()
    with pytest.raises(WeightsError, match=r"a\.pt, model\.pt.*shortest name"):
        require_one_model(tmp_path)
