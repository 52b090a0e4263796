"""Tensors of a published checkpoint, read one by one: PyTorch's zip format without running its pickle, or safetensors.

A pickle is a program. This one is read by an unpickler that knows the containers, numbers and tensors of a checkpoint
and runs nothing else: names it does not know become inert stand-ins (Lightning keys the state of its callbacks by
class), and a call of any of them is refused. Tensor data stays in the file, which is mapped where and when it is read,
so that a file of 14 GB needs the memory of its largest tensor.
"""

from __future__ import annotations

import math
import mmap
import pickle
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from monai_xray2mri.errors import UsageError, WeightsError

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_LOCAL_HEADER = 30  # bytes of a zip entry's local header before its name (APPNOTE 4.3.7)


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that is still in its file.

    Attributes:
        shape: its shape.
        read: reads it; what is returned may be a private mapping of the file.
    """

    shape: tuple[int, ...]
    read: Callable[[], Tensor]


def open_checkpoint(path: Path) -> Mapping[str, StoredTensor]:
    """The tensors of a checkpoint by their keys; of a Lightning file those below ``state_dict``.

    Args:
        path: a ``.ckpt`` or ``.pt`` file of PyTorch 1.6 or newer, or a ``.safetensors`` file.

    Raises:
        UsageError: there is no such file.
        WeightsError: another format, damaged, or a pickle that calls what is not a part of tensors; the message names
            it. Nothing of such a file is run.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"checkpoint {path.name}", "must be a file", "no such file", "Check the path.")
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    with refusing_damage(path):
        return _tensors_of(_read_pickle(path)) if zipped else _read_safetensors(path)


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Turn what a damaged checkpoint raises, when it is opened or when a tensor is read, into a refusal.

    Raises:
        WeightsError: instead of the errors of zip, pickle and safetensors.
    """
    try:
        yield
    except (pickle.UnpicklingError, zipfile.BadZipFile, SafetensorError) as error:
        raise WeightsError(
            f"checkpoint {path.name}",
            "must be an undamaged file of tensors, in PyTorch's zip format (since 1.6) or safetensors",
            str(error).splitlines()[0],
            "Download it again from its publisher, or convert it to safetensors where you trust it.",
        ) from error


def _read_safetensors(path: Path) -> Mapping[str, StoredTensor]:
    def reader(name: str) -> Callable[[], Tensor]:
        def read() -> Tensor:
            with safe_open(path, framework="pt") as file:  # opened anew, so that no mapping outlives its tensor
                tensor: Tensor = file.get_tensor(name)
            return tensor

        return read

    with safe_open(path, framework="pt") as file:
        return {name: StoredTensor(tuple(file.get_slice(name).get_shape()), reader(name)) for name in file.keys()}  # noqa: SIM118


def _tensors_of(content: Any) -> Mapping[str, StoredTensor]:
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    tensors = {k: v for k, v in state.items() if isinstance(v, StoredTensor)} if isinstance(state, dict) else {}
    if not tensors or not all(isinstance(key, str) for key in tensors):
        raise pickle.UnpicklingError("no state dict of named tensors")
    return tensors


def _read_pickle(path: Path) -> Any:
    archive = _Archive(path)
    with zipfile.ZipFile(path) as opened, opened.open(archive.entry("data.pkl")) as stream:
        try:
            return _TensorUnpickler(stream, archive).load()
        except (pickle.UnpicklingError, zipfile.BadZipFile):
            raise
        except Exception as error:  # a broken pickle fails in any way: short stack, wrong types, bad text
            raise pickle.UnpicklingError(f"data.pkl is damaged: {type(error).__name__}") from error


class _Archive:
    """PyTorch's zip format: one folder with ``data.pkl`` and one uncompressed entry ``data/KEY`` per storage."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            self.entries = {info.filename.partition("/")[2]: info for info in archive.infolist()}
            order = archive.read(self.entries["byteorder"]) if "byteorder" in self.entries else b"little"
        self.intact: set[str] = set()
        if order != b"little":
            raise pickle.UnpicklingError("numbers of a big-endian machine")

    def entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self.entries:
            raise zipfile.BadZipFile(f"no entry {name}")
        return self.entries[name]

    def storage(self, key: str, size: int) -> bytearray | mmap.mmap | memoryview:
        """``size`` bytes of a storage, mapped copy on write; its checksum is compared the first time."""
        if size == 0:
            return bytearray()
        info = self.entry(f"data/{key}")
        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER)
            name, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
            start = info.header_offset + _LOCAL_HEADER + name + extra
            before = start % mmap.ALLOCATIONGRANULARITY
            if start + info.file_size > self.path.stat().st_size:
                raise zipfile.BadZipFile(f"entry {info.filename} reaches beyond the file")
            mapped = mmap.mmap(file.fileno(), before + info.file_size, offset=start - before, access=mmap.ACCESS_COPY)
        content = memoryview(mapped)[before:]
        if key not in self.intact and zlib.crc32(content) != info.CRC:
            raise zipfile.BadZipFile(f"checksum of {info.filename} does not match")
        self.intact.add(key)
        return content


