"""A stage of a recipe that simulates pairs of feet, from wherever its folder stands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar, Final

from monai_xray2mri.simulation.foot.foot import REGISTRATION_MM, VISIBILITY
from monai_xray2mri.simulation.foot.release import FeetSettings, feet_of, simulate_feet
from monai_xray2mri.training.recipe.stage import Progress, Turn

_TOGETHER: Final = 8
"""Feet between two looks at the clock."""


class SimulatedPairs:
    """Pairs of simulated feet below a folder: one folder for each split, one in it for each foot.

    Args:
        folder: of the splits.
        training: feet to train on.
        validation: feet to watch training by.
        visibility: how closely the skin follows the bones, 0 to 1.
        registration_mm: by how much photograph and radiograph are apart, 0 to 4 mm.
    """

    free: ClassVar[frozenset[str]] = frozenset({"training", "validation"})

    def __init__(
        self,
        folder: str | Path,
        training: int = 1500,
        validation: int = 50,
        visibility: float = VISIBILITY,
        registration_mm: float = REGISTRATION_MM,
    ) -> None:
        self.folder, self.counts = Path(folder), {"training": training, "validation": validation}
        self.settings = FeetSettings(visibility, registration_mm)

    def progress(self) -> Progress:
        """Pairs that are complete."""
        missing = sum(1 for _ in self._missing())
        total = sum(self.counts.values())
        return Progress(total - missing, total, "pairs")

    def work(self, turn: Turn) -> None:
        """Simulate those that are missing, until none is or the turn is over.

        Raises:
            UsageError: a count is out of range, or the folder holds feet of other settings or cannot be written.
        """
        missing = list(self._missing())
        for split in self.counts:
            seeds = iter([seed for name, seed in missing if name == split])
            while some := list(islice(seeds, _TOGETHER)):
                if turn.over():
                    return
                simulate_feet(self.folder / split, some, self.settings)
                turn.tell(len(some))

    def _missing(self) -> Iterator[tuple[str, int]]:
        """Splits and seeds of the feet that are not complete."""
        for split, count in self.counts.items():
            there = {file.parent.name for file in (self.folder / split).glob("*/truth.json")}
            yield from ((split, seed) for seed in feet_of(split, count) if f"{seed:07d}" not in there)
