"""Results of methods, checked; methods from a folder of results and from a class of one's own."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.protocols import Inputs, Method, RecordedMethod


def generate(method: Method, inputs: Inputs, samples: int, seed: int) -> np.ndarray:
    """What a method predicts, if it is what was asked for.

    Returns:
        [samples or 1, *shape] float32.

    Raises:
        InputRefused: another shape, a value that is no number, or intensities beyond 0 to 1.
    """
    results = np.asarray(method.predict(inputs, samples, seed))
    wanted, what = tuple(inputs.shape), f"result of {inputs.title}"
    if results.ndim != len(wanted) + 1 or results.shape[1:] != wanted or len(results) not in (1, samples):
        raise InputRefused(what, f"must have the shape {('samples', *wanted)}", f"{results.shape}")
    if not np.isfinite(results).all():
        raise InputRefused(what, "must hold numbers", f"{int((~np.isfinite(results)).sum())} values are none")
    if results.min() < -1e-3 or results.max() > 1 + 1e-3:
        raise InputRefused(what, "must lie in 0 to 1", f"{results.min():.3g} to {results.max():.3g}")
    return results.astype(np.float32, copy=False)


def seconds_per_call(method: Method, inputs: Inputs, seed: int = 0) -> float:
    """Time of one sample, from the second of two calls: the first warms up."""
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        generate(method, inputs, 1, seed)
        seconds = time.perf_counter() - start
    return seconds


def method_settings(methods: Mapping[str, Method]) -> dict[str, Any]:
    """Name to what determines a method's results: what it states of itself, else the name of its class."""
    return {
        name: dict(method.settings()) if isinstance(method, RecordedMethod) else type(method).__name__
        for name, method in methods.items()
    }


def whole_result(result: np.ndarray, inputs: Inputs) -> np.ndarray:
    """A stored result as it is."""
    return result


class FolderMethod:
    """Results that were generated elsewhere: ``FOLDER/<case>.npy``, one result or [samples, ...], 0 to 1.

    Args:
        folder: where they lie.
        cut: takes what is asked for out of a stored result; it refuses a result of another shape.
    """

    def __init__(self, folder: Path, cut: Callable[[np.ndarray, Any], np.ndarray] = whole_result) -> None:
        self.folder, self.cut = folder, cut

    def predict(self, inputs: Inputs, samples: int, seed: int) -> np.ndarray:
        """Read the results of a case; one where fewer are stored than asked for.

        Raises:
            InputRefused: there is none, or it is no array of results.
        """
        what, path = f"result of {inputs.title}", self.folder / f"{inputs.name}.npy"
        try:
            stored = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            raise InputRefused(what, f"must lie in {self.folder.name}", "no such file") from None
        except ValueError as error:
            raise InputRefused(what, "must be an array", type(error).__name__) from error
        rank = len(inputs.shape)
        if stored.ndim == rank:
            stored = stored[None]
        if stored.ndim != rank + 1 or not len(stored):
            raise InputRefused(what, f"must have {rank} axes, or {rank + 1} with samples first", f"{stored.shape}")
        kept = stored[:samples] if len(stored) >= samples else stored[:1]
        return np.stack([self.cut(result, inputs) for result in kept])


def class_method(source: str) -> Method:
    """The method of a class of one's own, ``package.module:Class``.

    Raises:
        UsageError: there is no such class, or it needs arguments.
    """
    module, _, name = source.partition(":")
    try:
        method: Method = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        rule = "must be a bundle, weights, a folder of results, or package.module:Class"
        raise UsageError(f"method {source}", rule, type(error).__name__) from error
    return method
