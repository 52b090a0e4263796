"""Random generators that follow from what is drawn, not from when it is drawn."""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
import torch


def draw_generator(stream: str, *identity: int) -> np.random.Generator:
    """Generator of one draw: the same for the same arguments, whoever asks and when.

    Args:
        stream: what is drawn: ``"box"``, ``"crop"`` ...; independent of the others.
        identity: whole numbers >= 0, e.g. seed, epoch and item.
    """
    # A seed sequence ends in endless zeros: with their number in front, (1, 2) and (1, 2, 0) differ.
    numbers = (zlib.crc32(stream.encode()), len(identity), *identity)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(numbers)))


def case_generator(*parts: object) -> torch.Generator:
    """The generator of one sample of one case; independent of batch, order and device.

    Args:
        parts: what tells the sample from all others: seed, identity of the source, side or view, number of the sample.

    Example:
        >>> case_generator(0, "1.2.3", "R", 1).initial_seed() == case_generator(0, "1.2.3", "R", 1).initial_seed()
        True
    """
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))
