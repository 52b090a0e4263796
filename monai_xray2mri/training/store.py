"""Stores of training sets: one memory-mapped array per quantity, one row per case, the same for every source.

A folder holds, for N cases:

==============  =====  ==================================================================================
file            type   meaning
==============  =====  ==================================================================================
``NAME.npy``    any    [N,...], one file per array; names, types and shapes stand in the index
``done.npy``    uint8  [N], 1 where the case is complete: whatever writes resumes at the others
``index.json``  -      what tells this set from another; written last, so that it vouches for the rest
==============  =====  ==================================================================================

Which arrays a set has, and what its index must say, is for the room that keeps it: a subclass names its cases and
checks its index.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.lib.format import open_memmap

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import write_whole

FORMAT: Final = 1
"""Version of this layout."""


@dataclass(frozen=True)
class ArraySpec:
    """Type and shape of one case's part of an array.

    Example:
        >>> ArraySpec("float16", (4, 32, 32)).bytes
        8192
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size of one case's part."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape))


DONE: Final = ArraySpec("uint8", ())


class ArrayStore:
    """N cases in memory-mapped arrays; processes may write different cases at the same time.

    Attributes:
        directory: the folder.
        index: what ``index.json`` says: ``format``, ``arrays``, the names of the cases, and what the source adds.
        arrays: name to type and shape per case.
    """

    case: ClassVar[str] = "case"
    """What a message calls one row. The plural is the key of the index that lists all of them: ``cases``."""
    command: ClassVar[str] = ""
    """What makes such a set: the remedy where there is none."""

    def __init__(self, directory: Path, index: Mapping[str, Any]) -> None:
        self.directory, self.index = directory, dict(index)
        self.arrays = {name: ArraySpec(spec[0], tuple(spec[1])) for name, spec in index["arrays"].items()}
        self._maps: dict[tuple[str, str], np.memmap[Any, Any]] = {}

    @classmethod
    def create(cls, directory: Path, count: int, index: Mapping[str, Any], arrays: Mapping[str, ArraySpec]) -> Self:
        """Make a store, or open the one that is there if it is for these very cases.

        Args:
            directory: folder, made if missing.
            count: number of cases N.
            index: what the cases are: their names (N of them, under :attr:`names_key`) and whatever else tells this
                set from another; must go into JSON and come back the same.
            arrays: type and shape per case.

        Raises:
            UsageError: the folder holds another set or other files, there is no room for the arrays, or N is 0.
            ValueError: the index lacks a key, or counts other cases.
        """
        directory = Path(directory)
        cls.check_index(count, index)
        complete = _complete_index(index, arrays)
        if (directory / "index.json").exists():
            store = cls.open(directory)
            if store.index != complete:
                raise UsageError(
                    f"training set {directory.name}",
                    f"must be empty or hold these very {cls.names_key()}",
                    _difference(store.index, complete),
                    "Name another folder.",
                )
            return store
        remedy = f"Free some room, choose another disk, or ask for fewer {cls.names_key()}."
        _allocate(directory, count, {**arrays, "done": DONE}, remedy)
        write_whole(directory / "index.json", json.dumps(complete, indent=1).encode())
        return cls(directory, complete)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open a store.

        Raises:
            UsageError: there is none, it is of another format, or its arrays are not what its index says.
        """
        directory = Path(directory)
        what = f"training set {directory.name}"
        try:
            index = json.loads((directory / "index.json").read_bytes())
        except FileNotFoundError:
            remedy = f"Make one: {cls.command}" if cls.command else "Name another folder."
            raise UsageError(what, "must be the folder of a training set", "no index.json", remedy) from None
        except (OSError, ValueError) as error:
            raise UsageError(what, "must have a readable index.json", type(error).__name__, "Make it again.") from error
        if not isinstance(index, dict) or index.get("format") != FORMAT:
            found = index.get("format", "none") if isinstance(index, dict) else "none"
            raise UsageError(what, f"must be of format {FORMAT}", f"format {found}", "Make the set again.")
        store = cls(directory, index)
        store._check_arrays()
        return store

    @classmethod
    def names_key(cls) -> str:
        """Key of the index that lists the names of the cases."""
        return f"{cls.case}s"

    @classmethod
    def check_index(cls, count: int, index: Mapping[str, Any]) -> None:
        """Refuse an index that does not say what the cases are; a subclass asks for more.

        Raises:
            UsageError: no case.
            ValueError: a key is missing, or the index names another number of cases.
        """
        key = cls.names_key()
        if key not in index:
            raise ValueError(f"the index of a training set needs {key!r}")
        if count < 1:
            raise UsageError("training set", f"must have at least one {cls.case}", f"{count}")
        if len(index[key]) != count:
            raise ValueError(f"the index names {len(index[key])} {key}, the store is for {count}")

    def __len__(self) -> int:
        """Number of cases, complete or not."""
        return len(self.index[self.names_key()])

    def __getstate__(self) -> dict[str, Any]:
        """Without the maps: another process opens its own, instead of being sent gigabytes."""
        return {**self.__dict__, "_maps": {}}

    @property
    def done(self) -> np.ndarray:
        """Which cases are complete, [N] bool, as of now."""
        return np.asarray(self._map("done", "r")) != 0

    def write(self, position: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write one case; it counts as there only when all of it is.

        Args:
            position: its row.
            arrays: one array per name, of the type and shape per case that ``arrays`` states.

        Raises:
            ValueError: an array is missing, unknown, or of another type or shape.
        """
        if set(arrays) != set(self.arrays):
            raise ValueError(f"a {self.case} needs the arrays {sorted(self.arrays)}, not {sorted(arrays)}")
        for name, spec in self.arrays.items():
            if arrays[name].shape != spec.shape or arrays[name].dtype != np.dtype(spec.dtype):
                raise ValueError(
                    f"{name} must be {spec.dtype} {spec.shape}, not {arrays[name].dtype} {arrays[name].shape}"
                )
        for name, value in arrays.items():
            target = self._map(name, "r+")
            target[position] = value
            target.flush()  # the mark must not reach the disk before what it vouches for
        done = self._map("done", "r+")
        done[position] = 1
        done.flush()

    def read(self, position: int) -> dict[str, np.ndarray]:
        """One case's arrays, read-only views of the files."""
        return {name: self.array(name)[position] for name in self.arrays}

    def array(self, name: str) -> np.ndarray:
        """One array of all cases, [N,...], a read-only view of its file."""
        return self._map(name, "r")

    def _map(self, name: str, mode: Literal["r", "r+"]) -> np.memmap[Any, Any]:
        if (name, mode) not in self._maps:
            self._maps[name, mode] = np.load(self.directory / f"{name}.npy", mmap_mode=mode)
        return self._maps[name, mode]

    def _check_arrays(self) -> None:
        for name, spec in {**self.arrays, "done": DONE}.items():
            wanted = (len(self), *spec.shape)
            try:
                array = self._map(name, "r")
                found = "" if (array.shape, array.dtype.name) == (wanted, spec.dtype) else f"{array.shape}"
            except (OSError, ValueError) as error:
                found = type(error).__name__
            if found:
                raise UsageError(
                    f"training set {self.directory.name}",
                    f"{name}.npy must hold {wanted} of {spec.dtype}",
                    found,
                    "The set is damaged; make it again.",
                )


