"""What a method is given of a foot, and what methods without weights are fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class GivenPhotograph:
    """A photograph, asked for its radiograph.

    Attributes:
        name: of the case.
        photograph: [S,S] float32 in [0,1], grey, right foot, toes up, black beside the foot.
    """

    name: str
    photograph: np.ndarray

    @property
    def title(self) -> str:
        """What people call it."""
        return f"foot {self.name}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a result, (S, S)."""
        return self.photograph.shape


class FittingPair(Protocol):
    """A training pair."""

    @property
    def photograph(self) -> np.ndarray:
        """[S,S] in [0,1]."""
        ...

    @property
    def radiograph(self) -> np.ndarray:
        """[S,S] in [0,1]."""
        ...
