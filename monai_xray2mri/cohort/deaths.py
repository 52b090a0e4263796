"""Which studies have killed what worked on them: one that did so twice is set aside and cannot stop the others.

The notes lie in the output, where every machine of a run sees them. A study that is begun leaves a note, which is
removed when it ends. A note that is found later is of a machine that went away: nobody knows why, so it counts half.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from monai_xray2mri.cohort.tables import append_line, lines_of
from monai_xray2mri.errors import UsageError

MOST: Final = 2.0
"""Deaths from which on a study is set aside."""
_FOLDER: Final = "deaths"


class Deaths:
    """The notes on the studies of a cohort.

    Args:
        output: folder of the cohort.
    """

    def __init__(self, output: Path) -> None:
        self._folder = output / _FOLDER

    def why_set_aside(self, study: str) -> str:
        """Why a study is set aside; empty if it is not."""
        notes = list(lines_of(self._note(study)))
        died = [str(note["died"]) for note in notes if "died" in note]
        unknown = sum("begun" in note for note in notes) - len(died)
        if len(died) + unknown / 2 < MOST:
            return ""
        reasons = [f"the process {why}" for why in dict.fromkeys(died)]
        return "; ".join([*reasons, *([f"{unknown} runs ended within it"] if unknown else [])])

    def begin(self, study: str) -> None:
        """Note that a study is worked on.

        Raises:
            UsageError: the output cannot be written.
        """
        note = self._note(study)
        try:
            note.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError("output", "must be writable", error.strerror or "an error") from error
        append_line(note, {"begun": True})

    def died(self, study: str, why: str) -> None:
        """Note that the process died."""
        append_line(self._note(study), {"died": why})

    def end(self, study: str) -> None:
        """Forget a study: it ended as it should."""
        self._note(study).unlink(missing_ok=True)

    def forget(self, studies: Sequence[str]) -> None:
        """Try studies again that were set aside."""
        for study in studies:
            self.end(study)

    def _note(self, study: str) -> Path:
        return self._folder / study[:2] / f"{study}.jsonl"