def _complete_index(index: Mapping[str, Any], arrays: Mapping[str, ArraySpec]) -> dict[str, Any]:
    specs = {name: [spec.dtype, list(spec.shape)] for name, spec in arrays.items()}
    complete: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **index, "arrays": specs}))
    return complete


def _difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    keys = [key for key in sorted({*there, *wanted}) if there.get(key) != wanted.get(key)]
    return f"another set: {', '.join(keys)} differ"


def _allocate(directory: Path, count: int, arrays: Mapping[str, ArraySpec], remedy: str) -> None:
    """Make the array files, all zeros, and reserve their room: a full disk would kill whoever writes to a map."""
    needed = count * sum(spec.bytes for spec in arrays.values())
    try:
        directory.mkdir(parents=True, exist_ok=True)
        ours = {f"{name}.npy" for name in arrays}  # left by a run that was killed before the index
        strangers = [path.name for path in directory.iterdir() if path.name not in ours and path.suffix != ".part"]
        if strangers:
            raise UsageError(
                f"training set {directory.name}", "must be empty", f"{len(strangers)} other files", "Name another one."
            )
        free = shutil.disk_usage(directory).free
        if free < needed:
            raise UsageError(
                f"training set {directory.name}",
                f"needs {needed / 1e9:.1f} GB",
                f"{free / 1e9:.1f} GB free",
                remedy,
            )
        for name, spec in arrays.items():
            path = directory / f"{name}.npy"
            open_memmap(path, mode="w+", dtype=np.dtype(spec.dtype), shape=(count, *spec.shape)).flush()
            _reserve(path)
    except OSError as error:
        raise UsageError(
            f"training set {directory.name}",
            "cannot be written",
            error.strerror or type(error).__name__,
            "Choose a place that can be written and has room.",
        ) from error


def _reserve(path: Path) -> None:
    if hasattr(os, "posix_fallocate") and path.stat().st_size:
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
