"""What a method, a case and a cohort of an evaluation are.

The engine knows no body part: a system hands in its cases, methods and studies
(:class:`~monai_xray2mri.evaluation.suite.Suite`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np


class Inputs(Protocol):
    """What a method is given of a case, and what is asked of it."""

    @property
    def name(self) -> str:
        """Name of the case; methods may derive their random numbers from it and from nothing else."""
        ...

    @property
    def title(self) -> str:
        """What people call the case: ``foot 12``."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one result: ``(S, H, W)`` or ``(H, W)``."""
        ...


class Case(Protocol):
    """What is evaluated on: a case with its truth. The truth is between the cohort and the studies."""

    @property
    def participant(self) -> str:
        """Person it belongs to: intervals are over participants."""
        ...


C = TypeVar("C", bound=Case)
C_co = TypeVar("C_co", bound=Case, covariant=True)


class Method(Protocol):
    """A method: the inputs of a case to results."""

    def predict(self, inputs: Any, /, samples: int, seed: int) -> np.ndarray:
        """Generate.

        Args:
            inputs: what is given, and what is asked for.
            samples: results to draw; a method that always gives the same result gives it once.
            seed: of whatever is drawn; equal seed, case and method give equal results.

        Returns:
            [samples or 1, *shape] float32, intensities 0 to 1.
        """
        ...


@runtime_checkable
class FittedMethod(Protocol):
    """A method that is shown training cases before use."""

    def fit(self, cases: Iterable[Any]) -> object:
        """Take training cases in, one at a time."""
        ...


@runtime_checkable
class RecordedMethod(Protocol):
    """A method that states what determines its results: a run that goes on must have the same."""

    def settings(self) -> Mapping[str, Any]:
        """Weights' hash, options and the like, as JSON."""
        ...


class Cohort(Protocol[C_co]):
    """Cases that are made or read one at a time."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each case."""
        ...

    def __getitem__(self, index: int) -> C_co:
        """The case at an index of ``names``.

        Raises:
            InputRefused: this case cannot be used; the message says why.
        """
        ...