@dataclass(frozen=True)
class _Storage:
    """What a pickle says of a storage."""

    archive: _Archive
    key: str
    dtype: torch.dtype
    numbers: int


class _Function:
    """A function that a pickle may call; unlike a Python function, nothing of it can be set by a pickle."""

    __slots__ = ("_call",)
    _call: Callable[..., Any]

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise pickle.UnpicklingError(f"the pickle sets the attribute {name} of a function")


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> StoredTensor:
    whole = (*shape, *stride, offset)
    if len(shape) != len(stride) or not all(isinstance(number, int) and number >= 0 for number in whole):
        raise pickle.UnpicklingError("a tensor of impossible shape")
    last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    if math.prod(shape) > 0 and last >= storage.numbers:
        raise pickle.UnpicklingError(f"a tensor reaches beyond its storage {storage.key}")

    def read() -> Tensor:
        content = storage.archive.storage(storage.key, storage.numbers * storage.dtype.itemsize)
        flat = torch.frombuffer(content, dtype=storage.dtype) if len(content) else torch.empty(0, dtype=storage.dtype)
        return flat.as_strided(shape, stride, offset)

    return StoredTensor(tuple(shape), read)


class _NoCalls(type):
    """Class of the stand-ins: they may be named, and made as empty objects, but not called."""

    def __call__(cls, *_: Any, **__: Any) -> NoReturn:
        raise pickle.UnpicklingError(f"the pickle calls {cls.__qualname__}, which is not a part of tensors; not run")

    def __setattr__(cls, name: str, value: Any) -> NoReturn:
        raise pickle.UnpicklingError(f"the pickle sets the attribute {name} of {cls.__qualname__}")


class _Inert(metaclass=_NoCalls):
    """Stands where a checkpoint names a class or function that is not needed; takes any content and keeps none."""

    def __new__(cls, *_: Any) -> _Inert:
        return object.__new__(cls)

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, item: Any) -> None: ...

    def extend(self, items: Any) -> None: ...


class _InertValue(_Inert):
    """What a call of a harmless constructor gives: it is not made."""


def _no_value(*_: Any) -> _Inert:
    return object.__new__(_InertValue)


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): _Function(lambda *_: {}),
    ("builtins", "set"): _Function(set),
    ("__builtin__", "set"): _Function(set),
    ("torch", "Size"): _Function(tuple),
    ("torch._utils", "_rebuild_tensor_v2"): _Function(_rebuild_tensor),
    ("torch._utils", "_rebuild_parameter"): _Function(lambda tensor, *_: tensor),
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
    # Calls that training leaves beside the tensors: NumPy scalars among metrics, paths and devices among settings.
    ("numpy.core.multiarray", "scalar"): _Function(_no_value),
    ("numpy._core.multiarray", "scalar"): _Function(_no_value),
    ("numpy", "dtype"): _Function(_no_value),
    ("_codecs", "encode"): _Function(_no_value),
    ("torch", "device"): _Function(_no_value),
    ("pathlib", "PosixPath"): _Function(_no_value),
    ("pathlib", "WindowsPath"): _Function(_no_value),
}


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], archive: _Archive) -> None:
        super().__init__(stream)
        self.archive = archive

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        return _NoCalls(name, (_Inert,), {"__qualname__": f"{module}.{name}"})

    def persistent_load(self, saved: Any) -> _Storage:
        kind, dtype, key, _, numbers = saved
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(numbers, int) or numbers < 0:
            raise pickle.UnpicklingError("a storage of unknown kind")
        entry = self.archive.entry(f"data/{key}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != numbers * dtype.itemsize:
            raise zipfile.BadZipFile(f"entry {entry.filename} is not its storage of {numbers} numbers")
        return _Storage(self.archive, str(key), dtype, numbers)
