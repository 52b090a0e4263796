"""A network's evaluations compiled for training (``torch.compile``), where that is asked for and can be done."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

Evaluation = Callable[..., Tensor]


def compile_evaluation(evaluation: Evaluation) -> Evaluation:
    """An evaluation that is compiled at its first call for each shape of its arguments.

    Results differ from the evaluation's own by rounding alone. Compiling takes minutes on a CPU, and needs a C++
    compiler there. Without one the evaluation stays as it is, with a warning, so that a run that began on one machine
    can go on on another.
    """
    if not torch.cuda.is_available() and shutil.which(os.environ.get("CXX", "g++")) is None:
        remedy = "Install g++, or name a compiler in the variable CXX."
        warnings.warn(f"compiled: no C++ compiler is found; the network is trained as it is. {remedy}", stacklevel=2)
        return evaluation
    compiled: Evaluation = torch.compile(evaluation, dynamic=False)
    return compiled
