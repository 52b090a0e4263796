"""State dicts written tensor by tensor are what ``torch.save`` would have written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from monai_xray2mri.errors import UsageError
from monai_xray2mri.networks.published.writer import PlannedTensor, write_state_dict

STATE = {
    "scale": torch.tensor(0.2),
    "weight": torch.randn(5, 3, 3, 3),
    "turned": torch.randn(4, 6).T,
    "long": torch.randn(1000),
    "none": torch.zeros(0, 2),
}


def planned(dtype: torch.dtype = torch.float32) -> dict[str, PlannedTensor]:
    return {name: PlannedTensor(tuple(value.shape), dtype, value.clone) for name, value in STATE.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("mapped", [False, True])
def test_torch_reads_it_as_weights_only(dtype: torch.dtype, mapped: bool, tmp_path: Path) -> None:
    write_state_dict(tmp_path / "new" / "model.pt", planned(dtype))
    state = torch.load(tmp_path / "new" / "model.pt", weights_only=True, mmap=mapped)
    assert list(state) == list(STATE)
    for name, value in STATE.items():
        assert state[name].dtype == dtype
        assert state[name].is_contiguous()
        assert torch.equal(state[name], value.to(dtype))
        assert state[name].data_ptr() % 64 == 0 or not mapped


def test_equal_state_dicts_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        write_state_dict(tmp_path / name, planned())
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_it_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail() -> Tensor:
        raise RuntimeError("the source broke off")

    for broken in (PlannedTensor((3,), torch.float32, fail), PlannedTensor((3,), torch.float32, lambda: torch.ones(4))):
        with pytest.raises((RuntimeError, ValueError)):
            write_state_dict(tmp_path / "model.pt", {**planned(), "broken": broken})
        assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"output model\.pt: cannot be written"):
        write_state_dict(tmp_path / "file" / "model.pt", planned())
