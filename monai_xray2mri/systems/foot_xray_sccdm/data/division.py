"""Whose foot a pair is, which side and which split, by its name; and the record of a preparation."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.types import Side

SPLITS: Final = ("training", "validation", "test")
_BOUNDS: Final = ((115 / 145, "training"), (130 / 145, "validation"), (1.0, "test"))
"""Wan 2025, section 3: 115, 15 and 15 of 145 pairs."""
_SIDE: Final = re.compile(r"(?<![A-Za-z])(?P<word>right|left|[RL])(?![A-Za-z])", re.IGNORECASE)


@dataclass
class PairsReport:
    """The outcome of a preparation.

    Attributes:
        split_seed: of the division.
        splits: name of each prepared pair to its split.
        skipped: name of each pair that was not used to the reason.
        remarks: on single pairs.
    """

    split_seed: int
    splits: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """Pairs per split."""
        return Counter(self.splits.values())

    def text(self) -> str:
        """For people."""
        splits = ", ".join(f"{self.counts[split]} {split}" for split in SPLITS)
        lines = [f"Pairs prepared: {len(self.splits)} ({splits})", "", f"Left out: {len(self.skipped)}"]
        lines += [f"  {name}: {why}" for name, why in self.skipped.items()]
        lines += ["", "Remarks", *(f"  {remark}" for remark in self.remarks or ["none"])]
        return "\n".join(lines) + "\n"

    def write(self, output: Path) -> None:
        """Write it for people and for programs."""
        write_whole(output / "report.json", (json.dumps(asdict(self), indent=1) + "\n").encode())
        write_whole(output / "report.txt", self.text().encode())


def patient_of(name: str) -> str:
    """Whose foot a folder holds: its name without the side, so that both feet of a patient are in one split.

    Example:
        >>> patient_of("0012_L"), patient_of("0012-right"), patient_of("0012")
        ('0012', '0012', '0012')
    """
    bare = _SIDE.sub("", name.replace("_", "-"))
    return re.sub(r"-+", "-", bare).strip("- ").lower() or name


def split_of(patient: str, seed: int = 0) -> str:
    """The split of a patient; it depends on nothing else, so that it stays when a release grows."""
    digest = hashlib.sha256(f"pairs/{seed}/{patient}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return next(name for bound, name in _BOUNDS if place < bound)


def side_of_name(name: str) -> Side | None:
    """The side that a name tells: ``0012_L``, ``original-right.png``; None if it tells none, or both.

    Example:
        >>> side_of_name("0012_L"), side_of_name("xray.png")
        (<Side.LEFT: 'L'>, None)
    """
    found = {match["word"][0].upper() for match in _SIDE.finditer(name.replace("_", "-"))}
    return Side(found.pop()) if len(found) == 1 else None
