"""What the app's operators share: the system, its loaded bundle, and what is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_xray2mri.core.system import Outputs, Predictor, Sampling, System


@dataclass(frozen=True)
class Run:
    """One run of the app.

    Attributes:
        system: that the bundle names.
        predictor: the loaded bundle.
        bundle: its folder.
        source: folder of the study.
        request: what is wanted of the study.
        sampling: how results are drawn.
        output: folder of the results.
        outputs: what is written beside each result.
        allow_partial: only log which cases were refused, if others were written.
    """

    system: System
    predictor: Predictor
    bundle: Path
    source: Path
    request: Any
    sampling: Sampling
    output: Path
    outputs: Outputs
    allow_partial: bool
