"""Who does what: studies are divided among shards by what they are thought to take, not by their number."""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass

import numpy as np

from monai_xray2mri.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """One of several parts of a cohort.

    Attributes:
        number: from 1.
        of: how many there are.

    Raises:
        UsageError: a number beyond.
    """

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise UsageError("option shard", "must be I/N with 1 <= I <= N", f"{self.number}/{self.of}")

    @staticmethod
    def read(text: str) -> Shard:
        """The shard that ``3/7`` names.

        Raises:
            UsageError: another text.

        Example:
            >>> Shard.read("3/7")
            Shard(number=3, of=7)
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if match is None:
            raise UsageError("option shard", "must be I/N, for example 3/7", text[:40])
        return Shard(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """``shard_0003_of_0007``."""
        return f"shard_{self.number:04d}_of_{self.of:04d}"


def divide(cost: np.ndarray, shards: int) -> np.ndarray:
    """The shard of each study: the longest first, each to the shard that has least so far (Graham 1969).

    The division follows from the costs alone, so that every shard finds it by itself. The longest shard takes at most
    4/3 of the best possible.

    Args:
        cost: [N] seconds.
        shards: number of shards.

    Returns:
        [N] int, shards from 1.
    """
    found = np.empty(len(cost), dtype=np.int32)
    load = [(0.0, number) for number in range(1, shards + 1)]
    for place in np.argsort(-cost, kind="stable"):
        seconds, number = load[0]
        found[place] = number
        heapq.heapreplace(load, (seconds + float(cost[place]), number))
    return found
