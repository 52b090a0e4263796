"""The store of a training set: one memory-mapped array per quantity, one row per knee, the same for every source.

Simulated knees (``data/simulated.py``) and OAI knees (``data/oai``) are written into the same arrays, so that what
trains on one trains on the other. A folder holds, for N knees in right-knee space and S modelled slices (index 0
posterior):

===================  ==========  ====================================================================================
file                 type        meaning
===================  ==========  ====================================================================================
``slices.npy``       uint8       [N,S,H,W], 0..255 for intensities 0..1, by the rule named in the index
``radiographs.npy``  uint16      [N,R,R], 0..65535 for grey values 0..1, bone bright: the region with a margin on each
                                 side, at the region's pixel size, centred on the true box (``data/jitter.py`` cuts)
``features.npy``     uint8       [N,61], one-hot; a group of zeros is *unknown*
``lesions.npy``      uint8       [N,S,H/8,W/8], 1 where a cyst, chondrocalcinosis or attrition lies; zeros if unknown
``done.npy``         uint8       [N], 1 where the knee is complete: whatever writes resumes at the others
``index.json``       -           source, knees, geometry, intensity rule; written last, so that it vouches for the rest
===================  ==========  ====================================================================================
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.lib.format import open_memmap

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.grading.features import ONE_HOT_WIDTH, one_hot
from monai_xray2mri.radiograph.resampling import REGION_SIZE
from monai_xray2mri.runtime.files import write_whole

FORMAT: Final = 1
"""Version of this layout."""
SOURCES: Final = ("simulated", "oai", "latents")
IMAGE_SIZE: Final = 256
LATENT_SIZE: Final = 32
MODELLED_SLICES: Final = (13, 62)
"""First and last of the 80 acquired slices that are modelled, 0-based from the posterior end."""
SLICES: Final = MODELLED_SLICES[1] - MODELLED_SLICES[0] + 1
MARGIN: Final = 0.12
"""What is stored beyond the radiograph region on each side, as a share of its side: room for the box to err."""
WIDE_SIZE: Final = REGION_SIZE + 2 * round(MARGIN * REGION_SIZE)
"""Pixels per side of a region with its margin (371 at 299)."""


@dataclass(frozen=True)
class ArraySpec:
    """Type and shape of one knee's part of an array."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size of one knee's part."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape))


KNEE_ARRAYS: Final[Mapping[str, ArraySpec]] = {
    "slices": ArraySpec("uint8", (SLICES, IMAGE_SIZE, IMAGE_SIZE)),
    "radiographs": ArraySpec("uint16", (WIDE_SIZE, WIDE_SIZE)),
    "features": ArraySpec("uint8", (ONE_HOT_WIDTH,)),
    "lesions": ArraySpec("uint8", (SLICES, LATENT_SIZE, LATENT_SIZE)),
}
"""What a training set keeps of each knee."""

GEOMETRY: Final[Mapping[str, Any]] = {
    "modelled_slices": list(MODELLED_SLICES),
    "image_size": IMAGE_SIZE,
    "pixel_mm": 0.625,
    "slice_mm": 1.5,
    "region_mm": 110.0,
    "region_pixels": REGION_SIZE,
    "margin": MARGIN,
}
"""Geometry of ``KNEE_ARRAYS``, for the index."""


