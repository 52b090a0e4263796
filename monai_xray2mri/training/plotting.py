"""The losses of a run as a picture."""

from __future__ import annotations

import io
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.runtime.optional import optional_library


def read_log(path: Path) -> list[dict[str, Any]]:
    """Lines of a log, oldest first. A line that a kill cut off is left out, and so is what a run did again later.

    A run that was killed goes on from its checkpoint and writes the lines behind it a second time: the last one counts.
    """
    lines: list[dict[str, Any]] = []
    for text in path.read_text().splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        lines = [old for old in lines if old["iteration"] <= line["iteration"] and _other(old, line)]
        lines.append(line)
    return lines


def _other(old: dict[str, Any], line: dict[str, Any]) -> bool:
    return old["iteration"] != line["iteration"] or old.keys() != line.keys()


def draw_losses(log: Path, picture: Path, batch_size: int) -> bool:
    """Draw training and validation loss over the slices that were seen; whether there is a picture.

    Without matplotlib, or before the second line of the log, there is none.

    Args:
        log: of :class:`~monai_xray2mri.training.handlers.RunLog`.
        picture: PNG file, whole or as it was.
        batch_size: slices of a step.

    Raises:
        UsageError: it cannot be written.
    """
    lines = read_log(log)
    if len(lines) < 2 or find_spec("matplotlib") is None:
        return False
    figure = optional_library("matplotlib.figure").Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, style in (("loss", "-"), ("validation_loss", "o-")):
        points = [(line["iteration"] * batch_size, line[name]) for line in lines if name in line]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=name.replace("_", " "), markersize=3)
    axes.set(xlabel="slices", ylabel="loss", title=log.stem)
    axes.legend()
    axes.grid(alpha=0.3)
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png", dpi=120)
    write_whole(picture, encoded.getvalue())
    return True
