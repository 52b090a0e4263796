"""Writing a state dict tensor by tensor, as ``torch.load(path, weights_only=True)`` reads it.

``torch.save`` holds all tensors at once. This writes the same format (PyTorch notes, "Serialization semantics":
``data.pkl``, ``byteorder``, ``data/0`` ... and ``version`` in an uncompressed zip) with one tensor in memory at a time.
Equal state dicts give equal bytes.
"""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from monai_xray2mri.runtime.files import whole_file

_STORAGES = {torch.float32: torch.FloatStorage, torch.float16: torch.HalfStorage}
_ALIGNMENT = 64  # bytes, as PyTorch aligns storages, so that they can be mapped
_LOCAL_HEADER = 30
_FOLDER = "model"


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor that is made when it is written.

    Attributes:
        shape: its shape.
        dtype: ``torch.float32`` or ``torch.float16``.
        make: makes it, in any floating point type.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    make: Callable[[], Tensor]

    @property
    def numbers(self) -> int:
        """Number of its elements."""
        return torch.Size(self.shape).numel()


def write_state_dict(path: Path, state: Mapping[str, PlannedTensor], progress: bool = False) -> None:
    """Write a state dict; the file appears whole or not at all.

    Args:
        path: the file; its folder is made if needed.
        state: the tensors by name.
        progress: show a progress bar.

    Raises:
        UsageError: the file cannot be written.
    """
    with whole_file(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        _write_entry(archive, "data.pkl", _pickled(state))
        _write_entry(archive, "byteorder", sys.byteorder.encode())
        for number, (name, tensor) in enumerate(tqdm(state.items(), "writing", disable=not progress)):
            _write_entry(archive, f"data/{number}", _content(name, tensor))
        _write_entry(archive, "version", b"3\n")


def _content(name: str, planned: PlannedTensor) -> Any:
    """The tensor's bytes, as a NumPy array that shares its memory."""
    tensor = planned.make().to(planned.dtype).contiguous()
    if tuple(tensor.shape) != planned.shape:
        raise ValueError(f"{name} was planned with shape {planned.shape} and made with {tuple(tensor.shape)}")
    return tensor.flatten().view(torch.uint8).numpy()


def _write_entry(archive: zipfile.ZipFile, name: str, content: Any) -> None:
    info = zipfile.ZipInfo(f"{_FOLDER}/{name}")  # of 1 January 1980, not of now
    info.file_size = len(content)
    start = archive.start_dir + _LOCAL_HEADER + len(info.filename) + 4
    padding = -start % _ALIGNMENT
    info.extra = b"FB" + padding.to_bytes(2, "little") + b"\0" * padding
    with archive.open(info, "w") as entry:
        entry.write(content)


@dataclass(frozen=True)
class _Storage:
    kind: type
    key: str
    numbers: int


class _StatePickler(pickle.Pickler):
    def persistent_id(self, saved: Any) -> tuple[str, type, str, str, int] | None:
        return ("storage", saved.kind, saved.key, "cpu", saved.numbers) if isinstance(saved, _Storage) else None

    def reducer_override(self, saved: Any) -> Any:
        if not isinstance(saved, _Placed):
            return NotImplemented
        stride = torch.empty(saved.tensor.shape, device="meta").stride()
        storage = _Storage(_STORAGES[saved.tensor.dtype], saved.key, saved.tensor.numbers)
        return torch._utils._rebuild_tensor_v2, (storage, 0, saved.tensor.shape, stride, False, OrderedDict())


@dataclass(frozen=True)
class _Placed:
    tensor: PlannedTensor
    key: str


def _pickled(state: Mapping[str, PlannedTensor]) -> bytes:
    stream = io.BytesIO()
    placed = {name: _Placed(tensor, str(number)) for number, (name, tensor) in enumerate(state.items())}
    _StatePickler(stream, protocol=2).dump(placed)
    return stream.getvalue()
