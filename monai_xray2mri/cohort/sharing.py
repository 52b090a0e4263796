"""Who does what: studies are divided among shards by what they are thought to take, not by their number."""

from __future__ import annotations

import heapq

import numpy as np


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
