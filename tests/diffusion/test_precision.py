"""Which type networks compute in while sampling."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_xray2mri.diffusion import precision
from monai_xray2mri.diffusion.options import DTYPE
from monai_xray2mri.diffusion.precision import DTYPES, chosen_dtype, computing_in
from monai_xray2mri.systems.knee_xray2mri.options import knee_sampling
from tests.conftest import make_tiny_network


@pytest.mark.parametrize(("multiplies", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_hardware_is_bfloat16_where_the_device_multiplies_it(
    multiplies: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[torch.device] = []

    def computes(device: torch.device) -> bool:
        asked.append(device)
        return multiplies

    monkeypatch.setattr(precision, "computes_bfloat16", computes)
    network = nn.Linear(2, 2)
    assert chosen_dtype("hardware", network) == expected and asked == [torch.device("cpu")]
    assert chosen_dtype("auto", network) == "float32"
    assert knee_sampling(make_tiny_network(), dtype="hardware").record()["dtype"] == expected  # the report says it


def test_every_choice_names_a_type_that_is_computed_in() -> None:
    network = nn.Linear(2, 2)
    for choice in DTYPE.choices:
        assert chosen_dtype(choice, network) in DTYPES
    with computing_in(torch.bfloat16, torch.device("cpu")):
        assert network(torch.zeros(1, 2)).dtype == torch.bfloat16
    with computing_in(torch.float32, torch.device("cpu")):
        assert network(torch.zeros(1, 2)).dtype == torch.float32
