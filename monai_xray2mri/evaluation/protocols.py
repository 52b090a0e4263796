"""What a method, a cohort and a case of an evaluation are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee, KneeInputs


class Method(Protocol):
    """A method: a knee's inputs to generated volumes."""

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        """Generate.

        Args:
            knee: what is given, and which slices are asked for.
            samples: volumes that are drawn; a method that always gives the same gives it once.
            seed: of whatever is drawn; the same seed, knee and method give the same volumes.

        Returns:
            [samples or 1,S,H,W] float32, intensities 0 to 1, slice 0 posterior.
        """
        ...


@runtime_checkable
class FittedMethod(Protocol):
    """A method that is shown training knees before use."""

    def fit(self, cases: Iterable[EvaluationKnee]) -> object:
        """Take training knees in, one at a time."""
        ...


class Cohort(Protocol):
    """Knees that are made or read one at a time."""

    names: Sequence[str]
    simulated: bool

    def __getitem__(self, index: int) -> EvaluationKnee:
        """The knee at an index of ``names``.

        Raises:
            InputRefused: this knee cannot be used; the message says why.
        """
        ...
