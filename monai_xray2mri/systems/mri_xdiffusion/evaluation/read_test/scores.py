"""What readers answered: a CSV with one line per volume, and what follows from it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.study import ResultTable
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.pairs import GENERATED, REAL, SIDES, Pair

CRITERIA: Final[Mapping[str, str]] = {
    "cartilage": "Cartilage integrity: thickness, smoothness, lesions or thinning",
    "meniscus": "Meniscus condition: tears, degeneration, displacement",
    "ligaments": "Ligament integrity (ACL, PCL, MCL, LCL): tears, sprains, degeneration",
    "marrow": "Bone marrow: edema, bruising, lesions",
    "fluid": "Synovial fluid: amount and condition, effusion",
    "bones": "Bony structures: spurs, cysts, other abnormalities",
    "tendons": "Tendon condition: inflammation, tears",
    "patellofemoral": "Patellofemoral joint: alignment, cartilage, tracking",
    "bursae": "Bursae: inflammation, abnormalities",
    "alignment": "Overall joint alignment: valgus or varus",
}
"""The ten criteria of X-Diffusion, appendix D.2."""
LOWEST, HIGHEST = 1, 10
GUESSES: Final = (*SIDES, "none")
COLUMNS: Final = ("reader", "case", "side", "volume", *CRITERIA, "taken_for", "seconds")


@dataclass(frozen=True)
class Answer:
    """A reader's answer to a pair.

    Attributes:
        scores: side to criterion to 1 (poor) to 10 (perfect).
        guess: the side that is taken for the generated one, or ``"none"``.
        seconds: that it took.
    """

    scores: Mapping[str, Mapping[str, int]]
    guess: str
    seconds: float

    @classmethod
    def parse(cls, form: Mapping[str, str], seconds: float) -> Answer:
        """From the fields of the page's form: ``A_cartilage`` ..., and ``guess``.

        Raises:
            UsageError: a field is missing or out of range.
        """
        scores: dict[str, dict[str, int]] = {side: {} for side in SIDES}
        for side in SIDES:
            for name in CRITERIA:
                text = form.get(f"{side}_{name}", "")
                if not text.isdecimal() or not LOWEST <= int(text) <= HIGHEST:
                    raise UsageError(f"score {name} of {side}", f"must be {LOWEST} to {HIGHEST}", text or "none")
                scores[side][name] = int(text)
        if form.get("guess") not in GUESSES:
            raise UsageError("guess", f"must be one of {', '.join(GUESSES)}", form.get("guess", "none"))
        return cls(scores, form["guess"], seconds)


class ScoreFile:
    """The CSV: answers are appended as they come, and one reader's pairs are asked once.

    Args:
        path: the file; made with the first answer.

    Raises:
        UsageError: it is a file of something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="") as stream:
                reader = csv.DictReader(stream)
                if tuple(reader.fieldnames or ()) != COLUMNS:
                    raise UsageError(f"file {path.name}", "must be one of a reading study", "other columns")
                self.rows = list(reader)

    def answered(self, reader: str) -> set[str]:
        """Cases that a reader has answered."""
        return {row["case"] for row in self.rows if row["reader"] == reader}

    def add(self, reader: str, pair: Pair, answer: Answer) -> None:
        """Append the two lines of a pair."""
        lines = [
            {
                "reader": reader,
                "case": pair.case,
                "side": side,
                "volume": shown,
                **{name: str(answer.scores[side][name]) for name in CRITERIA},
                "taken_for": _taken_for(side, answer.guess),
                "seconds": f"{answer.seconds:.0f}",
            }
            for side, shown in zip(SIDES, pair.shown, strict=True)
        ]
        new = not self.path.exists()
        with self.path.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerows(lines)
        self.rows += lines


def _taken_for(side: str, guess: str) -> str:
    return "undecided" if guess == "none" else GENERATED if guess == side else REAL


def exact_interval(hits: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share by Clopper and Pearson 1934: 8 of 20 is 19 to 64 %.

    Raises:
        UsageError: SciPy is not installed.
    """
    found = optional_library("scipy.stats").binomtest(hits, count).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def summary(rows: Sequence[Mapping[str, str]]) -> list[ResultTable]:
    """How often the generated volume was found, and the mean scores of both kinds.

    Undecided answers count as not found: the paper leaves three of them out.
    """
    return [_found(rows), _scores(rows)] if rows else []


def _found(rows: Sequence[Mapping[str, str]]) -> ResultTable:
    generated = [row for row in rows if row["volume"] == GENERATED]
    readers = list(dict.fromkeys(row["reader"] for row in generated))
    cells: list[list[Any]] = []
    for reader in (*readers, *(["all"] if len(readers) > 1 else [])):
        own = [row for row in generated if reader in ("all", row["reader"])]
        hits = sum(row["taken_for"] == GENERATED for row in own)
        low, high = exact_interval(hits, len(own))
        undecided = sum(row["taken_for"] == "undecided" for row in own)
        cells.append([reader, len(own), hits, undecided, f"{hits / len(own):.0%} [{low:.0%}, {high:.0%}]"])
    note = "Exact 95 % binomial interval; guessing finds 50 %. Pairs of several readers are not independent."
    head = ["reader", "pairs", "found", "undecided", "share found"]
    return ResultTable("read_test", "Was the generated volume found?", head, cells, note)


def _scores(rows: Sequence[Mapping[str, str]]) -> ResultTable:
    cells = []
    for name in CRITERIA:
        by = {kind: {(row["reader"], row["case"]): int(row[name]) for row in rows if row["volume"] == kind}
              for kind in (REAL, GENERATED)}  # fmt: skip
        both = by[REAL].keys() & by[GENERATED].keys()
        real, generated = ([by[kind][key] for key in sorted(both)] for kind in (REAL, GENERATED))
        differences = np.subtract(generated, real)
        cells.append([name, f"{np.mean(real):.1f}", f"{np.mean(generated):.1f}", f"{np.mean(differences):+.1f}"])
    head = ["criterion", "real", "generated", "difference"]
    return ResultTable("read_test_scores", f"Mean scores, {LOWEST} to {HIGHEST}", head, cells)