class KneeStore:
    """N knees in memory-mapped arrays; processes may write different knees at the same time.

    Attributes:
        directory: the folder.
        index: what ``index.json`` says: ``format``, ``source`` (one of ``SOURCES``), ``knees`` (seeds, or names such
            as ``"9001695R"``), ``geometry``, ``intensity`` (the rule in words), ``arrays`` and what the source adds:
            ``simulator`` (its version) and ``visibility``, or ``splits`` (one of training, validation, test per knee).
        arrays: name to type and shape per knee.
    """

    def __init__(self, directory: Path, index: Mapping[str, Any]) -> None:
        self.directory, self.index = directory, dict(index)
        self.arrays = {name: ArraySpec(spec[0], tuple(spec[1])) for name, spec in index["arrays"].items()}
        self._maps: dict[tuple[str, str], np.memmap[Any, Any]] = {}

    @classmethod
    def create(
        cls, directory: Path, count: int, index: Mapping[str, Any], arrays: Mapping[str, ArraySpec] = KNEE_ARRAYS
    ) -> KneeStore:
        """Make a store, or open the one that is there if it is for these very knees.

        Args:
            directory: folder, made if missing.
            count: number of knees N.
            index: what the knees are: ``source``, ``knees`` (N of them), ``geometry``, ``intensity`` and whatever
                else tells this set from another; must go into JSON and come back the same.
            arrays: type and shape per knee.

        Raises:
            UsageError: the folder holds another set or other files, there is no room for the arrays, or N is 0.
            ValueError: the index lacks a key, or counts other knees.
        """
        directory = Path(directory)
        complete = _complete_index(count, index, arrays)
        if (directory / "index.json").exists():
            store = cls.open(directory)
            if store.index != complete:
                raise UsageError(
                    f"training set {directory.name}",
                    "must be empty or hold these very knees",
                    _difference(store.index, complete),
                    "Name another folder.",
                )
            return store
        _allocate(directory, count, {**arrays, "done": ArraySpec("uint8", ())})
        write_whole(directory / "index.json", json.dumps(complete, indent=1).encode())
        return cls(directory, complete)

    @classmethod
    def open(cls, directory: Path) -> KneeStore:
        """Open a store.

        Raises:
            UsageError: there is none, it is of another format, or its arrays are not what its index says.
        """
        directory = Path(directory)
        what = f"training set {directory.name}"
        try:
            index = json.loads((directory / "index.json").read_bytes())
        except FileNotFoundError:
            raise UsageError(
                what,
                "must be a folder made by 'xray2mri prepare' or 'python -m monai_xray2mri.knee.data.simulated'",
                "no index.json",
                "Make one: python -m monai_xray2mri.knee.data.simulated --output DIR --knees N",
            ) from None
        except (OSError, ValueError) as error:
            raise UsageError(what, "must have a readable index.json", type(error).__name__, "Make it again.") from error
        if not isinstance(index, dict) or index.get("format") != FORMAT:
            found = index.get("format", "none") if isinstance(index, dict) else "none"
            raise UsageError(what, f"must be of format {FORMAT}", f"format {found}", "Make the set again.")
        store = cls(directory, index)
        store._check_arrays()
        return store

    def __len__(self) -> int:
        """Number of knees, complete or not."""
        return len(self.index["knees"])

    def __getstate__(self) -> dict[str, Any]:
        """Without the maps: another process opens its own, instead of being sent gigabytes."""
        return {**self.__dict__, "_maps": {}}

    @property
    def done(self) -> np.ndarray:
        """Which knees are complete, [N] bool, as of now."""
        return np.asarray(self._map("done", "r")) != 0

    def write(self, position: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write one knee; it counts as there only when all of it is.

        Args:
            position: its row.
            arrays: one array per name, of the type and shape per knee that ``arrays`` states.

        Raises:
            ValueError: an array is missing, unknown, or of another type or shape.
        """
        if set(arrays) != set(self.arrays):
            raise ValueError(f"a knee needs the arrays {sorted(self.arrays)}, not {sorted(arrays)}")
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
        """One knee's arrays, read-only views of the files."""
        return {name: self.array(name)[position] for name in self.arrays}

    def array(self, name: str) -> np.ndarray:
        """One array of all knees, [N,...], a read-only view of its file."""
        return self._map(name, "r")

    def _map(self, name: str, mode: Literal["r", "r+"]) -> np.memmap[Any, Any]:
        if (name, mode) not in self._maps:
            self._maps[name, mode] = np.load(self.directory / f"{name}.npy", mmap_mode=mode)
        return self._maps[name, mode]

    def _check_arrays(self) -> None:
        for name, spec in {**self.arrays, "done": ArraySpec("uint8", ())}.items():
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


def knee_arrays(
    slices: np.ndarray, region: np.ndarray, grades: Mapping[str, int | None], lesions: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """One knee as :meth:`KneeStore.write` takes it under ``KNEE_ARRAYS``.

    Args:
        slices: [S,H,W] intensities in [0,1] in right-knee space, slice 0 posterior; what lies beyond is clipped.
        region: [R,R] radiograph region with margin, grey values in [0,1], bone bright, right-knee space
            (:func:`~monai_xray2mri.knee.data.jitter.region_with_margin`).
        grades: OAI stems to grades; None or absent is unknown.
        lesions: [S,H,W], not 0 where a lesion lies; None if nobody knows.
    """
    if lesions is None:
        lesions = np.zeros(slices.shape, dtype=bool)
    count, rows, columns = lesions.shape
    blocks = (lesions != 0).reshape(count, LATENT_SIZE, rows // LATENT_SIZE, LATENT_SIZE, columns // LATENT_SIZE)
    return {
        "slices": np.rint(np.clip(slices, 0, 1) * 255).astype(np.uint8),
        "radiographs": np.rint(np.clip(region, 0, 1) * 65535).astype(np.uint16),
        "features": one_hot(grades).astype(np.uint8),
        "lesions": blocks.any(axis=(2, 4)).astype(np.uint8),  # [S,h,w]
    }


def _complete_index(count: int, index: Mapping[str, Any], arrays: Mapping[str, ArraySpec]) -> dict[str, Any]:
    for key in ("source", "knees", "geometry", "intensity"):
        if key not in index:
            raise ValueError(f"the index of a training set needs {key!r}")
    if index["source"] not in SOURCES:
        raise ValueError(f"the source must be one of {SOURCES}, not {index['source']!r}")
    if count < 1:
        raise UsageError("training set", "must have at least one knee", f"{count}")
    if len(index["knees"]) != count:
        raise ValueError(f"the index names {len(index['knees'])} knees, the store is for {count}")
    specs = {name: [spec.dtype, list(spec.shape)] for name, spec in arrays.items()}
    complete: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **index, "arrays": specs}))
    return complete


def _difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    keys = [key for key in sorted({*there, *wanted}) if there.get(key) != wanted.get(key)]
    return f"another set: {', '.join(keys)} differ"


def _allocate(directory: Path, count: int, arrays: Mapping[str, ArraySpec]) -> None:
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
                "Free some room, choose another disk, or ask for fewer knees.",
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
