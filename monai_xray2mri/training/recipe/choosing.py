"""A stage of a recipe that takes one of several candidates, by a rule that is written down before they are trained."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import whole_file, write_whole
from monai_xray2mri.training.recipe.stage import Progress, Turn


@dataclass(frozen=True)
class Candidate:
    """What a stage has trained.

    Attributes:
        weights: its best weights; beside them a JSON file of the same name says their ``validation_loss``
            (:class:`~monai_xray2mri.training.watch.KeepBest`), a mean squared error of images in [-1,1].
        options: entries of configurations that its network has, which later stages take over.
    """

    weights: Path
    options: Mapping[str, Any]

    def psnr(self) -> float:
        """Its PSNR on the validation set in dB, for a range of 2.

        Raises:
            UsageError: nothing says it.
        """
        record = self.weights.with_suffix(".json")
        try:
            loss = float(json.loads(record.read_text())["validation_loss"])
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"candidate {record.parent.name}", f"must have a validation loss in {record.name}", type(error).__name__
            ) from error
        return 10 * math.log10(4 / loss)


class ChosenWeights:
    """The first candidate, unless a later one is better by enough.

    It leaves ``weights.pt``, a copy of the chosen weights; ``network.json``, a configuration with the chosen options;
    and ``choice.json``, what was measured.

    Args:
        folder: of what it leaves.
        candidates: each ``{"weights": file, "options": entries of configurations}``, the preferred one first.
        needed_db: gain in dB over the chosen one so far for which a later candidate is taken.
    """

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, folder: str | Path, candidates: Sequence[Mapping[str, Any]], needed_db: float = 1.0) -> None:
        self.folder, self.needed_db = Path(folder), needed_db
        self.candidates = [Candidate(Path(one["weights"]), dict(one["options"])) for one in candidates]

    def progress(self) -> Progress:
        """Whether it has chosen."""
        return Progress(int((self.folder / "choice.json").is_file()), 1, "choices")

    def work(self, turn: Turn) -> None:
        """Choose.

        Raises:
            UsageError: a candidate was not validated, or the folder cannot be written.
        """
        measured = [candidate.psnr() for candidate in self.candidates]
        chosen = 0
        for number, psnr in enumerate(measured):
            if psnr >= measured[chosen] + self.needed_db:
                chosen = number
        taken = self.candidates[chosen]
        with whole_file(self.folder / "weights.pt") as draft:
            shutil.copyfile(taken.weights, draft)
        write_whole(self.folder / "network.json", json.dumps(dict(taken.options), indent=2).encode())
        record = {"chosen": chosen, "psnr_db": measured, "needed_db": self.needed_db}
        write_whole(self.folder / "choice.json", json.dumps(record, indent=2).encode())
        turn.tell()
