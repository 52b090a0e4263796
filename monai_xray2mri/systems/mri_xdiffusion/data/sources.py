"""What sections are drawn from: cones as functions, and stored volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.cones import SPLITS, draw_cones
from monai_xray2mri.systems.mri_xdiffusion.data.store import VolumeStore
from monai_xray2mri.systems.mri_xdiffusion.planes import section_grid


class ConeSections:
    """Exact sections of the cones of a split; all of space is known.

    Args:
        split: ``"training"``, ``"validation"`` or ``"test"``.
        count: the first so many; None: all.

    Raises:
        UsageError: no such split, or not so many cones.
    """

    def __init__(self, split: str = "training", count: int | None = None) -> None:
        if split not in SPLITS:
            raise UsageError("split of cones", f"must be one of {', '.join(SPLITS)}", split)
        self.seeds: Sequence[int] = SPLITS[split][:count]
        if count is not None and count != len(self.seeds):
            raise UsageError("number of cones", f"must be at most {len(SPLITS[split])}", str(count))
        self.cones = draw_cones(self.seeds)

    def __len__(self) -> int:
        """Number of cones."""
        return len(self.cones)

    @property
    def acquired(self) -> np.ndarray:
        """See :class:`~monai_xray2mri.systems.mri_xdiffusion.sections.SectionSource`: all of the cube."""
        return np.tile(np.array([[-1.0] * 3, [1.0] * 3]), (len(self), 1, 1))

    def sections(self, volume: int, place: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
        """See :class:`~monai_xray2mri.systems.mri_xdiffusion.sections.SectionSource`."""
        values = self.cones[volume : volume + 1].values(section_grid(place, pixels)[None])[0]
        return values, torch.ones_like(values, dtype=torch.bool)


class StoredSections:
    """Sections of the volumes of a store, interpolated.

    Args:
        directory: of a :class:`~monai_xray2mri.systems.mri_xdiffusion.data.store.VolumeStore`.
        split: which of its volumes; None: all.

    Raises:
        UsageError: there is no store, it is not complete, or no volume is of the split.
    """

    def __init__(self, directory: str | Path, split: str | None = "training") -> None:
        self.store = VolumeStore.open(Path(directory))
        if missing := int((~self.store.done).sum()):
            remedy = "Let the program that writes it end."
            raise UsageError(
                f"training set {self.store.directory.name}", "must be complete", f"{missing} missing", remedy
            )
        splits = self.store.index["splits"]
        self.rows = [row for row, one in enumerate(splits) if split is None or one == split]
        if not self.rows:
            raise UsageError(f"training set {self.store.directory.name}", f"must hold volumes of split {split}", "none")

    def __len__(self) -> int:
        """Number of volumes."""
        return len(self.rows)

    @property
    def acquired(self) -> np.ndarray:
        """See :class:`~monai_xray2mri.systems.mri_xdiffusion.sections.SectionSource`."""
        return self.store.array("acquired")[self.rows]

    def sections(self, volume: int, place: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
        """See :class:`~monai_xray2mri.systems.mri_xdiffusion.sections.SectionSource`."""
        values, known = self.store.sampled(self.rows[volume]).sections(place, pixels)
        return values / 255, known
